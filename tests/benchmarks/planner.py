"""What a plan costs: 50 routes of which the last matches, a combo of 20 targets with one account each."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

from omniroute_addon.config import Snapshot, parse
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.verdict import Verdict
from omniroute_addon.routing import Ask, Candidate, Unknown, plan
from translators.hub import Failure

PLAN_TARGET = 200.0
"""Microseconds (issue "Routing, accounts, quotas, budgets and costs")."""
ROUTES, TARGETS = 50, 20
_REPEATS, _PLANS = 15, 200


@dataclass(frozen=True, slots=True)
class PlanFigure:
    strategy: str
    microseconds: float


def measure() -> list[PlanFigure]:
    found = [PlanFigure(strategy, _cost(strategy)) for strategy in ("priority", "weighted", "cost-optimized", "tiered")]
    return [*found, PlanFigure("priority, with a past", _cost("priority", past=True))]


def _cost(strategy: str, *, past: bool = False) -> float:
    """Of one plan, in time of this process; ``past``: every account's quota is known, and one target has failed."""
    snapshot = parse(_rules(strategy), None, env={})
    ask = Ask("claude-code", "anthropic-messages", "claude-opus-4-6", host="api.anthropic.com", provider="anthropic")
    rng, now = Random(1), time.time()
    found = plan(ask, snapshot, Unknown(), now, rng).candidates
    assert len(found) == TARGETS
    state = _learned(snapshot, found, now) if past else Unknown()
    costs: list[float] = []
    for _ in range(_REPEATS):
        begun = time.process_time()
        for _ in range(_PLANS):
            plan(ask, snapshot, state, now, rng)
        costs.append((time.process_time() - begun) / _PLANS * 1e6)
    return median(costs)


def _learned(snapshot: Snapshot, candidates: Sequence[Candidate], now: float) -> Standing:
    state = Standing(lambda: snapshot, lambda: now)
    told = (("anthropic-ratelimit-unified-5h-status", "allowed"), ("anthropic-ratelimit-unified-5h-utilization", "0.5"))
    for candidate in candidates:
        state.learned(candidate, 200, told, None, now)
    broken = Verdict("next-target", "target", 60, "500 server")
    state.failed(None, candidates[-1], broken, Failure("server", "", 500), now, more=True)
    return state


def _rules(strategy: str) -> str:
    providers = "\n".join(
        f"  p{number}: {{format: openai-chat, base_url: 'https://p{number}.example/v1/chat/completions'}}"
        for number in range(TARGETS)
    )
    accounts = "\n".join(f"  - {{name: a{number}, provider: p{number}, key: k}}" for number in range(TARGETS))
    routes = "\n".join(
        f"  - {{match: {{client: tool-{number}, model: 'gpt-{number}-*'}}, to: c}}" for number in range(ROUTES - 1)
    )
    targets = ", ".join(f"{{target: p{number}/m, weight: {number}}}" for number in range(TARGETS))
    return (
        f"version: 1\nproviders:\n{providers}\naccounts:\n{accounts}\n"
        f"combos:\n  c: {{strategy: {strategy}, targets: [{targets}]}}\n"
        f"routes:\n{routes}\n  - {{match: {{client: claude-code}}, to: c}}\n"
    )
