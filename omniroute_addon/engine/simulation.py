"""Earlier calls through other rules: where they would have gone, and what that would have cost. No network, no clock.

Theory of operation. The calls are planned in the order in which they came, each at its own time, against a past that is
empty at first and made of the simulated calls: turns, sessions, uses, what is spent. A candidate answers unless the
ledger says that it could not have: it was tried for this call and failed, or was resting then. Tokens are those of the
recorded answer, so that the costs of another model are estimates. Headers are not recorded: conditions on them fail. What
was answered without a provider still is where the rules say so.

The same calls and rules give the same result.
"""

import heapq
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from pydantic import SecretStr

from omniroute_addon.config.models import ORIGIN, Account, Snapshot
from omniroute_addon.engine.standing import Standing
from omniroute_addon.ledger.budgets import Charge, Reservation
from omniroute_addon.ledger.history import Call
from omniroute_addon.ledger.prices import paid_as
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.plan import Plan, plan
from translators.hub import Usage

FAILED = "no answer"
REFUSED = "refused"
UNTOUCHED = "origin, untouched"
HERE = "answered here"
"""Bypassed."""
ASSUMED = "assumed"
"""The account of a provider that has none."""


@dataclass(frozen=True, slots=True)
class Change:
    """One call, before and after."""

    id: str
    started: float
    client: str
    model: str | None
    before: str
    """Target, or why there was no answer."""
    after: str
    account_before: str | None
    account: str | None
    """Of the target after."""
    route: str
    why: str
    """Why it goes there, or nowhere."""
    cost_before: int | None
    """Micro-dollars; None when nobody knows."""
    cost_after: int | None

    @property
    def moved(self) -> bool:
        """Whether the call would have gone to another target; the own call is the same whether a rule names it or not."""
        return self.before != (ORIGIN if self.after == UNTOUCHED else self.after)

    @property
    def answered_before(self) -> bool:
        return not self.before.startswith(FAILED)

    @property
    def answered(self) -> bool:
        return self.after not in (FAILED, REFUSED)


def with_keys(snapshot: Snapshot) -> Snapshot:
    """The same rules as if no key were missing: for trying out what one does not have yet. No call may be made by them."""
    assumed = SecretStr("assumed")
    usable = {
        name: tuple(replace(one, key=assumed, missing=None) if one.missing else one for one in accounts)
        for name, accounts in snapshot.usable.items()
    }
    for name, provider in snapshot.providers.items():
        if not usable.get(name) and not provider.keyless and not provider.login:
            account = Account(ASSUMED, name, assumed, implicit=True, rates=provider.rates, quota=provider.quota)
            usable[name] = (account,)
    return replace(snapshot, usable=usable, warnings=())


def simulate(calls: Iterable[Call], snapshot: Snapshot) -> list[Change]:
    """``calls`` oldest first."""
    world = _World(snapshot)
    return [world.play(call) for call in calls]


class _World(Standing):
    """A past that is made of the simulated calls, with the money of the rules that are tried out."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.now = 0.0
        super().__init__(lambda: snapshot, lambda: self.now)
        self._rules = snapshot
        self._rng = random.Random(0)  # noqa: S311 -- the same draws every time
        self._running: list[tuple[float, int, partial[None]]] = []
        self._number = count()
        self._answers, self._output = 0, 0
        """Recorded answers so far, and their mean length in tokens."""

    def play(self, call: Call) -> Change:
        """The call at its time; what has ended by then ends first."""
        self.now = call.started
        while self._running and self._running[0][0] <= self.now:
            heapq.heappop(self._running)[2]()
        if call.bypassed is not None and getattr(self._rules.governance.bypass, call.bypassed, False):
            return self._change(call, Plan(f"bypass.{call.bypassed}"), HERE, why="", cost=0)
        found = plan(call.ask, self._rules, self, self.now, self._rng)
        self.planned(found)
        if found.untouched and (ORIGIN, None) not in call.failed:
            return self._change(
                call, found, UNTOUCHED, why="no rule applies", cost=self._cost(call, found.candidates[0])
            )
        if found.denied is not None:
            why = f"budget {found.denied.name}: {found.denied.words}"
            return self._change(call, found, REFUSED, why=why, cost=0)
        if found.error is not None:
            return self._change(call, found, REFUSED, why=found.error.message, cost=0)
        known_bad = call.failed | call.resting
        for candidate in found.candidates:
            account = candidate.account.name if candidate.account else None
            if (candidate.target, account) in known_bad:
                continue
            cost = self._cost(call, candidate)
            held = self.money.budgets.reserve(Charge.of(candidate, call.ask), cost, self.now)
            if isinstance(held, Reservation):
                self._answer(call, found, candidate, held, cost or 0)
                return self._change(call, found, candidate.target, account=account, why=candidate.why, cost=cost)
            if held.on_exceed == "deny":
                return self._change(call, found, REFUSED, why=f"budget {held.name}: {held.words}", cost=0)
        return self._change(call, found, FAILED, why=_nothing_left(found), cost=0)

    def _answer(self, call: Call, found: Plan, candidate: Candidate, held: Reservation, cost: int) -> None:
        self.began(candidate)
        self.chosen(found, candidate)
        end = partial(self._end, candidate, held, cost)
        heapq.heappush(self._running, (call.ended, next(self._number), end))

    def _end(self, candidate: Candidate, held: Reservation, cost: int) -> None:
        self.ended(candidate)
        self.money.budgets.settle(held, cost)

    def _cost(self, call: Call, candidate: Candidate) -> int | None:
        """Of the recorded tokens at this candidate; of a call that had no answer, those of an answer as long as others."""
        usage = call.used.usage if call.used else Usage(call.ask.facts.tokens, self._output, estimated=True)
        if call.used is not None and (said := call.used.usage.output) is not None:
            self._answers += 1
            self._output += (said - self._output) // self._answers
        tier = paid_as(candidate.provider, call.ask.headers, origin=candidate.origin)
        for attempt in call.attempts:
            if candidate.origin and attempt.target == candidate.target and attempt.tier is not None:
                tier = attempt.tier
        provider = candidate.provider.id if candidate.provider else ""
        model = candidate.model or candidate.asked or ""
        return self.money.prices.cost(provider, model, usage, call.started, tier).micro

    def _change(
        self, call: Call, found: Plan, after: str, *, why: str, cost: int | None, account: str | None = None
    ) -> Change:
        before = (
            call.used.target if call.used else HERE if call.bypassed else f"{FAILED}: {call.outcome.partition(':')[0]}"
        )
        paid = [one.micro for one in call.attempts if one.used or one.micro is not None]
        return Change(
            call.id,
            call.started,
            call.ask.client,
            call.ask.model,
            before,
            after,
            call.used.account if call.used else None,
            account,
            found.route,
            why,
            None if None in paid else sum(one for one in paid if one is not None),
            cost,
        )


def _nothing_left(found: Plan) -> str:
    reasons = [f"{out.target}: {out.reason}" for out in found.excluded]
    return "; ".join(reasons) or "every candidate failed or rested then"


@dataclass(frozen=True, slots=True)
class Move:
    """All calls that went from one target to another."""

    before: str
    after: str
    calls: int
    cost_before: int
    cost_after: int
    unknown: int
    """Calls of which a cost is not known."""


def moves(changes: Iterable[Change]) -> list[Move]:
    """The most frequent first."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.before, change.after), []).append(change)
    found = [
        Move(
            before,
            after,
            len(group),
            sum(one.cost_before or 0 for one in group),
            sum(one.cost_after or 0 for one in group),
            sum(one.cost_before is None or one.cost_after is None for one in group),
        )
        for (before, after), group in groups.items()
    ]
    return sorted(found, key=lambda move: (-move.calls, move.before, move.after))


def total(changes: Sequence[Change]) -> dict[str, int | float]:
    """All of it, for scripts; money in dollars."""
    return {
        "calls": len(changes),
        "moved": sum(one.moved for one in changes),
        "unanswered_before": sum(not one.answered_before for one in changes),
        "unanswered_after": sum(not one.answered for one in changes),
        "cost_before": sum(one.cost_before or 0 for one in changes) / 1e6,
        "cost_after": sum(one.cost_after or 0 for one in changes) / 1e6,
        "unknown_before": sum(one.cost_before is None for one in changes),
        "unknown_after": sum(one.cost_after is None for one in changes),
    }
