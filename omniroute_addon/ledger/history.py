"""The calls of the ledger as they were asked and what became of them, to be planned once more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from omniroute_addon.config.governance import Tier
from omniroute_addon.config.models import ORIGIN
from omniroute_addon.ledger.record import BYPASSED
from omniroute_addon.ledger.reports import Books
from omniroute_addon.routing.ask import Ask, Told
from translators.hub import Usage

LOGIN: Mapping[str, str] = {"authorization": "Bearer login"}
"""What prices go by to tell a subscription from a key."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt."""

    target: str
    account: str | None
    tier: Tier | None
    used: bool
    usage: Usage
    micro: int | None
    """Micro-dollars; None when nobody knows."""


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    started: float
    ended: float
    ask: Ask
    """Without its headers, which are never kept; ``LOGIN`` stands for a login."""
    outcome: str
    attempts: tuple[Tried, ...]
    resting: frozenset[tuple[str, str | None]]
    """Targets and accounts that could not answer at that time: cooling down, broken, out of quota."""
    bypassed: str | None = None
    """The kind of throw-away call that was answered without any provider."""

    @property
    def used(self) -> Tried | None:
        return next((attempt for attempt in self.attempts if attempt.used), None)

    @property
    def failed(self) -> frozenset[tuple[str, str | None]]:
        return frozenset((one.target, one.account) for one in self.attempts if not one.used) - (
            frozenset() if self.used is None else {(self.used.target, self.used.account)}
        )


_CALLS = """SELECT id, started, coalesce(ended, started), outcome, plan FROM exchanges JOIN decisions ON exchange = id
WHERE started >= ? AND started < ? AND outcome NOT IN ('running', 'interrupted', 'replayed') ORDER BY started"""
_ATTEMPTS = """SELECT exchange, target, account, tier, used, input, output, cache_read, cache_write, reasoning, estimated,
micro FROM attempts WHERE exchange IN (SELECT id FROM exchanges WHERE started >= ? AND started < ?) AND number IS NOT 0
ORDER BY exchange, number"""


def history(ledger: Books, since: float, until: float) -> Iterator[Call]:
    """Every call of the span that has ended, oldest first. What got another's answer is left out, since the ledger does
    not tell what was the same; so is one whose record does not tell what was asked.
    """
    tried: dict[str, list[Tried]] = {}
    for name, target, account, tier, used, *figures, estimated, micro in ledger.rows(_ATTEMPTS, since, until):
        usage = Usage(*_tokens(figures), estimated=bool(estimated))
        tried.setdefault(name, []).append(Tried(target, account, tier, bool(used), usage, micro))
    for name, started, ended, outcome, plan in ledger.rows(_CALLS, since, until):
        decided = cast("Mapping[str, Any]", orjson.loads(plan))
        attempts = tuple(tried.get(name, ()))
        if (asked := decided.get("ask")) is not None:
            kind = decided["route"].removeprefix("bypass.") if outcome == BYPASSED else None
            yield Call(name, started, ended, _ask(asked, attempts), outcome, attempts, _resting(decided), kind)


def _tokens(figures: list[int | None]) -> tuple[int | None, int | None, int | None, int | None, int | None]:
    given_in, given_out, read, write, reasoning = figures
    return given_in, given_out, read, write, reasoning


def _ask(asked: Mapping[str, Any], attempts: tuple[Tried, ...]) -> Ask:
    """What the provider counted is the better number of tokens, when nobody has counted before the call."""
    counted = next((one.usage.input for one in attempts if one.usage.input), None)
    tokens = asked.get("tokens") or counted or asked["at_most"] // 4
    facts = Told(frozenset(asked.get("has") or ()), tokens, None, asked.get("session"))
    names = (
        "client",
        "format",
        "model",
        "host",
        "path",
        "operation",
        "gateway",
        "provider",
        "slash_models",
        "key",
        "source",
    )
    own = any(one.target == ORIGIN and one.tier == "subscription" for one in attempts)
    headers: Mapping[str, str] = LOGIN if asked.get("login", own) else {}
    return Ask(**{name: asked[name] for name in names}, headers=headers, facts=facts)


def _resting(decided: Mapping[str, Any]) -> frozenset[tuple[str, str | None]]:
    """What was out for a time by itself; budgets and reserves are rules, which may be others now."""
    return frozenset(
        (out["target"], out["account"])
        for out in decided.get("excluded", ())
        if out.get("until") is not None
        and not out["reason"].startswith("budget ")
        and not out["reason"].endswith("kept in reserve")
    )
