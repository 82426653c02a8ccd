"""The exchanges of calls that get the answer to another call: one that was kept, or one that is under way.

Either is a call of its own in the books: answered, without an attempt that cost anything, worth what asking again would
have cost at the list price.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.answered import AnsweredHere
from omniroute_addon.engine.call import SHUTDOWN, Call, Observer, Recorder, Sink
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.flight import Flight, Seat
from omniroute_addon.engine.kept import Kept
from omniroute_addon.engine.records import exchange_record
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.decision import asked
from omniroute_addon.ledger.prices import Cost
from omniroute_addon.ledger.record import REPLAYED, Tape
from omniroute_addon.routing.ask import Ask
from translators import hub

HIT = "cache.hit"
SEMANTIC = "cache.semantic"
JOINED = "idempotency.joined"
AGAIN = "idempotency.again"
CACHE = "cache"
"""The target of what was answered without any."""

_MARKS: dict[str, tuple[tuple[str, str], ...]] = {
    HIT: (("x-omniroute-cache", "HIT"), ("x-omniroute-cache-hit", "true")),
    SEMANTIC: (("x-omniroute-cache", "SEMANTIC"), ("x-omniroute-cache-hit", "true")),
    JOINED: (("x-omniroute-idempotent", "true"),),
    AGAIN: (("x-omniroute-idempotent", "true"),),
}
_OF_EVERYBODY = frozenset(["content-type", "content-length", "cache-control", "retry-after", "retry-after-ms"])
"""Headers that hold for whoever asks: quotas and cookies are of the call that was sent."""
_PIECE = 64 * 1024


class Leading:
    """The call whose exchange others may join; its record is the exchange's."""

    def __init__(self, flight: Flight) -> None:
        self.call: Call = flight.exchange.call
        self._flight = flight
        self._seat = flight.board()

    @property
    def record(self) -> ExchangeRecord:
        return self._flight.exchange.record

    async def run(self, sink: Sink) -> None:
        """Answer the call."""
        await _fly(self._flight, self._seat, sink)

    def abandon(self) -> None:
        """The client left before anything was tried."""
        self._flight.leave(self._seat)


class _Replay(AnsweredHere):
    """What a kept and a joined answer have in common: a record of their own."""

    def __init__(self, exchange: Exchange, route: str, snapshot: Snapshot, ask: Ask, observer: Observer) -> None:
        self._route = route
        self._marks = _MARKS[route]
        decision: dict[str, hub.JSON] = {"route": route, "ask": asked(ask), "rule": exchange.plan.route}
        record = exchange_record(
            exchange.call, ask, snapshot, decision, route=route, session=ask.facts.glimpse().session
        )
        super().__init__(exchange.call, record, observer)

    def _saved(self, provider: str | None, model: str | None, worth: int | None) -> None:
        """The call is answered and has cost nothing."""
        self.record.outcome = REPLAYED
        self.record.saved = worth
        now = time.time()
        entry = AttemptRecord(
            id=str(uuid.uuid4()),
            number=1,
            target=CACHE,
            account=None,
            format=self.call.format,
            method="POST",
            url="",
            headers=(),
            body=b"",
            started=self.record.started,
            response_body=Tape(0),
            status=self.record.status,
            ended=now,
            outcome=self._route,
            used=True,
            usage=hub.Usage(input=0, output=0),
            provider=provider,
            model=model,
            cost=Cost(0, estimated=False, source="free", worth=worth),
        )
        self._tell(lambda: self._observer.attempt_ended(self.record, entry))


class Repeating(_Replay):
    """A call that gets a kept answer."""

    def __init__(  # noqa: PLR0917 -- what every replay has, and the answer
        self,
        exchange: Exchange,
        route: str,
        snapshot: Snapshot,
        ask: Ask,
        observer: Observer,
        kept: Kept,
        answer: tuple[bytes, str],
    ) -> None:
        super().__init__(exchange, route, snapshot, ask, observer)
        self._kept = kept
        self._body, self._content_type = answer

    async def _answer(self, recorder: Recorder) -> None:
        body = self._body
        headers = [("content-type", self._content_type)]
        if self.call.streaming:
            headers.append(("cache-control", "no-cache"))
        else:
            headers.append(("content-length", f"{len(body)}"))
        age = max(0.0, time.time() - self._kept.stored)
        recorder.start(200, [*headers, ("age", f"{age:.0f}"), *self._marks])
        for begin in range(0, len(body), _PIECE):
            await recorder.write(body[begin : begin + _PIECE])
        self._saved(self._kept.provider, self._kept.model, self._kept.worth)
        recorder.finish()


class Joining(_Replay):
    """A call that waits for the answer to another one that is under way."""

    def __init__(  # noqa: PLR0917 -- what every replay has, and the flight
        self, exchange: Exchange, route: str, snapshot: Snapshot, ask: Ask, observer: Observer, flight: Flight
    ) -> None:
        super().__init__(exchange, route, snapshot, ask, observer)
        self._flight = flight
        self._seat = flight.board()

    async def _answer(self, recorder: Recorder) -> None:
        await _fly(self._flight, self._seat, _Guest(recorder, self._marks))
        try:
            await self._flight.ended()
        finally:  # this client has its answer, even when it leaves now
            self._take_over(self._flight.exchange.record)

    def _take_over(self, leader: ExchangeRecord) -> None:
        used = leader.used
        if leader.ok and used is not None:
            self._saved(used.provider, used.model, used.cost.worth if used.cost else None)
        elif leader.outcome == REPLAYED:
            self._saved(None, None, leader.saved)
        else:
            self.record.outcome = leader.outcome

    def abandon(self) -> None:
        self._flight.leave(self._seat)
        super().abandon()


class _Guest:
    """A sink that is told of another call's headers only what holds for its own, too."""

    def __init__(self, sink: Sink, marks: Sequence[tuple[str, str]]) -> None:
        self._sink = sink
        self._marks = marks
        self.write, self.finish, self.abort = sink.write, sink.finish, sink.abort

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        kept = [pair for pair in headers if pair[0].lower() in _OF_EVERYBODY]
        self._sink.start(status, [*kept, *self._marks])


async def _fly(flight: Flight, seat: Seat, sink: Sink) -> None:
    try:
        await flight.follow(seat, sink)
    except asyncio.CancelledError as error:
        if SHUTDOWN not in error.args:
            raise
        flight.stop()
        await flight.follow(seat, sink)
    finally:
        flight.leave(seat)
