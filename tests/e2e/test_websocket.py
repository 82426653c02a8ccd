"""Websockets of the Responses surfaces are refused in the way that makes Codex use plain HTTP at once."""

from collections.abc import Callable

import pytest

from tests.e2e.calls import client
from tests.e2e.targets import routes, targets
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/responses",
        "https://chatgpt.com/backend-api/codex/responses",
    ],
)
def test_an_upgrade_is_answered_426(url: str, provider: Provider, start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m"))
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with client(proxy) as http:
        response = http.get(url, headers=upgrade)
    assert (response.status_code, provider.received) == (426, [])
