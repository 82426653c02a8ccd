"""Real calls, then the commands that tell why they went where they went, and where other rules would have sent them."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from omniroute_addon.ledger.reports import books
from tests.e2e.calls import ask, post
from tests.e2e.targets import targets
from tests.e2e.test_books import PRICED, cli
from tests.servers import faults
from tests.servers.answers import Answer
from tests.servers.provider import serving
from tests.servers.proxy import Proxy, running
from tests.servers.steps import Say

ASKED = ask("anthropic-messages", "claude-opus-4-6")
RULES = """\
routes:
  - {name: others, match: {client: codex}, to: origin}
  - {name: all, to: [up-anthropic-messages/m, other-openai-chat/m]}
"""


@pytest.fixture
def called(tmp_path: Path) -> Generator[Proxy]:
    """The first call falls back from ``up`` to ``other``, the second finds ``up`` resting."""
    with serving() as up, serving() as other:
        up.script(faults.quota("anthropic-messages"))
        other.script(*(Say(Answer(pieces=("Well",), input_tokens=100, output_tokens=10)) for _ in range(2)))
        with running(tmp_path, targets(up=up, other=other) + PRICED + RULES) as proxy:
            for _ in range(2):
                assert post(proxy, ASKED).status_code == 200
            proxy.stop()
            yield proxy


def first_id(proxy: Proxy) -> str:
    with books(proxy.home / "ledger.db") as found:
        return str(found.latest(2)[1]["id"])


def test_a_call_is_explained_by_its_id(called: Proxy) -> None:
    found: dict[str, Any] = json.loads(cli(called.home, "explain", "--id", first_id(called)[:12], "--json"))
    assert found["decision"]["tried"] == [["routes[0] others", "client"]]
    assert [one["target"] for one in found["decision"]["candidates"]] == [
        "up-anthropic-messages/m",
        "other-openai-chat/m",
    ]
    assert [(one["target"], bool(one["used"])) for one in found["attempts"]] == [
        ("up-anthropic-messages/m", False),
        ("other-openai-chat/m", True),
    ]


def test_recorded_calls_go_through_other_rules(called: Proxy, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    rules = called.config.read_text().replace("[up-anthropic-messages/m, other", "[up-openai-chat/m, other")
    new.write_text(rules.replace("prices: {", "prices: {'up-openai-chat/*': {input: 1, output: 1}, "))
    found: dict[str, Any] = json.loads(cli(called.home, "simulate", "--config", str(new), "--json"))
    assert (found["total"]["calls"], found["total"]["moved"], found["total"]["unanswered_after"]) == (2, 2, 0)
    assert [(move["before"], move["after"]) for move in found["moves"]] == [("other-openai-chat/m", "up-openai-chat/m")]
    assert (found["total"]["cost_before"], found["total"]["cost_after"]) == (0.24, 0.00022)


def test_the_same_rules_give_the_same_result(called: Proxy) -> None:
    found: dict[str, Any] = json.loads(cli(called.home, "simulate", "--config", str(called.config), "--json"))
    total = found["total"]
    assert (total["moved"], total["cost_after"]) == (0, total["cost_before"])
