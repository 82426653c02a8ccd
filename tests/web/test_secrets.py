"""No key is ever on mitmweb's page: not in a flow, a dump, a content, an update message, an event or the log."""

import json
import os

import httpx
import pytest

from tests.servers.answers import Answer, Call
from tests.servers.faults import quota
from tests.servers.provider import Provider
from tests.servers.steps import Say, Whole, says
from tests.web.conftest import Open, Opened
from tests.web.mitmweb import Mitmweb, Row, role

CANARY = "canary7f3a"
TOOL_KEYS = {
    "x-api-key": f"sk-ant-{CANARY}-client",
    "authorization": f"Bearer {CANARY}-oauth",
    "cookie": f"session={CANARY}-cookie",
    "x-goog-api-key": f"{CANARY}-goog",
}
COOKIE = {"set-cookie": f"provider={CANARY}-set; Path=/"}
ANSWER = Answer(pieces=("Hi",), calls=(Call("call_1", "read_file", '{"path":"x"}'),))
RULES = """\
providers:
  anthropic: {{base_url: "{first}"}}
  glm:       {{base_url: "{first}"}}
  local:     {{format: openai-chat, base_url: "{second}", auth: bearer, tier: free}}
  gemini:    {{base_url: "{gemini}"}}
accounts:
  - {{name: one, provider: glm, key: {canary}-account-1}}
  - {{name: two, provider: local, key: {canary}-account-2}}
combos:
  both: {{strategy: priority, targets: [glm/glm-4.7, local/qwen3]}}
routes:
  - {{match: {{model: "claude-opus*"}}, to: both}}
  - {{match: {{model: "claude-own*"}}, to: origin}}
"""


def _rules(provider: Provider, second: Provider) -> str:
    return RULES.format(
        first=provider.url("anthropic-messages"),
        second=second.url("openai-chat"),
        gemini=second.url("gemini"),
        canary=CANARY,
    )


def _ask(opened: Opened, model: str, url: str = "https://api.anthropic.com/v1/messages") -> httpx.Response:
    body = {"model": model, "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with opened.client() as client:
        return client.post(url, json=body, headers=TOOL_KEYS)


def _look_everywhere(web: Mitmweb) -> None:
    for row in web.rows():
        for message in ("request", "response"):
            if row.get(message):
                web.content(row, message)
                web.rendered(row, message)
    for path in ("/flows/dump", "/events", "/state", "/options"):
        web.get(path)


def _leaks(opened: Opened) -> list[str]:
    pages = [data.decode(errors="replace") for data in opened.web.seen]
    return [text for text in (*pages, opened.log.read_text()) if CANARY in text]


def _done(rows: list[Row], calls: int) -> bool:
    return sum(role(row) == "call" and bool((row.get("response") or {}).get("timestamp_end")) for row in rows) >= calls


def test_a_fallback_shows_no_key(open_any: Open, provider: Provider, second: Provider) -> None:
    provider.script(quota("anthropic-messages"))
    second.script(Say(ANSWER, headers=COOKIE))
    opened = open_any(_rules(provider, second))
    with opened.web.watching():
        _ask(opened, "claude-opus-4-6")
        opened.web.wait_rows(lambda rows: _done(rows, 1))
        _look_everywhere(opened.web)
    assert (_leaks(opened), second.call.header("authorization")) == ([], f"Bearer {CANARY}-account-2")


def test_the_tools_own_call_by_rule_shows_no_key(open_any: Open, provider: Provider, second: Provider) -> None:
    provider.script(Say(ANSWER, headers=COOKIE))
    opened = open_any(_rules(provider, second))
    with opened.web.watching():
        response = _ask(opened, "claude-own")
        opened.web.wait_rows(lambda rows: _done(rows, 1))
        _look_everywhere(opened.web)
    got = (response.headers["set-cookie"], provider.call.header("x-api-key"))
    assert (_leaks(opened), got) == ([], (COOKIE["set-cookie"], TOOL_KEYS["x-api-key"]))


def test_an_untouched_call_shows_no_key(open_any: Open, provider: Provider, second: Provider) -> None:
    provider.script(Say(ANSWER, headers=COOKIE))
    opened = open_any(_rules(provider, second))
    with opened.web.watching():
        response = _ask(opened, "claude-haiku-4-5")
        opened.web.wait_rows(lambda rows: _done(rows, 1))
        _look_everywhere(opened.web)
    got = (response.headers["set-cookie"], provider.call.header("x-api-key"))
    assert (_leaks(opened), got) == ([], (COOKIE["set-cookie"], TOOL_KEYS["x-api-key"]))


def test_a_key_in_the_query_is_not_shown(open_any: Open, provider: Provider, second: Provider) -> None:
    second.script(says("Hi"))
    opened = open_any(_rules(provider, second))
    url = f"https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent?key={CANARY}-query"
    with opened.web.watching(), opened.client() as client:
        client.post(url, json={"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
        rows = opened.web.wait_rows(lambda rows: _done(rows, 1))
        opened.web.replay(rows[0])
        _look_everywhere(opened.web)
    queries = {call.query for call in second.calls}
    assert (_leaks(opened), len(second.calls), queries) == ([], 2, {f"key={CANARY}-query"})


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["without a body", "with a body"])
def test_a_side_calls_cookie_reaches_the_client_only(
    open_any: Open, provider: Provider, second: Provider, body: bytes
) -> None:
    provider.sides["/login"] = Whole(200, COOKIE, body)
    opened = open_any(_rules(provider, second))
    with opened.web.watching(), opened.client() as client:
        response = client.post(f"{provider.url()}/login", content=b"x", headers=TOOL_KEYS)
        opened.web.wait_rows(lambda rows: _done(rows, 1))
        _look_everywhere(opened.web)
    assert (_leaks(opened), response.headers.get("set-cookie")) == ([], COOKIE["set-cookie"])


def test_a_refused_websocket_shows_no_key(open_any: Open, provider: Provider, second: Provider) -> None:
    opened = open_any(_rules(provider, second))
    upgrade = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13"}
    with opened.web.watching(), opened.client() as client:
        response = client.get("https://api.openai.com/v1/responses", headers=TOOL_KEYS | upgrade)
        opened.web.wait_rows(lambda rows: _done(rows, 1))
        _look_everywhere(opened.web)
    assert (_leaks(opened), response.status_code) == ([], 426)


def test_replays_use_the_keys_and_show_none(open_any: Open, provider: Provider, second: Provider) -> None:
    provider.script(quota("anthropic-messages"), Say(ANSWER, headers=COOKIE))
    second.script(Say(ANSWER, headers=COOKIE))
    opened = open_any(_rules(provider, second))
    with opened.web.watching():
        _ask(opened, "claude-opus-4-6")
        rows = opened.web.wait_rows(lambda rows: _done(rows, 1))
        for row in rows:
            opened.web.replay(row)
        _look_everywhere(opened.web)
    keys = {call.header("x-api-key") or call.header("authorization") for call in (*provider.calls, *second.calls)}
    expected = {f"{CANARY}-account-1", f"Bearer {CANARY}-account-2"}
    assert (_leaks(opened), {key for key in keys if key} <= expected | {f"Bearer {CANARY}-account-1"}) == ([], True)


def test_the_canary_test_would_notice(open_up: Open, provider: Provider, second: Provider) -> None:
    opened = open_up(_rules(provider, second))
    body = {"model": "claude-haiku", "messages": [{"role": "user", "content": f"my words: {CANARY}"}]}
    with opened.web.watching(), opened.client() as client:
        client.post("https://api.anthropic.com/v1/messages", json=body)
        _look_everywhere(opened.web)
    assert any(CANARY in json.dumps(page) for page in _leaks(opened)), os.linesep.join(_leaks(opened)[:1])


def test_a_gateway_key_is_not_shown_whether_it_is_good_or_wrong(
    open_up: Open, provider: Provider, second: Provider
) -> None:
    second.script(says("Hi"))
    key, wrong = f"{CANARY}-gateway-key", f"{CANARY}-wrong-key"
    opened = open_up(f"{_rules(provider, second)}keys: [{{name: ci, key: {key}}}]\n")
    body = {"model": "local/qwen3", "messages": [{"role": "user", "content": "hi"}]}
    url = f"{opened.gateway}/v1/chat/completions"
    with opened.web.watching():
        for shown in (key, wrong):
            httpx.post(url, json=body, headers={"authorization": f"Bearer {shown}"}, trust_env=False)
        rows = opened.web.wait_rows(lambda rows: _done(rows, 2))
        opened.web.replay(next(row for row in rows if role(row) == "call"))
        _look_everywhere(opened.web)
    assert (_leaks(opened), len(second.calls)) == ([], 2)
