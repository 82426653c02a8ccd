"""How much of every recorded answer arrives in every other client format: the figures of ``docs/translation.md``.

``answers()`` translates all recordings through :func:`translators.bridge.bridge` and compares what the official SDK of
the client's format understands with what the raw answer says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from tests.matrix import wire
from tests.matrix.clients import MODEL, QUESTION, Client, clients
from tests.matrix.recordings import Recording, recordings
from tests.matrix.said import Broken, Said, differences
from tests.matrix.sayable import sayable
from translators import hub
from translators.bridge import bridge
from translators.format import Profile, WireRequest
from translators.formats import FORMATS

UNEXPLAINED = "not explained"

type Mode = Literal["whole", "stream", "folded", "unfolded"]
"""``folded``: the provider streams and the client does not; ``unfolded``: the other way round."""


@dataclass(slots=True)
class Cell:
    """One pair of formats in one mode."""

    source_format: str
    client_format: str
    mode: Mode
    total: int = 0
    equal: int = 0
    remaining: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Recording id and how it differs, with the reason of ``EXPLAINED`` where the difference is a decision."""
    forgiven: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Recording id and the rule of ``sayable.py`` that made a difference to it."""

    @property
    def share(self) -> float:
        return self.equal / self.total if self.total else 1.0


EXPLAINED: Mapping[tuple[str, str], str] = {
    ("anthropic-messages", "input: 10 instead of 0"): (
        "the provider counted nothing, and an Anthropic client needs a number: it gets an estimate"
    ),
}
"""Why a difference stands, by the client's format and the difference."""


def answers() -> list[Cell]:
    """Every pair of different formats in every mode, computed once; empty when there are no recordings."""
    return list(_cells())


@cache
def _cells() -> tuple[Cell, ...]:
    cells: dict[tuple[str, str, Mode], Cell] = {}
    readers = clients()
    for recording in recordings():
        expected = expectation(recording)
        if recording.status != 200 or expected is None or isinstance(expected, Broken):
            continue
        for client in readers:
            if client == recording.format:
                continue
            for mode in modes(recording):
                key = (recording.format, client, mode)
                cell = cells.setdefault(key, Cell(*key))
                _measure(cell, recording, expected, readers[client])
    for reader in readers.values():
        reader.close()
    return tuple(sorted(cells.values(), key=lambda cell: (cell.mode, cell.source_format, cell.client_format)))


def expectation(recording: Recording) -> Said | Broken | None:
    """What the recording says; None when it is refused by status."""
    if recording.status != 200:
        return None
    read = wire.stream if recording.stream else wire.whole
    return read(recording.format, recording.body)


def modes(recording: Recording) -> Iterator[Mode]:
    yield from ("stream", "folded") if recording.stream else ("whole", "unfolded")


def request(client: str, *, stream: bool) -> WireRequest:
    """What a client of this format asks."""
    asked = hub.Request(MODEL, (hub.Message("user", (hub.Text(QUESTION),)),), max_tokens=100, stream=stream)
    return FORMATS[client].render_request(asked, Profile(), [])


def translated(recording: Recording, client: str, *, stream: bool, size: int = 0) -> tuple[bytes, hub.Failure | None]:
    """The recorded answer as the client gets it, fed in pieces of ``size`` bytes."""
    joint = bridge(client, recording.format)
    joint.request(request(client, stream=stream))
    body = recording.body.encode()
    size = size or len(body) or 1
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    out = b"".join([*(joint.feed(piece, recording.content_type) for piece in pieces), joint.close()])
    return out, joint.failure


def read(reader: Client, body: bytes, *, stream: bool) -> Said:
    return reader.stream(body) if stream else reader.whole(body)


def _measure(cell: Cell, recording: Recording, expected: Said, reader: Client) -> None:
    cell.total += 1
    stream = cell.mode in ("stream", "unfolded")
    wanted, rules = sayable(expected, cell.client_format)
    cell.forgiven += [(recording.id, rule) for rule in rules]
    body, failure = translated(recording, cell.client_format, stream=stream)
    if failure is not None:
        cell.remaining.append((recording.id, f"failed: {failure.message} ({UNEXPLAINED})"))
        return
    try:
        got = read(reader, body, stream=stream)
    except Exception as error:  # noqa: BLE001  whatever the SDK raises is the finding
        cell.remaining.append((recording.id, f"{type(error).__name__}: {str(error)[:300]} ({UNEXPLAINED})"))
        return
    found = differences(wanted, sayable(got, cell.client_format)[0], cell.client_format)
    if found:
        reasons = [f"{piece} ({EXPLAINED.get((cell.client_format, piece), UNEXPLAINED)})" for piece in found]
        cell.remaining.append((recording.id, "; ".join(reasons)))
    else:
        cell.equal += 1
