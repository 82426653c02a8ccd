"""In which order a combo's targets and a provider's accounts are tried. Pure: chance comes in as ``rng``.

Every strategy orders, none removes: what is tried second is what the call falls back to. A combo orders *groups* (the
candidates of one entry stay together); a pool orders the accounts of one entry that have the same priority.
Semantics are those of the seeds (features.md 4.2 and 4.8), with session affinity as the default for accounts, because
prompt caches are kept per account.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from omniroute_addon.config.governance import Pool
from omniroute_addon.config.models import Combo, ComboTarget, Tier
from omniroute_addon.routing.candidate import Candidate, Excluded
from omniroute_addon.routing.state import State

TIERS: tuple[Tier, ...] = ("subscription", "api-key", "cheap", "free")


@dataclass(frozen=True, slots=True)
class Group:
    """What one entry of a combo has become."""

    entry: ComboTarget
    found: tuple[Candidate | Excluded, ...]

    @property
    def first(self) -> Candidate | None:
        return next((one for one in self.found if isinstance(one, Candidate)), None)

    @property
    def key(self) -> str:
        """What its uses are counted under."""
        return self.first.target_key if self.first else self.entry.target

    def explained(self, why: str) -> "Group":
        if not why:
            return self
        found = [one.because(why) if isinstance(one, Candidate) else one for one in self.found]
        return Group(self.entry, tuple(found))


# ── combos ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def order_targets(combo: Combo, groups: Sequence[Group], state: State, rng: random.Random) -> list[Group]:
    """The groups in the order of the combo's strategy."""
    match combo.strategy:
        case "round-robin":
            turn = state.turn(f"combo:{combo.name}")
            return _noted(_rotated(groups, turn), lambda _: f"round robin, turn {turn}")
        case "random":
            return _noted(_shuffled(groups, rng), lambda _: "random")
        case "weighted":
            return _weighted(groups, rng)
        case "least-used":
            ordered = sorted(groups, key=lambda group: state.uses(group.key))
            return _noted(ordered, lambda group: f"used {state.uses(group.key)} times")
        case "cost-optimized":
            ordered = sorted(groups, key=lambda group: _price(group, state))
            return _noted(ordered, lambda group: _priced(_price(group, state)))
        case "tiered":
            ordered = sorted(groups, key=lambda group: TIERS.index(group.first.tier) if group.first else len(TIERS))
            return _noted(ordered, lambda group: f"tier {group.first.tier}" if group.first else "")
        case _:
            return list(groups)


def _weighted(groups: Sequence[Group], rng: random.Random) -> list[Group]:
    """One by chance in proportion to its weight, the rest by weight; without any weight each is as likely."""
    if not groups:
        return []
    total = sum(group.entry.weight for group in groups)
    weights = [group.entry.weight for group in groups] if total > 0 else [1.0] * len(groups)
    drawn = rng.choices(range(len(groups)), weights)[0]
    rest = [group for index, group in enumerate(groups) if index != drawn]
    rest.sort(key=lambda group: -group.entry.weight)
    return _noted([groups[drawn], *rest], lambda group: f"weight {group.entry.weight:g} of {total:g}")


def _price(group: Group, state: State) -> float:
    """Of the cheapest candidate; what has no known price stands behind everything that has."""
    prices = [state.price(one) for one in group.found if isinstance(one, Candidate)]
    return min((price for price in prices if price is not None), default=float("inf"))


def _priced(price: float) -> str:
    return "price unknown" if price == float("inf") else f"${price:.2f} per million tokens"


# ── accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def order_accounts(
    candidates: Sequence[Candidate],
    pool: Pool,
    state: State,
    rng: random.Random,
    session: Callable[[], str | None],
) -> list[Candidate]:
    """The candidates of one target by their accounts' priority; those of the same priority by the pool's strategy.

    ``session`` is asked only when there is a choice, because it may cost reading the body.
    """
    if len(candidates) < 2:
        return list(candidates)
    out: list[Candidate] = []
    for _, same in groupby(sorted(candidates, key=_priority), key=_priority):
        equals = list(same)
        out.extend(_choose(equals, pool, state, rng, session) if len(equals) > 1 else equals)
    return out


def _choose(
    equals: list[Candidate], pool: Pool, state: State, rng: random.Random, session: Callable[[], str | None]
) -> list[Candidate]:
    match pool.strategy:
        case "session-affinity":
            return _affine(equals, state, session())
        case "round-robin":
            turn = state.turn(f"pool:{_provider(equals[0])}")
            return [one.because(f"round robin, turn {turn}") for one in _rotated(equals, turn // pool.sticky)]
        case "p2c":
            return _two_choices(equals, state, rng)
        case "random":
            return [one.because("random account") for one in _shuffled(equals, rng)]
        case "least-used":
            return sorted(equals, key=lambda one: state.last_used(one.account_key))
        case "fill-first" | "cost-optimized":
            # The seeds' cost-optimized is "lowest priority value first", which is how priorities are ordered anyway.
            return equals


def _affine(equals: list[Candidate], state: State, session: str | None) -> list[Candidate]:
    """The session's account first. A new session's is drawn by its name, so that sessions spread and a restart agrees."""
    if session is None:
        return equals
    bound = state.account_of(session, _provider(equals[0]))

    def rank(one: Candidate) -> tuple[bool, bytes]:
        name = one.account.name if one.account else ""
        return name != bound, sha256(f"{session}\0{name}".encode("utf-8", "replace")).digest()

    first, *rest = sorted(equals, key=rank)
    known = bound is not None and first.account is not None and first.account.name == bound
    return [first.because("the session's account" if known else "drawn for a new session"), *rest]


def _two_choices(equals: list[Candidate], state: State, rng: random.Random) -> list[Candidate]:
    """Two by chance, the one with fewer calls under way and less use first; then the others in their order."""
    two = rng.sample(range(len(equals)), 2)
    best, other = sorted(two, key=lambda index: (_load(equals[index], state), index))
    rest = [one for index, one in enumerate(equals) if index not in two]
    return [equals[best].because("the better of two"), equals[other], *rest]


def _load(one: Candidate, state: State) -> tuple[int, int]:
    return state.in_flight(one.account_key), state.uses(one.account_key)


def _priority(one: Candidate) -> int:
    return one.account.priority if one.account else 0


def _provider(one: Candidate) -> str:
    return one.provider.id if one.provider else ""


# ── sequences ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _rotated[T](items: Sequence[T], by: int) -> list[T]:
    start = by % len(items) if items else 0
    return [*items[start:], *items[:start]]


def _shuffled[T](items: Sequence[T], rng: random.Random) -> list[T]:
    return rng.sample(list(items), len(items))


def _noted(groups: Sequence[Group], why: Callable[[Group], str]) -> list[Group]:
    return [group.explained(why(group)) for group in groups]
