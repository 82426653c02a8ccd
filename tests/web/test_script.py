"""The addons as a plain script: ``mitmweb -s`` and ``mitmdump -s`` route as ``omniroute up`` does."""

import ssl
from pathlib import Path

import httpx

from tests.servers.answers import Answer, Call
from tests.servers.faults import quota
from tests.servers.provider import Provider
from tests.servers.proxy import LISTEN
from tests.servers.steps import PATIENCE, Say
from tests.web.conftest import Open, free_port, stock, wait_open
from tests.web.test_mitmweb import answered, ask, rules

ANSWER = Answer(pieces=("Hello",), calls=(Call("call_1", "read_file", '{"path":"x"}'),))


def test_mitmweb_shows_the_call_and_both_attempts(open_stock: Open, provider: Provider, second: Provider) -> None:
    provider.script(quota("anthropic-messages"))
    second.script(Say(ANSWER))
    opened = open_stock(rules(provider, second))
    response = ask(opened)
    rows = opened.web.wait_rows(answered(3))
    comments = [row["comment"].partition(" · ")[0].partition(" of")[0] for row in rows]
    expected = ["premium-coding → local/qwen3-coder", "↳ attempt 1", "↳ attempt 2"]
    assert (comments, opened.web.content(rows[0], "response")) == (expected, response.content)


def test_mitmdump_routes_and_prints_no_key(tmp_path: Path, provider: Provider, second: Provider) -> None:
    second.script(Say(ANSWER, headers={"set-cookie": "x=answer-cookie"}))
    config, log, confdir, port = tmp_path / "rules.yaml", tmp_path / "dump.log", tmp_path / "confdir", free_port()
    config.write_text(LISTEN + rules(provider, second, "local/qwen3"))
    settings = {
        "omniroute_config": config,
        "confdir": confdir,
        "listen_host": "127.0.0.1",
        "listen_port": port,
        "flow_detail": 3,
    }
    body = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with stock("mitmdump", settings, tmp_path / "home", log) as process:
        wait_open([port], process, log)
        trust = ssl.create_default_context(cafile=str(confdir / "mitmproxy-ca-cert.pem"))
        with httpx.Client(proxy=f"http://127.0.0.1:{port}", verify=trust, trust_env=False, timeout=PATIENCE) as client:
            response = client.post(
                "https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": "sk-tool-key"}
            )
    printed = log.read_text()
    shown = [words for words in ("sk-tool-key", "account-key-2", "answer-cookie") if words in printed]
    assert (response.json()["content"][0]["text"], shown, "api.anthropic.com" in printed) == ("Hello", [], True)
