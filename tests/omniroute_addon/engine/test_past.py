"""What a command beside the proxy knows of the past."""

import json
from pathlib import Path
from random import Random

import pytest

from omniroute_addon.config import Snapshot
from omniroute_addon.engine.past import Past, of_ledger
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.verdict import Verdict
from omniroute_addon.ledger.store import connect, write
from omniroute_addon.routing import plan
from omniroute_addon.routing.state import Rest
from tests.omniroute_addon.routing.rules import CLAUDE, NOW, snapshot

RULES = """
accounts: [{name: a, provider: glm, key: k}]
routes: [{to: glm/glm-4.7}]
budgets:
  - {name: small, match: {provider: glm}, daily: 1}
  - {name: other, match: {provider: groq}, daily: 1}
ledger: {path: %s}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Snapshot:
    return snapshot(RULES % (tmp_path / "ledger.db"))


def spent(rules: Snapshot, micro: int) -> None:
    """The ledger has an attempt at glm of this moment."""
    path = rules.governance.ledger.path
    assert path is not None
    connection = connect(Path(path))
    paid = {"id": "a1", "exchange": "x1", "started": NOW - 1, "provider": "glm", "target": "glm/glm-4.7"}
    write(connection, [("attempt", {**paid, "outcome": "used", "used": True, "micro": micro})])
    connection.close()


def budgets(rules: Snapshot, past: Past) -> list[tuple[object, ...]]:
    decided = plan(CLAUDE, rules, past.standing, NOW, Random(1))
    return [(one["budget"], one["spent"], one["limit"]) for one in past.budgets(decided, CLAUDE, NOW)]


def test_what_was_spent_comes_from_the_ledger(rules: Snapshot) -> None:
    spent(rules, 250_000)
    assert budgets(rules, of_ledger(rules, NOW)) == [("small", 0.25, 1.0)]


def test_nothing_is_spent_without_a_ledger(rules: Snapshot) -> None:
    assert budgets(rules, of_ledger(rules, NOW)) == [("small", 0.0, 1.0)]


def test_a_missing_ledger_is_said(rules: Snapshot) -> None:
    assert "no ledger" in of_ledger(rules, NOW).words


def test_a_fresh_past_forgets_the_ledger(rules: Snapshot) -> None:
    spent(rules, 250_000)
    assert budgets(rules, of_ledger(rules, NOW, fresh=True)) == [("small", 0.0, 1.0)]


def test_a_budget_that_is_spent_leaves_its_targets_out(rules: Snapshot) -> None:
    spent(rules, 1_000_000)
    decided = plan(CLAUDE, rules, of_ledger(rules, NOW).standing, NOW, Random(1))
    assert [out.reason.partition(":")[0] for out in decided.excluded] == ["budget small"]


def test_what_the_proxy_has_learned_comes_from_the_ledger(rules: Snapshot) -> None:
    proxys = Standing(lambda: rules, lambda: NOW)
    (candidate,) = plan(CLAUDE, rules, proxys, NOW, Random(1)).candidates
    proxys.health.note(Verdict("next-account", "account", 60, "429 quota", 60), candidate, NOW)
    connection = connect(Path(rules.governance.ledger.path or ""))
    kept = [("state", {"key": key, "value": json.dumps(value)}) for key, value in proxys.dump().items()]
    write(connection, kept)
    connection.close()
    assert of_ledger(rules, NOW).standing.rest(candidate, NOW) == Rest("cooling down", NOW + 60)
