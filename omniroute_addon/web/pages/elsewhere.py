"""What recorded calls would have cost by today's rules, or at one target: ``omniroute simulate`` on a page.

The simulation runs beside the calls of the proxy, in a thread that lets go of the interpreter again and again; one at a
time.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice

from pydantic import Field

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine import simulation
from omniroute_addon.ledger import budgets
from omniroute_addon.ledger.history import Call, history
from omniroute_addon.ledger.reports import Books, Selection
from omniroute_addon.routing.forced import forced, unknown
from omniroute_addon.web.resource import Answer, Page, RefusedError, Resource
from omniroute_addon.web.site import Site
from omniroute_addon.web.spans import SpanAsked

MOST = 10_000
"""Calls of one simulation, the latest."""
_TOGETHER, _PAUSE = 10, 0.001
"""Calls after which the thread sleeps, and for how many seconds."""
_MOVES = 40
_one_at_a_time = asyncio.Lock()


class ElsewhereAsked(SpanAsked):
    to: str = Field(default="", max_length=200, description="`prefix/model`, a combo or `origin`; empty: today's rules")


class Total(Answer):
    """Money is US dollars."""

    calls: int
    moved: int
    unanswered_before: int
    unanswered_after: int
    cost_before: float
    cost_after: float
    unknown_before: int
    unknown_after: int


class Move(Answer):
    """All calls that go from one target to another."""

    before: str
    after: str
    calls: int
    cost_before: float
    cost_after: float
    unknown: int
    """Calls of which a cost is not known."""


class Elsewhere(Answer):
    since: float
    until: float
    to: str | None
    cut: bool
    """Whether earlier calls of the span were left out."""
    total: Total
    moves: tuple[Move, ...]
    """The most frequent."""


async def elsewhere(site: Site, asked: ElsewhereAsked) -> Elsewhere:
    """What the calls of a time would have cost by today's rules, or at one target; no call is made."""
    chosen = asked.chosen()
    if asked.to and (words := unknown(asked.to, site.snapshot)) is not None:
        raise RefusedError(404, words)
    rules = simulation.with_keys(forced(site.snapshot, asked.to) if asked.to else site.snapshot)
    if _one_at_a_time.locked():
        raise RefusedError(409, "another simulation runs; ask again when it has ended")
    async with _one_at_a_time:
        return await site.ledger(lambda books: _simulated(books, chosen, rules, asked.to or None))


def _simulated(books: Books, chosen: Selection, rules: Snapshot, to: str | None) -> Elsewhere:
    begin = _begin(books, chosen)
    calls = list(_gently(history(books, max(begin, chosen.since), chosen.until)))
    with _nobody_warned():
        changes = simulation.simulate(_gently(calls), rules)
    return Elsewhere(
        since=chosen.since,
        until=chosen.until,
        to=to,
        cut=begin > chosen.since,
        total=Total.model_validate(simulation.total(changes)),
        moves=tuple(_moves(simulation.moves(changes))),
    )


@contextlib.contextmanager
def _nobody_warned() -> Generator[None]:
    """Nothing was spent, so what budgets say in this thread is not for the proxy's log."""
    log, mine = logging.getLogger(budgets.__name__), threading.get_ident()

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != mine

    log.addFilter(of_others)
    try:
        yield
    finally:
        log.removeFilter(of_others)


def _begin(books: Books, chosen: Selection) -> float:
    """When the first of the last ``MOST`` calls began."""
    rows = books.rows(
        "SELECT started FROM exchanges WHERE started >= ? AND started < ? ORDER BY started DESC LIMIT 1 OFFSET ?",
        chosen.since,
        chosen.until,
        MOST - 1,
    )
    return next((float(row[0]) for row in rows), chosen.since)


def _gently(calls: Iterable[Call]) -> Iterator[Call]:
    for number, call in enumerate(calls):
        if number % _TOGETHER == 0:
            time.sleep(_PAUSE)
        yield call


def _moves(changes: Sequence[simulation.Move]) -> Iterator[Move]:
    for one in islice(changes, _MOVES):
        yield Move(
            before=one.before,
            after=one.after,
            calls=one.calls,
            cost_before=one.cost_before / 1e6,
            cost_after=one.cost_after / 1e6,
            unknown=one.unknown,
        )


RESOURCES = (
    Resource(
        "GET",
        "usage/elsewhere",
        elsewhere,
        page=Page("usage/elsewhere", "elsewhere.html", "usage.elsewhere_title", navigation=False),
    ),
)
