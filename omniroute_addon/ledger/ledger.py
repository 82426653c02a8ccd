"""The observer that enters every exchange and attempt, with what it has cost.

An attempt is entered before its bytes go to the upstream, so that after ``kill -9`` the books have every attempt that a
provider can have seen. What runs no exchange is not entered: calls that pass through untouched, and other hosts.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from omniroute_addon.config.models import Snapshot
from omniroute_addon.home import data_dir
from omniroute_addon.ledger.budgets import Charge, Spent
from omniroute_addon.ledger.journal import Entry, Row
from omniroute_addon.ledger.record import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.schema import RUNNING
from omniroute_addon.ledger.storable import json_text
from omniroute_addon.ledger.store import Store

logger = logging.getLogger(__name__)


def path_of(snapshot: Snapshot) -> Path:
    """Where the database of a configuration is."""
    named = snapshot.governance.ledger.path
    return data_dir() / (Path(named).expanduser() if named else "ledger.db")


def _kept(snapshot: Snapshot) -> float:
    """Seconds after which a call is forgotten: not within the period of a budget, whose sums come from the ledger."""
    periods = [
        _LONGEST[name] for one in snapshot.governance.budgets for name in _LONGEST if getattr(one, name) is not None
    ]
    return max(snapshot.governance.ledger.retention, *periods, 0.0)


_LONGEST = {"daily": 2 * 86400.0, "weekly": 8 * 86400.0, "monthly": 32 * 86400.0}
_EVER = 253402300800.0
"""The year 10,000."""


def spending(
    query: Callable[..., Iterable[tuple[Any, ...]]], starts: Sequence[float], until: float = _EVER
) -> list[Spent]:
    """What was paid by what the database has: a ``budgets.Spending``. What still runs counts as what is held for it."""
    stretch = " + ".join(["(started >= ?)"] * len(starts))
    sql = (
        "SELECT min(started), client, key, asked, provider, account, tier, combo, target, sum(micro) FROM attempts"  # noqa: S608
        f" WHERE started >= ? AND started < ? AND micro > 0 GROUP BY {stretch}, 2, 3, 4, 5, 6, 7, 8, 9"
    )
    rows = query(sql, min(starts), until, *starts)
    return [(when, Charge(*cast("tuple[Any, ...]", tuple(who))), micro) for when, *who, micro in rows]


class Ledger:
    """Writes down what it is told, when it has a store and the configuration wants it."""

    def __init__(self, snapshot: Snapshot, store: Store | None = None) -> None:
        self.store = store
        self._ignored: Path | None = None
        self._begun = time.time()
        self.use(snapshot)

    @classmethod
    def open(cls, snapshot: Snapshot) -> "Ledger":
        """The ledger of a proxy. Never fails: without a database it records nothing, and says so."""
        store = Store(path_of(snapshot), _kept(snapshot))
        return cls(snapshot, store if store.open() else None)

    def use(self, snapshot: Snapshot) -> None:
        """Take over another configuration; another ``path`` counts from the next start."""
        self._recording = snapshot.governance.ledger.enabled
        if self.store is not None:
            self.store.retention = _kept(snapshot)
            if path_of(snapshot) not in (self.store.path, self._ignored):
                self._ignored = path_of(snapshot)
                logger.warning("ledger.path counts from the next start; until then it is %s", self.store.path)

    def get_state(self, key: str) -> object:
        """What an earlier process has put; None for nothing."""
        return None if self.store is None else self.store.get_state(key)

    def put_state(self, key: str, value: object) -> None:
        """Keep a JSON value for the next start, even when calls are not recorded."""
        if self.store is not None:
            self.store.put_state(key, value)

    def spent(self, starts: Sequence[float]) -> Iterable[Spent]:
        """What was paid before this process has begun; a ``budgets.Spending``."""
        if self.store is None:
            return ()
        try:
            return spending(self.store.query, starts, self._begun)
        except sqlite3.Error as error:
            logger.warning("budgets begin at nothing, the ledger %s cannot be read: %s", self.store.path, error)
            return ()

    def close(self) -> None:
        """Blocks for a moment; safe to repeat."""
        if self.store is not None:
            self.store.close()

    # ── observer of exchanges ───────────────────────────────────────────────────────────────────────────────────────

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: object) -> None:
        del dial  # it carries credentials
        if self._recording and self.store is not None:
            owner = self.store.token
            begun: Entry = ("begun-attempt", _begun(exchange, attempt, owner))
            if attempt.number == 1:
                self.store.record(("begun-exchange", {**_exchange(exchange, planned=True), "owner": owner}), begun)
            else:
                self.store.record(begun)

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None:
        if self._recording and self.store is not None:
            self.store.record(("attempt", _ended(exchange, attempt)))

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        if self._recording and self.store is not None:
            self.store.record(("exchange", _exchange(exchange, planned=not exchange.attempts)))


def _exchange(record: ExchangeRecord, *, planned: bool) -> Row:
    """``planned``: with the decision."""
    return {
        "id": record.id,
        "started": record.started,
        "ended": record.ended,
        "client": record.client,
        "format": record.format,
        "operation": record.operation,
        "model": record.model,
        "streaming": record.streaming,
        "session": record.session,
        "key": record.key,
        "source": record.source,
        "route": record.route,
        "combo": record.combo,
        "status": record.status,
        "outcome": record.outcome,
        "ok": record.ok,
        "attempts": len(record.attempts),
        "plan": json_text(record.decision) if planned and record.decision else None,
    }


def _begun(exchange: ExchangeRecord, attempt: AttemptRecord, owner: str) -> Row:
    return {
        "id": attempt.id,
        "exchange": exchange.id,
        "number": attempt.number,
        "started": attempt.started,
        "target": attempt.target,
        "provider": attempt.provider,
        "model": attempt.model,
        "account": attempt.account,
        "tier": attempt.tier,
        "format": attempt.format,
        "outcome": RUNNING,
        "micro": attempt.reserved or None,
        "cost_estimated": True if attempt.reserved else None,
        "cost_source": "reserved" if attempt.reserved else None,
        "client": exchange.client,
        "key": exchange.key,
        "combo": attempt.combo,
        "asked": exchange.model,
        "owner": owner,
    }


def _ended(exchange: ExchangeRecord, attempt: AttemptRecord) -> Row:
    usage, cost = attempt.usage, attempt.cost
    return {
        **_begun(exchange, attempt, ""),
        "owner": None,
        "first_event": attempt.first_event,
        "ended": attempt.ended,
        "status": attempt.status,
        "outcome": attempt.outcome,
        "used": attempt.used,
        "stop": attempt.stop.reason if attempt.stop else None,
        "input": usage.input,
        "output": usage.output,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "reasoning": usage.reasoning,
        "estimated": usage.estimated,
        "micro": cost.micro if cost else None,
        "cost_estimated": cost.estimated if cost else None,
        "cost_source": cost.source if cost else None,
        "worth": cost.worth if cost else None,
        "losses": [(loss.path, loss.reason) for loss in attempt.losses],
    }
