"""The store of lines: bounded, shared by processes, readable after a crash."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute_addon.logs.entries import Entry, Query
from omniroute_addon.logs.lines import FILES, Bounds, Lines, files, read

BOUNDS = Bounds(80_000, 3600.0)
NOW = time.time()


def _entry(number: int, text: str = "said", at: float | None = None) -> Entry:
    return Entry(f"{number:06d}", NOW - 100 + number / 1e4 if at is None else at, "console", "info", "engine", text)


def test_what_was_added_is_read_in_order(tmp_path: Path) -> None:
    store = Lines(tmp_path, "console", BOUNDS)
    for number in range(3):
        store.add([_entry(number)])
    assert [entry.id for entry in read(tmp_path, Query())] == ["000000", "000001", "000002"]


def test_the_latest_are_read_when_there_are_more(tmp_path: Path) -> None:
    store = Lines(tmp_path, "console", BOUNDS)
    for number in range(500):
        store.add([_entry(number, "x" * 50)])
    assert [entry.id for entry in read(tmp_path, Query(limit=3))] == ["000497", "000498", "000499"]


def test_bytes_are_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    store = Lines(tmp_path, "console", BOUNDS)
    for number in range(2000):
        store.add([_entry(number, "x" * 100)])
    found = read(tmp_path, Query(limit=5000))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= BOUNDS.max_bytes
    assert (found[-1].id, found[0].id > "001000") == ("001999", True)


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    for number in range(FILES + 10):
        Lines(tmp_path, "console", BOUNDS).add([_entry(number)])
    assert len(list(tmp_path.iterdir())) == FILES


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    Lines(tmp_path, "console", BOUNDS).add([_entry(1)])
    (old,) = tmp_path.iterdir()
    os.utime(old, (NOW - 7200, NOW - 7200))
    Lines(tmp_path, "console", BOUNDS).add([_entry(2)])
    assert [entry.id for entry in read(tmp_path, Query())] == ["000002"]


def test_lines_of_several_processes_are_one_log(tmp_path: Path) -> None:
    one, two = Lines(tmp_path, "console", BOUNDS), Lines(tmp_path, "console", BOUNDS)
    one.add([_entry(1)])
    two.add([_entry(2)])
    one.add([_entry(3)])
    assert [entry.id for entry in read(tmp_path, Query())] == ["000001", "000002", "000003"]


def test_a_line_that_was_cut_is_passed_over(tmp_path: Path) -> None:
    Lines(tmp_path, "console", BOUNDS).add([_entry(1), _entry(2)])
    ((path, _),) = files(tmp_path, "console")
    path.write_bytes(path.read_bytes()[:-20])
    assert [entry.id for entry in read(tmp_path, Query())] == ["000001"]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    Lines(tmp_path / "logs", "console", BOUNDS).add([_entry(1)])
    ((path, stat),) = files(tmp_path / "logs", "console")
    assert (stat.st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_no_directory_is_an_empty_log(tmp_path: Path) -> None:
    assert read(tmp_path / "none", Query()) == []


@pytest.mark.parametrize(
    "search", ["said", "SAID 7", "none", "on", "größe", 'a "quoted"', "quoted word", "engine 7", "no"]
)
def test_what_is_passed_over_unread_is_not_wanted(tmp_path: Path, search: str) -> None:
    store = Lines(tmp_path, "console", BOUNDS)
    said = ("said", "Größe", 'a "quoted" word', "none of it", "Said again")
    entries = [replace(_entry(number, said[number % 5]), facts={"left": None, "n": number}) for number in range(20)]
    store.add(entries)
    wanted = [entry.id for entry in entries if Query(search=search).wants(entry)]
    assert [entry.id for entry in read(tmp_path, Query(search=search))] == wanted
