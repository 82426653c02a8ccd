"""Whole answers of other formats as the official SDK wants them."""

import json

import pytest
from openai.types.responses import Response

from translators import hub
from translators.errors import FormatError
from translators.format import WireRequest
from translators.formats.openai_responses.request import parse_request
from translators.formats.openai_responses.response import parse_response, render_response
from translators.hub import JSON

TOOLS: JSON = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]
REQUEST = parse_request(
    WireRequest(
        body=json.dumps(
            {"model": "gpt", "input": "hi", "instructions": "be kind", "tools": TOOLS, "metadata": {"a": "b"}}
        ).encode()
    )
)


def render(*parts: hub.AnswerPart, stop: hub.Stop | None = None, losses: list[hub.Loss] | None = None) -> Response:
    answer = hub.Response("a1", "glm", parts, stop or hub.Stop("end"), hub.Usage(input=3, output=2, cache_read=1), 7)
    return Response.model_validate_json(render_response(answer, REQUEST, [] if losses is None else losses))


def test_every_part_is_an_item_that_the_official_sdk_accepts() -> None:
    response = render(
        hub.Thinking("hm"),
        hub.Text("hello", (hub.Citation(url="https://a.example"),)),
        hub.Refusal("no"),
        hub.ToolCall("c1", "f", "{}"),
        hub.ToolCall("c2", "exec", "ls", custom=True),
        hub.Media("image", "image/png", "AAAA"),
    )
    assert [item.type for item in response.output] == [
        "reasoning",
        "message",
        "message",
        "function_call",
        "custom_tool_call",
        "image_generation_call",
    ]


def test_no_two_items_share_an_id() -> None:
    output = render(hub.Text("a"), hub.Text("b"), hub.ToolCall("c1", "f", "{}"), hub.ToolCall("c2", "f", "{}")).output
    assert len({item.id for item in output}) == 4


def test_an_answer_repeats_what_was_asked() -> None:
    response = render(hub.Text("a"))
    assert (response.instructions, response.metadata, [tool.type for tool in response.tools]) == (
        "be kind",
        {"a": "b"},
        ["function"],
    )


def test_usage_has_all_its_fields() -> None:
    usage = render(hub.Text("a")).usage
    assert usage is not None
    assert (usage.total_tokens, usage.input_tokens_details.cached_tokens) == (5, 1)


@pytest.mark.parametrize(
    "reason, status",
    [
        ("end", "completed"),
        ("tool_calls", "completed"),
        ("stop_sequence", "completed"),
        ("pause", "completed"),
        ("max_tokens", "incomplete"),
        ("refusal", "incomplete"),
        ("context_overflow", "incomplete"),
    ],
)
def test_the_stop_reason_decides_the_status(reason: hub.StopReason, status: str) -> None:
    assert render(hub.Text("a"), stop=hub.Stop(reason)).status == status


def test_a_part_that_has_no_item_is_a_loss() -> None:
    losses: list[hub.Loss] = []
    render(hub.Opaque("gemini", {}), hub.Media("audio", data="AAAA"), losses=losses)
    assert len(losses) == 2


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"error": {"message": "x"}, "output": []}', b'{"status": "failed", "output": []}']
)
def test_what_is_no_answer_is_a_format_error(body: bytes) -> None:
    with pytest.raises(FormatError):
        parse_response(body)
