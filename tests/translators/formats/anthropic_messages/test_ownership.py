"""Requests of the same format: the model changes, our own marks go, every other byte stays."""

import json

import pytest

from tests.translators.formats.anthropic_messages.wire import Wire
from translators import hub
from translators.format import WireRequest
from translators.signatures import wrap

NAME = "anthropic-messages"
ODD = b'{ "model" : "a",\t"x":1.0e5, "stream":true, "messages":[] }'
OURS = wrap(hub.Signature("cipher", "gemini"), NAME)


def test_only_the_bytes_of_the_model_change() -> None:
    assert Wire.format.retarget(WireRequest(body=ODD), "b").body == ODD.replace(b'"a"', b'"b"')


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"stream":1}'])
def test_an_unreadable_body_stays_and_asks_for_nothing(body: bytes) -> None:
    wire = WireRequest(body=body)
    assert Wire.format.retarget(wire, "b") == wire
    assert Wire.format.model_of(wire) is None
    assert Wire.format.asks_stream(wire) is False


def test_model_and_stream_are_found() -> None:
    assert Wire.format.model_of(WireRequest(body=ODD)) == "a"
    assert Wire.format.asks_stream(WireRequest(body=ODD)) is True


def test_a_request_without_our_marks_is_not_touched() -> None:
    wire = WireRequest(body=ODD)
    assert Wire.format.disown(wire) is wire


def test_our_thinking_and_citations_go_and_the_models_own_stay() -> None:
    own = {"type": "thinking", "thinking": "t", "signature": "theirs"}
    cited = {
        "type": "text",
        "text": "x",
        "citations": [{"type": "web_search_result_location", "encrypted_index": OURS}],
    }
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [own, {"type": "thinking", "thinking": "f", "signature": OURS}, cited]},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": OURS}]},
    ]
    body = b'{"x":1.0e5, "messages":' + json.dumps(messages).encode() + b"}"
    disowned = Wire.format.disown(WireRequest(body=body)).body
    assert disowned.startswith(b'{"x":1.0e5, ')
    assert json.loads(disowned)["messages"] == [
        messages[0],
        {"role": "assistant", "content": [own, {"type": "text", "text": "x"}]},
    ]


def test_a_budget_goes_when_the_open_tool_loop_loses_its_thinking() -> None:
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    messages = [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "f", "signature": OURS}, call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
    ]
    body = {"thinking": {"type": "enabled", "budget_tokens": 2000}, "messages": messages}
    disowned = Wire.format.disown(WireRequest(body=json.dumps(body).encode())).body
    assert json.loads(disowned)["thinking"] == {"type": "disabled"}
