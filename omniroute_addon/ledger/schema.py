"""The tables of the ledger's database, and how an older one becomes a newer one.

Times are Unix seconds, money is whole micro-dollars. An exchange or attempt that has begun and not ended has the
outcome ``running`` and the token of its process as ``owner``.
"""

import sqlite3

VERSION = 1

RUNNING = "running"
INTERRUPTED = "interrupted"
"""The outcome of what was running when its process died."""

EXCHANGES = (
    "id", "started", "ended", "client", "format", "operation", "model", "streaming", "session", "key", "source",
    "route", "combo", "status", "outcome", "ok", "attempts", "owner",
)  # fmt: skip
ATTEMPTS = (
    "id", "exchange", "number", "started", "first_event", "ended", "target", "provider", "model", "account", "tier",
    "format", "status", "outcome", "used", "stop", "input", "output", "cache_read", "cache_write", "reasoning",
    "estimated", "micro", "cost_estimated", "cost_source", "worth", "client", "key", "combo", "asked", "owner",
)  # fmt: skip
"""``client``, ``key``, ``combo`` and ``asked`` are those of the exchange, so that sums need no join."""

_V1 = """
CREATE TABLE exchanges (
  id TEXT PRIMARY KEY, started REAL, ended REAL, client TEXT, format TEXT, operation TEXT, model TEXT,
  streaming INTEGER, session TEXT, key TEXT, source TEXT, route TEXT, combo TEXT, status INTEGER,
  outcome TEXT, ok INTEGER, attempts INTEGER, owner TEXT
);
CREATE INDEX exchanges_started ON exchanges (started);
CREATE INDEX exchanges_running ON exchanges (owner) WHERE owner IS NOT NULL;
CREATE TABLE attempts (
  id TEXT PRIMARY KEY, exchange TEXT, number INTEGER, started REAL, first_event REAL, ended REAL,
  target TEXT, provider TEXT, model TEXT, account TEXT, tier TEXT, format TEXT, status INTEGER, outcome TEXT,
  used INTEGER, stop TEXT, input INTEGER, output INTEGER, cache_read INTEGER, cache_write INTEGER, reasoning INTEGER,
  estimated INTEGER, micro INTEGER, cost_estimated INTEGER, cost_source TEXT, worth INTEGER,
  client TEXT, key TEXT, combo TEXT, asked TEXT, owner TEXT
);
CREATE INDEX attempts_started ON attempts (started);
CREATE INDEX attempts_exchange ON attempts (exchange);
CREATE INDEX attempts_paid ON attempts (started) WHERE micro > 0;
CREATE INDEX attempts_running ON attempts (owner) WHERE owner IS NOT NULL;
CREATE TABLE decisions (exchange TEXT PRIMARY KEY, plan TEXT) WITHOUT ROWID;
CREATE TABLE losses (attempt TEXT NOT NULL, number INTEGER NOT NULL, path TEXT, reason TEXT, PRIMARY KEY (attempt, number))
  WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (_V1,)
"""The script that makes version n + 1 of version n. Never change one that was shipped; append."""


class NewerError(Exception):
    """The database was made by a later version of this program."""


def prepare(connection: sqlite3.Connection) -> None:
    """Bring the database to ``VERSION``. Raises NewerError, or sqlite3.DatabaseError for what is no database."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise NewerError(f"it has version {version}, this program knows up to {VERSION}")
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be at the same work
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for script in MIGRATIONS[version:]:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def readable(connection: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError when the database lacks what this version reads."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise sqlite3.DatabaseError(f"the ledger has version {version}, this program reads {VERSION}")
