"""``omniroute.replay``, ``omniroute.explain`` and ``omniroute.route`` in a running mitmweb, and in mitmproxy's console."""

import os
import pty
import re
import select
import ssl
import subprocess
import sys
import termios
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from omniroute_addon.logs import lines
from omniroute_addon.logs.entries import Query
from omniroute_addon.logs.writer import directory
from tests.servers.faults import quota
from tests.servers.provider import Provider
from tests.servers.proxy import LISTEN, ROOT, environment
from tests.servers.steps import PATIENCE, Say, says
from tests.web.conftest import Open, Opened, free_port
from tests.web.mitmweb import Row, role
from tests.web.test_mitmweb import ANSWER, answered, ask, rules

NAMES = ("omniroute.explain", "omniroute.replay", "omniroute.route")


@pytest.fixture
def called(open_any: Open, provider: Provider, second: Provider) -> Opened:
    """A call that went to the second provider's ``qwen``; the first answers, too."""
    provider.script(says("The first speaks."))
    second.script(says("The second speaks."))
    opened = open_any(rules(provider, second, "local/qwen"))
    ask(opened)
    opened.web.wait_rows(answered(2))
    return opened


def the_call(opened: Opened) -> Row:
    return next(row for row in opened.web.rows() if role(row) == "call")


def at(row: Row) -> str:
    return f"@{row['id']}"


def replayed(opened: Opened, lines: list[str]) -> list[Row]:
    """The rows of replays, when all have their answers."""
    ids = [line.rpartition("@")[2] for line in lines]

    def done(rows: list[Row]) -> bool:
        found = [row for row in rows if row["id"] in ids]
        return len(found) == len(ids) and all((row.get("response") or {}).get("timestamp_end") for row in found)

    rows = {row["id"]: row for row in opened.web.wait_rows(done)}
    return [rows[one] for one in ids]


def test_mitmweb_lists_the_commands(called: Opened) -> None:
    assert all(name.encode() in called.web.get("/commands") for name in NAMES)


def test_replay_goes_by_todays_rules_in_a_row_of_its_own(called: Opened, provider: Provider, second: Provider) -> None:
    called.write(rules(provider, second, "glm/new"))
    called.web.wait_event("new rules from")
    before = the_call(called)
    (row,) = replayed(called, called.web.command("omniroute.replay", at(before))["value"])
    assert row["comment"].startswith("routes[0] → glm/new")
    assert b"The first speaks." in called.web.content(row, "response")
    assert b"The second speaks." in called.web.content(before, "response")


def test_replay_to_several_targets_at_once(called: Opened, provider: Provider, second: Provider) -> None:
    said = called.web.command("omniroute.replay", at(the_call(called)), "glm/one", "local/two")
    rows = replayed(called, said["value"])
    assert [row["comment"].partition(" · ")[0] for row in rows] == ["replay → glm/one", "replay → local/two"]
    assert (provider.call.json["model"], second.calls[-1].json["model"]) == ("one", "two")


def test_an_attempt_is_replayed_as_the_call_it_was_made_for(called: Opened) -> None:
    attempt = next(row for row in called.web.rows() if role(row) == "attempt")
    (row,) = replayed(called, called.web.command("omniroute.replay", at(attempt), "glm/one")["value"])
    assert row["request"]["host"] == "api.anthropic.com"


def test_the_tools_own_login_goes_along_to_origin(called: Opened, provider: Provider) -> None:
    replayed(called, called.web.command("omniroute.replay", at(the_call(called)), "origin")["value"])
    assert provider.call.header("x-api-key") == "sk-tool"


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (("glm/one", "nobody/x"), "unknown target 'nobody/x'"),
        (tuple(f"glm/{number}" for number in range(21)), "at most 20 go out at once"),
    ],
    ids=["unknown", "too many"],
)
def test_an_order_that_is_not_right_sends_nothing(
    called: Opened, provider: Provider, arguments: tuple[str, ...], problem: str
) -> None:
    said = called.web.command("omniroute.replay", at(the_call(called)), *arguments)
    assert (problem in said["error"], provider.calls, len(called.web.rows())) == (True, [], 2)


@pytest.mark.parametrize("name", NAMES)
def test_no_flow_is_said_in_words(called: Opened, name: str) -> None:
    assert "no flow is chosen" in called.web.command(name, "~comment nothing-like-it")["error"]


def test_what_is_no_call_is_said_in_words(open_up: Open, provider: Provider, second: Provider) -> None:
    opened = open_up(rules(provider, second))
    with opened.client() as client:
        client.get("https://api.anthropic.com/v1/nothing")
    (row,) = opened.web.wait_rows(lambda rows: len(rows) == 1)
    said = opened.web.command("omniroute.explain", at(row))
    assert said == {"error": "GET api.anthropic.com/v1/nothing: no rule can be asked for this call"}


def test_explain_tells_the_plan_and_sends_nothing(called: Opened, second: Provider) -> None:
    lines = called.web.command("omniroute.explain", at(the_call(called)))["value"]
    assert "claude-opus-4-6: routes[0]" in lines[0]
    assert any(line.startswith("1. local/qwen (two): openai-chat at http://127.0.0.1") for line in lines)
    assert len(second.calls) == 1


def test_explain_tells_the_plan_for_a_target(called: Opened) -> None:
    lines = called.web.command("omniroute.explain", at(the_call(called)), "premium-coding")["value"]
    assert [line.partition(" (")[0] for line in lines if line[0].isdigit()] == [
        "1. glm/glm-4.7",
        "2. local/qwen3-coder",
    ]


def test_the_plan_view_shows_what_explain_tells(called: Opened) -> None:
    row = the_call(called)
    lines = called.web.command("omniroute.explain", at(row))["value"]
    shown = called.web.rendered(row, "request", "plan")
    assert (shown["view_name"], shown["text"].splitlines()) == ("Plan", lines)


def test_route_shows_where_a_replay_would_go(called: Opened) -> None:
    said = called.web.command("omniroute.route", at(the_call(called)))
    assert said == {"value": ["claude-opus-4-6 → routes[0]: local/qwen (two)"]}


def test_a_route_that_is_set_holds_for_replays_of_that_flow_alone(
    called: Opened, provider: Provider, second: Provider
) -> None:
    row = the_call(called)
    said = called.web.command("omniroute.route", at(row), "glm/pinned")
    assert said == {"value": ["claude-opus-4-6 → replay: glm/pinned (one)"]}
    assert the_call(called)["comment"].endswith(" · next: glm/pinned")
    called.web.replay(row)
    called.web.wait_rows(lambda rows: any("replay → glm/pinned" in one["comment"] for one in rows))
    ask(called)
    assert (provider.call.json["model"], [call.json["model"] for call in second.calls]) == ("pinned", ["qwen"] * 2)


def test_replays_and_pins_are_audited(open_up: Open, provider: Provider, second: Provider) -> None:
    second.script(says("Hello"))
    opened = open_up(rules(provider, second, "local/qwen"))
    ask(opened)
    row = the_call(opened)
    opened.web.command("omniroute.route", at(row), "local/other")
    opened.web.replay(row)
    opened.web.wait_event("replay: ")
    home = opened.config.parent / "home"
    said = [entry.text.partition(":")[0] for entry in lines.read(directory(home), Query("audit", search="local/other"))]
    assert said == ["replays pinned", "replay"]


def test_a_route_can_be_given_back_to_the_rules(called: Opened) -> None:
    row = the_call(called)
    called.web.command("omniroute.route", at(row), "glm/pinned")
    said = called.web.command("omniroute.route", at(row), "rules")
    assert said == {"value": ["claude-opus-4-6 → routes[0]: local/qwen (two)"]}
    assert "next:" not in the_call(called)["comment"]


def test_commands_show_no_key(open_any: Open, provider: Provider, second: Provider) -> None:
    provider.script(quota("anthropic-messages"), Say(ANSWER))
    second.script(Say(ANSWER))
    opened = open_any(rules(provider, second))
    with opened.web.watching():
        ask(opened)
        opened.web.wait_rows(answered(3))
        row = the_call(opened)
        for name in ("omniroute.explain", "omniroute.route"):
            opened.web.command(name, at(row))
        for one in replayed(opened, opened.web.command("omniroute.replay", at(row), "glm/a", "local/b")["value"]):
            opened.web.rendered(one, "request", "plan")
        opened.web.get("/flows/dump")
    seen = b"\n".join(opened.web.seen) + opened.log.read_bytes()
    assert [key for key in (b"sk-tool", b"account-key-1", b"account-key-2") if key in seen] == []


# ── mitmproxy's console ─────────────────────────────────────────────────────────────────────────────────────────────


class Screen:
    """A terminal in which mitmproxy runs."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.text = ""

    def press(self, keys: str) -> None:
        self.text = ""
        os.write(self._terminal, keys.encode())

    def wait(self, words: str) -> None:
        """Until the words have been drawn since the last key."""
        end = time.monotonic() + PATIENCE
        while words not in re.sub(r"\x1b[\[(][0-9;?]*[a-zA-Z]|\x0f|\r|\n", " ", self.text):
            assert time.monotonic() < end, f"{words!r} never came: {self.text[-2000:]!r}"
            if select.select([self._terminal], [], [], 1.0)[0]:
                self.text += os.read(self._terminal, 65536).decode(errors="replace")


@contextmanager
def console(settings: Mapping[str, object], home: Path) -> Generator[Screen]:
    """``mitmproxy -s omniroute_addon/script.py`` on a terminal of 200 columns."""
    command = [str(Path(sys.executable).parent / "mitmproxy"), "-s", str(ROOT / "omniroute_addon" / "script.py")]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, 200))
    env = environment(home, {"TERM": "xterm-256color", "LANG": "C.UTF-8"})
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=home.parent, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield Screen(ours)
        finally:
            process.kill()
            os.close(ours)


def test_the_console_explains_replays_and_shows_the_conversation(
    tmp_path: Path, provider: Provider, second: Provider
) -> None:
    provider.script(says("The first speaks."))
    second.script(says("The second speaks."))
    config, confdir, port = tmp_path / "rules.yaml", tmp_path / "confdir", free_port()
    config.write_text(LISTEN + rules(provider, second, "local/qwen"))
    settings = {
        "omniroute_config": config,
        "confdir": confdir,
        "listen_host": "127.0.0.1",
        "listen_port": port,
        "console_focus_follow": "false",
    }
    body = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "My question"}]}
    with console(settings, tmp_path / "home") as screen:
        screen.wait(f"[127.0.0.1:{port}]")
        trust = ssl.create_default_context(cafile=str(confdir / "mitmproxy-ca-cert.pem"))
        with httpx.Client(proxy=f"http://127.0.0.1:{port}", verify=trust, trust_env=False, timeout=PATIENCE) as client:
            client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": "sk-tool-key"})
        screen.press(":omniroute.explain @focus\n")
        screen.wait("1. local/qwen (two): openai-chat at")
        screen.press("q")
        screen.press(":omniroute.replay @focus glm/other\n")
        screen.wait("claude-opus-4-6 → glm/other @")
        assert provider.wait_calls(1)[0].json["model"] == "other"
        screen.press("q")
        screen.press("\n")
        screen.wait("My question")
        assert "sk-tool-key" not in screen.text
