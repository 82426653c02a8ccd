"""Kept answers by the vectors of their questions: an SQLite database of its own, searched by sqlite-vec.

Every method blocks and is for one thread. An answer lies in a *scope* (see ``wording``), and only what lies in the same
one is held against a question: so few that all of them are compared. The file is its owner's alone (0600) and holds
answers, vectors and digests, never requests or credentials; a damaged one is kept aside, and a new one begins.

SQLite comes with apsw: that of many a Python cannot load extensions.
"""

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import apsw
import sqlite_vec

from omniroute_addon.engine.kept import Kept

logger = logging.getLogger(__name__)

NAME = "semantic.db"
VERSION = 1
BUSY = 1000
"""Milliseconds to wait while another process writes."""
_KEPT = tuple(one.name for one in fields(Kept))
_TABLE = f"""CREATE TABLE IF NOT EXISTS answers ({", ".join(_KEPT)}, scope TEXT, vector BLOB, exchange TEXT,
  input INTEGER, output INTEGER, size INTEGER, needed REAL, PRIMARY KEY (key));
CREATE INDEX IF NOT EXISTS answers_scope ON answers (scope);
CREATE INDEX IF NOT EXISTS answers_needed ON answers (needed, size)"""
_COLUMNS = (*_KEPT, "scope", "vector", "exchange", "input", "output", "size", "needed")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A kept answer to a question in other words."""

    kept: Kept
    scope: str
    vector: bytes
    exchange: str
    """The id of the exchange that it comes from."""
    input: int | None = None
    """Tokens that it took."""
    output: int | None = None

    @property
    def size(self) -> int:
        return self.kept.size + len(self.vector)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The most similar question that has an answer."""

    similarity: float
    exchange: str
    neighbour: Neighbour | None
    """The answer, when it is similar enough."""


@dataclass(frozen=True, slots=True)
class Room:
    """What may be kept."""

    ttl: float
    max_entries: int
    max_bytes: int


class Neighbours:
    """Open when made."""

    DAMAGED = (apsw.CorruptError, apsw.NotADBError)
    """What a damaged file raises, sooner or later."""

    def __init__(self, path: Path | None) -> None:
        """``path``: None keeps everything in memory. Raises apsw.Error and OSError."""
        self.path = path
        self.evicted = 0
        """Answers that had to make room."""
        self._connection = self._opened()

    def close(self) -> None:
        self._connection.close()

    def figures(self) -> tuple[int, int]:
        """Answers that are kept, and their bytes."""
        return self._connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM answers").get

    def knows(self, scope: str, *, since: float, until: float) -> bool:
        """Whether there is anything to hold a question against, kept between these instants."""
        found = "SELECT 1 FROM answers WHERE scope = ? AND stored BETWEEN ? AND ? LIMIT 1"
        return self._connection.execute(found, (scope, since, until)).get is not None

    def nearest(
        self, scope: str, vector: bytes, threshold: float, targets: Iterable[str], *, since: float, until: float
    ) -> Nearest | None:
        """The most similar question whose answer is one of these targets'."""
        found = self._connection.execute(
            """SELECT key, exchange, 1 - vec_distance_cosine(vector, ?1) AS similarity FROM answers
            WHERE scope = ?2 AND length(vector) = length(?1) AND stored BETWEEN ?4 AND ?5
            AND target IN (SELECT value FROM json_each(?3)) ORDER BY similarity DESC LIMIT 1""",
            (vector, scope, json.dumps([*targets]), since, until),
        ).get
        if found is None:
            return None
        key, exchange, similarity = found
        if similarity < threshold:
            return Nearest(similarity, exchange, None)
        self._connection.execute("UPDATE answers SET needed = ? WHERE key = ?", (until, key))
        row = self._connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM answers WHERE key = ?", (key,)).get  # noqa: S608
        kept, (_, _, _, used, said, *_) = row[: len(_KEPT)], row[len(_KEPT) :]
        return Nearest(similarity, exchange, Neighbour(Kept(*kept), scope, vector, exchange, used, said))

    def put(self, one: Neighbour, room: Room, now: float) -> bool:
        """False when it cannot be kept."""
        if one.size > room.max_bytes or room.max_entries < 1 or room.ttl <= 0:
            return False
        row = (*astuple(one.kept), one.scope, one.vector, one.exchange, one.input, one.output, one.size, now)
        marks = ", ".join("?" * len(_COLUMNS))
        with self._connection:
            self._connection.execute(f"INSERT OR REPLACE INTO answers ({', '.join(_COLUMNS)}) VALUES ({marks})", row)  # noqa: S608
            self.fit(room, now)
        return True

    def fit(self, room: Room, now: float) -> None:
        """Let go what is too old, then what was not needed for longest until the rest has room."""
        with self._connection:
            # A clock that was set back makes everything old.
            self._connection.execute("DELETE FROM answers WHERE stored NOT BETWEEN ? AND ?", (now - room.ttl, now))
            entries, size = self.figures()
            over: list[tuple[Any]] = []
            for key, bytes_ in self._connection.execute("SELECT key, size FROM answers ORDER BY needed"):
                if entries <= room.max_entries and size <= room.max_bytes:
                    break
                over.append((key,))
                entries, size = entries - 1, size - bytes_
            self._connection.executemany("DELETE FROM answers WHERE key = ?", over)
            self.evicted += len(over)

    # ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _opened(self) -> apsw.Connection:
        try:
            return _connect(self.path)
        except self.DAMAGED as error:
            self.aside(error)
            return _connect(self.path)

    def anew(self, error: Exception) -> None:
        """The file has proved to be damaged."""
        self._connection.close()
        self.aside(error)
        self._connection = _connect(self.path)

    def aside(self, error: Exception) -> None:
        if self.path is None:
            return
        aside = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        self.path.replace(aside)
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + ending).replace(aside.with_name(aside.name + ending))
        logger.warning("the cache %s was damaged (%s): it is now %s, and a new one begins", self.path, error, aside)


def _connect(path: Path | None) -> apsw.Connection:
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = apsw.Connection(":memory:" if path is None else str(path))
    try:
        connection.set_busy_timeout(BUSY)
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.enable_load_extension(False)
        connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        if connection.execute("PRAGMA user_version").get not in (0, VERSION):
            connection.execute("DROP TABLE IF EXISTS answers")
        connection.execute(f"{_TABLE}; PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection
