"""``omniroute reset`` beside no proxy; tests/e2e asks a running one."""

import json
import time
from pathlib import Path

import pytest

from omniroute_addon.ledger.reports import books
from omniroute_addon.ledger.store import connect, write
from tests.omniroute_addon.cli.books import kept
from tests.omniroute_addon.cli.conftest import Omniroute


@pytest.fixture
def path(home: Path) -> Path:
    """A ledger in whose state an account rests for a while."""
    path = kept(home)
    until = time.time() + 1000
    entry = {"scope": "account", "key": "glm:main", "until": until, "reason": "429 quota", "failures": 1}
    connection = connect(path)
    write(connection, [("state", {"key": "health", "value": json.dumps({"cooldowns": [entry], "breakers": []})})])
    connection.close()
    return path


def resting(path: Path) -> object:
    with books(path) as ledger:
        state = ledger.state("health")
    assert isinstance(state, dict)
    return [one["key"] for one in state["cooldowns"]]


@pytest.mark.parametrize("names", [["--all"], ["glm"], ["main"], ["glm:main"]])
def test_what_rests_is_woken_on_disk(path: Path, omniroute: Omniroute, names: list[str]) -> None:
    said = omniroute("reset", *names, "--json")
    assert (said.returncode, said.stderr) == (0, "")
    assert "glm:main" in json.loads(said.stdout)["reset"]
    assert resting(path) == []


def test_what_is_not_named_rests_on(path: Path, omniroute: Omniroute) -> None:
    said = omniroute("reset", "groq")
    assert (said.returncode, said.stdout) == (0, "nothing is held against groq\n")
    assert resting(path) == ["glm:main"]


def test_without_a_ledger_there_is_nothing_to_reset(home: Path, omniroute: Omniroute) -> None:
    said = omniroute("reset", "--all")
    assert (said.returncode, said.stdout, home.exists()) == (0, "nothing to reset\n", False)


@pytest.mark.parametrize("arguments", [[], ["glm", "--all"]])
def test_it_must_be_said_what_to_reset(omniroute: Omniroute, arguments: list[str]) -> None:
    said = omniroute("reset", *arguments)
    assert (said.returncode, "name what to reset, or say --all" in said.stderr) == (1, True)
