"""Every captured call under ``tests/golden``: read, and rendered again, by the format that it is of."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import hub_cases as cases
from tests.wires import events_of, well_formed, wire_of
from translators import FORMATS, Profile, WireRequest, hub

GOLDEN = Path(__file__).parent / "golden"
CAPTURED = ("anthropic-messages", "gemini", "openai-chat", "openai-responses")
KINDS = ("request.json", "response.json", "stream.*", "error-*.json")


def _files(pattern: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    found = sorted(GOLDEN.glob(f"*/*/{pattern}"))
    names = [str(path.relative_to(GOLDEN).parent) for path in found]
    return pytest.mark.parametrize("path", found, ids=names)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CAPTURED)
def test_a_format_has_a_captured_call_of_every_kind(name: str, kind: str) -> None:
    assert list((GOLDEN / name).glob(f"*/{kind}"))


@pytest.mark.parametrize("case", sorted(GOLDEN.glob("*/*")), ids=lambda case: f"{case.parent.name}/{case.name}")
def test_a_case_is_small_and_says_where_it_comes_from(case: Path) -> None:
    assert (case / "SOURCE.md").read_text().strip()
    assert sum(path.stat().st_size for path in case.iterdir()) < 20_000


@_files("request.json")
def test_a_request_means_the_same_after_a_round_trip(path: Path) -> None:
    format_ = FORMATS[path.parts[-3]]
    asked = format_.parse_request(_wire(path))
    again = format_.parse_request(format_.render_request(asked, Profile(), []))
    assert cases.conversation(again) == cases.conversation(asked)
    assert [tool.name for tool in again.tools if isinstance(tool, hub.Tool)] == [
        tool.name for tool in asked.tools if isinstance(tool, hub.Tool)
    ]


@_files("response.json")
def test_a_whole_answer_means_the_same_after_a_round_trip(path: Path) -> None:
    format_ = FORMATS[path.parts[-3]]
    answer = format_.parse_response(path.read_bytes())
    again = format_.parse_response(format_.render_response(answer, cases.PLAIN, []))
    assert cases.said(again.parts) == cases.said(answer.parts)
    assert (again.stop.reason, again.usage.input, again.usage.output) == (
        answer.stop.reason,
        answer.usage.input,
        answer.usage.output,
    )


@_files("stream.*")
def test_a_stream_is_read_alike_whole_and_byte_by_byte(path: Path) -> None:
    format_, data = FORMATS[path.parts[-3]], path.read_bytes()
    events = events_of(format_, data)
    well_formed(events)
    assert events_of(format_, data, range(1, len(data))) == events


@_files("error-*.json")
def test_an_error_is_a_failure_with_its_words(path: Path) -> None:
    status, body = int(path.stem.partition("-")[2]), path.read_bytes()
    failure = FORMATS[path.parts[-3]].parse_error(status, {}, body)
    assert failure is not None
    assert failure.status == status
    assert failure.message[:40].encode() in body


def _wire(path: Path) -> WireRequest:
    made = wire_of(path.parts[-3], cases.PLAIN)
    return WireRequest("POST", made.path, made.query, {}, path.read_bytes())
