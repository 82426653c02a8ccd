"""One call of the ledger with everything that is kept of it: what was decided, every attempt, what was lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from omniroute_addon.ledger.reports import Books


@dataclass(frozen=True, slots=True)
class Attempt:
    """One upstream call. Times are Unix seconds, money is micro-dollars."""

    id: str
    number: int
    target: str
    provider: str | None
    model: str | None
    account: str | None
    tier: str | None
    format: str | None
    started: float
    first_event: float | None
    ended: float | None
    status: int | None
    outcome: str
    used: bool
    stop: str | None
    input: int | None
    output: int | None
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None
    estimated: bool
    micro: int | None
    cost_estimated: bool
    cost_source: str | None
    losses: tuple[tuple[str, str], ...]
    """Path and reason of what the translation could not say."""


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    format: str | None
    operation: str | None
    streaming: bool
    session: str | None
    source: str | None
    decision: Mapping[str, Any] | None
    """As ``ledger.decision`` made it."""
    attempts: tuple[Attempt, ...]


_CALL = """SELECT id, format, operation, coalesce(streaming, 0), session, source, plan
FROM exchanges LEFT JOIN decisions ON exchange = id WHERE id = ?"""
_ATTEMPTS = """SELECT id, coalesce(number, 0), target, provider, model, account, tier, format, coalesce(started, 0), first_event,
ended, status, coalesce(outcome, ''), coalesce(used, 0), stop, input, output, cache_read, cache_write, reasoning,
coalesce(estimated, 0), micro, coalesce(cost_estimated, 0), cost_source
FROM attempts WHERE exchange = ? AND target IS NOT NULL ORDER BY number"""
_LOSSES = """SELECT attempt, path, reason FROM losses WHERE attempt IN (SELECT id FROM attempts WHERE exchange = ?)
ORDER BY attempt, losses.number"""


def read(books: Books, name: str) -> Call | None:
    """The call with this id."""
    found = next(books.rows(_CALL, name), None)
    if found is None:
        return None
    *facts, plan = found
    lost: dict[str, list[tuple[str, str]]] = {}
    for attempt, path, reason in books.rows(_LOSSES, name):
        lost.setdefault(attempt, []).append((path, reason))
    attempts = tuple(Attempt(*row, losses=tuple(lost.get(row[0], ()))) for row in books.rows(_ATTEMPTS, name))
    return Call(*facts, decision=orjson.loads(plan) if plan else None, attempts=attempts)
