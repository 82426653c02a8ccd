"""Kept answers on disk: what comes back, whose the file is, and that nothing wrong with it matters."""

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute_addon.engine.cache_file import CacheFile
from omniroute_addon.engine.kept import Kept

ONE = Kept("a", "whole", "openai-chat", "application/json", b"\0body", False, 100.0, "up/m", "http://x", "up", "m", 7)
ROOM = 1 << 20


def left(path: Path, since: float = 0, room: int = ROOM) -> list[Kept]:
    file = CacheFile(path)
    try:
        return file.read(since, room)
    finally:
        file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "cache.db"


def fill(path: Path, *items: Kept | str) -> None:
    file = CacheFile(path)
    file.read(0, ROOM)
    for item in items:
        file.drop(item) if isinstance(item, str) else file.put(item)
    file.close()
    file.close()


def test_what_was_put_comes_back_and_what_was_dropped_does_not(path: Path) -> None:
    second = replace(ONE, key="b", stored=101.0, worth=None, provider=None)
    fill(path, ONE, replace(ONE, key="c"), second, "c", replace(ONE, model="other"))
    assert left(path) == [replace(ONE, model="other"), second]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_latest_come_back_as_far_as_there_is_room_and_old_ones_are_forgotten(path: Path) -> None:
    fill(path, *(replace(ONE, key=str(number), stored=float(number)) for number in range(5)))
    assert [one.key for one in left(path, room=2 * ONE.size)] == ["3", "4"]
    assert [one.key for one in left(path, since=2.0)] == ["2", "3", "4"]
    assert len(left(path)) == 3


@pytest.mark.parametrize("content", [b"no database" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_begins_anew(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    fill(path, ONE)
    assert left(path) == [ONE]
    assert "begins anew" in caplog.text


def test_another_version_s_answers_are_forgotten(path: Path) -> None:
    fill(path, ONE)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 9")
    assert left(path) == []
    fill(path, ONE)
    assert left(path) == [ONE]


def test_a_place_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        fill(tmp_path / "file" / "cache.db", ONE, ONE)
    assert caplog.text.count("kept in memory only") == 1
