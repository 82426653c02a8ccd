"""Rules, asks and a past for the planner's tests."""

import textwrap
from dataclasses import dataclass, field
from random import Random

from omniroute_addon.config import Snapshot, parse
from omniroute_addon.routing import Ask, Candidate, Plan, Unknown, plan
from omniroute_addon.routing.state import BudgetBlock, QuotaLeft, Rest

NOW = 1_000_000.0
KEYS = {"GLM_API_KEY": "g", "GROQ_API_KEY": "q", "OPENROUTER_API_KEY": "o", "DEEPSEEK_API_KEY": "d"}
CLAUDE = Ask("claude-code", "anthropic-messages", "claude-opus-4-6", host="api.anthropic.com", provider="anthropic")


@dataclass
class Past(Unknown):
    """A past that the test tells; by target, account name or key."""

    rests: dict[str, Rest] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    bound: dict[tuple[str, str], str] = field(default_factory=dict)
    quotas: dict[str, QuotaLeft] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)
    blocks: dict[str, BudgetBlock] = field(default_factory=dict)

    def rest(self, candidate: Candidate, now: float) -> Rest | None:
        account = candidate.account.name if candidate.account else None
        found = self.rests.get(f"{candidate.target} {account}") or self.rests.get(candidate.target)
        return found if found is None or found.until is None or found.until > now else None

    def uses(self, key: str) -> int:
        return self.used.get(key, 0)

    def last_used(self, key: str) -> float:
        return self.last.get(key, 0.0)

    def in_flight(self, key: str) -> int:
        return self.open.get(key, 0)

    def turn(self, name: str) -> int:
        return self.turns.get(name, 0)

    def account_of(self, session: str, provider: str) -> str | None:
        return self.bound.get((session, provider))

    def quota(self, candidate: Candidate, now: float) -> QuotaLeft | None:
        return self.quotas.get(candidate.account.name if candidate.account else candidate.target)

    def price(self, candidate: Candidate) -> float | None:
        return self.prices.get(candidate.target)

    def over_budget(self, candidate: Candidate, ask: Ask, now: float) -> BudgetBlock | None:
        return self.blocks.get(candidate.target)


def snapshot(text: str, env: dict[str, str] | None = None) -> Snapshot:
    """``text`` is the file without its version, in braces or in lines."""
    whole = "{version: 1, " + text[1:] if text.startswith("{") else "version: 1\n" + textwrap.dedent(text)
    return parse(whole, None, env=KEYS if env is None else env)


def planned(
    text: str | Snapshot,
    ask: Ask = CLAUDE,
    past: Past | None = None,
    *,
    now: float = NOW,
    seed: int = 1,
    env: dict[str, str] | None = None,
) -> Plan:
    rules = snapshot(text, env) if isinstance(text, str) else text
    return plan(ask, rules, past or Past(), now, Random(seed))


def resting(**until: float) -> Past:
    """What cools down, and until when; by target, or target and account."""
    return Past(rests={name: Rest("cooling down", moment) for name, moment in until.items()})


def targets(result: Plan) -> list[str]:
    return [candidate.target for candidate in result.candidates]


def accounts(result: Plan) -> list[str | None]:
    return [candidate.account.name if candidate.account else None for candidate in result.candidates]


def reasons(result: Plan) -> dict[str, str]:
    return {out.target if out.account is None else f"{out.target} {out.account}": out.reason for out in result.excluded}
