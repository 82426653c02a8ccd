"""The first file: checked before it is written, and never in the place of another."""

import stat
from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError
from omniroute_addon.firstrun.file import place, write

GOOD = "version: 1\naliases: {a: origin}\n"


def test_it_goes_where_rules_are_looked_for(tmp_path: Path) -> None:
    assert place({"OMNIROUTE_HOME": str(tmp_path)}) == tmp_path / "omniroute.yaml"


def test_it_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "omniroute.yaml"
    assert write(path, GOOD, {}, None).aliases == {"a": "origin"}
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (GOOD, 0o600)
    assert [one.name for one in path.parent.iterdir()] == ["omniroute.yaml"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "omniroute.yaml"
    path.write_text("# mine\n")
    with pytest.raises(FileExistsError):
        write(path, GOOD, {}, None)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("omniroute.yaml", "# mine\n")]


def test_what_could_not_be_used_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        write(tmp_path / "omniroute.yaml", "version: 1\naliases: {a: nowhere/x}\n", {}, None)
    assert list(tmp_path.iterdir()) == []
