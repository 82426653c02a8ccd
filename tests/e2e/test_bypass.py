"""A tool's throw-away calls over real HTTP: answered here, written down, and the provider never hears of them."""

import sqlite3
from contextlib import closing
from typing import Any

import anthropic
import httpx
import pytest

from tests.conftest import StartProxy
from tests.e2e.calls import client, spoken
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy

BYPASS = "bypass: {warmup: true, titles: true, quota_probe: true, count_tokens: true}\n"
URL = "https://api.anthropic.com/v1/messages"
CLAUDE = {"user-agent": "claude-cli/2.1.329 (external, cli)", "x-api-key": "its-own"}
QUOTA = {"model": "claude-haiku-4-5", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}
TITLE: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 128000,
    "messages": [{"role": "user", "content": "<session>\nhello there\n</session>\n\nWrite the title"}],
    "output_config": {
        "format": {"type": "json_schema", "schema": {"type": "object", "properties": {"title": {"type": "string"}}}}
    },
    "stream": True,
}
TURN = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "quota"}],
    "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
}


@pytest.fixture
def proxy(start_proxy: StartProxy, provider: Provider) -> Proxy:
    return start_proxy(_own(provider) + BYPASS)


def _own(provider: Provider) -> str:
    return f"providers: {{anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}}}\n"


def _post(proxy: Proxy, body: dict[str, Any], path: str = "") -> httpx.Response:
    with client(proxy) as one:
        return one.post(URL + path, json=body, headers=CLAUDE)


def _books(proxy: Proxy) -> list[tuple[str, str, str, int]]:
    assert proxy.stop() == 0
    with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
        return books.execute("SELECT client, route, outcome, status FROM exchanges ORDER BY started").fetchall()


def test_a_title_is_streamed_and_the_provider_sees_nothing(proxy: Proxy, provider: Provider) -> None:
    response = _post(proxy, TITLE)
    assert spoken("anthropic-messages", response) == '{"title":"Hello there"}'
    assert response.text.startswith("event: message_start\n")
    assert not provider.received
    assert _books(proxy) == [("claude-code", "bypass.titles", "bypassed", 200)]


def test_the_anthropic_sdk_reads_the_canned_answers_at_the_gateway(proxy: Proxy, provider: Provider) -> None:
    tool = {"user-agent": CLAUDE["user-agent"]}
    with anthropic.Anthropic(api_key="its-own", base_url=proxy.gateway, default_headers=tool) as sdk:
        body = {name: value for name, value in TITLE.items() if name not in ("stream", "output_config")}
        with sdk.messages.stream(**body, extra_body={"output_config": TITLE["output_config"]}) as stream:
            assert stream.get_final_message().stop_reason == "end_turn"
        whole = sdk.messages.create(**QUOTA)
        counted = sdk.messages.count_tokens(model="m", messages=[{"role": "user", "content": "Count me, please."}])
    assert (whole.stop_reason, whole.usage.output_tokens) == ("max_tokens", 1)
    assert counted.input_tokens > 0
    assert not provider.received
    assert [row[1] for row in _books(proxy)] == ["bypass.titles", "bypass.quota_probe", "bypass.count_tokens"]


def test_a_turn_of_the_user_s_goes_to_the_provider(proxy: Proxy, provider: Provider) -> None:
    assert spoken("anthropic-messages", _post(proxy, TURN)) == "Hello from upstream"
    assert provider.call.json["messages"][0]["content"] == "quota"


def test_without_the_rule_nothing_is_bypassed(start_proxy: StartProxy, provider: Provider) -> None:
    proxy = start_proxy(_own(provider))
    assert _post(proxy, QUOTA).status_code == 200
    assert len(provider.calls) == 1
