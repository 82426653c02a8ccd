"""The four logs and the seven stages of a running proxy: what happened is there, no secret is, nobody waits."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from omniroute_addon.engine.stages import NAMES
from omniroute_addon.logs.entries import Entry, Query, Tab
from omniroute_addon.logs.reading import read
from tests.e2e.calls import Ask, ask, post, post_gateway
from tests.e2e.targets import routes
from tests.e2e.test_canary import ACCOUNT, ANSWERS, CALLER, CANARY, HEADERS
from tests.servers.faults import quota
from tests.servers.provider import Provider
from tests.servers.proxy import ROOT, Proxy, environment
from tests.servers.steps import PATIENCE, says

type StartProxy = Callable[..., Proxy]

ON = {"ENABLE_REQUEST_LOGS": "true"}


def _rules(provider: Provider) -> str:
    return (
        f"providers: {{up: {{format: openai-chat, base_url: '{provider.url('openai-chat')}', auth: bearer}}}}\n"
        f"accounts: [{{name: only, provider: up, key: {ACCOUNT}}}]\n"
        f"keys: [{{name: ci, key: {CALLER}}}]\n"
    ) + routes("up/m")


def _folders(proxy: Proxy, count: int) -> list[Path]:
    """The folders of the request log, as soon as there are so many with their last file."""
    end = time.monotonic() + PATIENCE
    while True:
        found = sorted(path.parent for path in (proxy.home / "logs").glob(f"*/{NAMES[6]}"))
        if len(found) >= count:
            return found
        assert time.monotonic() < end, found


def _log(proxy: Proxy, tab: Tab, words: str = "") -> list[Entry]:
    end = time.monotonic() + PATIENCE
    while not (found := read(proxy.home, proxy.home / "ledger.db", Query(tab, search=words))):
        assert time.monotonic() < end, f"nothing in {tab} with {words!r}"
    return found


def test_the_variable_switches_the_seven_stages_on(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(says("Hello there"))
    proxy = start_proxy(_rules(provider), env=ON)
    answer = post(proxy, ask("anthropic-messages", stream=True), x_api_key="sk-tool-key-1234")
    (folder,) = _folders(proxy, 1)
    assert sorted(path.name for path in folder.iterdir()) == list(NAMES)
    assert folder.name.startswith("anthropic-messages_openai-chat_m_")
    assert orjson.loads((folder / NAMES[3]).read_bytes())["body"] == provider.call.json
    assert (folder / NAMES[6]).read_bytes().endswith(answer.content)


def test_without_it_no_body_is_written(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(says("Hello there"))
    proxy = start_proxy(_rules(provider))
    post(proxy, ask("anthropic-messages"))
    _log(proxy, "request")
    assert [path.name for path in (proxy.home / "logs").iterdir() if path.is_dir()] == []


def test_no_secret_is_in_any_log_whatever_the_provider_repeats(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider), env=ON)
    for name, step in ANSWERS.items():
        if name == "good":
            continue  # says the canary as its words
        provider.script(step)
        subprocess.run(
            [sys.executable, "-m", "omniroute_addon", "reset", "--all"],
            env=environment(proxy.home),
            cwd=ROOT,
            check=False,
        )
        post(proxy, ask("anthropic-messages", stream=True), **HEADERS)
        post_gateway(proxy, ask("openai-chat"), authorization=f"Bearer {CALLER}")
    shown = {"contents": [{"role": "user", "parts": [{"text": f"{CALLER} and {ACCOUNT}"}]}]}
    post_gateway(proxy, Ask("gemini", f"/v1beta/models/m:generateContent?key={CALLER}", shown))
    _folders(proxy, 10)
    assert proxy.stop() == 0
    files = [path for path in proxy.home.rglob("*") if path.is_file()]
    assert [f"{path}" for path in files if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in proxy.log.read_text()


def test_calls_and_attempts_have_their_tabs(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(quota("openai-chat"))
    proxy = start_proxy(_rules(provider))
    post(proxy, ask("anthropic-messages"))
    (call,) = _log(proxy, "request")
    (attempt,) = _log(proxy, "proxy")
    assert (call.level, call.facts["status"], attempt.level, attempt.source) == ("error", 429, "warning", "up/m")


def test_the_audit_tells_of_start_rules_reset_and_stop(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider))
    proxy.write(_rules(provider) + "aliases: {fast: up/m}\n")
    _log(proxy, "audit", "new rules")
    proxy.write("routes: 7\n")
    _log(proxy, "audit", "rules refused")
    assert proxy.stop() == 0
    said = [entry.text.partition(":")[0] for entry in _log(proxy, "audit")]
    assert said == ["started", "new rules", "rules refused", "stopped"]
    assert [entry.level for entry in _log(proxy, "console", "errors")] == ["error"]


def test_a_burst_with_the_log_on_loses_no_call(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(says(*["words "] * 50))
    proxy = start_proxy(_rules(provider) + "logs: {requests: {max_calls: 20}}\n", env=ON)
    statuses = [post(proxy, ask("anthropic-messages", stream=True)).status_code for _ in range(60)]
    assert proxy.stop() == 0
    kept = [path for path in (proxy.home / "logs").iterdir() if path.is_dir()]
    assert (statuses, 1 <= len(kept) <= 20) == ([200] * 60, True)
