"""Every way in which vendors tell one streamed answer comes out the same in every client's SDK."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.matrix import vendors
from tests.matrix.clients import Client, clients
from tests.matrix.recordings import Recording, recordings
from tests.matrix.said import Call, Said, differences
from tests.matrix.sayable import sayable
from tests.matrix.score import translated
from tests.wires import events_of
from translators import hub
from translators.fold import Fold
from translators.formats import FORMATS

ANSWER = Said(
    text="Let me see.",
    thinking="I look at both.",
    calls=(Call("", "read_file", {"path": "a.txt"}), Call("", "read_file", {"path": "b.txt"})),
    stop="tools",
    input=30,
    output=20,
    cached=4,
    reasoning=6,
)
STREAMS = [
    *(
        ("openai-chat", name, vendors.sse(change(vendors.chat_stream()), done=True))
        for name, change in vendors.CHAT.items()
    ),
    ("openai-chat", "no [DONE]", vendors.sse(vendors.chat_stream())),
    ("openai-chat", "comments", ": PROCESSING\n\n" + vendors.sse(vendors.chat_stream(), done=True)),
    *(
        ("anthropic-messages", name, vendors.sse(change(vendors.anthropic_stream()), named=True))
        for name, change in vendors.ANTHROPIC.items()
    ),
    ("anthropic-messages", "no event lines", vendors.sse(vendors.anthropic_stream())),
    *(
        ("openai-responses", name, vendors.sse(change(vendors.responses_stream()), named=True))
        for name, change in vendors.RESPONSES.items()
    ),
    ("openai-responses", "no event lines and a [DONE]", vendors.sse(vendors.responses_stream(), done=True)),
    *(("gemini", name, vendors.sse(change(vendors.gemini_stream()))) for name, change in vendors.GEMINI.items()),
    ("gemini", "a JSON array", json.dumps(vendors.gemini_stream(), indent=1)),
    (
        "gemini-cli",
        "in the envelope",
        vendors.sse({"response": chunk, "traceId": "t"} for chunk in vendors.gemini_stream()),
    ),
]
PAIRS = [
    pytest.param(source, body, client, id=f"{source}: {name}, for {client}")
    for source, name, body in STREAMS
    for client in sorted(FORMATS)
    if client != source
]
every_stream_and_client = pytest.mark.parametrize("source, body, client", PAIRS)
every_client = pytest.mark.parametrize("client", sorted(FORMATS))


@pytest.fixture(scope="module")
def readers() -> Iterator[dict[str, Client]]:
    made = clients()
    yield made
    for reader in made.values():
        reader.close()


def recorded(source: str, body: str) -> Recording:
    kind = "application/json" if body.startswith("[") else "text/event-stream"
    return Recording("made", source, stream=True, status=200, content_type=kind, body=body)


def expected(source: str, client: str) -> Said:
    ids = {"anthropic-messages": "toolu_", "openai-chat": "call_", "openai-responses": "call_"}.get(source)
    calls = tuple(
        replace(call, id=f"{ids}{letter}" if ids else "") for call, letter in zip(ANSWER.calls, "ab", strict=True)
    )
    written = 6 if source == "anthropic-messages" else 0
    return sayable(replace(ANSWER, calls=calls, written=written), client)[0]


@every_stream_and_client
def test_a_vendors_way_of_streaming_changes_nothing(
    source: str, body: str, client: str, readers: dict[str, Client]
) -> None:
    out, failure = translated(recorded(source, body), client, stream=True)
    assert failure is None
    assert differences(expected(source, client), readers[client].stream(out), client) == []


@every_stream_and_client
def test_a_vendors_way_of_streaming_folds_to_the_same_whole(
    source: str, body: str, client: str, readers: dict[str, Client]
) -> None:
    out, failure = translated(recorded(source, body), client, stream=False)
    assert failure is None
    assert differences(expected(source, client), readers[client].whole(out), client) == []


RECORDED = [recording for recording in recordings() if recording.stream and recording.status == 200]


@every_client
@pytest.mark.skipif(not RECORDED, reason="../shared/recordings is absent")
def test_recorded_streams_are_translated_alike_however_their_bytes_and_lines_are_cut(client: str) -> None:
    """Only where a text is cut may differ: what came together is told together."""
    dice = random.Random(7)
    for recording in RECORDED:
        once, failure = translated(recording, client, stream=True)
        crlf = replace(recording, body=recording.body.replace("\r\n", "\n").replace("\n", "\r\n"))
        for same in (recording, crlf) if recording.format != client else (recording,):
            out, failed = translated(same, client, stream=True, size=dice.randint(1, 400))
            assert failed == failure, recording.id
            assert out == once or answer(client, out) == answer(client, once), recording.id


def answer(client: str, out: bytes) -> tuple[hub.Response, hub.Failure | None]:
    fold = Fold()
    for event in events_of(FORMATS[client], out):
        fold.add(event)
    return fold.response(), fold.failure
