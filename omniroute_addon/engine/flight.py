"""One exchange whose answer several calls wait for.

The exchange runs in a task of its own and writes into the flight, which keeps what was written: all of it while one more
may come aboard, then only what somebody aboard has yet to read. Whoever leaves takes only their own seat with them; with
the last seat the exchange is cancelled, and its upstream with it. So nothing has to be handed over when the call that
was first leaves. The exchange goes no faster than the fastest reader; one that falls ``BEHIND`` is cut off, so that
it cannot make everything be kept in memory.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from omniroute_addon.engine.call import SHUTDOWN, Call, Sink
from omniroute_addon.ledger import ExchangeRecord

logger = logging.getLogger(__name__)

AHEAD = 64 * 1024
"""Bytes that the exchange may be before its fastest reader."""
BEHIND = 8 * 1024 * 1024
"""Bytes that a reader may be behind the fastest."""


class Answering(Protocol):
    """What flies: an exchange, or what stands for it."""

    @property
    def call(self) -> Call: ...

    @property
    def record(self) -> ExchangeRecord: ...

    async def run(self, sink: Sink) -> None: ...

    def abandon(self) -> None: ...


class Seat:
    """One call aboard."""

    def __init__(self) -> None:
        self.started = False
        """It has the head of the answer."""
        self.chunks = 0
        """How many it has read."""
        self.bytes = 0
        """The same in bytes."""
        self.news = asyncio.Event()
        self.dropped = False


class Flight:
    """A sink for its exchange."""

    def __init__(self, exchange: Answering, room: int, landed: Callable[["Flight"], None]) -> None:
        """``room``: bytes of the answer up to which calls may come aboard. ``landed``: told when all is over."""
        self.exchange = exchange
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.finished = False
        """The answer has come to its proper end."""
        self._aborted = False
        self._room = room
        self._landed = landed
        self._seats: set[Seat] = set()
        self._chunks: list[bytes] = []
        self._size = 0
        self._freed = 0
        """Chunks that are no longer kept."""
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    # ── who is aboard ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def open(self) -> bool:
        """Whether one more may come aboard."""
        ended = self._aborted or self._stopping or not (self._seats or self.finished)
        return self._size <= self._room and not ended

    @property
    def kept(self) -> bytes | None:
        """The whole answer; None when it was too long to be kept or has no proper end."""
        return b"".join(self._chunks) if self.finished and self._size <= self._room else None

    def board(self) -> Seat:
        seat = Seat()
        self._seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Safe to repeat. With the last seat the exchange ends."""
        if seat not in self._seats:
            return
        self._seats.discard(seat)
        self._read()
        if self._seats:
            return
        if self._task is None:
            self.exchange.abandon()
            self._landed(self)
        elif not self.finished:
            self._task.cancel()

    def stop(self) -> None:
        """The proxy stops: the exchange ends the answer with an error in the client's format."""
        if self._task is not None and not self._stopping:
            self._stopping = True
            self._task.cancel(SHUTDOWN)

    async def ended(self) -> None:
        """Wait until the exchange's record is complete."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def follow(self, seat: Seat, sink: Sink) -> None:
        """Pass the answer on, from where the seat is to its end. The first who follows starts the exchange."""
        self._depart()
        while not seat.dropped:
            seat.news.clear()
            if self.status is not None and not seat.started:
                seat.started = True
                sink.start(self.status, self.headers)
            if new := self._chunks[seat.chunks :]:
                piece = b"".join(new)
                await sink.write(piece)
                seat.chunks += len(new)
                seat.bytes += len(piece)
                self._read()
            elif self.finished:
                sink.finish()
                return
            elif self._aborted:
                break
            else:
                await seat.news.wait()
        sink.abort()

    def _depart(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self.exchange.run(self))
            self._task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        if not self.finished:
            self.abort()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("an exchange failed inside OmniRoute", exc_info=error)
        self._landed(self)

    # ── the sink ────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.status, self.headers = status, list(headers)
        self._tell()

    async def write(self, chunk: bytes) -> None:
        """Waits until somebody has read nearly all of it."""
        if not chunk:
            return
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._tell()
        while self._seats and self._size - max(seat.bytes for seat in self._seats) > AHEAD:
            self._moved.clear()
            await self._moved.wait()
        fastest = max((seat.bytes for seat in self._seats), default=0)
        for seat in self._seats:
            if fastest - seat.bytes > BEHIND:
                seat.dropped = True
                seat.news.set()
        self._free()

    def finish(self) -> None:
        self.finished = True
        self._tell()

    def abort(self) -> None:
        self._aborted = True
        self._tell()

    def _tell(self) -> None:
        for seat in self._seats:
            seat.news.set()

    def _read(self) -> None:
        self._moved.set()
        self._free()

    def _free(self) -> None:
        """Once nobody may come aboard, what all have read need not be kept."""
        if self._size <= self._room:
            return
        done = min((seat.chunks for seat in self._seats if not seat.dropped), default=len(self._chunks))
        for number in range(self._freed, done):
            self._chunks[number] = b""
        self._freed = max(self._freed, done)
