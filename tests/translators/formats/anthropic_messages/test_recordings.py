"""Every captured answer and request of this format, when the captures are at hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from translators import hub
from translators.fold import Fold
from translators.format import Profile, WireRequest
from translators.formats.anthropic_messages import AnthropicMessages

SHARED = Path(__file__).resolve().parents[5] / "shared"
RECORDINGS = SHARED / "recordings" / "open-anthropic.jsonl"
CLAUDE_CODE = SHARED / "client-requests" / "claude-code.jsonl"
FORMAT = AnthropicMessages()


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


ROWS = _rows(RECORDINGS)
WHOLE = [row for row in ROWS if row["status"] == 200 and not row["stream"]]
STREAMS = [row for row in ROWS if row["status"] == 200 and row["stream"]]
REFUSED = [row for row in ROWS if row["status"] != 200]
ASKED = [(row["id"], row["request"]) for row in ROWS] + [
    (f"claude-code-{number}", row["body"])
    for number, row in enumerate(_rows(CLAUDE_CODE))
    if row["path"].startswith("/v1/messages")
]

pytestmark = pytest.mark.skipif(not ROWS, reason="the recordings are not part of the repository")


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def _events(data: bytes, step: int) -> list[hub.Event]:
    parser = FORMAT.stream_parser()
    events: list[hub.Event] = []
    for start in range(0, len(data), step):
        events += parser.feed(data[start : start + step])
    return events + parser.close()


def _fold(events: list[hub.Event]) -> hub.Response:
    fold = Fold()
    for event in events:
        fold.add(event)
    return fold.response()


def _without_null(value: Any) -> Any:
    match value:
        case dict():
            return {name: _without_null(inner) for name, inner in value.items() if inner is not None}
        case list():
            return [_without_null(inner) for inner in value]
        case _:
            return value


def _merged(messages: tuple[hub.Message, ...]) -> list[hub.Message]:
    """Consecutive messages of one role as one, which is how Anthropic reads them."""
    merged: list[hub.Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            merged[-1] = replace(merged[-1], parts=merged[-1].parts + message.parts)
        else:
            merged.append(message)
    return merged


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in WHOLE])
def test_a_whole_answer_comes_back_field_by_field(row: dict[str, Any]) -> None:
    body = _bytes(row["response"])
    losses: list[hub.Loss] = []
    rendered = FORMAT.render_response(FORMAT.parse_response(body), hub.Request("m", ()), losses)
    assert _without_null(json.loads(rendered)) == _without_null(json.loads(body))
    assert losses == []


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in STREAMS])
def test_a_stream_gives_the_same_events_byte_by_byte(row: dict[str, Any]) -> None:
    data = _bytes(row["response"])
    assert _events(data, 1) == _events(data, len(data))


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in STREAMS])
def test_a_rendered_stream_folds_to_the_same_answer(row: dict[str, Any]) -> None:
    data = _bytes(row["response"])
    events = _events(data, len(data))
    renderer = FORMAT.stream_renderer(FORMAT.parse_request(WireRequest(body=_bytes(row["request"]))), [])
    rendered = b"".join(map(renderer.render, events)) + renderer.close()
    assert _fold(_events(rendered, len(rendered))) == _fold(events)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in REFUSED])
def test_an_error_keeps_its_status_and_message(row: dict[str, Any]) -> None:
    failure = FORMAT.parse_error(row["status"], {}, _bytes(row["response"]))
    assert failure is not None
    rendered = FORMAT.render_error(failure)
    assert rendered.status == row["status"]
    assert json.loads(rendered.body)["error"] == json.loads(_bytes(row["response"]))["error"]


@pytest.mark.parametrize("request_", [pytest.param(body, id=name) for name, body in ASKED])
def test_a_request_means_the_same_after_a_round_trip(request_: Any) -> None:
    parsed = FORMAT.parse_request(WireRequest(body=_bytes(request_)))
    again = FORMAT.parse_request(FORMAT.render_request(parsed, Profile(), []))
    if parsed.max_tokens is None:  # count_tokens
        parsed = replace(parsed, max_tokens=again.max_tokens)
    assert _merged(again.messages) == _merged(parsed.messages)
    assert replace(again, messages=()) == replace(parsed, messages=())
