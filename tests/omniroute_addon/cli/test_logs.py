"""``omniroute logs`` as the real command."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from omniroute_addon.logs.entries import Entry
from omniroute_addon.logs.lines import Bounds, Lines
from omniroute_addon.logs.writer import directory
from tests.omniroute_addon.cli.conftest import Omniroute

NOW = 1_700_000_000.0


def say(home: Path, number: int, level: str = "info", text: str = "said") -> None:
    entry = Entry(f"{number}", NOW + number, "console", level, "engine", f"{text} {number}")  # type: ignore[arg-type]
    Lines(directory(home), "console", Bounds(100_000, 3600)).add([entry])


def test_lines_go_with_time_level_and_source(omniroute: Omniroute, home: Path) -> None:
    say(home, 1)
    say(home, 2, "error", "it [failed]\nwith a second line")
    done = omniroute("logs", "--tab", "console")
    assert done.returncode == 0
    assert [line[17:] for line in done.stdout.splitlines()] == [
        "info     engine  said 1",
        "error    engine  it [failed]",
        done.stdout.splitlines()[2][17:],
    ]
    assert done.stdout.splitlines()[2] == "    with a second line 2"


def test_level_search_and_limit_choose(omniroute: Omniroute, home: Path) -> None:
    for number in range(4):
        say(home, number, "warning" if number % 2 else "info")
    found = omniroute("logs", "--tab", "console", "--level", "warning", "--search", "SAID", "-n", "1", "--json")
    assert [entry["id"] for entry in json.loads(found.stdout)] == ["3"]


@pytest.mark.parametrize("wrong", [("--tab", "all"), ("--level", "loud"), ("--since", "sometime")])
def test_what_does_not_exist_is_said(omniroute: Omniroute, wrong: tuple[str, str]) -> None:
    done = omniroute("logs", "--tab", "console", *wrong)
    assert (done.returncode, done.stdout, wrong[1] in done.stderr) == (2, "", True)


def test_calls_need_a_ledger(omniroute: Omniroute) -> None:
    done = omniroute("logs")
    assert (done.returncode, "no ledger" in done.stderr) == (1, True)


def test_a_change_of_the_vault_is_audited_without_its_value(omniroute: Omniroute) -> None:
    omniroute("vault", "set", "glm", stdin="a-secret-value-1")
    done = omniroute("logs", "--tab", "audit")
    assert ("command line  vault set: name glm" in done.stdout, "a-secret" in done.stdout) == (True, False)


def test_following_goes_on_until_it_is_ended(env: dict[str, str], home: Path) -> None:
    say(home, 1)
    command = [sys.executable, "-m", "omniroute_addon", "logs", "--tab", "console", "--follow", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        say(home, 2)
        second = json.loads(process.stdout.readline())
        process.terminate()
        watchdog.cancel()
    assert (first["text"], second["text"]) == ("said 1", "said 2")
