"""Every recorded answer of the many chat providers, when the recordings are at hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from translators.fold import Fold
from translators.format import Profile, WireRequest
from translators.formats.openai_chat import OpenAIChat
from translators.hub import (
    AnswerPart,
    Event,
    Failed,
    Finished,
    PartEnded,
    PartStarted,
    Request,
    Response,
    Thinking,
    ToolCall,
)

RECORDINGS = Path(__file__).resolve().parents[5] / "shared" / "recordings" / "open-openai-chat.jsonl"
ROWS: list[dict[str, Any]] = (
    [json.loads(line) for line in RECORDINGS.read_text().splitlines()] if RECORDINGS.exists() else []
)
CHAT = OpenAIChat()
ASKED = Request("m", ())

pytestmark = pytest.mark.skipif(not ROWS, reason="the recordings are not part of the repository")


def _named(rows: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(row, id=row["id"]) for row in rows]


def _wire(row: dict[str, Any]) -> WireRequest:
    return WireRequest(path="/v1/chat/completions", body=json.dumps(row["request"]).encode())


def _events(data: bytes, step: int) -> list[Event]:
    parser = CHAT.stream_parser()
    events: list[Event] = []
    for start in range(0, len(data), step):
        events += parser.feed(data[start : start + step])
    return events + parser.close()


def _fold(events: list[Event]) -> Response:
    fold = Fold()
    for event in events:
        fold.add(event)
    return fold.response()


WHOLE = [row for row in ROWS if row["status"] == 200 and not row["stream"] and '"choices"' in row["response"]]
STREAMS = [row for row in ROWS if row["status"] == 200 and row["stream"]]
REFUSED = [row for row in ROWS if row["status"] != 200]


@pytest.mark.parametrize("row", _named(ROWS))
def test_a_request_means_the_same_after_a_round_trip(row: dict[str, Any]) -> None:
    parsed = CHAT.parse_request(_wire(row))
    again = CHAT.parse_request(CHAT.render_request(parsed, Profile(), []))
    assert _meaning(again) == _meaning(parsed)


def _meaning(request: Request) -> Request:
    return replace(request, stream_usage=True)


@pytest.mark.parametrize("row", _named(ROWS))
def test_a_request_loses_nothing_in_its_own_format(row: dict[str, Any]) -> None:
    losses: list[Any] = []
    CHAT.render_request(CHAT.parse_request(_wire(row)), Profile(), losses)
    assert losses == []


@pytest.mark.parametrize("row", _named(WHOLE))
def test_a_whole_answer_means_the_same_after_a_round_trip(row: dict[str, Any]) -> None:
    parsed = CHAT.parse_response(row["response"].encode())
    again = CHAT.parse_response(CHAT.render_response(parsed, ASKED, []))
    assert again.parts == parsed.parts
    assert again.stop.reason == parsed.stop.reason
    assert again.usage == parsed.usage
    assert again.extra == parsed.extra


@pytest.mark.parametrize("row", _named(WHOLE))
def test_a_whole_answer_is_no_error(row: dict[str, Any]) -> None:
    assert CHAT.parse_error(200, {}, row["response"].encode()) is None


@pytest.mark.parametrize("row", _named(REFUSED))
def test_a_refused_request_is_an_error_with_its_text(row: dict[str, Any]) -> None:
    failure = CHAT.parse_error(row["status"], {}, row["response"].encode())
    assert failure is not None
    assert failure.message == json.loads(row["response"])["error"]["message"]


@pytest.mark.parametrize("row", _named(STREAMS))
def test_a_stream_gives_the_same_events_however_it_is_cut(row: dict[str, Any]) -> None:
    data = row["response"].encode()
    assert _events(data, 7) == _events(data, len(data))


@pytest.mark.parametrize("row", _named(STREAMS))
def test_a_stream_ends_once_with_all_parts_ended(row: dict[str, Any]) -> None:
    events = _events(row["response"].encode(), 1 << 20)
    ends = [event for event in events if isinstance(event, Finished | Failed)]
    assert ends == events[-1:]
    started = {event.index for event in events if isinstance(event, PartStarted)}
    assert started == {event.index for event in events if isinstance(event, PartEnded)}


@pytest.mark.parametrize("row", _named(STREAMS))
def test_the_arguments_of_streamed_calls_are_json(row: dict[str, Any]) -> None:
    for part in _fold(_events(row["response"].encode(), 1 << 20)).parts:
        if isinstance(part, ToolCall):
            assert isinstance(json.loads(part.arguments), dict)


@pytest.mark.parametrize("row", _named(STREAMS))
def test_a_stream_means_the_same_after_a_round_trip(row: dict[str, Any]) -> None:
    events = _events(row["response"].encode(), 1 << 20)
    renderer = CHAT.stream_renderer(ASKED, [])
    rendered = b"".join(renderer.render(event) for event in events) + renderer.close()
    again, first = _fold(_events(rendered, 1 << 20)), _fold(events)
    assert tuple(map(_spoken, again.parts)) == tuple(map(_spoken, first.parts))
    if isinstance(events[-1], Finished):
        assert again.stop.reason == first.stop.reason
        assert again.usage == first.usage


def _spoken(part: AnswerPart) -> AnswerPart:
    """A stream does not repeat reasoning details that prove nothing."""
    return replace(part, extra={}) if isinstance(part, Thinking) else part
