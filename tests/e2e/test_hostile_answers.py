"""Providers that say what nobody can mean: the client gets its own format's answer, and the books stay right."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.e2e.calls import ask, post_gateway, said_error, spoken
from tests.e2e.targets import routes, targets
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import Whole, says

type StartProxy = Callable[..., Proxy]

JSON = {"content-type": "application/json"}
HALF = "half \ud83d"


def _error(**more: Any) -> bytes:
    return json.dumps({"error": {"message": HALF, "type": "invalid_request_error", **more}}).encode()


ERRORS = {
    "half an emoji": _error(),
    "a long integer": _error(code=10**30),
    "very deep": _error(param=json.loads('{"a":' * 240 + "1" + "}" * 240)),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat", "gemini"])
def test_an_error_of_any_words_is_an_error_of_the_client_s_format(
    name: str, form: str, provider: Provider, start_proxy: StartProxy
) -> None:
    provider.script(Whole(400, JSON, ERRORS[name]))
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m"))
    answer = post_gateway(proxy, ask(form))
    assert answer.status_code == 400
    assert "half" in said_error(form, answer.json())
    assert "Traceback" not in proxy.log.read_text()


def test_a_count_of_any_length_costs_no_record(provider: Provider, start_proxy: StartProxy) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    hostile = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    usage = {"prompt_tokens": 2**63, "completion_tokens": 10**30, "total_tokens": 1}
    provider.script(Whole(200, JSON, json.dumps(hostile | {"usage": usage}).encode()), says("Hello"))
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m") + "prices: {'m*': {input: 1, output: 2}}\n")
    asked = ask("openai-chat", HALF)
    assert spoken("openai-chat", post_gateway(proxy, asked)) == "Hi"
    assert spoken("openai-chat", post_gateway(proxy, ask("openai-chat"))) == "Hello"
    assert proxy.stop() == 0
    assert "Traceback" not in proxy.log.read_text()
    with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
        assert books.execute("SELECT model, outcome FROM exchanges ORDER BY started").fetchall() == [
            ("half ?", "done"),
            ("model-0", "done"),
        ]
