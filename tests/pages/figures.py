"""What pages say, beside what the ledger has: sums that are asked of the database in plain SQL."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.pages.traffic import Busy

DAYS = 30
_MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    page: float | None
    ledger: float | None

    @property
    def right(self) -> bool:
        if self.page is None or self.ledger is None:
            return self.page is self.ledger
        return abs(self.page - self.ledger) < _MICRO

    def __str__(self) -> str:
        return f"{self.name}: {self.page:,} on the page, {self.ledger:,} in the ledger"


def compare(busy: Busy) -> Sequence[Figure]:
    with closing(sqlite3.connect(f"file:{busy.ledger}?mode=ro", uri=True)) as ledger:
        return [*_usage(busy, ledger), *_call(busy, ledger), *_live(busy, ledger), *_health(busy, ledger)]


def _one(ledger: sqlite3.Connection, sql: str, *values: object) -> tuple[Any, ...]:
    return ledger.execute(sql, values).fetchone()


def _usage(busy: Busy, ledger: sqlite3.Connection) -> list[Figure]:
    shown = busy.api("usage", since=f"{DAYS}d", by="model")
    span = (shown["since"], shown["until"])
    sums = "coalesce(sum(input), 0), coalesce(sum(output), 0), coalesce(sum(micro), 0) / 1e6, count(*)"
    where = "started >= ? AND started < ? AND outcome <> 'running'"
    total = _one(ledger, f"SELECT {sums} FROM attempts WHERE {where}", *span)
    names = ("input", "output", "cost", "attempts")
    found = [Figure(f"usage, {name}", shown["total"][name], value) for name, value in zip(names, total, strict=True)]
    row = shown["rows"][0]
    sums_of = _one(ledger, f"SELECT {sums} FROM attempts WHERE {where} AND model = ?", *span, row["name"])
    return found + [
        Figure(f"usage of {row['name']}, {name}", row[name], value) for name, value in zip(names, sums_of, strict=True)
    ]


def _call(busy: Busy, ledger: sqlite3.Connection) -> list[Figure]:
    name = busy.api("calls", state="fallback", limit=1)["calls"][0]["id"]
    shown = busy.api(f"calls/{name}")
    count, cost = _one(ledger, "SELECT count(*), sum(micro) / 1e6 FROM attempts WHERE exchange = ?", name)
    used = _one(ledger, "SELECT input, output FROM attempts WHERE exchange = ? AND used", name)
    return [
        Figure("a call, tries", shown["call"]["tries"], count),
        Figure("a call, attempts", len(shown["attempts"]), count),
        Figure("a call, cost", shown["call"]["cost"], cost),
        Figure("a call, input", shown["call"]["input"], used[0]),
        Figure("a call, output", shown["call"]["output"], used[1]),
    ]


def _live(busy: Busy, ledger: sqlite3.Connection) -> list[Figure]:
    """All pages of failed calls, one after the other."""
    found, before = 0, ""
    while before is not None:
        shown = busy.api("calls", state="failed", limit=500, before=before)
        found += len(shown["calls"])
        before = shown["next"]
    (kept,) = _one(ledger, "SELECT count(*) FROM exchanges WHERE NOT ok AND outcome <> 'running'")
    return [Figure("failed calls", found, kept)]


def _health(busy: Busy, ledger: sqlite3.Connection) -> list[Figure]:
    shown = busy.api("health", since="7d")
    since = time.time() - 7 * 86400
    found: list[Figure] = []
    for one in shown["providers"]:
        if one["used"] + one["failed"] > 100:
            kept = _one(
                ledger,
                "SELECT coalesce(sum(used), 0), coalesce(sum(NOT used), 0) FROM attempts WHERE provider = ? AND started >= ?",
                one["name"],
                since,
            )
            found += [
                Figure(f"health, {one['name']} {name}", one[name], value)
                for name, value in zip(("used", "failed"), kept, strict=True)
            ]
    return found
