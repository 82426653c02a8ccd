"""The first run in Chromium: from a machine without rules to a call that fell back to GLM, by keyboard, on the page alone."""

import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit
from tests.servers.certificates import authority
from tests.servers.faults import failure, quota
from tests.servers.outbound import OutboundProxy, leaving
from tests.servers.provider import Provider, serving
from tests.servers.proxy import environment
from tests.servers.steps import PATIENCE, says
from tests.web.conftest import Open, Opened
from tests.web.mitmweb import Mitmweb

type Api = Callable[..., httpx.Response]
ANTHROPIC, GLM = "api.anthropic.com", "api.z.ai"
KEY = "canary-pasted-0123456789"
OTHER = "canary-variable-0123456789"
LOGIN = "canary-login-0123456789"
OWN = "canary-own-key-0123456789"
CANARIES = (KEY, OTHER, LOGIN, OWN)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A machine without rules, and the providers as it reaches them."""

    opened: Opened
    anthropic: Provider
    glm: Provider
    home: Path


@contextmanager
def unconfigured(directory: Path, env: dict[str, str]) -> Generator[Opened]:
    """``omniroute up`` where nobody has written any rules, on free ports."""
    home, log = directory / "home", directory / "up.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "omniroute_addon", "up", "--private"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(home, env),
            cwd=directory,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        word, *pairs = process.stdout.readline().split() or [log.read_text()]
        watchdog.cancel()
        assert word == "ready", word
        found = dict(pair.split("=", 1) for pair in pairs)
        ca, rules = home / "ca" / "mitmproxy-ca-cert.pem", home / "omniroute.yaml"
        with Mitmweb(found["web"]) as web:
            yield Opened(found["proxy"], found["gateway"], ca, rules, log, web)
        process.stdin.close()
        errors.write(process.stdout.read())
    assert process.returncode == 0, log.read_text()


@pytest.fixture
def start(tmp_path: Path) -> Generator[Callable[..., Newcomer]]:
    """``start(GROQ_API_KEY="…")``: with Claude Code installed and logged in, and with these variables."""
    with ExitStack() as stack:

        def go(**variables: str) -> Newcomer:
            trust, providers = b"", {}
            for host in (ANTHROPIC, GLM):
                (tmp_path / host).mkdir()
                certificates = authority(tmp_path / host, host)
                trust += certificates.ca.read_bytes()
                providers[host] = stack.enter_context(serving(tls=certificates.server))
            (tmp_path / "trust.pem").write_bytes(trust)
            ways = {host: provider.port for host, provider in providers.items()}
            outbound = stack.enter_context(leaving(OutboundProxy(at=ways)))
            tool, login = tmp_path / "bin" / "claude", tmp_path / ".claude" / ".credentials.json"
            for path in (tool, login):
                path.parent.mkdir()
            tool.write_text("#!/bin/sh\n")
            tool.chmod(0o755)
            login.write_text(f'{{"claudeAiOauth": {{"accessToken": "{LOGIN}"}}}}')
            env = {
                "HOME": str(tmp_path),
                "PATH": str(tool.parent),
                "HTTPS_PROXY": outbound.url,
                "SSL_CERT_FILE": str(tmp_path / "trust.pem"),
                **variables,
            }
            opened = stack.enter_context(unconfigured(tmp_path, env))
            return Newcomer(opened, providers[ANTHROPIC], providers[GLM], tmp_path / "home")

        yield go


def ask(opened: Opened) -> httpx.Response:
    body = {"model": "claude-opus-4-6", "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"x-api-key": OWN, "user-agent": "claude-cli/2.1.330 (external, cli)"}
    with opened.client() as client:
        return client.post(f"https://{ANTHROPIC}/v1/messages", json=body, headers=headers)


def told(newcomer: Newcomer, page: Any, api: Api) -> str:
    """Everything that anybody is shown, and what is written in the clear."""
    files = [
        path.read_text(errors="replace") for path in newcomer.home.rglob("*") if path.suffix in (".yaml", ".jsonl")
    ]
    shown = [page.content(), api(newcomer.opened, "start").text, api(newcomer.opened, "rules").text]
    return "\n".join([*files, *shown, newcomer.opened.log.read_text()])


def test_a_newcomer_goes_from_nothing_to_a_fallback_by_keyboard(
    start: Callable[..., Newcomer], visit: Visit, api: Api, serious: Callable[[Any], list[str]]
) -> None:
    newcomer = start()
    newcomer.glm.script(says("OK"), says("Hello from GLM"))
    newcomer.anthropic.script(quota("anthropic-messages"))
    page = visit(newcomer.opened)
    assert page.locator("nav li a").first.inner_text() == "Start"
    page.focus(".note a")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Start')")
    assert page.is_checked("input[name=tool][value=claude]")
    assert "~/.claude/.credentials.json" in page.inner_text("section:has(#tools)")
    assert "nothing to fall back to" in page.inner_text("section:has(#keys)")
    assert serious(page) == []

    page.focus("select[name=provider]")
    page.keyboard.type("GLM (")
    assert "GLM_API_KEY" in page.inner_text("#variable")
    page.focus("input[name=key]")
    page.keyboard.type(KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("input[name=target][value=glm]:checked")
    page.wait_for_selector("#keys:focus")
    assert "key: {vault: glm}" in page.inner_text("#text")

    page.focus("#write")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trials button")
    page.wait_for_selector("#try:focus")
    assert serious(page) == []

    page.once("dialog", lambda dialog: dialog.accept())
    page.focus("#trials button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#done:has-text('glm/glm-4.7 has answered')")
    assert newcomer.glm.calls[0].header("x-api-key") == KEY

    answer = ask(newcomer.opened)
    assert (answer.status_code, "Hello from GLM" in answer.text) == (200, True)
    assert newcomer.anthropic.calls[0].header("x-api-key") == OWN
    page.wait_for_selector("#commands a:has-text('glm/glm-4.7')")
    assert [one for one in CANARIES if one in told(newcomer, page, api)] == []


def test_a_choice_changes_what_will_be_written(start: Callable[..., Newcomer], visit: Visit, api: Api) -> None:
    newcomer = start(GLM_API_KEY=OTHER, OPENAI_API_KEY=OTHER)
    page = visit(newcomer.opened, "start")
    rows = {name: page.is_checked(f"input[name=target][value={name}]") for name in ("origin", "glm", "openai")}
    assert rows == {"origin": True, "glm": True, "openai": False}
    page.check("input[name=target][value=openai]")
    page.wait_for_selector("#text:has-text('openai/gpt-5')")
    page.uncheck("input[name=target][value=origin]")
    page.select_option("select[data-provider=glm]", "glm-4.6")
    page.wait_for_selector("#text:has-text('glm/glm-4.6'):not(:has-text('- origin'))")
    shown = page.inner_text("#text")
    page.uncheck("input[name=tool][value=claude]")
    assert page.is_disabled("#write")
    page.check("input[name=tool][value=claude]")
    page.click("#write")
    page.wait_for_selector("#trials button")
    written = newcomer.opened.config.read_text()
    assert [line for line in written.splitlines() if line and line not in shown] == []
    assert [one["key"] for one in api(newcomer.opened, "quotas").json()["accounts"]] == ["glm:glm", "openai:openai"]
    assert [one for one in CANARIES if one in told(newcomer, page, api)] == []


def test_what_is_chosen_stands_in_the_order_in_which_it_will_be_asked(start: Callable[..., Newcomer], api: Api) -> None:
    newcomer = start(GLM_API_KEY=OTHER)
    found = api(newcomer.opened, "start", targets="kimi/kimi-latest,origin,glm/glm-4.6").json()
    assert [one["target"] for one in found["keys"] if one["chosen"]] == ["kimi/kimi-latest", "glm/glm-4.6"]
    assert [one["provider"] for one in found["keys"]][:3] == ["kimi", "glm", "kimi-coding"]
    lines = [line.strip() for line in found["text"]]
    assert lines.index("- kimi/kimi-latest   # cheap") < lines.index("- glm/glm-4.6   # cheap")


def test_a_key_that_is_refused_is_told_and_another_one_is_used_at_once(
    start: Callable[..., Newcomer], visit: Visit, api: Api
) -> None:
    newcomer = start()
    assert api(newcomer.opened, "start/keys", "POST", {"provider": "glm", "key": OTHER}).status_code == 200
    body = {"tools": ["claude"], "targets": ["origin", "glm/glm-4.7"]}
    assert api(newcomer.opened, "start", "POST", body).json()["used"] is True
    newcomer.glm.script(failure("anthropic-messages", 401, "authentication_error", "invalid key"), says("OK"))
    page = visit(newcomer.opened, "start")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#trials button")
    page.wait_for_selector("#done.wrong:has-text('401')")
    assert "→" not in page.inner_text("#done")  # a test has no next account
    page.click("#add summary")
    page.select_option("select[name=provider]", "glm")
    page.fill("input[name=key]", KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("#keys:focus")
    page.click("#trials button")
    page.wait_for_selector("#done:has-text('has answered')")
    assert [call.header("x-api-key") for call in newcomer.glm.calls] == [OTHER, KEY]


def test_what_is_missing_is_said_where_it_is_missing(start: Callable[..., Newcomer], visit: Visit, api: Api) -> None:
    newcomer = start()
    body = {"tools": ["claude"], "targets": ["origin", "kimi/kimi-latest"]}
    found = api(newcomer.opened, "start", targets="origin,kimi/kimi-latest").json()
    assert ["MOONSHOT_API_KEY is not set" in one["message"] for one in found["problems"]] == [True]
    assert api(newcomer.opened, "start", "POST", body).status_code == 200
    page = visit(newcomer.opened, "start")
    assert "MOONSHOT_API_KEY is not set" in page.inner_text("#trials")


def test_a_file_is_written_once(start: Callable[..., Newcomer], api: Api) -> None:
    newcomer = start()
    body = {"tools": ["claude"], "targets": ["origin"]}
    assert api(newcomer.opened, "start", "POST", body).status_code == 200
    newcomer.opened.config.write_text("version: 1\n# mine\n")
    refused = api(newcomer.opened, "start", "POST", body)
    assert (refused.status_code, "already" in refused.json()["error"]) == (409, True)
    assert newcomer.opened.config.read_text() == "version: 1\n# mine\n"


def test_what_cannot_be_done_is_refused_and_leaves_nothing(start: Callable[..., Newcomer], api: Api) -> None:
    newcomer = start()
    wrong: tuple[tuple[str, dict[str, object], int], ...] = (
        ("start", {"tools": ["vi"], "targets": ["origin"]}, 409),
        ("start", {"tools": ["claude"], "targets": ["nobody/m"]}, 409),
        ("start", {"tools": [], "targets": ["origin"]}, 422),
        ("start/keys", {"provider": "nobody", "key": KEY}, 404),
        ("start/keys", {"provider": "glm", "key": f"two {KEY}"}, 409),
        ("start/keys", {"provider": "glm", "key": KEY[:7]}, 422),
    )
    answers = [api(newcomer.opened, path, "POST", body) for path, body, _ in wrong]
    assert [answer.status_code for answer in answers] == [status for *_, status in wrong]
    assert [answer.text for answer in answers if KEY[:7] in answer.text] == []
    assert not newcomer.opened.config.exists()
    assert not list(newcomer.home.rglob("vault.json"))


def test_rules_that_somebody_writes_are_used_without_a_restart(start: Callable[..., Newcomer], api: Api) -> None:
    newcomer = start()
    newcomer.opened.config.write_text("version: 1\naliases: {a: origin}\n")
    while api(newcomer.opened, "rules").json()["file"] is None:
        pass  # each turn is a question to the proxy; the test's own time limit ends it
    assert api(newcomer.opened, "start").json()["used"] is True


def test_rules_that_are_there_are_shown_without_their_secrets(
    open_up: Open, visit: Visit, api: Api, serious: Callable[[Any], list[str]]
) -> None:
    opened = open_up(f"accounts:\n  - {{name: main, provider: glm, key: {KEY}}}\nroutes:\n  - {{to: glm/glm-4.7}}\n")
    before = opened.config.read_text()
    page = visit(opened, "start")
    assert "shown here, and not changed" in page.inner_text("main")
    assert page.locator("#write").count() == 0
    assert "name: main" in page.inner_text("#text")
    assert KEY not in page.content() + api(opened, "start").text
    assert page.locator("#trials button").count() == 1
    assert "nothing to fall back to" not in page.inner_text("main")
    page.click("#add summary")
    page.select_option("select[name=provider]", "glm")
    assert page.is_hidden("#lines")
    page.select_option("select[name=provider]", "deepseek")
    assert "{name: deepseek, provider: deepseek, key: {vault: deepseek}}" in page.inner_text("#lines")
    assert serious(page) == []
    live = visit(opened)
    assert (live.locator(".note a").count(), live.locator("nav a:has-text('Start')").count()) == (0, 0)
    assert opened.config.read_text() == before


def test_a_file_with_errors_leads_to_the_page_of_the_rules(start: Callable[..., Newcomer], visit: Visit) -> None:
    newcomer = start()
    newcomer.opened.config.write_text("version: 1\nroutes: 7\n")
    page = visit(newcomer.opened, "start")
    assert page.locator(".wrong a[href$='/rules']").count() == 1
    assert "must be a list" in page.inner_text("#text")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_it_fits_a_phone(
    start: Callable[..., Newcomer],
    visit: Visit,
    serious: Callable[[Any], list[str]],
    language: str,
    theme: str,
) -> None:
    newcomer = start(GLM_API_KEY=OTHER, GROQ_API_KEY=OTHER)
    phone = {"width": 390, "height": 800}
    page = visit(newcomer.opened, "start", language=language, theme=theme, viewport=phone)
    assert page.evaluate("document.documentElement.scrollWidth") <= phone["width"]
    assert page.evaluate("document.querySelector('#text .scroll').scrollLeft") == 0
    begin, box = (page.locator(one).bounding_box() for one in ("#text li:first-child code", "#text .scroll"))
    assert box["x"] <= begin["x"] < box["x"] + box["width"]
    assert serious(page) == []
