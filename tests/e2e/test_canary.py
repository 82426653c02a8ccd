"""Secrets and words planted everywhere a call goes are found in no file, no log and no command's output.

mitmweb's pages are in tests/web/test_secrets.py.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.calls import Ask, ask, post, post_gateway
from tests.e2e.targets import routes
from tests.servers.answers import Answer
from tests.servers.provider import Provider
from tests.servers.proxy import ROOT, Proxy, environment
from tests.servers.steps import PATIENCE, Hangup, Say, Step, Stream, Whole

type StartProxy = Callable[..., Proxy]

CANARY = "canary7f3a"
ACCOUNT = f"sk-{CANARY}-account"
CALLER = f"{CANARY}-caller-0123456789"
WORDS = f"my words are {CANARY}-words"
HEADERS = {
    "x_api_key": f"sk-ant-{CANARY}-client",
    "cookie": f"session={CANARY}-cookie",
    "x_goog_api_key": f"{CANARY}-goog",
    "x_my_own_token": f"{CANARY}-own",
}
JSON = {"content-type": "application/json", "set-cookie": f"a={CANARY}-set"}


def _said(kind: str, words: str) -> bytes:
    return json.dumps({"error": {"type": kind, "code": kind, "message": words}}).encode()


ANSWERS: dict[str, Step] = {
    "good": Say(Answer(pieces=(f"{CANARY}-answer",)), headers={"set-cookie": f"a={CANARY}-set"}),
    "a key repeated in a 401": Whole(401, JSON, _said("invalid_api_key", f"Incorrect API key provided: {ACCOUNT}")),
    "a key repeated in a 429": Whole(
        429, JSON | {"retry-after": "1"}, _said("insufficient_quota", f"quota of {ACCOUNT}")
    ),
    "a key repeated in a 500": Whole(500, JSON, _said("server_error", f"while handling Bearer {ACCOUNT}")),
    "a key repeated in a 400": Whole(400, JSON, _said("invalid_request_error", f"{ACCOUNT} again")),
    "html": Whole(200, {"content-type": "text/html"}, f"<p>{ACCOUNT}</p>".encode()),
    "no json": Whole(200, JSON, f"{{{ACCOUNT}".encode()),
    "no event": Stream((f"data: {{{ACCOUNT}\n\n".encode(),)),
    "an error event": Stream((b"data: " + _said("server_error", f"for {ACCOUNT}") + b"\n\n",)),
    "a key at the end of what is quoted": Whole(200, JSON, b"{" + b"x" * 60 + ACCOUNT.encode()),
    "a late error event": Say(
        Answer(pieces=("a", "b")), insert={3: b"data: " + _said("server_error", f"for {ACCOUNT}") + b"\n\n"}
    ),
    "nothing": Hangup(),
}
BODIES = {
    "text": ask("openai-chat", "m", question=WORDS).body,
    "stream": ask("openai-chat", "m", question=WORDS, stream=True).body,
    "no messages": {"model": "m", "messages": WORDS},
    "an unknown part": {"model": "m", "messages": [{"role": "user", "content": [{"type": "mystery", "text": WORDS}]}]},
    "a bad number": {"model": "m", "messages": [{"role": "user", "content": WORDS}], "max_tokens": WORDS},
}


def _rules(provider: Provider) -> str:
    return (
        f"providers: {{up: {{format: openai-chat, base_url: '{provider.url('openai-chat')}', auth: bearer,"
        f" headers: {{x-extra: {CANARY}-extra}}}}, other: {{format: gemini, base_url: '{provider.url('gemini')}',"
        f" auth: x-goog-api-key}}}}\n"
        f"accounts: [{{name: only, provider: up, key: {ACCOUNT}}}, {{name: too, provider: other, key: {ACCOUNT}}}]\n"
        f"keys: [{{name: ci, key: {CALLER}}}]\n"
    ) + routes("up/m", "other/m")


def _leaks(home: Path, *texts: str) -> list[str]:
    files = [path for path in home.rglob("*") if path.is_file()]
    found = [f"{path.relative_to(home)}" for path in files if CANARY.encode() in path.read_bytes()]
    lines = (line for text in texts for line in text.splitlines())
    return found + [line for line in lines if CANARY in line]


def _told(proxy: Proxy, *arguments: str) -> str:
    """All that a command writes, whatever becomes of it."""
    done = subprocess.run(
        [sys.executable, "-m", "omniroute_addon", *arguments],
        capture_output=True,
        text=True,
        env=environment(proxy.home),
        cwd=ROOT,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout + done.stderr


def test_no_secret_is_in_a_file_a_log_or_a_commands_output(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider))
    for step in ANSWERS.values():
        provider.script(step)
        _told(proxy, "reset")
        for body in BODIES.values():
            post_gateway(proxy, Ask("openai-chat", "/v1/chat/completions", body), authorization=f"Bearer {CALLER}")
        post(proxy, ask("anthropic-messages", question=WORDS), **HEADERS)
        post(proxy, ask("gemini", question=WORDS, stream=True), **HEADERS)
    post_gateway(proxy, ask("openai-chat", question=WORDS), authorization=f"Bearer {CANARY}-wrong")
    post_gateway(proxy, Ask("gemini", f"/v1beta/models/m:generateContent?key={CANARY}-query", {"contents": WORDS}))
    named = ("--config", str(proxy.config))
    commands = [
        ("usage", "--json"),
        ("status",),
        ("status", "--json"),
        ("check", *named),
        ("explain", *named, "m"),
        ("doctor", *named),
        ("env", *named),
    ]
    outputs = [_told(proxy, *words) for words in commands]
    running = _leaks(proxy.home, *outputs, proxy.log.read_text())
    assert proxy.stop() == 0
    assert (running, _leaks(proxy.home, proxy.log.read_text())) == ([], [])
    assert provider.calls[0].header("authorization") == f"Bearer {ACCOUNT}"
    assert [len(text) > 20 for text in outputs] == [True] * len(outputs)


@pytest.mark.parametrize(
    "line",
    [
        f"accounts: [{{name: one, provider: none, key: {ACCOUNT}}}]",
        f"accounts: [{{name: one, provider: up, key: [{ACCOUNT}]}}]",
        f"accounts: [{{name: one, provider: up, kee: {ACCOUNT}}}]",
        f"accounts: {{key: {ACCOUNT}}}",
        f"keys: [{{name: ci, key: {{value: {CALLER}}}}}]",
        f"accounts: [{{name: one, provider: up, key: '{ACCOUNT}}}]",
        f"providers: {{up: {{format: openai-chat, base_url: 'http://user:{CANARY}@127.0.0.1:1', auth: bearer}}}}",
    ],
)
def test_rules_with_a_mistake_are_explained_without_their_secrets(line: str, tmp_path: Path) -> None:
    path = tmp_path / "omniroute.yaml"
    path.write_text(f"version: 1\n{line}\n")
    done = subprocess.run(
        [sys.executable, "-m", "omniroute_addon", "check", "--config", str(path)],
        capture_output=True,
        text=True,
        env=environment(tmp_path / "home"),
        cwd=ROOT,
        timeout=PATIENCE,
        check=False,
    )
    assert CANARY not in done.stdout + done.stderr
