"""What recorded calls would have cost: the figures of ``omniroute simulate``, and nothing is sent."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.cli.test_simulate import kept
from tests.omniroute_addon.web.conftest import Visit
from tests.web.conftest import Open, Opened

type Api = Callable[..., httpx.Response]
RULES = """\
providers: {local: {format: openai-chat, base_url: "http://192.0.2.1/v1/chat/completions", auth: bearer, tier: api-key}}
accounts: [{name: main, provider: glm, key: sk-canary-0123456789abcdef}]
prices: {"local/*": {input: 100, output: 1000}, "glm/*": {input: 1, output: 10}}
routes: [{match: {client: claude-code}, to: glm/glm-4.7}]
"""
BUDGET = "budgets: [{name: small, daily: 0.0001, on_exceed: deny}]\n"


@pytest.fixture
def used(open_up: Open, tmp_path: Path) -> Callable[..., Opened]:
    """A proxy whose ledger has calls of Claude Code that its own login has answered for $5 each."""

    def start(count: int = 3, rules: str = RULES) -> Opened:
        path = tmp_path / "seeded" / "ledger.db"
        kept(path, count, age=count + 60)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE exchanges SET client = 'claude-code', route = 'routes[0]'")
        return open_up(rules + f"ledger: {{path: {json.dumps(str(path))}}}\n")

    return start


def test_by_today_s_rules(used: Callable[..., Opened], api: Api) -> None:
    found = api(used(), "usage/elsewhere").json()
    assert (found["total"]["calls"], found["total"]["moved"], found["total"]["cost_before"]) == (3, 3, 15)
    assert [(one["before"], one["after"], one["calls"]) for one in found["moves"]] == [("origin", "glm/glm-4.7", 3)]
    assert 0 < found["total"]["cost_after"] < 15


def test_all_to_one_target_without_a_key_and_without_a_call(used: Callable[..., Opened], api: Api) -> None:
    opened = used()
    by_rules, there = (api(opened, "usage/elsewhere", to=to).json()["total"] for to in ("", "local/big"))
    assert there["cost_after"] == pytest.approx(100 * by_rules["cost_after"])
    assert "192.0.2.1" not in opened.log.read_text()


@pytest.mark.parametrize(
    "asked, status", [({"to": "nobody/x"}, 404), ({"to": "nothing"}, 404), ({"since": "never"}, 422)]
)
def test_what_is_no_target_or_time_is_refused(
    used: Callable[..., Opened], api: Api, asked: dict[str, str], status: int
) -> None:
    assert api(used(), "usage/elsewhere", **asked).status_code == status


def test_budgets_of_the_rules_hold_and_the_log_stays_quiet(used: Callable[..., Opened], api: Api) -> None:
    opened = used(3, RULES + BUDGET)
    began = len(opened.log.read_text())
    found = api(opened, "usage/elsewhere").json()
    assert (found["moves"][0]["after"], found["total"]["unanswered_after"]) == ("refused", 3)
    assert "budget small" not in opened.log.read_text()[began:]


def test_the_page_is_reached_from_usage(
    used: Callable[..., Opened], visit: Visit, serious: Callable[[Any], list[str]]
) -> None:
    page = visit(used(), "usage")
    page.fill("input[name=to]", "local/big")
    page.click("form[action$=elsewhere] button")
    page.wait_for_url("**/usage/elsewhere?**")
    assert "local/big" in page.inner_text("table")
    assert serious(page) == []


def test_thousands_of_calls_are_reckoned_with_at_once(used: Callable[..., Opened], api: Api) -> None:
    found = api(used(4000), "usage/elsewhere", to="glm/glm-4.7").json()
    assert (found["total"]["calls"], found["total"]["moved"], found["cut"]) == (4000, 4000, False)
