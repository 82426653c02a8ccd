"""The database: what is recorded gets in, whatever state it is found in."""

import logging
import sqlite3
import stat
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from omniroute_addon.ledger import store as module
from omniroute_addon.ledger.journal import Entry, Journal
from omniroute_addon.ledger.schema import VERSION
from omniroute_addon.ledger.store import Store, connect, journal_root, prune

YEAR = 365 * 86400.0
EXCHANGE: Entry = ("exchange", {"id": "x", "started": 5.0, "outcome": "done", "ok": True, "plan": '{"route":"r"}'})
BEGUN: Entry = ("begun-attempt", {"id": "a", "exchange": "x", "started": 5.0, "outcome": "running", "owner": "gone"})
ENDED: Entry = (
    "attempt",
    {"id": "a", "exchange": "x", "started": 5.0, "outcome": "used", "micro": 7, "losses": [("messages[0]", "why")]},
)


@contextmanager
def opened(path: Path) -> Generator[Store]:
    store = Store(path, YEAR, now=lambda: 10.0)
    assert store.open()
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_what_is_recorded_is_in_the_database(path: Path) -> None:
    with opened(path) as store:
        store.record(EXCHANGE, ENDED)
        assert store.flush()
        assert store.query("SELECT outcome, micro FROM attempts") == [("used", 7)]
        assert store.query("SELECT plan FROM decisions") == [('{"route":"r"}',)]
        assert store.query("SELECT * FROM losses") == [("a", 0, "messages[0]", "why")]


def test_a_close_writes_what_is_left(path: Path) -> None:
    with opened(path) as store:
        store.record(ENDED)
    assert rows(path, "SELECT id FROM attempts") == [("a",)]
    assert list(journal_root(path).iterdir()) == []


@pytest.mark.parametrize("order", [(BEGUN, ENDED), (ENDED, BEGUN)])
def test_an_end_holds_whenever_its_beginning_is_entered(path: Path, order: tuple[Entry, Entry]) -> None:
    with opened(path) as store:
        for entry in order:
            store.record(entry)
            store.flush()
        assert store.query("SELECT outcome, owner FROM attempts") == [("used", None)]


def test_what_a_killed_process_has_left_is_imported(path: Path) -> None:
    connect(path).close()
    journal = Journal(journal_root(path))
    journal.append(b'{"kind":"attempt","id":"a","started":5.0,"outcome":"used"}\n{"kind":"att')
    journal.close(done=False)
    with opened(path) as store:
        assert store.query("SELECT id, outcome FROM attempts") == [("a", "used")]


def test_what_a_killed_process_had_begun_is_interrupted(path: Path) -> None:
    with opened(path) as store:
        store.record(BEGUN)
    with opened(path) as store:
        assert store.query("SELECT outcome, owner FROM attempts") == [("interrupted", None)]


def test_what_runs_in_another_process_goes_on(path: Path) -> None:
    with opened(path) as first:
        first.record(("begun-attempt", {**BEGUN[1], "owner": first.token}))
        first.flush()
        with opened(path) as second:
            assert second.query("SELECT outcome FROM attempts") == [("running",)]


def test_state_outlives_the_process(path: Path) -> None:
    with opened(path) as store:
        store.put_state("health", {"glm": [1, 2]})
        store.put_state("health", {"glm": [3]})
    with opened(path) as store:
        assert (store.get_state("health"), store.get_state("other")) == ({"glm": [3]}, None)


def test_a_file_that_is_no_database_is_moved_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all, but a diary" * 100)
    with opened(path) as store:
        store.record(ENDED)
    assert rows(path, "SELECT id FROM attempts") == [("a",)]
    assert [found.read_bytes()[:3] for found in path.parent.glob("ledger.db.damaged-*")] == [b"not"]
    assert "was damaged" in caplog.text


def test_a_database_that_is_damaged_later_is_moved_aside_too(path: Path) -> None:
    with opened(path) as store:
        store.record(EXCHANGE)
        store.flush()
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    with opened(path) as store:
        store.record(ENDED)
    assert rows(path, "SELECT id FROM attempts") == [("a",)]


def test_damage_that_shows_when_it_is_written_moves_it_aside(path: Path) -> None:
    with opened(path) as store:
        for number in range(2000):
            store.record(("attempt", {**ENDED[1], "id": f"{number:08}", "losses": None}))
    content = path.read_bytes()
    page = 4096
    for at in range(20 * page, len(content) - page, page):  # the tables' roots stay
        content = content[:at] + b"\xff" * page + content[at + page :]
    path.write_bytes(content)
    with opened(path) as store:
        for number in range(300):
            store.record(("attempt", {**ENDED[1], "id": f"{number * 7:08}-more", "losses": None}))
        store.flush()
    assert rows(path, "SELECT count(*) FROM attempts") == [(300,)]
    assert len(list(path.parent.glob("ledger.db.damaged-*"))) == 1


def test_a_database_that_is_locked_at_the_start_gets_the_entries_later(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("RETRY", "BUSY", "START_BUSY"):
        monkeypatch.setattr(module, name, 0.01)
    connect(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with opened(path) as store:
        store.record(ENDED)
        other.execute("ROLLBACK")
    other.close()
    assert rows(path, "SELECT id FROM attempts") == [("a",)]
    assert "calls go on, it is tried again" in caplog.text


def test_a_directory_of_the_user_s_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with opened(tmp_path / "ledger.db"):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_newer_database_is_left_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    connection = connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    store = Store(path, YEAR)
    assert not store.open()
    store.record(ENDED)
    store.close()
    assert "nothing is recorded" in caplog.text
    assert rows(path, "PRAGMA user_version") == [(VERSION + 1,)]


def test_a_place_that_cannot_be_written_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "ledger.db", YEAR)
    assert not store.open()
    store.record(ENDED)
    store.put_state("health", 1)
    assert (store.query("SELECT 1"), store.get_state("health")) == ([], 1)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_database_that_is_locked_gets_the_entries_when_it_is_free(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY", 0.05)
    monkeypatch.setattr(module, "BUSY", 0.01)
    with opened(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        store.record(ENDED)
        assert store.flush()
        assert store.query("SELECT id FROM attempts") == []
        other.execute("ROLLBACK")
        assert store.flush()
        assert store.query("SELECT id FROM attempts") == [("a",)]
        other.close()
    assert caplog.text.count("cannot be written") == 1


def test_more_than_memory_should_hold_comes_from_the_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PILE", 3)
    with opened(path) as store:
        for number in range(50):
            store.record(("attempt", {**ENDED[1], "id": str(number)}))
        store.flush()
        assert store.query("SELECT count(*) FROM attempts") == [(50,)]


def test_what_is_old_is_forgotten_in_steps(path: Path) -> None:
    with opened(path) as store:
        for number in range(700):
            store.record(
                ("exchange", {**EXCHANGE[1], "id": f"x{number}", "started": float(number)}),
                ("attempt", {**ENDED[1], "id": f"a{number}", "exchange": f"x{number}"}),
            )
    connection = connect(path)
    assert [prune(connection, 600.0) for _ in range(3)] == [500, 100, 0]
    connection.close()
    for table in ("exchanges", "attempts", "decisions", "losses"):
        assert rows(path, f"SELECT count(*) FROM {table}") == [(100,)]


def test_the_files_are_the_owner_s_alone(path: Path) -> None:
    with opened(path) as store:
        store.record(ENDED)
        store.flush()
        modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.glob("ledger.db*")}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600, "ledger.db.journal": 0o700}
