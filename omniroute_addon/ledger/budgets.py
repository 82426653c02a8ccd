"""Budgets: what may still be spent, to the micro-dollar, with any number of calls under way.

Theory of operation. A call is charged to every budget whose match covers it, in every period that the budget limits
(its *buckets*; one for each client, key, … when the budget says ``each``). Before an attempt goes out it *reserves* the
most it may cost; spent and reserved together never pass the limit, so parallel calls cannot overrun it. When the
attempt is over, the reservation is *settled* with the true cost. Both happen without an ``await``, so no two calls see
the same room. Sums are whole micro-dollars. What an earlier process has spent comes from the ledger; what this one has
spent is kept by quarters of an hour (in which the periods of every time zone begin), so that other budgets know it at
once, recorded or not.

What costs nothing is never blocked by a budget that falls back. A call whose price nobody knows reserves nothing; it is
blocked once the budget is used up.
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, islice
from zoneinfo import ZoneInfo

from omniroute_addon.config.glob import matches
from omniroute_addon.config.governance import Budget, Tier
from omniroute_addon.ledger.periods import PERIODS, WORDS, Period, span
from omniroute_addon.ledger.prices import MICRO, Prices, paid_as
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.state import BudgetBlock

logger = logging.getLogger(__name__)

DEFAULT_OUTPUT = 16_384
"""Tokens of output that are reserved for a call that names no bound, to a model that has none."""
SOON = 5.0
"""Seconds after which another try may find the money that is held for calls under way."""
SLOT = 900.0
KNOWN = 1000
KEPT = 32 * 86400.0
MOST = 20_000
"""Buckets, and sums of what was spent, that are kept apart: clients choose model names, so there is no end of them."""
OTHERS = "-"
"""The model that stands for those whose sums are kept together."""
"""Seconds for which it is known what was spent: the longest period."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Who spends on what: everything that a budget's match can see."""

    client: str | None
    key: str | None
    model: str | None
    """What the client asked for."""
    provider: str | None
    account: str | None
    tier: Tier | None
    combo: str | None
    target: str

    @classmethod
    def of(cls, candidate: Candidate, ask: Ask) -> "Charge":
        return cls(
            ask.client,
            ask.key,
            ask.model,
            candidate.provider.id if candidate.provider else None,
            candidate.account.name if candidate.account else None,
            paid_as(candidate.provider, ask.headers, origin=candidate.origin),
            candidate.place.combo if candidate.place else None,
            candidate.target,
        )


def most(
    prices: Prices,
    candidate: Candidate,
    ask: Ask,
    now: float,
    *,
    limit: int | None = None,
    answers: int = 1,
    hour: bool = False,
) -> int | None:
    """Micro-dollars that an attempt may cost at most, for its reservation; None when the price is unknown.

    Input is counted with a quarter on top, because it is an estimate that is good to some 20 %. ``limit`` is the
    policies' bound of the output that the client asks for; ``answers``: it wants so many at once; ``hour``: it wants caches that last an hour, which cost more.
    """
    asked = ask.facts.max_output
    if asked is not None and limit is not None:
        asked = min(asked, limit)
    return prices.estimate(
        candidate.provider.id if candidate.provider else "",
        candidate.model or ask.model or "",
        math.ceil(ask.facts.tokens * 1.25),
        (asked or candidate.profile.max_output or DEFAULT_OUTPUT) * answers,
        now,
        tier=paid_as(candidate.provider, ask.headers, origin=candidate.origin),
        hour=hour,
    )


type Spent = tuple[float, Charge, int]
"""Something that was paid: when (Unix seconds), for what, micro-dollars."""
type Spending = Callable[[Sequence[float]], Iterable[Spent]]
"""What was paid since the first of some instants (ascending), as sums of the time from each instant to the next."""


@dataclass(slots=True, eq=False)
class Bucket:
    """One budget's sums in one period."""

    budget: Budget
    period: Period
    each: str | None
    limit: int
    start: float
    end: float
    spent: int = 0
    reserved: int = 0
    warned: int = 0
    """1: of ``warn_at``; 2: of the limit."""

    @property
    def left(self) -> int:
        return max(0, self.limit - self.spent - self.reserved)

    @property
    def words(self) -> str:
        """How much of what is spent, by whom, and until when that counts."""
        owner = f" by {self.each}" if self.each is not None else ""
        held = f", {dollars(self.reserved)} more is held for calls under way" if self.reserved else ""
        ends = datetime.fromtimestamp(self.end, ZoneInfo(self.budget.timezone))
        said = f"{dollars(self.spent)} of {dollars(self.limit)} spent {WORDS[self.period]}{owner}{held}"
        return f"{said}; resets {ends:%a %d %b %H:%M %Z}"

    def block(self, now: float, micro: int | None = None) -> BudgetBlock:
        """For a call that may cost so much. It may soon be tried again when only calls under way are in its way."""
        needs = micro or 1
        soon = self.spent + needs <= self.limit
        words = self.words
        if micro is not None and micro > self.left > 0:
            words = f"{words}; this call may cost up to {dollars(micro)}"
        return BudgetBlock(
            self.budget.name, self.budget.on_exceed, words, min(self.end, now + SOON) if soon else self.end
        )


@dataclass(slots=True, eq=False)
class Reservation:
    """Money that a call under way may still cost. To be settled exactly once; a second time changes nothing."""

    charge: Charge
    micro: int
    when: float
    buckets: list[Bucket] = field(default_factory=list)


class Budgets:
    """All budgets of a configuration and what is spent of them."""

    def __init__(self) -> None:
        self._budgets: tuple[Budget, ...] = ()
        self._buckets: dict[tuple[int, Period, str | None], Bucket] = {}
        self._open: set[Reservation] = set()
        self._known: dict[Charge, tuple[list[Bucket], float, float]] = {}
        """The buckets of charges, with the time for which they hold."""
        self._tally: dict[tuple[float, Charge], int] = {}
        """What this process has spent, by slots of time."""

    def use(self, budgets: Sequence[Budget], spent: Spending, now: float) -> None:
        """Take over a configuration. ``spent`` tells what others have paid: not by way of ``settle``."""
        wanted = tuple(budget for budget in budgets if budget.enabled)
        if wanted == self._budgets:
            return
        self._budgets = wanted
        self._buckets.clear()
        self._known.clear()
        starts = {
            span(period, now, ZoneInfo(one.timezone))[0]
            for one in wanted
            for period in PERIODS
            if _limit(one, period) is not None
        }
        if starts:
            mine = ((slot, charge, micro) for (slot, charge), micro in self._tally.items())
            for when, charge, micro in chain(spent(sorted(starts)), mine):
                for bucket in self._of(charge, now):
                    if when >= bucket.start:
                        bucket.spent += micro
        for reservation in self._open:
            reservation.buckets = [one for one in self._of(reservation.charge, now) if reservation.when >= one.start]
            for bucket in reservation.buckets:
                bucket.reserved += reservation.micro

    @property
    def active(self) -> bool:
        """Whether there is anything to reserve for."""
        return bool(self._budgets)

    def over(self, charge: Charge, now: float, *, free: bool = False) -> BudgetBlock | None:
        """A budget that is used up; ``free``: the call would cost nothing. For plans: reserves nothing."""
        return self._blocked(charge, 0 if free else None, now)

    def reserve(self, charge: Charge, micro: int | None, now: float) -> Reservation | BudgetBlock:
        """Room for a call that costs at most ``micro`` (None: unknown), or the budget that has none."""
        if (block := self._blocked(charge, micro, now)) is not None:
            return block
        return self._held(Reservation(charge, micro or 0, now, self._of(charge, now)))

    def note(self, charge: Charge, now: float) -> Reservation:
        """A reservation of nothing, for what no budget limits: what it costs is known to later ones."""
        return self._held(Reservation(charge, 0, now))

    def _held(self, reservation: Reservation) -> Reservation:
        for bucket in reservation.buckets:
            bucket.reserved += reservation.micro
        self._open.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, micro: int) -> None:
        """The call is over and cost this much."""
        if reservation not in self._open:
            return
        self._open.discard(reservation)
        if micro:
            self._keep(reservation, micro)
        for bucket in reservation.buckets:
            bucket.reserved -= reservation.micro
            bucket.spent += micro
            _warn(bucket)

    def _keep(self, reservation: Reservation, micro: int) -> None:
        slot = reservation.when // SLOT * SLOT
        key = (slot, reservation.charge)
        if key in self._tally:
            self._tally[key] += micro
            return
        if len(self._tally) >= MOST:
            self._tally = _together(self._tally)
        self._tally[key] = micro
        for old, charge in list(islice(self._tally, 2)):  # as many go as come; in the order of time
            if old < slot - KEPT:
                del self._tally[old, charge]

    def buckets(self, now: float) -> list[Bucket]:
        """What is known of every budget in its running periods, those of nobody in particular included."""
        for index, budget in enumerate(self._budgets):
            for period in PERIODS:
                if _limit(budget, period) is not None and budget.each is None:
                    self._bucket(index, budget, period, None, now)
        return [bucket for bucket in self._buckets.values() if bucket.start <= now < bucket.end]

    def covering(self, charge: Charge, now: float) -> list[Bucket]:
        """The buckets that a charge would go into."""
        return self._of(charge, now)

    def _blocked(self, charge: Charge, micro: int | None, now: float) -> BudgetBlock | None:
        """Of several the one that lasts longest; one that denies goes before one that falls back."""
        full = [bucket for bucket in self._of(charge, now) if _blocks(bucket, micro)]
        if not full:
            return None
        return max((one.block(now, micro) for one in full), key=lambda one: (one.on_exceed == "deny", one.until))

    def _of(self, charge: Charge, now: float) -> list[Bucket]:
        """The buckets that a charge goes into; not to be changed."""
        known = self._known.get(charge)
        if known is not None and known[1] <= now < known[2]:
            return known[0]
        found = [
            self._bucket(index, budget, period, _each(budget, charge), now)
            for index, budget in enumerate(self._budgets)
            if _covers(budget, charge)
            for period in PERIODS
            if _limit(budget, period) is not None
        ]
        if len(self._known) >= KNOWN:
            self._known.clear()
        start = max((bucket.start for bucket in found), default=-math.inf)
        self._known[charge] = (found, start, min((bucket.end for bucket in found), default=math.inf))
        return found

    def _bucket(self, index: int, budget: Budget, period: Period, each: str | None, now: float) -> Bucket:
        key = (index, period, each)
        bucket = self._buckets.get(key)
        if bucket is None or not bucket.start <= now < bucket.end:
            start, end = span(period, now, ZoneInfo(budget.timezone))
            limit = _limit(budget, period)
            assert limit is not None
            if len(self._buckets) >= MOST:
                self._forget(now)
            bucket = self._buckets[key] = Bucket(budget, period, each, limit, start, end)
        return bucket

    def _forget(self, now: float) -> None:
        """Make room: for what is over, then for what has spent least. Calls under way keep their buckets."""
        known = sorted(self._buckets.items(), key=lambda one: (one[1].reserved > 0, one[1].end > now, one[1].spent))
        self._buckets = dict(known[len(known) // 2 :])
        self._known.clear()


def _together(tally: Mapping[tuple[float, Charge], int]) -> dict[tuple[float, Charge], int]:
    """The half that is smallest as sums of other models: no cent is lost, but which model it was for."""
    by_size = sorted(tally, key=lambda key: tally[key])
    half = len(by_size) // 2
    found = {key: tally[key] for key in by_size[half:]}
    for slot, charge in by_size[:half]:
        key = slot, replace(charge, model=OTHERS, target=f"{charge.provider or OTHERS}/{OTHERS}")
        found[key] = found.get(key, 0) + tally[slot, charge]
    return dict(sorted(found.items(), key=lambda one: one[0][0]))


def _blocks(bucket: Bucket, micro: int | None) -> bool:
    taken = bucket.spent + bucket.reserved
    match bucket.budget.on_exceed:
        case "warn":
            return False
        case "fallback" if micro == 0:
            return False
        case _:
            return taken + (micro or 0) > bucket.limit or (not micro and taken >= bucket.limit)


def _warn(bucket: Bucket) -> None:
    """Once per period at ``warn_at`` and once at the limit; never for a budget that has nothing to give anyway."""
    reached = (bucket.spent >= bucket.budget.warn_at * bucket.limit) + (bucket.spent >= bucket.limit)
    if reached > bucket.warned and bucket.limit:
        bucket.warned = reached
        logger.warning("budget %s: %s", bucket.budget.name, bucket.words)


def _covers(budget: Budget, charge: Charge) -> bool:
    match = budget.match
    globs: tuple[tuple[tuple[str, ...], str | None], ...] = (
        (match.client, charge.client),
        (match.key, charge.key),
        (match.model, charge.model),
        (match.provider, charge.provider),
        (match.account, charge.account),
        (match.combo, charge.combo),
        (match.target, charge.target),
    )
    if match.tier and charge.tier not in match.tier:
        return False
    return all(not wanted or any(matches(glob, value or "") for glob in wanted) for wanted, value in globs)


def _each(budget: Budget, charge: Charge) -> str | None:
    values: Mapping[str, str | None] = {
        "client": charge.client,
        "key": charge.key,
        "model": charge.model,
        "provider": charge.provider,
        "account": charge.account,
        "tier": charge.tier,
        "combo": charge.combo,
        "target": charge.target,
    }
    return None if budget.each is None else values[budget.each] or "-"


def _limit(budget: Budget, period: Period) -> int | None:
    match period:
        case "daily":
            dollars = budget.daily
        case "weekly":
            dollars = budget.weekly
        case "monthly":
            dollars = budget.monthly
    return None if dollars is None else round(dollars * MICRO)


def dollars(micro: int) -> str:
    """To the cent; small sums to the micro-dollar."""
    if micro == 0 or abs(micro) >= MICRO // 100:
        return f"${micro / MICRO:.2f}"
    return f"${micro / MICRO:.6f}".rstrip("0")
