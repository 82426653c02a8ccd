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


def test_a_call_that_a_failure_cuts_off_gets_no_arguments() -> None:
    """Not even the empty ones that a call without any gets at its end."""
    told = chunks(START, hub.PartStarted(0, hub.ToolCall("a", "f")), hub.Failed(hub.Failure("cut", "gone")))
    assert told[-2]["choices"][0]["delta"]["tool_calls"][0]["function"] == {"name": "f", "arguments": ""}
    assert told[-1].keys() == {"error"}


def test_a_failure_is_an_error_event_and_the_last() -> None:
    failure = hub.Failure("rate_limit", "Slow down", 429)
    assert chunks(START, hub.Failed(failure), END)[-1]["error"]["message"] == "Slow down"


def test_a_stream_that_stops_is_never_a_clean_end() -> None:
    assert chunks(START, hub.PartStarted(0, hub.Text("a")))[-1]["error"]["code"] == "ECONNRESET"


def test_nothing_follows_the_end() -> None:
    assert chunks(START, END, hub.PartStarted(0, hub.Text("a")))[-1] == "[DONE]"


def cited(index: int, text: str, url: str) -> list[hub.Event]:
    return [
        hub.PartStarted(index, hub.Text("")),
        hub.PartDelta(index, hub.TextDelta(text)),
        hub.PartDelta(index, hub.CitationDelta(hub.Citation(url, start=0, end=len(text)))),
        hub.PartEnded(index),
    ]


def test_all_citations_come_in_one_delta_because_sdks_cannot_add_up_lists_without_numbers() -> None:
    found = deltas(*cited(0, "one", "https://a.example"), *cited(1, "two", "https://b.example"))
    lists = [item["annotations"] for item in found if "annotations" in item]
    assert [[note["url_citation"]["url"] for note in notes] for notes in lists] == [
        ["https://a.example", "https://b.example"]
    ]


def test_a_citation_of_a_later_part_stands_where_that_part_stands_in_the_content() -> None:
    found = deltas(*cited(0, "one", "https://a.example"), *cited(1, "four", "https://b.example"))
    links = [note["url_citation"] for item in found for note in item.get("annotations", ())]
    assert [(link["start_index"], link["end_index"]) for link in links] == [(0, 3), (3, 7)]


def test_signatures_of_two_thoughts_have_different_numbers() -> None:
    thoughts: list[hub.Event] = []
    for index in range(2):
        signature = hub.Signature(f"s{index}", "anthropic-messages")
        thoughts += [hub.PartStarted(index, hub.Thinking("a", signature)), hub.PartEnded(index)]
    details = [detail for item in deltas(*thoughts) for detail in item.get("reasoning_details", ())]
    assert [detail["index"] for detail in details] == [0, 1]


def test_images_are_numbered_through_the_answer() -> None:
    images: list[hub.Event] = []
    for index in range(2):
        images += [hub.PartStarted(index, hub.Media("image", "image/png", "aGk=")), hub.PartEnded(index)]
    assert [image["index"] for item in deltas(*images) for image in item.get("images", ())] == [0, 1]
