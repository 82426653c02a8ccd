"""A changed file is seen, a broken one is told, the rest is silence."""

import os
from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError, Reloader, Snapshot


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\n")
    return path


def change(file: Path, text: str) -> None:
    """Write, and move the time on, since two writes can fall into one tick of the file system."""
    before = file.stat().st_mtime_ns if file.exists() else 0
    file.write_text(text)
    os.utime(file, ns=(before + 10**9, before + 10**9))


def test_nothing_changed_is_none(file: Path) -> None:
    assert Reloader(file).check() is None


def test_without_a_file_there_is_nothing_to_watch() -> None:
    assert Reloader(None).check() is None


def test_a_change_gives_the_new_snapshot_once(file: Path) -> None:
    reloader = Reloader(file)
    change(file, "version: 1\naliases: {a: origin}\n")
    fresh = reloader.check()
    assert isinstance(fresh, Snapshot)
    assert fresh.aliases == {"a": "origin"}
    assert reloader.check() is None


def test_a_touch_without_new_content_is_none(file: Path) -> None:
    reloader = Reloader(file)
    change(file, "version: 1\n")
    assert reloader.check() is None


def test_a_broken_file_is_told_once_and_its_repair_is_seen(file: Path) -> None:
    reloader = Reloader(file)
    change(file, "version: 1\nrout: []\n")
    assert isinstance(reloader.check(), ConfigError)
    assert reloader.check() is None
    change(file, "version: 1\nroutes: []\n")
    assert isinstance(reloader.check(), Snapshot)


def test_a_file_that_is_gone_is_told_and_its_return_is_seen(file: Path) -> None:
    reloader = Reloader(file)
    file.unlink()
    assert "gone" in str(reloader.check())
    file.write_text("version: 1\n")
    assert isinstance(reloader.check(), Snapshot)


def test_a_file_replaced_in_one_step_is_seen(file: Path, tmp_path: Path) -> None:
    reloader = Reloader(file)
    other = tmp_path / "new.yaml"
    other.write_text("version: 1\naliases: {b: origin}\n")
    other.replace(file)
    assert isinstance(reloader.check(), Snapshot)


def test_a_file_that_was_awaited_is_a_change_when_it_appears(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    reloader = Reloader(path, awaited=True)
    assert reloader.check() is None
    path.write_text("version: 1\naliases: {a: origin}\n")
    fresh = reloader.check()
    assert isinstance(fresh, Snapshot)
    assert (fresh.source, fresh.aliases, reloader.check()) == (path, {"a": "origin"}, None)


def test_what_is_forgotten_is_read_again_though_nothing_changed(file: Path) -> None:
    reloader = Reloader(file)
    reloader.forget()
    assert isinstance(reloader.check(), Snapshot)
    assert reloader.check() is None
