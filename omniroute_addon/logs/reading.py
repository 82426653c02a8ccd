"""The four tabs, read: calls and attempts from the ledger, console and audit from their files; once, or on and on.

Values in, values out; the command and the page call this. Reading never disturbs a running proxy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omniroute_addon.ledger.record import BYPASSED, REPLAYED
from omniroute_addon.ledger.reports import Books, books
from omniroute_addon.logs import lines
from omniroute_addon.logs.entries import Entry, Level, Query
from omniroute_addon.logs.writer import directory

OVERLAP = 10.0
"""Seconds that are read again when following: what ended first need not be written first."""
SCANNED = 20_000
"""Rows of the ledger that a search looks at, the latest ones."""

_CALLS = """SELECT id, started, ended, client, format, operation, model, streaming, key, source, route, combo, status,
  outcome, ok, attempts,
  (SELECT target FROM attempts WHERE exchange = x.id ORDER BY used DESC, number DESC LIMIT 1) AS target,
  (SELECT sum(input) FROM attempts WHERE exchange = x.id) AS input,
  (SELECT sum(output) FROM attempts WHERE exchange = x.id) AS output,
  (SELECT sum(micro) FROM attempts WHERE exchange = x.id) AS micro
FROM exchanges x WHERE started >= ? AND ended IS NOT NULL ORDER BY started DESC LIMIT ?"""
_ATTEMPTS = """SELECT id, exchange, number, started, first_event, ended, target, provider, model, account, tier, format,
  status, outcome, used, stop, input, output, micro, client, key, combo, asked
FROM attempts WHERE started >= ? AND ended IS NOT NULL ORDER BY started DESC LIMIT ?"""
_LONGEST_CALL = 3600.0
"""Seconds that a call may have begun before it ended, when following."""

type _Facts = dict[str, Any]


def read(home: Path, ledger: Path, query: Query) -> list[Entry]:
    """The latest entries that are wanted, oldest first. Raises NoLedgerError for tabs that the ledger has."""
    if query.tab in ("console", "audit"):
        return lines.read(directory(home), query)
    with books(ledger) as open_books:
        return _of_ledger(open_books, query)


class Following:
    """What comes after a first look; :meth:`poll` again and again."""

    def __init__(self, home: Path, ledger: Path, query: Query) -> None:
        self._home = home
        self._ledger = ledger
        self._query = query
        self._seen: dict[str, float] = {}
        self._latest = 0.0

    def first(self) -> list[Entry]:
        """What is there already. Raises NoLedgerError."""
        return self._note(read(self._home, self._ledger, self._query))

    def poll(self) -> list[Entry]:
        """What is new since the last look, oldest first. Raises NoLedgerError."""
        since = max(self._query.since, self._latest - OVERLAP)
        found = read(self._home, self._ledger, replace(self._query, since=since, limit=SCANNED))
        return self._note([entry for entry in found if entry.id not in self._seen])

    def _note(self, entries: list[Entry]) -> list[Entry]:
        self._seen |= {entry.id: entry.at for entry in entries}
        self._latest = max((self._latest, *(entry.at for entry in entries)))
        self._seen = {name: at for name, at in self._seen.items() if at >= self._latest - 2 * OVERLAP}
        return entries


def _of_ledger(ledger: Books, query: Query) -> list[Entry]:
    sql, make = (_CALLS, _call) if query.tab == "request" else (_ATTEMPTS, _attempt)
    names = _columns(sql)
    found: list[Entry] = []
    for row in ledger.rows(sql, max(0.0, query.since - _LONGEST_CALL), SCANNED):
        entry = make(dict(zip(names, row, strict=True)))
        if query.wants(entry):
            found.append(entry)
            if len(found) >= query.limit:
                break
    return sorted(found, key=lambda entry: (entry.at, entry.id))


def _columns(sql: str) -> Sequence[str]:
    """The names of what a statement selects."""
    names: list[str] = []
    depth, word = 0, ""
    for character in sql.removeprefix("SELECT ").rpartition("\nFROM ")[0] + ",":
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            names.append(word.rsplit(maxsplit=1)[-1])
            word = ""
        else:
            word += character
    return names


def _call(row: _Facts) -> Entry:
    text = " · ".join(
        part
        for part in (
            f"{row['model'] or 'no model'} → {row['target'] or row['route']}",
            f"{row['status']}" if row["status"] else "",
            f"{(row['ended'] - row['started']) * 1000:.0f} ms",
            f"{row['input'] or 0}+{row['output'] or 0} tok" if row["input"] or row["output"] else "",
            f"{row['attempts']} tries" if (row["attempts"] or 0) > 1 else "",
            "" if row["outcome"] == "done" else row["outcome"],
        )
        if part
    )
    return Entry(row["id"], row["ended"], "request", _call_level(row), row["client"] or "", text, row)


def _call_level(row: Mapping[str, Any]) -> Level:
    if row["outcome"] == "client left":
        return "warning"
    if not row["ok"] and row["outcome"] not in (BYPASSED, REPLAYED):
        return "error"
    return "warning" if (row["attempts"] or 0) > 1 else "info"


def _attempt(row: _Facts) -> Entry:
    account = f" ({row['account']})" if row["account"] else ""
    text = " · ".join(
        part
        for part in (
            f"attempt {row['number']} of {row['exchange'][:8]}",
            f"{row['provider'] or 'its own provider'}{account} as {row['format']}",
            f"{row['status']}" if row["status"] else "no answer",
            f"{(row['ended'] - row['started']) * 1000:.0f} ms",
            row["outcome"],
        )
        if part
    )
    level: Level = "info" if row["used"] or row["outcome"] == "cancelled" else "warning"
    return Entry(row["id"], row["ended"], "proxy", level, row["target"] or "", text, row)
