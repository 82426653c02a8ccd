"""``kill -9`` between two turns of a task, and what the next process must still know: reasoning, pace, who guessed keys."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute_addon.ledger.reports import books
from tests.e2e.calls import Ask, ask, post_gateway, spoken
from tests.e2e.targets import routes, targets
from tests.e2e.test_books import to_be_killed
from tests.servers.answers import Answer, Call
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy, running
from tests.servers.steps import PATIENCE, Say, says

CALL = Call("toolu_0123456789abcdef", "read", '{"path": "note"}')
PROOF = "cHJvb2Ygb2YgdGhlIGZpcnN0IHR1cm4="
THOUGHT = "The note is where it always is."
STEP = Answer(("I look.",), (CALL,), THOUGHT, PROOF)
RESULT = "what the note says"


def turn(form: str, target: str, first: Mapping[str, Any] | None = None) -> Ask:
    """The question of a chat or Anthropic client; with ``first``, its answer, and what the tool it called has said."""
    asked = ask(form, f"up-{target}/m")
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    if form == "openai-chat":
        tools: list[Any] = [{"type": "function", "function": {"name": "read", "parameters": schema}}]
        told = first["choices"][0]["message"] if first else {}
        said = [{"role": "assistant"} | {name: told[name] for name in ("content", "tool_calls")}] if first else []
        given: list[Any] = [
            {"role": "tool", "tool_call_id": one["tool_calls"][0]["id"], "content": RESULT} for one in said
        ]
    else:
        asked.body.update(max_tokens=4000, thinking={"type": "enabled", "budget_tokens": 2000})
        tools = [{"name": "read", "input_schema": schema}]
        said = [{"role": "assistant", "content": first["content"]}] if first else []
        given = [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block["id"], "content": RESULT}]}
            for one in said
            for block in one["content"]
            if block["type"] == "tool_use"
        ]
    asked.body["tools"] = tools
    asked.body["messages"] += [*said, *given]
    return asked


@pytest.mark.parametrize("client", ["openai-chat", "anthropic-messages"])
@pytest.mark.parametrize("maker, other", [("anthropic-messages", "gemini"), ("gemini", "openai-chat")])
def test_reasoning_reaches_its_maker_again_after_a_kill(
    tmp_path: Path, provider: Provider, client: str, maker: str, other: str
) -> None:
    """The tool has seen one turn of its maker; another provider answers in between, before the kill and after it."""
    provider.script(Say(STEP), says("Here."), says("There."), says("And here."))
    rules = targets(up=provider)
    with to_be_killed(tmp_path, rules) as proxy:
        first = post_gateway(proxy, turn(client, maker)).json()
        assert spoken(client, post_gateway(proxy, turn(client, other, first))) == "Here."
        proxy.process.kill()
    with running(tmp_path, rules) as proxy:
        assert spoken(client, post_gateway(proxy, turn(client, other, first))) == "There."
        assert spoken(client, post_gateway(proxy, turn(client, maker, first))) == "And here."
    seen = [PROOF.encode() in call.body for call in provider.calls]
    assert seen == [False, False, False, True]
    assert RESULT.encode() in provider.calls[-1].body


def test_reasoning_is_sealed_in_the_data_dir(tmp_path: Path, provider: Provider) -> None:
    provider.script(Say(STEP))
    with to_be_killed(tmp_path, targets(up=provider)) as proxy:
        post_gateway(proxy, turn("openai-chat", "anthropic-messages"))
        proxy.process.kill()
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert "memory.log" in {path.name for path in files}
    assert not [path for path in files if THOUGHT.encode() in path.read_bytes() or PROOF.encode() in path.read_bytes()]


def _kept(proxy: Proxy, part: str, *path: str | int) -> None:
    """Wait until there is something at this place of what is written down."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with books(proxy.home / "ledger.db") as found:
            value: Any = found.state(part)
        with contextlib.suppress(KeyError, TypeError):
            for step in path:
                value = value[step]
            if value:
                return
    raise AssertionError(f"nothing at {path} of {part}")


def test_who_guesses_keys_is_locked_out_after_a_kill_too(tmp_path: Path, provider: Provider) -> None:
    rules = targets(up=provider) + "keys: [{name: me, key: the-right-key-0123456789}]\n"
    asked = ask("openai-chat", "up-openai-chat/m")
    with to_be_killed(tmp_path, rules) as proxy:
        for number in range(5):
            assert _status(proxy, asked, f"guess-{number}") == 401
        assert _status(proxy, asked, "guess-5") == 429
        _kept(proxy, "lockouts", "sources", "127.0.0.1", 0)
        proxy.process.kill()
    with running(tmp_path, rules) as proxy:
        assert _status(proxy, asked, "the-right-key-0123456789") == 429
    with running(tmp_path, rules.replace("name: me", "name: us")) as proxy:
        assert _status(proxy, asked, "the-right-key-0123456789") == 200


def _status(proxy: Proxy, asked: Ask, key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(
        proxy.gateway + asked.path, content=asked.content, headers=headers, timeout=PATIENCE, trust_env=False
    ).status_code


def test_an_account_that_takes_no_more_calls_is_left_alone_after_a_kill(
    tmp_path: Path, provider: Provider, second: Provider
) -> None:
    none_left = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "600s"}
    provider.script(Say(Answer(pieces=("Last.",)), headers=none_left), says("Too much."))
    second.script(says("Spare."))
    rules = targets(spare=second) + (
        f"  up: {{format: openai-chat, base_url: '{provider.url('openai-chat')}', auth: bearer}}\n"
        "accounts: [{name: one, provider: up, key: k}]\n"
    )
    rules += routes("up/m", "spare-openai-chat/m")
    asked = ask("openai-chat", "any")
    with to_be_killed(tmp_path, rules) as proxy:
        assert spoken("openai-chat", post_gateway(proxy, asked)) == "Last."
        _kept(proxy, "pace", "up:one", 1)
        proxy.process.kill()
    with running(tmp_path, rules) as proxy:
        assert spoken("openai-chat", post_gateway(proxy, asked)) == "Spare."
    assert len(provider.calls) == 1
