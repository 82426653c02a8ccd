"""What vendors leave out of a stream, say twice, or say in another order."""

import json

import pytest

from translators import hub
from translators.errors import FormatError
from translators.fold import Fold
from translators.formats.openai_responses.parser import ResponsesStreamParser
from translators.hub import JSON


def wire(*events: dict[str, JSON]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def parse(*events: dict[str, JSON]) -> list[hub.Event]:
    parser = ResponsesStreamParser()
    return parser.feed(wire(*events)) + parser.close()


def fold(*events: dict[str, JSON]) -> hub.Response:
    folded = Fold()
    for event in parse(*events):
        folded.add(event)
    return folded.response()


def arguments(events: list[hub.Event], index: int = 0) -> str:
    deltas = [event.delta for event in events if isinstance(event, hub.PartDelta) and event.index == index]
    return "".join(delta.text for delta in deltas if isinstance(delta, hub.ArgumentsDelta))


def completed(*output: JSON, **members: JSON) -> dict[str, JSON]:
    response: dict[str, JSON] = {"id": "resp_1", "model": "m", "status": "completed", "output": list(output), **members}
    return {"type": "response.completed", "response": response}


def call(arguments: str = "", *, number: int = 1, **members: JSON) -> dict[str, JSON]:
    item: dict[str, JSON] = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": "f"}
    return {**item, "arguments": arguments, **members}


def item(kind: str, raw: JSON, index: int = 0) -> dict[str, JSON]:
    return {"type": f"response.output_item.{kind}", "output_index": index, "item": raw}


def message(text: str) -> dict[str, JSON]:
    content: JSON = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def argument_delta(piece: str, index: int = 0, number: int = 1) -> dict[str, JSON]:
    kind = "response.function_call_arguments.delta"
    return {"type": kind, "item_id": f"fc_{number}", "output_index": index, "delta": piece}


WHOLE = '{"a": 1}'


def test_arguments_that_come_only_in_their_done_event_are_handed_on() -> None:
    done: dict[str, JSON] = {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": WHOLE}
    assert arguments(parse(item("added", call()), done, item("done", call(WHOLE)), completed(call(WHOLE)))) == WHOLE


def test_arguments_that_come_only_in_the_finished_item_are_handed_on() -> None:
    assert arguments(parse(item("added", call()), item("done", call(WHOLE)), completed())) == WHOLE


def test_arguments_said_by_deltas_done_item_and_response_are_handed_on_once() -> None:
    done: dict[str, JSON] = {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": WHOLE}
    deltas = [argument_delta('{"a"'), argument_delta(": 1}")]
    events = parse(item("added", call()), *deltas, done, item("done", call(WHOLE)), completed(call(WHOLE)))
    assert arguments(events) == WHOLE


def test_an_item_that_comes_only_in_the_last_event_is_handed_on() -> None:
    assert fold(completed(message("hello"))).parts[0] == hub.Text(
        "hello", extra={"openai-responses": {"item": {"id": "msg_1"}}}
    )


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert arguments(parse(item("added", call()), item("done", call()), completed())) == "{}"


def test_a_custom_call_without_input_stays_empty() -> None:
    custom: dict[str, JSON] = {"type": "custom_tool_call", "id": "c", "call_id": "call_1", "name": "exec", "input": ""}
    assert arguments(parse(item("added", custom), item("done", custom), completed())) == ""


def test_two_interleaved_calls_are_kept_apart() -> None:
    events = parse(
        item("added", call(number=1), 0),
        item("added", call(number=2), 1),
        argument_delta('{"x"', 0, 1),
        argument_delta('{"y"', 1, 2),
        argument_delta(": 1}", 0, 1),
        argument_delta(": 2}", 1, 2),
        completed(),
    )
    assert (arguments(events, 0), arguments(events, 1)) == ('{"x": 1}', '{"y": 2}')


def test_an_item_whose_id_changes_is_found_by_its_index() -> None:
    events = parse(
        item("added", call()),
        argument_delta(WHOLE, number=77),
        item("done", call(WHOLE, id="fc_other")),
        completed(call(WHOLE, id="fc_third")),
    )
    assert (arguments(events), len([event for event in events if isinstance(event, hub.PartStarted)])) == (WHOLE, 1)


def test_deltas_before_their_item_wait_for_the_name_of_the_tool() -> None:
    events = parse(argument_delta(WHOLE), item("done", call(WHOLE)), completed())
    assert arguments(events) == WHOLE


def test_reasoning_without_readable_text_is_redacted_and_keeps_its_ciphertext() -> None:
    sealed: dict[str, JSON] = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    part = fold(item("added", sealed), item("done", sealed), completed(sealed)).parts[0]
    assert isinstance(part, hub.Thinking)
    assert (part.text, part.redacted, part.signature) == ("", True, hub.Signature("gAAA", "openai-responses"))


def test_parts_of_a_summary_become_paragraphs() -> None:
    reasoning: dict[str, JSON] = {"type": "reasoning", "id": "rs_1", "summary": []}
    kind = "response.reasoning_summary_text.delta"
    deltas: list[dict[str, JSON]] = [
        {"type": kind, "item_id": "rs_1", "output_index": 0, "summary_index": number, "delta": text}
        for number, text in enumerate(("one", "two"))
    ]
    part = fold(item("added", reasoning), *deltas, completed()).parts[0]
    assert isinstance(part, hub.Thinking)
    assert part.text == "one\n\ntwo"


def test_annotations_are_citations_once() -> None:
    annotation: dict[str, JSON] = {
        "type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2,
    }  # fmt: skip
    added: dict[str, JSON] = {
        "type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation": annotation,
    }  # fmt: skip
    whole = message("hi")
    whole["content"] = [{"type": "output_text", "text": "hi", "annotations": [annotation]}]
    part = fold(item("added", {**whole, "content": []}), added, item("done", whole), completed(whole)).parts[0]
    assert isinstance(part, hub.Text)
    assert [(one.url, one.start, one.end) for one in part.citations] == [("https://a.example", 0, 2)]


def test_tools_that_the_provider_runs_are_opaque_and_no_tool_calls() -> None:
    search: dict[str, JSON] = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    response = fold(item("added", search), item("done", search), completed(search))
    assert (response.parts, response.stop.reason) == ((hub.Opaque("openai-responses", search),), "end")


@pytest.mark.parametrize(
    "reason, expected", [("max_output_tokens", "max_tokens"), ("content_filter", "refusal"), ("odd", "other")]
)
def test_an_incomplete_response_says_why(reason: str, expected: str) -> None:
    response: JSON = {"id": "r", "status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}
    last = parse({"type": "response.incomplete", "response": response})[-1]
    assert isinstance(last, hub.Finished)
    assert last.stop.reason == expected


def test_usage_comes_before_the_end() -> None:
    usage: JSON = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
    }
    events = parse(completed(usage=usage))
    assert events[-2] == hub.UsageReported(hub.Usage(input=10, output=5, cache_read=4, reasoning=3))


def test_a_failed_response_is_a_failure_with_the_delay_of_its_words() -> None:
    error: JSON = {"code": "rate_limit_exceeded", "message": "Rate limit reached. Please try again in 1.5s."}
    last = parse({"type": "response.failed", "response": {"id": "r", "status": "failed", "error": error}})[-1]
    assert isinstance(last, hub.Failed)
    assert (last.failure.kind, last.failure.retry_after) == ("rate_limit", 1.5)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_is_overloaded", "message": "busy"},
        {"type": "error", "error": {"code": "server_is_overloaded", "message": "busy"}},
        {"error": {"code": "server_is_overloaded", "message": "busy"}},
    ],
)
def test_an_error_event_of_any_shape_is_a_failure(event: dict[str, JSON]) -> None:
    last = parse(event)[-1]
    assert isinstance(last, hub.Failed)
    assert (last.failure.kind, last.failure.message) == ("overloaded", "busy")


def test_nothing_follows_the_end() -> None:
    events = parse(completed(), item("added", call()), {"type": "error", "message": "late"})
    assert isinstance(events[-1], hub.Finished)


def test_an_event_that_is_no_json_is_a_format_error() -> None:
    with pytest.raises(FormatError, match="not JSON"):
        ResponsesStreamParser().feed(b"data: {oops\n\n")


def test_a_done_event_that_says_less_than_was_said_changes_nothing() -> None:
    said: dict[str, JSON] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = parse(
        {"type": "response.output_text.delta", "delta": "word", **said},
        {"type": "response.output_text.done", "text": "wo", **said},
        {"type": "response.output_text.done", "text": "words", **said},
        {"type": "response.output_text.done", "text": "other words", **said},
        completed(),
    )
    assert [event for event in events if isinstance(event, hub.PartDelta)] == [
        hub.PartDelta(0, hub.TextDelta(piece)) for piece in ("word", "s")
    ]
