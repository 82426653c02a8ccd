"""What the ledger knows, summed up for people and scripts. Reads only, while a proxy runs or when none does."""

import contextlib
import csv
import io
import re
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import orjson

from omniroute_addon.config.glob import matches
from omniroute_addon.ledger import store
from omniroute_addon.ledger.budgets import Spent
from omniroute_addon.ledger.ledger import spending
from omniroute_addon.ledger.record import REPLAYED
from omniroute_addon.ledger.schema import readable

NO_FAILURES = "('running', 'interrupted', 'cancelled', 'overtaken', 'embedding')"
"""Outcomes of attempts without a used answer that are nobody's fault."""

GROUPS: Mapping[str, str] = {
    "provider": "coalesce(provider, 'unknown')",
    "model": "coalesce(model, 'unknown')",
    "account": "coalesce(provider, 'unknown') || '/' || coalesce(account, '-')",
    "client": "coalesce(client, 'unknown')",
    "key": "coalesce(key, '-')",
    "tier": "coalesce(tier, 'unknown')",
    "combo": "coalesce(combo, '-')",
    "target": "target",
    "asked": "coalesce(asked, 'unknown')",
    "outcome": (
        "CASE WHEN outcome LIKE 'resumed%' THEN 'resumed' WHEN used THEN 'used' "
        f"WHEN outcome IN {NO_FAILURES} THEN outcome ELSE 'failed' END"
    ),
    "day": "strftime('%Y-%m-%d', started, 'unixepoch', 'localtime')",
    "hour": "strftime('%Y-%m-%d %H:00', started, 'unixepoch', 'localtime')",
}
"""What reports can be grouped by → the SQL that names the group."""
FILTERS = ("provider", "model", "account", "client", "key", "tier", "combo", "target", "asked")


class NoLedgerError(Exception):
    """There is nothing to read."""


@dataclass(frozen=True, slots=True)
class Line:
    """The sums of one group of attempts. Tokens are those that were reported; money is micro-dollars."""

    group: tuple[str, ...]
    calls: int = 0
    attempts: int = 0
    failed: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    micro: int = 0
    worth: int = 0
    """At list prices, whoever paid."""
    estimated: int = 0
    """Attempts whose cost is an estimate."""
    unknown: int = 0
    """Answered attempts whose cost nobody knows."""

    @property
    def tokens(self) -> int:
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Selection:
    """Which attempts a report is about: a span of Unix seconds, and globs by column."""

    since: float
    until: float
    where: Mapping[str, str]


_SUMS = f"""count(DISTINCT exchange), count(*),
sum(NOT coalesce(used, 0) AND outcome NOT IN {NO_FAILURES}), sum(coalesce(input, 0)),
sum(coalesce(output, 0)), sum(coalesce(cache_read, 0)), sum(coalesce(cache_write, 0)), sum(coalesce(reasoning, 0)),
sum(coalesce(micro, 0)), sum(coalesce(worth, 0)), sum(coalesce(cost_estimated, 0) AND coalesce(micro, 0) > 0),
sum((coalesce(used, 0) OR outcome = 'embedding') AND micro IS NULL)"""


class Books:
    """An open ledger; see :func:`books`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.create_function("matches", 2, _matches, deterministic=True)

    def sums(self, chosen: Selection, by: Sequence[str] = ()) -> list[Line]:
        """A line for each group, in the groups' order; without groups one line in all."""
        clause, values = _where(chosen)
        names = [GROUPS[name] for name in by]
        grouped = f" GROUP BY {', '.join(names)} ORDER BY {', '.join(names)}" if names else ""
        sql = f"SELECT {', '.join([*names, _SUMS])} FROM attempts WHERE {clause}{grouped}"  # noqa: S608 -- from GROUPS
        found: list[Line] = []
        for row in self._connection.execute(sql, values):
            group, numbers = row[: len(names)], row[len(names) :]
            found.append(Line(tuple(str(value) for value in group), *(int(value or 0) for value in numbers)))
        return found

    def latest(self, limit: int) -> list[dict[str, object]]:
        """The last exchanges, newest first, each with the target whose answer was used, or else that of its last attempt."""
        cursor = self._connection.execute(
            """SELECT x.id, x.started, x.ended, x.client, x.model, x.route, x.combo, x.status, x.outcome, x.attempts,
            (SELECT target FROM attempts WHERE exchange = x.id ORDER BY coalesce(used, 0) DESC, number DESC LIMIT 1) AS target,
            (SELECT sum(input) FROM attempts WHERE exchange = x.id) AS input,
            (SELECT sum(output) FROM attempts WHERE exchange = x.id) AS output,
            (SELECT sum(micro) FROM attempts WHERE exchange = x.id) AS micro
            FROM exchanges x ORDER BY x.started DESC LIMIT ?""",
            (limit,),
        )
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def replayed(self, since: float, until: float) -> dict[str, tuple[int, int]]:
        """Calls that got another's answer, by how, each with the micro-dollars that this has saved at list prices."""
        rows = self._connection.execute(
            """SELECT route, count(*), sum((SELECT coalesce(sum(worth), 0) FROM attempts WHERE exchange = x.id AND number IS NOT 0))
            FROM exchanges x WHERE started >= ? AND started < ? AND outcome = ? GROUP BY route ORDER BY route""",
            (since, until, REPLAYED),
        )
        return {route: (calls, saved) for route, calls, saved in rows}

    def spent(self, starts: Sequence[float]) -> list[Spent]:
        """What was paid; a ``budgets.Spending``."""
        return spending(self.rows, starts)

    def decisions(self, chosen: Selection) -> Generator[tuple[float, Mapping[str, object]]]:
        """The plan of every exchange of the span, oldest first, as :func:`ledger.decision.decision` made it."""
        for started, plan in self._connection.execute(
            "SELECT started, plan FROM exchanges JOIN decisions ON exchange = id WHERE started >= ? AND started < ?"
            " ORDER BY started",
            (chosen.since, chosen.until),
        ):
            yield started, orjson.loads(plan)

    def rows(self, sql: str, *values: float | str) -> Iterator[tuple[Any, ...]]:
        """For reports of their own."""
        yield from self._connection.execute(sql, values)

    def state(self, key: str) -> object:
        """A value that the proxy keeps across restarts; None for none."""
        row = self._connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return None if row is None else orjson.loads(row[0])


@contextlib.contextmanager
def books(path: Path) -> Generator[Books]:
    """Open the ledger to read. What a killed proxy has left is entered first. Raises NoLedgerError."""
    if not path.exists():
        raise NoLedgerError(f"there is no ledger at {path} yet: it begins with the first `omniroute up`")
    _settle(path)
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise NoLedgerError(f"the ledger {path} cannot be read: {error}") from error
    with contextlib.closing(connection):
        try:
            readable(connection)
            yield Books(connection)
        except sqlite3.Error as error:
            raise NoLedgerError(f"the ledger {path} cannot be read: {error}") from error


def _settle(path: Path) -> None:
    """Where that is not allowed, the books are read as they are."""
    root = store.journal_root(path)
    if not root.is_dir() or not any(root.iterdir()):
        return
    with (
        contextlib.suppress(OSError, sqlite3.Error),
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as one,
    ):
        readable(one)
        store.settle(one, root, None)


_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def instant(text: str, now: float) -> float:
    """``7d`` and ``2h30m`` ago, ``today``, ``yesterday``, or a local date or time such as 2026-11-01. Raises ValueError."""
    midnight = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ006 -- local
    match text:
        case "now":
            return now
        case "today":
            return midnight.timestamp()
        case "yesterday":
            return (midnight - timedelta(days=1)).timestamp()
        case _:
            pass
    parts = re.findall(r"(\d+)([mhdw])", text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return now - sum(int(number) * _UNITS[unit] for number, unit in parts)
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ValueError(f"{text!r} is no time: say 7d, 12h, today, yesterday or 2026-11-01") from None


def select(since: str, until: str, where: Mapping[str, str | None], now: float | None = None) -> Selection:
    """The selection that options name. Raises ValueError."""
    now = time.time() if now is None else now
    return Selection(
        instant(since, now),
        now + 1 if until == "now" else instant(until, now),
        {name: glob for name, glob in where.items() if glob is not None},
    )


def total(lines: Sequence[Line]) -> Line:
    """The sum of lines. Calls of several groups count in each."""
    sums = {name: sum(cast("int", getattr(line, name)) for line in lines) for name in Line.__slots__ if name != "group"}
    return Line((), **sums)


def plain(line: Line, by: Sequence[str]) -> dict[str, object]:
    """A line for scripts; money in dollars."""
    numbers = asdict(line)
    del numbers["group"]
    cost, worth = numbers.pop("micro"), numbers.pop("worth")
    return {**dict(zip(by, line.group, strict=True)), **numbers, "cost": cost / 1e6, "worth": worth / 1e6}


def as_csv(lines: Iterable[Line], by: Sequence[str]) -> bytes:
    """Lines for spreadsheets. A name that a spreadsheet would take for a formula is told to be text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(plain(Line(("",) * len(by)), by)), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        group = tuple(f"'{name}" if len(name) > 1 and name[0] in _FORMULA else name for name in line.group)
        writer.writerow(plain(replace(line, group=group), by))
    return text.getvalue().encode()


_FORMULA = "=+-@\t\r"


def _where(chosen: Selection) -> tuple[str, list[float | str]]:
    clauses = ["started >= ?", "started < ?"]
    values: list[float | str] = [chosen.since, chosen.until]
    for name, glob in chosen.where.items():
        assert name in FILTERS
        clauses.append(f"matches(?, {name})")
        values.append(glob)
    return " AND ".join(clauses), values


def _matches(glob: str, value: str | None) -> bool:
    return matches(glob, value or "")
