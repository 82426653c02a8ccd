"""What a loopback provider does with one request: values, played by ``provider.py``."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tests.servers.answers import Answer

if TYPE_CHECKING:
    from tests.servers.provider import Received

PATIENCE = 30.0
"""Seconds that a test waits for something that should come at once; only a failing test waits that long."""


class Gate:
    """A point at which the provider stops until the test lets it go on. No clock is involved on either side."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open: Future[None] = Future()

    async def passage(self) -> None:
        self._reached.set()
        # Shielded: a provider whose client leaves is cancelled here, others may wait at the same gate.
        await asyncio.shield(asyncio.wrap_future(self._open))

    def wait_reached(self, seconds: float = PATIENCE) -> None:
        assert self._reached.wait(seconds), "the provider never came to the gate"

    def open(self) -> None:
        if not self._open.done():
            self._open.set_result(None)


@dataclass(frozen=True, slots=True)
class Say:
    """Answers in the format and manner (stream or whole) of the request."""

    answer: Answer
    gates: Mapping[int, Gate] = field(default_factory=dict)
    """Stop before the event of that number; gate 0 is after the headers and before the first event."""
    cut: int | None = None
    """Cut the connection before the event of that number (of a whole answer: 0 before, 1 in the middle)."""
    cut_by: Literal["reset", "close"] = "reset"
    """TCP reset, or an early close that leaves the chunked body without its end."""
    insert: Mapping[int, bytes] = field(default_factory=dict)
    """Bytes sent before the event of that number; the stream ends after them when ``ends_there``."""
    ends_there: bool = False
    encoding: Literal["identity", "gzip", "br", "zstd"] = "identity"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whole:
    """A fixed response with Content-Length."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """A fixed body in chunks as given, with a proper end; for byte-exactness."""

    chunks: tuple[bytes, ...]
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


@dataclass(frozen=True, slots=True)
class Silence:
    """Takes the request and says nothing, not even headers, until the client has gone."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Resets the connection before any byte of an answer."""


type Step = Say | Whole | Stream | Silence | Hangup
type Behaviour = "Callable[[Received], Step]"


def says(*pieces: str) -> Say:
    return Say(Answer(pieces=pieces))
