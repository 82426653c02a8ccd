"""``omniroute usage`` and ``costs``: for people, for scripts, for spreadsheets."""

import csv
import io
import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from omniroute_addon.ledger.store import connect, write
from tests.omniroute_addon.cli.books import kept
from tests.omniroute_addon.cli.conftest import Omniroute


@pytest.fixture(autouse=True)
def _books(home: Path) -> None:
    kept(home)


def test_usage_is_by_model_with_a_total(omniroute: Omniroute) -> None:
    lines = omniroute("usage").stdout.splitlines()
    found = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert found["glm-4.7"][:7] == ["2", "2", "1", "1.0k", "800", "500", "0"]
    assert found["total"][:8] == ["2", "3", "1", "2.0k", "1.6k", "1.0k", "0", "$1.25"]


def test_costs_are_by_provider_with_what_they_are_worth(omniroute: Omniroute) -> None:
    lines = omniroute("costs").stdout.splitlines()
    found = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert found["openai"][2:4] == ["$1.25", "$1.25"]
    assert found["glm"][2:4] == ["$0.00", "$0.0020"]


def test_scripts_get_json(omniroute: Omniroute) -> None:
    found = json.loads(omniroute("costs", "--by", "client,tier", "--json").stdout)
    assert found["by"] == ["client", "tier"]
    assert [(row["client"], row["tier"], row["cost"]) for row in found["rows"]] == [
        ("claude-code", "api-key", 1.25),
        ("claude-code", "unknown", 0.0),
        ("codex", "free", 0.0),
    ]
    assert found["total"]["calls"] == 2


def test_spreadsheets_get_csv(omniroute: Omniroute) -> None:
    rows = list(csv.DictReader(io.StringIO(omniroute("usage", "--by", "provider", "--csv").stdout)))
    assert [(row["provider"], row["attempts"], row["input"], row["cost"]) for row in rows] == [
        ("glm", "2", "1000", "0.0"),
        ("openai", "1", "1000", "1.25"),
    ]


@pytest.mark.parametrize(
    "options, attempts",
    [
        (("--client", "codex"), 1),
        (("--provider", "glm"), 2),
        (("--model", "gpt*"), 1),
        (("--tier", "free"), 1),
        (("--since", "2020-01-01", "--until", "2020-02-01"), 0),
        (("--since", "1h"), 3),
    ],
)
def test_filters_choose(omniroute: Omniroute, options: tuple[str, ...], attempts: int) -> None:
    assert json.loads(omniroute("usage", "--json", *options).stdout)["total"]["attempts"] == attempts


def test_an_empty_span_is_said(omniroute: Omniroute) -> None:
    assert omniroute("usage", "--since", "2020-01-01", "--until", "2020-02-01").stdout.startswith("no calls since")


def test_an_unknown_group_names_the_known_ones(omniroute: Omniroute) -> None:
    result = omniroute("usage", "--by", "colour")
    assert (result.returncode, "cannot group by 'colour'" in result.stderr, "provider, model" in result.stderr) == (
        2,
        True,
        True,
    )


def test_what_nobody_knows_is_not_nothing(omniroute: Omniroute, home: Path) -> None:
    row = {"id": "a9", "exchange": "x9", "started": time.time() - 1, "used": True, "outcome": "used", "input": 5}
    with closing(connect(home / "ledger.db")) as connection:
        write(connection, [("attempt", {**row, "provider": "odd", "model": "m", "target": "odd/m"})])
    found = omniroute("costs")
    assert [line.split()[3] for line in found.stdout.splitlines() if line.startswith("odd")] == ["unknown"]
    assert [line.split()[3:6] for line in found.stdout.splitlines() if line.startswith("total")] == [
        ["$1.25", "+", "?"]
    ]
    assert "1 answers have no known cost" in found.stderr


def test_nonsense_for_a_time_is_an_error(omniroute: Omniroute) -> None:
    result = omniroute("usage", "--since", "soon")
    assert (result.returncode, "'soon' is no time" in result.stderr) == (2, True)


def test_without_a_ledger_it_says_where_it_would_be(omniroute: Omniroute, home: Path) -> None:
    (home / "ledger.db").unlink()
    result = omniroute("usage")
    assert (result.returncode, "there is no ledger" in result.stderr) == (1, True)


def test_the_rules_may_name_another_place(omniroute: Omniroute, home: Path, tmp_path: Path) -> None:
    (home / "ledger.db").rename(tmp_path / "other.db")
    rules = tmp_path / "r.yaml"
    rules.write_text(f"version: 1\nledger: {{path: {tmp_path / 'other.db'}}}\n")
    assert json.loads(omniroute("usage", "--json", "--config", rules).stdout)["total"]["attempts"] == 3
