"""The tables come up to date step by step, whole or not at all."""

import sqlite3
from collections.abc import Generator
from contextlib import closing

import pytest

from omniroute_addon.ledger import schema
from omniroute_addon.ledger.schema import ATTEMPTS, EXCHANGES, VERSION, NewerError, prepare, readable


@pytest.fixture
def database() -> Generator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as one:
        yield one


def columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}


def version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def test_an_empty_file_becomes_a_ledger(database: sqlite3.Connection) -> None:
    prepare(database)
    assert (columns(database, "exchanges"), columns(database, "attempts")) == (set(EXCHANGES), set(ATTEMPTS))
    assert version(database) == VERSION


def test_preparing_twice_changes_nothing(database: sqlite3.Connection) -> None:
    prepare(database)
    database.execute("INSERT INTO state VALUES ('k', '1')")
    prepare(database)
    assert database.execute("SELECT * FROM state").fetchall() == [("k", "1")]


def test_an_older_ledger_keeps_its_rows(database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database)
    database.execute("INSERT INTO attempts (id, target) VALUES ('a', 't')")
    more = (*schema.MIGRATIONS, "ALTER TABLE attempts ADD COLUMN region TEXT;\nUPDATE attempts SET region = 'eu'")
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    monkeypatch.setattr(schema, "VERSION", VERSION + 1)
    prepare(database)
    assert database.execute("SELECT id, target, region FROM attempts").fetchall() == [("a", "t", "eu")]
    assert version(database) == VERSION + 1


def test_a_step_that_fails_leaves_all_as_it_was(database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(database)
    more = (*schema.MIGRATIONS, "ALTER TABLE attempts ADD COLUMN region TEXT;\nUPDATE nowhere SET region = 'eu'")
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    monkeypatch.setattr(schema, "VERSION", VERSION + 1)
    with pytest.raises(sqlite3.OperationalError):
        prepare(database)
    assert (version(database), "region" in columns(database, "attempts")) == (VERSION, False)


def test_a_newer_ledger_is_left_alone(database: sqlite3.Connection) -> None:
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(NewerError, match=f"version {VERSION + 1}"):
        prepare(database)


def test_reports_want_their_own_version(database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.DatabaseError):
        readable(database)
    prepare(database)
    readable(database)
