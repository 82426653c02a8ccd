"""A call in one line, as the ledger has it or as it runs; pages of them, newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from omniroute_addon.ledger.record import BYPASSED, REPLAYED, UNTOUCHED, AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.reports import Books
from omniroute_addon.ledger.schema import RUNNING

OK = ("done", BYPASSED, REPLAYED)
_SHORTEST = 0.05
"""Seconds of streaming below which a speed would say nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One exchange."""

    id: str
    started: float
    ended: float | None
    client: str
    key: str | None
    model: str | None
    """What was asked for."""
    route: str
    combo: str | None
    target: str | None
    """Of the attempt whose answer was used, else of the last one."""
    account: str | None
    provider: str | None
    tries: int
    first: float | None
    """Seconds until the first meaningful event of the answer."""
    speed: float | None
    """Tokens of output per second, from the first event on."""
    input: int | None
    output: int | None
    cache_read: int | None
    estimated: bool
    """Whether the tokens or the cost are."""
    micro: int | None
    """Micro-dollars of all attempts."""
    status: int | None
    outcome: str

    @property
    def running(self) -> bool:
        return self.outcome == RUNNING

    @property
    def ok(self) -> bool:
        return self.outcome in OK or (self.outcome == UNTOUCHED and 0 < (self.status or 0) < 400)

    @property
    def took(self) -> float | None:
        return None if self.ended is None else self.ended - self.started

    @property
    def marks(self) -> tuple[str, ...]:
        """``running``, ``failed``, ``fallback``, ``bypassed``, ``replayed``, ``untouched``; what stands out."""
        if self.running:
            return ("running",) if self.tries < 2 else ("running", "fallback")
        if self.outcome == UNTOUCHED:
            return (UNTOUCHED,) if self.ok else (UNTOUCHED, "failed")
        if not self.ok:
            return ("failed",)
        if self.outcome in (BYPASSED, REPLAYED):
            return (self.outcome,)
        return ("fallback",) if self.tries > 1 else ()


class _Call(NamedTuple):
    id: str
    started: float
    ended: float | None
    client: str
    key: str | None
    model: str | None
    route: str
    combo: str | None
    status: int | None
    outcome: str


class _Try(NamedTuple):
    target: str
    account: str | None
    provider: str | None
    started: float
    first_event: float | None
    ended: float | None
    used: bool
    input: int | None
    output: int | None
    cache_read: int | None
    estimated: bool
    micro: int | None


def of_record(record: ExchangeRecord) -> Line:
    """Of an exchange that runs or has just ended."""
    call = _Call(
        record.id, record.started, record.ended, record.client, record.key, record.model, record.route, record.combo,
        record.status, record.outcome,
    )  # fmt: skip
    return _line(call, [_of_attempt(one) for one in record.attempts])


def _of_attempt(one: AttemptRecord) -> _Try:
    usage, cost = one.usage, one.cost
    estimated = usage.estimated or (cost is not None and cost.estimated)
    return _Try(
        one.target, one.account, one.provider, one.started, one.first_event, one.ended, one.used, usage.input,
        usage.output, usage.cache_read, estimated, cost.micro if cost else None,
    )  # fmt: skip


# Rows that another program has written, or a disk has damaged, may lack what ours always have.
_PAGE = """SELECT x.id, x.started, x.ended, coalesce(x.client, ''), x.key, x.model, coalesce(x.route, ''), x.combo, x.status,
coalesce(x.outcome, ''), a.target, a.account, a.provider, a.started, a.first_event, a.ended, coalesce(a.used, 0), a.input,
a.output, a.cache_read, coalesce(a.estimated, 0) OR coalesce(a.cost_estimated, 0), a.micro
FROM (SELECT * FROM exchanges WHERE {} ORDER BY started DESC, id DESC LIMIT ?) x
LEFT JOIN attempts a ON a.exchange = x.id AND a.target IS NOT NULL WHERE {} ORDER BY x.started DESC, x.id DESC, a.number"""
_OF_CALL = 10
"""Columns of ``_Call``."""


type Cursor = tuple[float, str]
"""A call's start and id."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """Calls that cannot be wanted are not even read. What passes is to be looked at again."""

    client: str = ""
    outcomes: tuple[str, ...] = ()
    """One of these."""
    tries: int = 0
    """At least."""
    words: tuple[str, ...] = ()
    """All of them, in lower case, somewhere; those that are not ASCII are not sieved for."""

    def clause(self) -> tuple[str, list[str | float]]:
        found: list[str] = []
        values: list[str | float] = []
        if self.client:
            found.append("x.client = ?")
            values.append(self.client)
        if self.outcomes:
            found.append(f"x.outcome IN ({', '.join('?' * len(self.outcomes))})")
            values += self.outcomes
        if self.tries:
            found.append("(SELECT count(*) FROM attempts WHERE exchange = x.id) >= ?")
            values.append(self.tries)
        for word in filter(str.isascii, self.words):
            found.append(f"instr(lower({_SAID}), ?)")
            values.append(word)
        return " AND ".join(found) or "1", values


def _joined(*columns: str) -> str:
    return " || ' ' || ".join(f"coalesce({column}, '')" for column in columns)


_TRIED = f"(SELECT group_concat({_joined('target', 'account')}, ' ') FROM attempts WHERE exchange = x.id)"  # noqa: S608
_SAID = _joined("x.id", "x.client", "x.model", "x.route", "x.combo", "x.key", "x.outcome", _TRIED)


def before(books: Books, cursor: Cursor | None, limit: int, sieve: Sieve | None = None) -> list[Line]:
    """The calls before the one at ``cursor``, or the latest, newest first: ``limit`` of them, less what is sieved out."""
    where, values = _since(cursor)
    wanted, more = ("1", []) if sieve is None else sieve.clause()
    return list(_lines(books.rows(_PAGE.format(where, wanted), *values, limit, *more)))


def place(books: Books, cursor: Cursor | None, count: int) -> Cursor | None:
    """The ``count``-th call before the one at ``cursor``; None when there are not so many."""
    where, values = _since(cursor)
    sql = f"SELECT started, id FROM exchanges WHERE {where} ORDER BY started DESC, id DESC LIMIT 1 OFFSET ?"  # noqa: S608
    return next(books.rows(sql, *values, count - 1), None)


def _since(cursor: Cursor | None) -> tuple[str, list[str | float]]:
    if cursor is None:
        return "1", []
    started, name = cursor
    # The first condition is what the index answers.
    return "started <= ? AND (started, id) < (?, ?)", [started, started, name]


def one(books: Books, name: str) -> Line | None:
    """The call whose id is or begins with ``name``; None for none, or for several."""
    rows = books.rows(_PAGE.format("id >= ?1 AND id < ?1 || '~'", "1"), name, 2)
    found = list(_lines(rows))
    return found[0] if len(found) == 1 else None


def _lines(rows: Iterator[tuple[Any, ...]]) -> Iterator[Line]:
    for call, several in groupby(rows, key=lambda row: row[:_OF_CALL]):
        tries = [_Try(*row[_OF_CALL:]) for row in several if row[_OF_CALL] is not None]
        yield _line(_Call(*call), tries)


def _line(call: _Call, tries: Sequence[_Try]) -> Line:
    shown = next((one for one in reversed(tries) if one.used), tries[-1] if tries else None)
    paid = [one.micro for one in tries if one.micro is not None]
    first = speed = None
    if shown is not None and shown.first_event is not None:
        first = shown.first_event - call.started
        streamed = (shown.ended or 0) - shown.first_event
        if shown.output and streamed >= _SHORTEST:
            speed = shown.output / streamed
    return Line(
        id=call.id,
        started=call.started,
        ended=call.ended,
        client=call.client,
        key=call.key,
        model=call.model,
        route=call.route,
        combo=call.combo,
        target=shown.target if shown else None,
        account=shown.account if shown else None,
        provider=shown.provider if shown else None,
        tries=len(tries),
        first=first,
        speed=speed,
        input=shown.input if shown else None,
        output=shown.output if shown else None,
        cache_read=shown.cache_read if shown else None,
        estimated=any(one.estimated for one in tries),
        micro=sum(paid) if paid else None,
        status=call.status,
        outcome=call.outcome,
    )
