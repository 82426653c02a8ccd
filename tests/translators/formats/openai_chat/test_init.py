"""The format object: what it does to bytes without parsing them, and that OpenAI's own SDK takes what it renders."""

import json
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from translators import hub
from translators.format import WireRequest
from translators.formats.openai_chat import OpenAIChat

CHAT = OpenAIChat()
ASKED = hub.Request("m", (), stream=True)
PARTS = (
    hub.Thinking("Hm."),
    hub.Text("Hello", citations=(hub.Citation(url="https://a.example", title="A"),)),
    hub.ToolCall("call_1", "look", '{"q":1}'),
    hub.ToolCall("call_2", "look", "{}"),
)
USAGE = hub.Usage(input=10, output=5, cache_read=4, reasoning=2)


def _wire(body: bytes) -> WireRequest:
    return WireRequest(path="/v1/chat/completions", body=body)


def test_retarget_changes_the_model_and_no_other_byte() -> None:
    wire = _wire(b'{ "temperature": 1.0e0,  "model" : "a", "messages":[] }')
    assert CHAT.retarget(wire, "b").body == b'{ "temperature": 1.0e0,  "model" : "b", "messages":[] }'


def test_retarget_leaves_an_unreadable_body_alone() -> None:
    assert CHAT.retarget(_wire(b"\xff{"), "b").body == b"\xff{"


def test_asks_stream_is_false_for_an_unreadable_body() -> None:
    assert not CHAT.asks_stream(_wire(b"{"))


def test_the_model_of_an_azure_call_is_in_its_path() -> None:
    assert CHAT.model_of(WireRequest(path="/openai/deployments/gpt-4o/chat/completions", body=b"{}")) == "gpt-4o"


def test_the_sdk_reads_a_rendered_answer() -> None:
    response = hub.Response("chatcmpl-1", "m", PARTS, hub.Stop("tool_calls"), USAGE)
    answer = ChatCompletion.model_validate_json(CHAT.render_response(response, ASKED, []), strict=True)
    calls = answer.choices[0].message.tool_calls or []
    assert [call.id for call in calls] == ["call_1", "call_2"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 15


def _chunks(request: hub.Request) -> list[dict[str, Any]]:
    renderer = CHAT.stream_renderer(request, [])
    events: list[hub.Event] = [hub.Started("chatcmpl-1", "m")]
    for index, part in enumerate(PARTS):
        events += [hub.PartStarted(index, part), hub.PartEnded(index)]
    events += [hub.UsageReported(USAGE), hub.Finished(hub.Stop("tool_calls"))]
    data = b"".join(renderer.render(event) for event in events) + renderer.close()
    lines = [line[6:] for line in data.decode().splitlines() if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_the_sdk_reads_every_rendered_chunk() -> None:
    chunks = [ChatCompletionChunk.model_validate(chunk) for chunk in _chunks(ASKED)]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage is not None
    assert chunks[-2].choices[0].finish_reason == "tool_calls"


def test_a_client_that_did_not_ask_for_usage_gets_none() -> None:
    assert not any("usage" in chunk for chunk in _chunks(hub.Request("m", (), stream=True, stream_usage=False)))
