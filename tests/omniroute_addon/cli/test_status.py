"""``omniroute status`` and ``quota``: what runs, what rests and what is left, with or without a proxy."""

import json
from pathlib import Path

from tests.omniroute_addon.cli.books import kept
from tests.omniroute_addon.cli.conftest import Omniroute

BUDGET = "version: 1\nbudgets: [{name: all, daily: 5}]\n"


def test_today_and_the_last_calls_are_shown_without_a_proxy(omniroute: Omniroute, home: Path) -> None:
    kept(home)
    result = omniroute("status")
    assert (result.returncode, "omniroute up" in result.stderr) == (1, True)
    assert "today: 2 calls, 3.0k tokens, $1.25" in result.stdout
    assert "openai/gpt-5" in result.stdout


def test_what_rests_is_shown(omniroute: Omniroute, home: Path) -> None:
    kept(home)
    (line,) = [line for line in omniroute("status").stdout.splitlines() if line.startswith("glm:main")]
    assert "429 quota" in line


def test_budgets_show_what_is_left(omniroute: Omniroute, home: Path, tmp_path: Path) -> None:
    kept(home)
    rules = tmp_path / "budget.yaml"
    rules.write_text(BUDGET)
    (budget,) = json.loads(omniroute("status", "--json", "--config", rules).stdout)["budgets"]
    assert (budget["name"], budget["period"], budget["spent"], budget["left"]) == ("all", "daily", 1.25, 3.75)
    assert "$1.25 of $5.00" in omniroute("status", "--config", rules).stdout


def test_a_proxy_that_runs_is_there(omniroute: Omniroute, served: dict[str, str]) -> None:
    result = omniroute("status")
    assert (result.returncode, served["proxy"] in result.stdout, "today: 0 calls" in result.stdout) == (0, True, True)


def test_scripts_get_json(omniroute: Omniroute, home: Path) -> None:
    kept(home)
    found = json.loads(omniroute("status", "--json", "--latest", "1").stdout)
    assert (found["proxies"], found["today"]["calls"], len(found["latest"])) == ([], 2, 1)
    assert found["resting"][0]["key"] == "glm:main"


def test_quota_windows_are_gauges_with_a_countdown(omniroute: Omniroute, home: Path) -> None:
    kept(home)
    (line,) = [line for line in omniroute("quota").stdout.splitlines() if " 5h " in line]
    found = ("glm:main" in line, "█████░" in line, "25% left" in line, "in 2h 13m" in line or "in 2h 12m" in line)
    assert found == (True, True, True, True)


def test_quota_says_where_each_window_was_learned(omniroute: Omniroute, home: Path) -> None:
    kept(home)
    lines = omniroute("quota").stdout.splitlines()
    (five,) = [line for line in lines if " 5h " in line]
    (day,) = [line for line in lines if "day requests" in line]
    (pace,) = [line for line in lines if "minute requests" in line]
    assert ("from an answer" in five, "counted here" in day, "only shown" in pace) == (True, True, True)
    assert "60% left, 600 of 1.0k" in day


def test_quota_for_scripts(omniroute: Omniroute, home: Path) -> None:
    kept(home)
    found = json.loads(omniroute("quota", "--json").stdout)
    assert [(one["account"], one["window"], one["source"], one["heeded"]) for one in found] == [
        ("glm:main", "5h", "headers", True),
        ("glm:main", "week", "headers", True),
        ("glm:main", "minute requests", "headers", False),
        ("origin:gemini-cli", "day requests", "counted", True),
    ]
    assert (found[0]["share"], found[3]["share"]) == (0.25, 0.6)


def test_no_quota_is_said(omniroute: Omniroute, served: dict[str, str]) -> None:
    del served
    assert omniroute("quota").stdout.startswith("no quota is known yet")
