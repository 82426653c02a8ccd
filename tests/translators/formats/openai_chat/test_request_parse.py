"""Chat requests as clients write them."""

import json
from typing import Any

import pytest

from translators import hub
from translators.errors import FormatError
from translators.format import WireRequest
from translators.formats.openai_chat.request_parse import parse_request
from translators.signatures import wrap


def parse(*messages: dict[str, Any], **fields: Any) -> hub.Request:
    body = {"model": "m", "messages": list(messages), **fields}
    return parse_request(WireRequest(path="/v1/chat/completions", body=json.dumps(body).encode()))


def parts(**message: Any) -> tuple[hub.Part, ...]:
    return parse(message).messages[0].parts


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages":[]}', b'{"model":"m"}', b'{"model":"m","messages":[1]}'])
def test_a_body_that_is_no_chat_request_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        parse_request(WireRequest(body=body))


def test_an_unknown_role_is_named_with_its_place() -> None:
    with pytest.raises(FormatError, match=r"messages\[0\].role: 'critic'"):
        parse({"role": "critic", "content": "x"})


def test_half_a_surrogate_pair_is_no_obstacle() -> None:
    request = parse_request(WireRequest(body=b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}'))
    assert request.messages[0].parts == (hub.Text("\ud83d"),)


def test_a_data_uri_is_media_with_its_type() -> None:
    item = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    expected = hub.Media("image", "image/png", data="AAAA", extra={"openai-chat": {"detail": "low"}})
    assert parts(role="user", content=[item]) == (expected,)


def test_a_file_with_data_is_a_document() -> None:
    item = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}}
    assert parts(role="user", content=[item]) == (hub.Media("document", "application/pdf", data="AAAA", name="a.pdf"),)


def test_a_sound_has_the_type_of_its_format() -> None:
    item = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
    assert parts(role="user", content=[item]) == (hub.Media("audio", "audio/mpeg", data="AAAA"),)


def test_an_unknown_part_is_kept_whole() -> None:
    item = {"type": "hologram", "depth": 3}
    assert parts(role="user", content=[item]) == (hub.Opaque("openai-chat", item),)


def test_tool_messages_in_a_row_are_one_message() -> None:
    results = [{"role": "tool", "tool_call_id": name, "content": name} for name in ("a", "b")]
    expected = tuple(hub.ToolResult(name, (hub.Text(name),)) for name in ("a", "b"))
    assert parse(*results).messages == (hub.Message("user", expected),)


def test_arguments_as_an_object_become_text() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    assert parts(role="assistant", content=None, tool_calls=[call]) == (hub.ToolCall("c", "f", '{"a":1}'),)


def test_a_custom_call_keeps_its_raw_input() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "raw"}}
    assert parts(role="assistant", tool_calls=[call]) == (hub.ToolCall("c", "f", "raw", custom=True),)


def test_a_legacy_result_finds_its_call() -> None:
    request = parse(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
    )
    call, result = request.messages[0].parts[0], request.messages[1].parts[0]
    assert isinstance(call, hub.ToolCall)
    assert isinstance(result, hub.ToolResult)
    assert call.id == result.call_id


def test_reasoning_comes_before_the_text() -> None:
    assert parts(role="assistant", content="b", reasoning_content="a") == (hub.Thinking("a"), hub.Text("b"))


def test_reasoning_details_with_a_signature_become_a_signature() -> None:
    details = [{"type": "reasoning.text", "text": "a", "signature": "s", "index": 0}]
    (thinking,) = parts(role="assistant", reasoning="a", reasoning_details=details)
    assert isinstance(thinking, hub.Thinking)
    assert thinking.signature is not None
    assert json.loads(thinking.signature.value) == details


def test_a_wrapped_signature_is_unwrapped() -> None:
    signature = hub.Signature("s", "anthropic-messages")
    details = [{"type": "reasoning.encrypted", "data": wrap(signature, "openai-chat")}]
    assert parts(role="assistant", reasoning_content="a", reasoning_details=details) == (hub.Thinking("a", signature),)


@pytest.mark.parametrize(
    "choice, expected",
    [
        ("auto", hub.ToolChoice("auto")),
        ("any", hub.ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, hub.ToolChoice("tool", "f")),
        ({"type": "custom", "custom": {"name": "f"}}, hub.ToolChoice("tool", "f")),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            hub.ToolChoice("required", allowed=("f",)),
        ),
    ],
)
def test_tool_choice(choice: object, expected: hub.ToolChoice) -> None:
    assert parse(tool_choice=choice).tool_choice == expected


def test_a_custom_tool_has_a_flat_grammar() -> None:
    form = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}
    (tool,) = parse(tools=[{"type": "custom", "custom": {"name": "f", "format": form}}]).tools
    assert tool == hub.Tool("f", custom=True, grammar={"type": "grammar", "syntax": "lark", "definition": "x"})


def test_a_tool_of_the_provider_is_a_server_tool() -> None:
    raw = {"type": "openrouter:web_search", "parameters": {}}
    assert parse(tools=[raw]).tools == (hub.ServerTool("openai-chat", "web_search", raw),)


def test_max_completion_tokens_wins() -> None:
    assert parse(max_tokens=1, max_completion_tokens=2).max_tokens == 2


@pytest.mark.parametrize(
    "fields, effort",
    [
        ({"reasoning_effort": "low"}, "low"),
        ({"reasoning": {"effort": "high"}}, "high"),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"reasoning": {"enabled": False}}, "none"),
    ],
)
def test_reasoning_effort(fields: dict[str, Any], effort: str) -> None:
    reasoning = parse(**fields).reasoning
    assert reasoning is not None
    assert reasoning.effort == effort


def test_unknown_fields_are_kept() -> None:
    assert parse(logit_bias={"1": 2}).extra == {"openai-chat": {"logit_bias": {"1": 2}}}


def test_a_stream_without_include_usage_does_not_want_usage() -> None:
    assert not parse(stream=True).stream_usage


def test_the_role_model_is_the_assistant() -> None:
    """Role normaliser: Google's word for who answers."""
    body = {"model": "m", "messages": [{"role": "model", "content": "Hi"}]}
    assert parse_request(WireRequest(body=json.dumps(body).encode())).messages[0].role == "assistant"
