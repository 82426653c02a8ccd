"""``omniroute demo``: the main job once, end to end, offline, on loopback; exit code 1 when any link of the chain broke.

A Claude-format streaming call with a tool goes through HTTPS_PROXY to ``api.anthropic.com``. The rules send it to a
combo whose first target is out of quota; the second speaks another format. Everything shown was observed: the
providers say what they were asked, the client says what it got, mitmweb says what it shows.
"""

import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from omniroute_addon.cli import console
from omniroute_addon.cli.demo_providers import Healthy, OutOfQuota, Provider, words
from omniroute_addon.cli.up import parse_ready_line

RULES = """\
version: 1
listen: {{proxy: 127.0.0.1:0, gateway: 127.0.0.1:0, web: 127.0.0.1:0}}
providers:
  glm:   {{base_url: "http://127.0.0.1:{glm}/v1/messages"}}
  local: {{format: openai-chat, base_url: "http://127.0.0.1:{local}/v1/chat/completions", auth: bearer, tier: free}}
accounts:
  - {{name: glm-main, provider: glm, key: demo-key-1}}
  - {{name: local, provider: local, key: demo-key-2}}
combos:
  premium-coding: {{strategy: priority, targets: [glm/glm-4.7, local/qwen3-coder]}}
routes:
  - {{match: {{model: "claude-*"}}, to: premium-coding}}
"""
TOOL = {
    "name": "read_file",
    "description": "Read a file of the project",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}
FILE_TEXT = "OmniRoute sits on the wire."
START_LIMIT = 30.0


@dataclass
class Turn:
    """One streamed answer as the client saw it."""

    text: str = ""
    tool: dict[str, Any] = field(default_factory=dict)
    arguments: str = ""
    stop: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    events: int = 0
    first: float = 0.0
    total: float = 0.0


def demonstrate(*, keep: bool) -> int:
    """Run it and show what happened; the exit code."""
    checks: list[tuple[str, bool]] = []
    with contextlib.ExitStack() as stack:
        quota = stack.enter_context(Provider(OutOfQuota))
        healthy = stack.enter_context(Provider(Healthy))
        home = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="omniroute-demo-", ignore_cleanup_errors=True))
        )
        rules = home / "rules.yaml"
        rules.write_text(RULES.format(glm=quota.port, local=healthy.port))
        process = stack.enter_context(_proxy(rules, home))
        addresses = _ready(process)
        console.panel("the rules", rules.read_text())
        started = time.monotonic()
        question = {"role": "user", "content": "What does README.md say?"}
        first = _ask(addresses, home, [question])
        asked_after_first = len(healthy.asked)
        reply = [
            {"type": "text", "text": first.text},
            {
                "type": "tool_use",
                "id": first.tool.get("id"),
                "name": first.tool.get("name"),
                "input": _load(first.arguments),
            },
        ]
        result = {"type": "tool_result", "tool_use_id": first.tool.get("id"), "content": FILE_TEXT}
        second = _ask(
            addresses, home, [question, {"role": "assistant", "content": reply}, {"role": "user", "content": [result]}]
        )
        took = time.monotonic() - started
        shown = _flows(addresses)
        checks += [
            ("the call reached the first target, which said 429 (quota)", len(quota.asked) >= 1),
            ("the same call fell back to a provider of another format", asked_after_first == 1),
            ("the tool definition arrived translated", _tool_arrived(healthy)),
            ("the answer streamed in Claude's format", first.events > 5 and first.first < first.total),
            (
                "the tool call arrived whole",
                first.stop == "tool_use" and _load(first.arguments) == {"path": "README.md"},
            ),
            ("the tool's result reached the provider, the answer came back", FILE_TEXT in second.text),
            ("tokens were counted", bool(first.usage.get("input_tokens") and first.usage.get("output_tokens"))),
            ("the exhausted target was not asked again", len(quota.asked) == 1),
            (
                "mitmweb shows the call and each attempt beside it",
                any("↳ attempt 2" in str(f.get("comment")) for f in shown),
            ),
        ]
        _tell(quota, healthy, (first, second), shown)
        for name, passed in checks:
            console.say(f"{'✓' if passed else '✗'} {name}", "green" if passed else "red")
        console.say(f"\n{took * 1000:.0f} ms for both turns · first event after {first.first * 1000:.0f} ms")
        if keep:
            console.say(f"\nlook at it: {addresses['web']}   (Ctrl-C ends the demo)", "bold")
            with contextlib.suppress(KeyboardInterrupt):
                process.wait()
    return 0 if all(passed for _, passed in checks) else 1


@contextlib.contextmanager
def _proxy(rules: Path, home: Path) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", "omniroute_addon", "up", "--config", str(rules)]
    environment = {**os.environ, "OMNIROUTE_HOME": str(home)}
    with subprocess.Popen(  # noqa: S603 -- our own interpreter
        command, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def _ready(process: "subprocess.Popen[str]") -> dict[str, str | None]:
    assert process.stdout is not None
    found = next((found for line in process.stdout if (found := parse_ready_line(line)) is not None), None)
    if found is None:
        console.fail("the proxy did not start; its log is above")
    return found


def _ask(addresses: dict[str, str | None], home: Path, messages: list[dict[str, Any]]) -> Turn:
    """One call, as Claude Code would make it: HTTPS through the proxy, trusting OmniRoute's CA."""
    trust = ssl.create_default_context(cafile=str(home / "ca" / "mitmproxy-ca-cert.pem"))
    body = {"model": "claude-opus-4-6", "max_tokens": 1024, "stream": True, "tools": [TOOL], "messages": messages}
    turn = Turn()
    begun = time.monotonic()
    with (
        httpx.Client(proxy=addresses["proxy"], verify=trust, timeout=START_LIMIT, trust_env=False) as client,
        client.stream(
            "POST",
            "https://api.anthropic.com/v1/messages",
            json=body,
            headers={"x-api-key": "sk-the-tools-own", "anthropic-version": "2023-06-01"},
        ) as response,
    ):
        if response.status_code != httpx.codes.OK:
            response.read()
            console.fail(f"the call failed: {response.status_code} {response.text}")
        for line in response.iter_lines():
            if line.startswith("data: "):
                turn.first = turn.first or time.monotonic() - begun
                turn.events += 1
                _note(turn, json.loads(line[6:]))
    turn.total = time.monotonic() - begun
    return turn


def _note(turn: Turn, event: dict[str, Any]) -> None:
    match event:
        case {"type": "content_block_start", "content_block": {"type": "tool_use"} as block}:
            turn.tool = block
        case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}:
            turn.text += text
        case {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": piece}}:
            turn.arguments += piece
        case {"type": "message_delta", "delta": delta, "usage": usage}:
            turn.stop = delta.get("stop_reason") or ""
            turn.usage = usage


def _flows(addresses: dict[str, str | None]) -> list[dict[str, Any]]:
    """What mitmweb shows, through its own API."""
    web = urlsplit(addresses["web"] or "")
    token = parse_qs(web.query).get("token", [""])[0]
    with httpx.Client(trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
        answer = client.get(f"http://{web.netloc}/flows")
    return answer.json() if answer.status_code == httpx.codes.OK else []


def _tool_arrived(provider: Provider) -> bool:
    tools = provider.asked[0]["body"].get("tools", []) if provider.asked else []
    return bool(tools) and tools[0].get("function", {}).get("name") == TOOL["name"]


def _load(text: str) -> dict[str, Any]:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _tell(quota: Provider, healthy: Provider, turns: tuple[Turn, Turn], shown: list[dict[str, Any]]) -> None:
    if quota.asked:
        body = json.dumps(quota.asked[0]["body"])
        console.panel("1 · the original call, Claude's format → glm/glm-4.7 → 429, quota gone", words(body, 700))
    if healthy.asked:
        body = json.dumps(healthy.asked[0]["body"])
        console.panel("2 · the same call, translated → local/qwen3-coder (openai-chat)", words(body, 900))
    for number, turn in enumerate(turns, 3):
        said = turn.text + (f"\n→ {turn.tool['name']}({turn.arguments})" if turn.tool else "")
        tokens = f"{turn.usage.get('input_tokens', 0)}+{turn.usage.get('output_tokens', 0)} tokens"
        title = (
            f"{number} · streamed back in Claude's format: {turn.events} events, {tokens}, {turn.total * 1000:.0f} ms"
        )
        console.panel(title, said.strip())
    rows = [[flow["request"]["method"], flow["request"]["pretty_host"], str(flow.get("comment"))] for flow in shown]
    console.table(("", "host", "comment in mitmweb"), rows)
