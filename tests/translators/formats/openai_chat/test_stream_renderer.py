"""What chat clients get while an answer comes."""

import json
from typing import Any

from translators import hub
from translators.formats.openai_chat.stream_renderer import ChatStreamRenderer

ASKED = hub.Request("m", (), stream=True)
START = hub.Started("r", "m", extra={"openai-chat": {"provider": "X"}})
END = hub.Finished(hub.Stop("end"))


def chunks(*events: hub.Event, request: hub.Request = ASKED) -> list[Any]:
    renderer = ChatStreamRenderer(request, [])
    data = b"".join(renderer.render(event) for event in events) + renderer.close()
    lines = [line[6:] for line in data.decode().splitlines() if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def deltas(*events: hub.Event, request: hub.Request = ASKED) -> list[dict[str, Any]]:
    found = [chunk for chunk in chunks(START, *events, END, request=request) if isinstance(chunk, dict)]
    return [chunk["choices"][0]["delta"] for chunk in found if chunk.get("choices")][1:-1]


def test_the_role_comes_first_and_done_last() -> None:
    found = chunks(START, END)
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert found[-1] == "[DONE]"


def test_every_chunk_repeats_the_head() -> None:
    for chunk in chunks(START, END)[:-1]:
        assert (chunk["id"], chunk["created"], chunk["provider"]) == ("r", 0, "X")


def test_interleaved_calls_keep_their_numbers() -> None:
    found = deltas(
        hub.PartStarted(0, hub.ToolCall("a", "f")),
        hub.PartStarted(1, hub.ToolCall("b", "g")),
        hub.PartDelta(0, hub.ArgumentsDelta("{}")),
        hub.PartDelta(1, hub.ArgumentsDelta("{}")),
        hub.PartEnded(0),
        hub.PartEnded(1),
    )
    assert [item["tool_calls"][0]["index"] for item in found] == [0, 1, 0, 1]


def test_a_call_without_arguments_ends_as_an_empty_object() -> None:
    found = deltas(hub.PartStarted(0, hub.ToolCall("a", "f")), hub.PartEnded(0))
    assert found[-1] == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}


def test_two_thoughts_are_set_apart() -> None:
    thoughts: list[hub.Event] = []
    for index in range(2):
        thoughts += [hub.PartStarted(index, hub.Thinking("a")), hub.PartEnded(index)]
    assert [item["reasoning_content"] for item in deltas(*thoughts)] == ["a", "\n\na"]


def test_a_custom_call_carries_input() -> None:
    found = deltas(hub.PartStarted(0, hub.ToolCall("a", "f", "raw", custom=True)), hub.PartEnded(0))
    assert found == [
        {"tool_calls": [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "raw"}}]}
    ]


def test_a_legacy_client_gets_a_function_call() -> None:
    request = hub.Request("m", (), stream=True, extra={"openai-chat": {"functions": True}})
    call = [hub.PartStarted(0, hub.ToolCall("a", "f")), hub.PartDelta(0, hub.ArgumentsDelta("{}")), hub.PartEnded(0)]
    assert deltas(*call, request=request) == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
    ]


def test_a_failure_is_an_error_event_and_the_last() -> None:
    failure = hub.Failure("rate_limit", "Slow down", 429)
    assert chunks(START, hub.Failed(failure), END)[-1]["error"]["message"] == "Slow down"


def test_a_stream_that_stops_is_never_a_clean_end() -> None:
    assert chunks(START, hub.PartStarted(0, hub.Text("a")))[-1]["error"]["code"] == "answer_cut"


def test_nothing_follows_the_end() -> None:
    assert chunks(START, END, hub.PartStarted(0, hub.Text("a")))[-1] == "[DONE]"
