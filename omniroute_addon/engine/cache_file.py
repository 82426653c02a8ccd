"""Kept answers on disk: a small SQLite database of its own, written by one thread.

It is a cache: whatever is wrong with the file costs nothing but what was in it. A damaged or foreign one is replaced, a
full or read-only disk is said once, and the proxy goes on with what is in memory. The file is its owner's alone (0600)
and holds answers, never requests or credentials; keys are digests.
"""

import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any, cast

from omniroute_addon.engine.kept import Kept

logger = logging.getLogger(__name__)

NAME = "cache.db"
VERSION = 1
BUSY = 3.0
CLOSE_SECONDS = 2.0
_TABLE = """CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, manner TEXT, format TEXT, content_type TEXT, body BLOB, streamed INTEGER, stored REAL,
  target TEXT, address TEXT, provider TEXT, model TEXT, worth INTEGER)"""
_COLUMNS = "key, manner, format, content_type, body, streamed, stored, target, address, provider, model, worth"


class CacheFile:
    """Open it, read it once, put and drop, close it. Only ``read`` and ``close`` wait for the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.SimpleQueue[Kept | str | None] = queue.SimpleQueue()
        self._failing = False
        self._thread = threading.Thread(target=self._write, daemon=True, name="cache")

    def read(self, since: float, room: int) -> list[Kept]:
        """What an earlier process has left, oldest first: the latest of it, at most ``room`` bytes. Starts the writer."""
        found: list[Kept] = []
        for last in (False, True):
            try:
                found = self._read(since, room)
            except (sqlite3.Error, OSError) as error:
                if not last and isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
                    logger.warning("the cache %s was damaged (%s) and begins anew", self.path, error)
                    self._remove()
                    continue
                self._fail(error)
            break
        self._thread.start()
        return found

    def put(self, one: Kept) -> None:
        self._queue.put(one)

    def drop(self, key: str) -> None:
        self._queue.put(key)

    def close(self) -> None:
        """Write what is left. Safe to repeat."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(CLOSE_SECONDS)

    def _read(self, since: float, room: int) -> list[Kept]:
        with closing(_connect(self.path)) as connection:
            connection.execute("DELETE FROM answers WHERE stored < ?", (since,))
            latest = f"SELECT {_COLUMNS} FROM answers ORDER BY stored DESC"  # noqa: S608 -- a constant
            found: list[Kept] = []
            for row in connection.execute(latest):
                one = Kept(*cast("tuple[Any, ...]", row))
                room -= one.size
                if room < 0:
                    break
                found.append(one)
        return found[::-1]

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.path.with_name(self.path.name + ending).unlink()

    # ── the thread ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _write(self) -> None:
        last = False
        while not last:
            items: list[Kept | str] = []
            for item in self._waiting():
                if item is None:
                    last = True
                else:
                    items.append(item)
            try:
                self._enter(items)
            except (sqlite3.Error, OSError) as error:
                self._fail(error)
            else:
                self._failing = False

    def _waiting(self) -> Iterator[Kept | str | None]:
        yield self._queue.get()
        with suppress(queue.Empty):
            while True:
                yield self._queue.get_nowait()

    def _enter(self, items: list[Kept | str]) -> None:
        with closing(_connect(self.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for item in items:
                if isinstance(item, str):
                    connection.execute("DELETE FROM answers WHERE key = ?", (item,))
                else:
                    marks = ", ".join("?" * len(_COLUMNS.split(",")))
                    connection.execute(f"INSERT OR REPLACE INTO answers ({_COLUMNS}) VALUES ({marks})", astuple(item))  # noqa: S608
            connection.execute("COMMIT")

    def _fail(self, error: Exception) -> None:
        if not self._failing:
            logger.warning("the cache %s cannot be used (%s): answers are kept in memory only", self.path, error)
        self._failing = True


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            connection.execute("DROP TABLE IF EXISTS answers")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
