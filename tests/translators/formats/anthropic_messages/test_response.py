"""Whole answers: what odd upstreams send, and what clients of this format get."""

import json

import pytest

from tests.translators.formats.anthropic_messages.wire import Wire, user
from translators import hub
from translators.errors import FormatError
from translators.signatures import is_ours

ASKED = hub.Request("asked", (user("hi"),))


def _rendered(*parts: hub.AnswerPart, **fields: object) -> dict[str, object]:
    values: dict[str, object] = {"id": "1", "model": "m", "stop": hub.Stop("end"), **fields}
    response = hub.Response(parts=parts, **values)  # type: ignore[arg-type]
    return json.loads(Wire.format.render_response(response, ASKED, []))


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"type":"error","error":{}}', b'{"object":"chat.completion"}']
)
def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        Wire.format.parse_response(body)
    assert caught.value.status_hint == 502


def test_an_answer_without_id_and_model_gets_both() -> None:
    answer = _rendered(hub.Text("x"), id="", model="")
    assert str(answer["id"]).startswith("msg_")
    assert answer["model"] == "asked"


def test_a_server_that_draws_its_ids_from_a_few_makes_no_two_answers_alike() -> None:
    longer = hub.Request("asked", (user("hi"), user("and"), user("then")))
    response = hub.Response("chatcmpl-123", "m", (hub.Text("x"),), hub.Stop("end"))
    ids = {json.loads(Wire.format.render_response(response, asked, []))["id"] for asked in (ASKED, longer)}
    assert len(ids) == 2


def test_usage_that_nobody_reported_is_estimated() -> None:
    usage = _rendered(hub.Text("x"))["usage"]
    assert isinstance(usage, dict)
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] == 0


def test_tool_calls_set_the_stop_reason() -> None:
    assert _rendered(hub.ToolCall("a", "f"))["stop_reason"] == "tool_use"


def test_foreign_thinking_is_marked_as_ours() -> None:
    [block] = _rendered(hub.Thinking("t"))["content"]  # type: ignore[misc]
    assert is_ours(block["signature"])


def test_a_refusal_is_text_with_its_stop_reason() -> None:
    answer = _rendered(hub.Refusal("no"), stop=hub.Stop("refusal"))
    assert answer["content"] == [{"type": "text", "text": "no"}]
    assert answer["stop_reason"] == "refusal"


def test_a_citation_backs_the_whole_block() -> None:
    cited = {"type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "x"}
    block = {"type": "text", "text": "Four.", "citations": [cited]}
    body = {"id": "m", "type": "message", "content": [block], "stop_reason": "end_turn", "usage": {}}
    (part,) = Wire.format.parse_response(json.dumps(body).encode()).parts
    assert isinstance(part, hub.Text)
    assert [(citation.start, citation.end) for citation in part.citations] == [(0, 5)]
