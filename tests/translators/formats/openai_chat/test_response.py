"""Whole answers of the dialects."""

import json
from typing import Any

import pytest

from translators import hub
from translators.errors import FormatError
from translators.formats.openai_chat.response import parse_response, render_response

ASKED = hub.Request("m", ())


def parse(message: dict[str, Any], **fields: Any) -> hub.Response:
    choice = {"index": 0, "message": message, "finish_reason": "stop", **fields}
    return parse_response(json.dumps({"id": "r", "model": "m", "created": 1, "choices": [choice]}).encode())


def message(*parts: hub.AnswerPart, request: hub.Request = ASKED) -> dict[str, Any]:
    body = render_response(hub.Response("r", "m", parts, hub.Stop("end")), request, [])
    return json.loads(body)["choices"][0]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices":[]}', b"<html>"])
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        parse_response(body)


def test_think_tags_stay_text_where_no_profile_names_them() -> None:
    assert parse({"content": "<think>a</think>\n\nb"}).parts == (hub.Text("<think>a</think>\n\nb"),)


def test_an_empty_custom_beside_a_function_is_a_function() -> None:
    item = {"id": "c", "custom": {"name": "", "input": ""}, "function": {"name": "f", "arguments": "{}"}}
    assert parse({"tool_calls": [item]}).parts == (hub.ToolCall("c", "f", "{}"),)


def test_calls_without_ids_get_different_ones() -> None:
    items = [{"id": "", "function": {"name": "f", "arguments": "{}"}}] * 2
    first, second = parse({"tool_calls": items}).parts
    assert isinstance(first, hub.ToolCall)
    assert isinstance(second, hub.ToolCall)
    assert first.id != second.id


def test_googles_signature_of_a_call_is_kept() -> None:
    item = {
        "id": "c",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "sig"}},
    }
    call = parse({"tool_calls": [item]}).parts[0]
    assert call == hub.ToolCall("c", "f", "{}", signature=hub.Signature("sig", "openai-chat"))
    assert message(call)["tool_calls"][0]["extra_content"] == item["extra_content"]


def test_a_legacy_call_is_a_call() -> None:
    (call,) = parse({"content": None, "function_call": {"name": "f", "arguments": '{"a":1}'}}).parts
    assert isinstance(call, hub.ToolCall)
    assert (call.name, call.arguments) == ("f", '{"a":1}')


def test_a_legacy_client_gets_a_legacy_call() -> None:
    request = hub.Request("m", (), extra={"openai-chat": {"functions": True}})
    assert message(hub.ToolCall("c", "f", "{}"), request=request)["function_call"] == {"name": "f", "arguments": "{}"}


def test_the_stop_string_that_was_met_is_named() -> None:
    assert parse({"content": "a"}, stop_reason="###").stop == hub.Stop("stop_sequence", "###", "stop")


def test_calls_announced_but_not_made_are_a_plain_end() -> None:
    assert parse({"content": "a"}, finish_reason="tool_calls").stop.reason == "end"


def test_a_foreign_signature_is_wrapped_for_the_client() -> None:
    signature = hub.Signature("s", "anthropic-messages")
    rendered = message(hub.Thinking("a", signature))
    again = parse(rendered).parts[0]
    assert again == hub.Thinking("a", signature)


def test_sound_and_images_have_their_own_fields() -> None:
    rendered = message(hub.Media("audio", data="AA"), hub.Media("image", "image/png", data="BB"))
    assert rendered["audio"]["data"] == "AA"
    assert rendered["images"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,BB"}, "index": 0}]


def test_a_refusal_is_told_from_a_plain_end() -> None:
    refused = {"role": "assistant", "content": None, "refusal": "I will not."}
    body = json.dumps({"id": "r", "choices": [{"index": 0, "message": refused, "finish_reason": "stop"}]}).encode()
    parsed = parse_response(body)
    assert parsed.stop == hub.Stop("refusal", raw="stop")
    assert json.loads(render_response(parsed, ASKED, []))["choices"][0]["finish_reason"] == "stop"


def test_the_stop_sequence_that_was_met_is_told() -> None:
    stopped = hub.Response("r", "m", (hub.Text("a"),), hub.Stop("stop_sequence", "END"))
    body = render_response(stopped, ASKED, [])
    assert json.loads(body)["choices"][0]["finish_reason"] == "stop"
    assert parse_response(body).stop == hub.Stop("stop_sequence", "END", "stop")
