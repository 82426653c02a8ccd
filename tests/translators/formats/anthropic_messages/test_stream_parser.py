"""Streams of Anthropic and its imitators, odd ones too."""

import pytest

from tests.translators.formats.anthropic_messages.wire import Wire, sse
from tests.wires import events_of
from translators import hub
from translators.errors import FormatError

START = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 9}}}
STOP = {"type": "message_stop"}


def _block(index: int, block: dict[str, object]) -> dict[str, object]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, delta: dict[str, object]) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _end(index: int) -> dict[str, object]:
    return {"type": "content_block_stop", "index": index}


def _stopped(reason: str) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 3}}


def test_cached_tokens_are_inside_the_input() -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 3}
    start = {"type": "message_start", "message": {"id": "1", "model": "m", "usage": usage}}
    [_, reported] = Wire().events(sse(start))[:2]
    assert reported == hub.UsageReported(hub.Usage(input=28, cache_read=20, cache_write=3))


def test_a_zero_in_the_last_report_does_not_undo_the_input() -> None:
    last = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 0, "output_tokens": 4},
    }
    usage = [event.usage for event in Wire().events(sse(START, last, STOP)) if isinstance(event, hub.UsageReported)]
    assert (usage[-1].input, usage[-1].output) == (9, 4)


def test_a_zero_beside_cached_tokens_means_that_the_cache_served_all() -> None:
    usage = {"input_tokens": 0, "cache_read_input_tokens": 30, "output_tokens": 4}
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    reports = [event.usage for event in Wire().events(sse(START, last, STOP)) if isinstance(event, hub.UsageReported)]
    assert (reports[-1].input, reports[-1].cache_read) == (30, 30)


@pytest.mark.parametrize(
    "word, reason",
    [
        ("end_turn", "end"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "context_overflow"),
        ("brand_new", "other"),
    ],
)
def test_every_stop_reason_is_known(word: str, reason: str) -> None:
    finished = Wire().events(sse(START, _stopped(word), STOP))[-1]
    assert isinstance(finished, hub.Finished)
    assert (finished.stop.reason, finished.stop.raw) == (reason, word)


def test_arguments_that_came_with_the_start_are_not_lost() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}
    events = Wire().events(sse(START, _block(0, call), _end(0), STOP))
    assert hub.PartDelta(0, hub.ArgumentsDelta('{"x":1}')) in events


def test_arguments_are_not_doubled_when_pieces_follow() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}
    piece = {"type": "input_json_delta", "partial_json": '{"x":1}'}
    events = Wire().events(sse(START, _block(0, call), _delta(0, piece), _end(0), STOP))
    assert [event.delta for event in events if isinstance(event, hub.PartDelta)] == [hub.ArgumentsDelta('{"x":1}')]


def test_a_text_block_without_a_start_or_an_end_is_whole() -> None:
    events = Wire().events(sse(START, _delta(0, {"type": "text_delta", "text": "hi"}), _stopped("end_turn"), STOP))
    assert [type(event).__name__ for event in events if "Part" in type(event).__name__] == [
        "PartStarted",
        "PartDelta",
        "PartEnded",
    ]


def test_a_stop_reason_is_an_end_even_without_message_stop() -> None:
    assert isinstance(Wire().events(sse(START, _stopped("end_turn")))[-1], hub.Finished)


def test_an_error_event_fails_with_its_kind() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    events = Wire().events(sse(START, _block(0, {"type": "text", "text": ""}), error))
    assert events[-2] == hub.PartEnded(0)
    assert isinstance(events[-1], hub.Failed)
    assert (events[-1].failure.kind, events[-1].failure.message) == ("overloaded", "Overloaded")


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        sse(START, _delta(3, {"type": "input_json_delta", "partial_json": "{"})),
        sse(START, {"type": "content_block_start", "index": [], "content_block": {"type": "text"}}),
    ],
)
def test_bytes_that_the_format_does_not_allow_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        events_of(Wire.format, data)
    assert caught.value.status_hint == 502


def test_a_block_that_grows_is_read_at_its_end_as_in_a_whole_answer() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    events = Wire().events(sse(START, _block(0, {"type": "image", "source": source}), _end(0), STOP))
    assert hub.PartStarted(0, hub.Media("image", "image/png", data="iVBORw0KGgo=")) in events


def test_extras_of_the_end_do_not_replace_fields_of_the_message() -> None:
    delta = {"stop_reason": "end_turn", "type": "message_delta", "id": 3}
    last = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 3}, "model": None}
    finished = Wire().events(sse(START, last, STOP))[-1]
    assert isinstance(finished, hub.Finished)
    assert finished.extra == {}


def test_a_citation_that_comes_before_its_text_backs_all_of_it() -> None:
    cited = {"type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "x"}
    block = _block(0, {"type": "text", "text": "", "citations": []})
    pieces = [_delta(0, {"type": "text_delta", "text": piece}) for piece in ("Fo", "ur.")]
    data = sse(START, block, _delta(0, {"type": "citations_delta", "citation": cited}), *pieces, _end(0), STOP)
    deltas = [event.delta for event in Wire().events(data) if isinstance(event, hub.PartDelta)]
    (citation,) = [delta.citation for delta in deltas if isinstance(delta, hub.CitationDelta)]
    assert (citation.start, citation.end) == (0, 5)
