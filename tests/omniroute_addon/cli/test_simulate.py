"""``omniroute simulate``: recorded calls through other rules."""

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from omniroute_addon.ledger.decision import decision
from omniroute_addon.ledger.store import connect, write
from omniroute_addon.routing.ask import Ask, Told
from omniroute_addon.routing.plan import Plan
from tests.omniroute_addon.cli.conftest import Omniroute

NEW = """\
version: 1
accounts: [{name: main, provider: glm, key: k}]
prices: {"glm/*": {input: 1, output: 10}}
routes: [{match: {client: claude-code}, to: glm/glm-4.7}]
"""
ASK = Ask(
    "claude-code",
    "anthropic-messages",
    "claude-opus-4-6",
    host="api.anthropic.com",
    provider="anthropic",
    facts=Told(tokens=1000),
)


def kept(path: Path, count: int = 3, age: float = 60) -> None:
    """Calls of Claude Code that its own login has answered for $5 each."""
    path.parent.mkdir(exist_ok=True)
    connection = connect(path)
    plan = orjson.dumps(decision(Plan("routes[0]"), ASK)).decode()
    for number in range(count):
        started = time.time() - age + number
        call = {"id": f"x{number}", "started": started, "ended": started + 0.5, "outcome": "done", "plan": plan}
        attempt = {"id": f"a{number}", "exchange": f"x{number}", "number": 1, "target": "origin", "tier": "api-key"}
        used = {"used": True, "outcome": "used", "input": 1_000_000, "output": 100_000, "micro": 5_000_000}
        write(connection, [("exchange", call), ("attempt", {**attempt, **used, "started": started})])
    connection.close()


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "new.yaml"
    path.write_text(NEW)
    return path


@pytest.fixture
def books(home: Path) -> Path:
    kept(home / "ledger.db")
    return home / "ledger.db"


@pytest.mark.usefixtures("books")
class TestCalls:
    def facts(self, omniroute: Omniroute, *arguments: str | Path) -> dict[str, Any]:
        result = omniroute("simulate", "--json", *arguments)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def test_the_sums_compare_before_with_after(self, omniroute: Omniroute, new: Path) -> None:
        assert self.facts(omniroute, "--config", new)["total"] == {
            "calls": 3,
            "moved": 3,
            "unanswered_before": 0,
            "unanswered_after": 0,
            "cost_before": 15.0,
            "cost_after": 6.0,
            "unknown_before": 0,
            "unknown_after": 0,
        }

    def test_calls_that_go_the_same_way_are_one_move(self, omniroute: Omniroute, new: Path) -> None:
        assert self.facts(omniroute, "--config", new)["moves"] == [
            {
                "before": "origin",
                "after": "glm/glm-4.7",
                "calls": 3,
                "cost_before": 15.0,
                "cost_after": 6.0,
                "unknown": 0,
            }
        ]

    def test_each_call_can_be_had(self, omniroute: Omniroute, new: Path) -> None:
        calls = self.facts(omniroute, "--config", new, "--calls")["calls"]
        assert [(one["id"], one["after"], one["account"], one["cost_after"]) for one in calls] == [
            (f"x{number}", "glm/glm-4.7", "main", 2.0) for number in range(3)
        ]

    def test_people_read_a_table_and_what_it_saves(self, omniroute: Omniroute, new: Path) -> None:
        said = omniroute("simulate", "--config", new).stdout
        assert ["origin", "glm/glm-4.7", "3", "$15.00", "~$6.00"] in [line.split() for line in said.splitlines()]
        assert "~$9.00 less, 60%" in said

    def test_people_can_read_each_call(self, omniroute: Omniroute, new: Path) -> None:
        said = omniroute("simulate", "--config", new, "--calls").stdout
        assert said.count("origin → glm/glm-4.7 (main), $5.00 → ~$2.00") == 3

    @pytest.mark.parametrize("options,rows", [((), 1), (("--calls",), 3)])
    def test_spreadsheets_get_a_header_and_rows(
        self, omniroute: Omniroute, new: Path, options: tuple[str, ...], rows: int
    ) -> None:
        found = list(csv.DictReader(io.StringIO(omniroute("simulate", "--csv", "--config", new, *options).stdout)))
        assert [row["after"] for row in found] == ["glm/glm-4.7"] * rows

    def test_calls_without_an_answer_say_why(self, omniroute: Omniroute, new: Path) -> None:
        new.write_text(NEW + "policies: [{name: home, deny: glm/*}]\n")
        said = omniroute("simulate", "--config", new).stdout
        assert ("0 before, 3 after" in said, "3 × glm/glm-4.7: policy home denies it" in said) == (True, True)

    def test_an_account_without_key_is_warned_of(self, omniroute: Omniroute, new: Path) -> None:
        new.write_text(NEW.replace("key: k", 'key: "${NOT_THERE}"'))
        assert "NOT_THERE is not set" in omniroute("simulate", "--config", new).stderr

    def test_a_missing_key_can_be_assumed(self, omniroute: Omniroute, new: Path) -> None:
        new.write_text("version: 1\nroutes: [{to: glm/glm-4.7}]\n")
        hint = omniroute("simulate", "--config", new).stdout
        said = omniroute("simulate", "--config", new, "--assume-keys").stdout
        assert ("--assume-keys" in hint, "without answer" in said) == (True, False)

    def test_budgets_of_the_new_rules_say_nothing_of_their_own(self, omniroute: Omniroute, new: Path) -> None:
        new.write_text(NEW + "budgets: [{name: small, daily: 2}]\n")
        assert "budget" not in omniroute("simulate", "--config", new).stderr

    def test_a_span_without_calls_is_said(self, omniroute: Omniroute, new: Path) -> None:
        assert omniroute("simulate", "--config", new, "--since", "10d", "--until", "5d").stdout.startswith("no calls")

    def test_nothing_is_written_to_the_ledger(self, omniroute: Omniroute, new: Path, books: Path) -> None:
        before = books.read_bytes()
        omniroute("simulate", "--config", new)
        assert books.read_bytes() == before


def test_another_ledger_can_be_named(omniroute: Omniroute, new: Path, tmp_path: Path) -> None:
    kept(tmp_path / "other.db", 2)
    assert omniroute("simulate", "--config", new, "--ledger", tmp_path / "other.db").stdout.startswith("2 calls")


def test_no_ledger_is_said(omniroute: Omniroute, new: Path) -> None:
    result = omniroute("simulate", "--config", new)
    assert (result.returncode, "there is no ledger at" in result.stderr) == (1, True)


@pytest.mark.usefixtures("books")
def test_rules_with_an_error_name_its_line(omniroute: Omniroute, new: Path) -> None:
    new.write_text(NEW.replace("glm/glm-4.7", "nowhere/m"))
    result = omniroute("simulate", "--config", new)
    assert (result.returncode, "new.yaml:4: routes[0].to" in result.stderr) == (1, True)


@pytest.mark.usefixtures("books")
def test_a_time_that_cannot_be_read_is_said(omniroute: Omniroute, new: Path) -> None:
    result = omniroute("simulate", "--config", new, "--since", "soon")
    assert (result.returncode, "'soon' is no time" in result.stderr) == (2, True)
