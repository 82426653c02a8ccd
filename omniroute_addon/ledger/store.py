"""The ledger's database and the one thread that writes it; the event loop never waits for it.

``record`` puts the entries on the journal (where they survive ``kill -9``) and on a queue. The thread gathers what came
within ``GATHER`` seconds, writes it in one transaction, and lets the journal forget it. When the database fails (disk
full, locked for long), the thread says so once, keeps what it has and tries again; when too much piles up, it drops the
queue and imports the journal instead, which has the same entries. Nothing that goes wrong here reaches a call.

An entry is a kind (``exchange``, ``attempt``, ``state``; ``begun-…`` for what has not ended) and its columns; writing
one twice changes nothing. What was running in a process that was killed is entered as ``interrupted``.
"""

import contextlib
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import orjson

from omniroute_addon.ledger.journal import Entry, Journal, Row, survey
from omniroute_addon.ledger.schema import ATTEMPTS, EXCHANGES, INTERRUPTED, RUNNING, NewerError, prepare
from omniroute_addon.ledger.storable import json_text, storable

logger = logging.getLogger(__name__)

GATHER = 0.2
"""Seconds that a transaction waits for more."""
RETRY = 5.0
"""Seconds between two tries when the database fails."""
BUSY = 3.0
"""Seconds to wait while another process writes."""
START_BUSY = 0.5
"""The same when the proxy starts, which has the journal until then."""
BATCH = 5_000
PILE = 20_000
"""Entries in memory beyond which the journal must do."""
PRUNE_EVERY = 600.0
PRUNE_STEP = 500
CLOSE_SECONDS = 2.0


def _insert(table: str, columns: Sequence[str], conflict: str) -> str:
    # Nothing from outside gets in here.
    return f"INSERT OR {conflict} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


_TABLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "exchange": (_insert("exchanges", EXCHANGES, "REPLACE"), EXCHANGES),
    "attempt": (_insert("attempts", ATTEMPTS, "REPLACE"), ATTEMPTS),
    "begun-exchange": (_insert("exchanges", EXCHANGES, "IGNORE"), EXCHANGES),
    "begun-attempt": (_insert("attempts", ATTEMPTS, "IGNORE"), ATTEMPTS),
    "state": (_insert("state", ("key", "value"), "REPLACE"), ("key", "value")),
}


class Store:
    """Open it, record, close it. Every public method may be called from the event loop."""

    def __init__(self, path: Path, retention: float, now: Callable[[], float] = time.time) -> None:
        """``retention``: seconds after which an exchange is forgotten."""
        self.path = path
        self.retention = retention
        self.usable = False
        """Whether anything is recorded."""
        self._now = now
        self._journal: Journal | None = None
        self._database: sqlite3.Connection | None = None
        self._state: dict[str, object] = {}
        self._queue: queue.SimpleQueue[tuple[int, Sequence[Entry]] | threading.Event | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False
        self._retry_at = 0.0
        self._prune_at = 0.0

    # ── the event loop's side ───────────────────────────────────────────────────────────────────────────────────────

    def open(self) -> bool:
        """Import what a killed process left, and start the writer. False, with a warning, when nothing can be kept."""
        try:
            _make_room(self.path)
            self._journal = Journal(journal_root(self.path))
            self._begin(START_BUSY)
        except sqlite3.OperationalError as error:
            self._fail(error)  # locked or full for now: the journal has what comes
        except (OSError, sqlite3.Error, NewerError, orjson.JSONDecodeError) as error:
            logger.warning("nothing is recorded, the ledger %s cannot be used: %s", self.path, error)
            self._release(done=True)
            return False
        self.usable = True
        self._thread = threading.Thread(target=self._write, daemon=True, name="ledger")
        self._thread.start()
        return True

    def _begin(self, busy: float) -> None:
        """Have the database with what killed processes have left in it. One that proves to be damaged is replaced."""
        for last in (False, True):
            try:
                self._database = connect(self.path, busy)
                settle(self._database, journal_root(self.path), self.token)
                kept = self._database.execute("SELECT * FROM state")
                self._state = {key: orjson.loads(value) for key, value in kept} | self._state
            except sqlite3.DatabaseError as error:
                if last or not _is_damage(error):
                    raise
                self._drop()
                set_aside(self.path, error)
            else:
                return

    def _drop(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def token(self) -> str:
        """Who this process is among the owners of running rows."""
        return self._journal.token if self._journal is not None else ""

    def record(self, *entries: Entry) -> None:
        """Keep the entries: when this returns, they outlive the process."""
        if self._journal is None:
            return
        fit = [(kind, {name: storable(value) for name, value in row.items()}) for kind, row in entries]
        lines = b"".join(orjson.dumps({"kind": kind, **row}, default=str) + b"\n" for kind, row in fit)
        self._queue.put((self._journal.append(lines), fit))

    def get_state(self, key: str) -> object:
        """A value that was put, now or by an earlier process; None for none."""
        return self._state.get(key)

    def put_state(self, key: str, value: object) -> None:
        """Keep a JSON value for the next start."""
        self._state[key] = value
        self.record(("state", {"key": key, "value": json_text(value)}))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the database has everything recorded so far. Only for tests and the start of a configuration."""
        if self._thread is None:
            return True
        done = threading.Event()
        self._queue.put(done)
        self._hurry.set()
        return done.wait(timeout)

    def query(self, sql: str, *parameters: float | str) -> list[tuple[object, ...]]:
        """Rows of the database through a connection of its own; empty when there is none."""
        if not self.usable:
            return []
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Write what is left and end the thread; what does not make it in time waits in the journal. Safe to repeat."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._queue.put(None)
        self._hurry.set()
        thread.join(CLOSE_SECONDS)
        if not thread.is_alive():
            self._release(done=not self._failing)
        self.usable = False

    def _release(self, *, done: bool) -> None:
        self._drop()
        if self._journal is not None:
            self._journal.close(done=done)
            self._journal = None

    # ── the writer's side ───────────────────────────────────────────────────────────────────────────────────────────

    def _write(self) -> None:
        pending: list[tuple[int, Sequence[Entry]]] = []
        waiting: list[threading.Event] = []
        from_journal = False
        while True:
            stop = self._gather(pending, waiting, self._idle())
            if len(pending) > PILE:
                pending.clear()
                from_journal = True
            if self._failing and not stop and not waiting and time.monotonic() < self._retry_at:
                continue
            try:
                self._commit(pending, from_journal=from_journal)
                self._prune()
            except (sqlite3.Error, OSError) as error:
                self._fail(error)
            except Exception:
                # Nothing that a call says may end this thread: all later records would pile up unwritten.
                logger.exception("the ledger %s leaves out %d records that it cannot enter", self.path, len(pending))
                pending.clear()
                from_journal = False
            else:
                pending.clear()
                from_journal = False
                self._recovered()
            for done in waiting:
                done.set()
            waiting.clear()
            if stop:
                return

    def _gather(self, pending: list[tuple[int, Sequence[Entry]]], waiting: list[threading.Event], idle: float) -> bool:
        """Move what is queued to ``pending``; True when it is time to end."""
        item: tuple[int, Sequence[Entry]] | threading.Event | None
        try:
            item = self._queue.get(timeout=idle)
        except queue.Empty:
            return False
        self._hurry.wait(GATHER)
        self._hurry.clear()
        while True:
            if item is None:
                return True
            if isinstance(item, threading.Event):
                waiting.append(item)
            else:
                pending.append(item)
            if len(pending) >= BATCH:
                return False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return False

    def _commit(self, pending: Sequence[tuple[int, Sequence[Entry]]], *, from_journal: bool) -> None:
        assert self._journal is not None
        if self._database is None:
            self._begin(BUSY)
            assert self._database is not None
        self._journal.prepare()
        if from_journal:
            with transaction(self._database):
                write(self._database, self._journal.entries())
        if not pending:
            return
        with transaction(self._database):
            write(self._database, (entry for _, entries in pending for entry in entries))
        self._journal.discard(pending[-1][0])

    def _fail(self, error: Exception) -> None:
        if not self._failing:
            logger.warning("the ledger %s cannot be written (%s): calls go on, it is tried again", self.path, error)
        self._failing = True
        self._retry_at = time.monotonic() + RETRY
        self._drop()
        if _is_damage(error):
            self._retry_at = 0.0
            try:
                set_aside(self.path, error)
            except OSError as reason:
                logger.warning("the damaged ledger %s cannot be moved: %s", self.path, reason.strerror)

    def _recovered(self) -> None:
        if self._failing:
            logger.warning("the ledger %s is written again", self.path)
        self._failing = False

    def _idle(self) -> float:
        """Seconds to wait when nothing comes."""
        if self._failing:
            return RETRY
        return min(max(self._prune_at - time.monotonic(), 0.0), PRUNE_EVERY)

    def _prune(self) -> None:
        if self._database is None or time.monotonic() < self._prune_at:
            return
        forgotten = prune(self._database, self._now() - self.retention)
        self._prune_at = time.monotonic() + (PRUNE_EVERY if forgotten < PRUNE_STEP else GATHER)


# ── the database, for whoever holds it ──────────────────────────────────────────────────────────────────────────────


def journal_root(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal")


def connect(path: Path, busy: float = BUSY) -> sqlite3.Connection:
    """The database, made when it is not there. What is no database, or a damaged one, is moved aside, which is logged."""
    _make_room(path)
    try:
        return _connect(path, busy)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        set_aside(path, error)
        return _connect(path, busy)


def set_aside(path: Path, why: Exception) -> None:
    """Give a damaged database another name, so that a new one can begin."""
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    path.replace(aside)
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).replace(aside.with_name(aside.name + ending))
    logger.error(
        "the ledger was damaged (%s): it is now %s, a new one begins; what it had may come back by sqlite3 %s .recover",
        why,
        aside,
        aside.name,
    )


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _make_room(path: Path) -> None:
    """A directory that is there keeps its mode: the user may have named it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _connect(path: Path, busy: float) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the mode of this one
    connection = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    try:
        prepare(connection)
        connection.execute("SELECT id FROM exchanges LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def write(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Enter them, each kind in one go; what has ended goes before what has begun, which never replaces anything."""
    rows: dict[str, dict[object, Row]] = {kind: {} for kind in _TABLES}
    for kind, row in entries:
        name = row.get("key" if kind == "state" else "id")
        if kind in rows and name:
            rows[kind][name] = row
    for kind, (statement, columns) in _TABLES.items():
        connection.executemany(statement, [tuple(row.get(name) for name in columns) for row in rows[kind].values()])
    plans = [
        (row["id"], row["plan"])
        for kind in ("exchange", "begun-exchange")
        for row in rows[kind].values()
        if row.get("plan")
    ]
    connection.executemany("INSERT OR REPLACE INTO decisions VALUES (?, ?)", plans)
    connection.executemany(
        "INSERT OR REPLACE INTO losses VALUES (?, ?, ?, ?)",
        [loss for row in rows["attempt"].values() for loss in _losses(row)],
    )


def _losses(row: Row) -> list[tuple[object, ...]]:
    found = row.get("losses")
    if not isinstance(found, list):
        return []
    pairs = cast("list[tuple[str, str]]", found)
    return [(row.get("id"), number, path, reason) for number, (path, reason) in enumerate(pairs)]


def settle(connection: sqlite3.Connection, root: Path, own: str | None) -> int:
    """Import what killed processes left, and call interrupted what nobody runs any more. The number of orphans."""
    orphans, alive = survey(root, own)
    try:
        with transaction(connection):
            for orphan in orphans:
                write(connection, orphan.entries())
            marks = ", ".join("?" * len(alive))
            for table in ("exchanges", "attempts"):
                connection.execute(
                    f"UPDATE {table} SET outcome = ?, owner = NULL WHERE owner IS NOT NULL AND owner NOT IN ({marks})",  # noqa: S608
                    (INTERRUPTED, *alive),
                )
        for orphan in orphans:
            orphan.remove()
    finally:
        for orphan in orphans:
            orphan.release()
    return len(orphans)


def prune(connection: sqlite3.Connection, before: float) -> int:
    """Forget at most ``PRUNE_STEP`` exchanges that began before an instant; returns how many it were."""
    chosen = [
        row[0]
        for row in connection.execute(
            "SELECT id FROM exchanges WHERE started < ? AND outcome != ? ORDER BY started LIMIT ?",
            (before, RUNNING, PRUNE_STEP),
        )
    ]
    if chosen:
        one_each = [(name,) for name in chosen]
        with transaction(connection):
            connection.executemany(
                "DELETE FROM losses WHERE attempt IN (SELECT id FROM attempts WHERE exchange = ?)", one_each
            )
            connection.executemany("DELETE FROM attempts WHERE exchange = ?", one_each)
            connection.executemany("DELETE FROM decisions WHERE exchange = ?", one_each)
            connection.executemany("DELETE FROM exchanges WHERE id = ?", one_each)
        connection.execute("PRAGMA incremental_vacuum(200)").fetchall()
    return len(chosen)
