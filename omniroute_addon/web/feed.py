"""What happens now: an observer of all exchanges that tells open pages in batches.

Nothing is done per event but to note that a call has changed. While somebody looks, what has changed is taken every
``EVERY`` seconds (after a great batch later: in a storm of calls pages get less often, calls do not get slower) and given
to each listener at once; when nobody looks, no timer runs. The latest ``KEPT`` calls are remembered, so that a page that
opens misses nothing between the ledger's last write and its first batch.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from omniroute_addon.ledger import calls
from omniroute_addon.ledger.record import AttemptRecord, ExchangeRecord
from omniroute_addon.pace import Pace

EVERY = 0.2
KEPT = 200
MOST = 200
"""Calls that wait to be told of: as many as a page shows. Only in a storm are there more, and older ones are left out."""
BATCH = 100
"""Calls of one batch; more wait for the next one, so that no batch holds up the calls themselves."""

type Listener = Callable[[Sequence[calls.Line]], None]


class Feed:
    """One per proxy; belongs to the event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._running: dict[str, ExchangeRecord] = {}
        self._ended: OrderedDict[str, calls.Line] = OrderedDict()
        self._fresh: dict[str, calls.Line] = {}
        """Ended since the last batch."""
        self._told: dict[str, tuple[object, ...]] = {}
        """What listeners know of what runs."""
        self._listeners: set[Listener] = set()
        self._pace = Pace(self._tell, EVERY)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` of every batch; call what is returned to stop."""
        self._listeners.add(listener)
        self._pace.soon()
        return lambda: self._listeners.discard(listener)

    def latest(self) -> list[calls.Line]:
        """What runs and what has just ended, newest first."""
        running = [calls.of_record(record) for record in self._running.values()]
        return sorted([*running, *self._ended.values()], key=lambda line: line.started, reverse=True)

    def find(self, name: str) -> calls.Line | None:
        """The call whose id is or begins with ``name``."""
        return next((line for line in self.latest() if line.id.startswith(name)), None)

    # ── observer of exchanges ───────────────────────────────────────────────────────────────────────────────────────

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: object) -> None:
        del attempt, dial
        self._running[exchange.id] = exchange

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None:
        """The next batch sees it."""

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        self._running.pop(exchange.id, None)
        self._told.pop(exchange.id, None)
        self.show(calls.of_record(exchange))

    def show(self, line: calls.Line) -> None:
        """A call that has ended, or one without an exchange as it is now."""
        self._ended[line.id] = line
        self._ended.move_to_end(line.id)
        if len(self._ended) > KEPT:
            self._ended.popitem(last=False)
        if self._listeners:
            self._fresh[line.id] = line
            if len(self._fresh) > MOST:
                del self._fresh[next(iter(self._fresh))]

    # ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self) -> None:
        if not self._listeners:
            return
        batch = [self._fresh.pop(name) for name in list(self._fresh)[:BATCH]]
        now = self._clock()
        for name, record in self._running.items():
            if len(batch) >= BATCH:
                break
            if 0 <= now - record.started < EVERY:
                continue  # it may have ended by the next batch
            seen = _seen(record)
            if self._told.get(name) != seen:
                self._told[name] = seen
                batch.append(calls.of_record(record))
        if batch:
            for listener in list(self._listeners):
                listener(batch)
        self._pace.soon()


def _seen(record: ExchangeRecord) -> tuple[object, ...]:
    last = record.attempts[-1] if record.attempts else None
    return len(record.attempts), record.status, last and last.first_event, last and last.outcome
