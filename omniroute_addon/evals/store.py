"""Scorecards over time: ``evals.db`` in the data dir. A card is written whole or not at all; the oldest go."""

import contextlib
import sqlite3
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from omniroute_addon.evals.run import Billed, Card, Result
from omniroute_addon.home import private_dir

NAME = "evals.db"
KEPT = 1000
"""Cards."""

_TABLES = """
CREATE TABLE IF NOT EXISTS cards (
  id TEXT PRIMARY KEY, suite TEXT NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL, started REAL NOT NULL,
  ended REAL NOT NULL, total INTEGER NOT NULL, passed INTEGER NOT NULL, rate INTEGER NOT NULL, micro INTEGER
);
CREATE INDEX IF NOT EXISTS cards_started ON cards (started);
CREATE TABLE IF NOT EXISTS results (
  card TEXT NOT NULL, number INTEGER NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (card, number)
) WITHOUT ROWID;
"""


def keep(home: Path, card: Card) -> None:
    """Write a card. Raises sqlite3.Error and OSError."""
    with _open(home) as database, database:
        facts = (card.id, card.suite, card.name, card.target, card.started, card.ended)
        sums = (card.total, card.passed, card.rate, card.micro)
        database.execute("INSERT INTO cards VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*facts, *sums))
        rows = [(card.id, number, orjson.dumps(asdict(one)).decode()) for number, one in enumerate(card.results)]
        database.executemany("INSERT INTO results VALUES (?, ?, ?)", rows)
        database.execute(
            "DELETE FROM cards WHERE id NOT IN (SELECT id FROM cards ORDER BY started DESC LIMIT ?)", (KEPT,)
        )
        database.execute("DELETE FROM results WHERE card NOT IN (SELECT id FROM cards)")


def cards(
    home: Path, *, suite: str | None = None, target: str | None = None, name: str | None = None, limit: int = 50
) -> list[Card]:
    """The latest cards with their results, oldest first. ``name`` is how an id begins. Raises sqlite3.Error."""
    if not (home / NAME).exists():
        return []
    with _open(home) as database:
        rows = database.execute(
            "SELECT id, suite, name, target, started, ended FROM cards WHERE (?1 IS NULL OR suite = ?1)"
            " AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR substr(id, 1, length(?3)) = ?3)"
            " ORDER BY started DESC LIMIT ?4",
            (suite, target, name, limit),
        ).fetchall()
        return [_card(row, tuple(_results(database, row[0]))) for row in reversed(rows)]


def _card(row: tuple[Any, ...], results: tuple[Result, ...]) -> Card:
    name, suite, title, target, started, ended = row
    return Card(name, suite, title, target, started, ended, results)


def _results(database: sqlite3.Connection, card: str) -> Iterator[Result]:
    for (facts,) in database.execute("SELECT facts FROM results WHERE card = ? ORDER BY number", (card,)):
        known: dict[str, Any] = orjson.loads(facts)
        known |= {"billed": Billed(**known["billed"]), "tags": tuple(known["tags"])}
        yield Result(**known)


@contextlib.contextmanager
def _open(home: Path) -> Generator[sqlite3.Connection]:
    path = private_dir(home) / NAME
    if not path.exists():
        path.touch(0o600)
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
        database.executescript(_TABLES)
        yield database
