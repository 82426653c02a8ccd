"""Budgets hold, to the micro-dollar, whatever runs at the same time."""

import asyncio
import logging
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute_addon.config.governance import Budget, BudgetMatch
from omniroute_addon.ledger.budgets import MOST, SOON, Budgets, Charge, Reservation, Spent, dollars
from omniroute_addon.routing.state import BudgetBlock
from tests.omniroute_addon.loopback import run

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC).timestamp()
DAY = 86400.0
CALL = Charge("claude-code", "intern", "claude-opus-4-6", "glm", "glm-main", "cheap", "premium", "glm/glm-4.7")


def nothing(starts: Sequence[float]) -> Iterable[Spent]:
    del starts
    return ()


def budgets(*several: Budget, spent: Iterable[Spent] = ()) -> Budgets:
    made = Budgets()
    made.use(several, lambda starts: [one for one in spent if one[0] >= starts[0]], NOON)
    return made


def held(found: Reservation | BudgetBlock) -> Reservation:
    assert isinstance(found, Reservation)
    return found


def test_a_hundred_parallel_calls_spend_no_cent_too_much() -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    rng = random.Random(4)
    paid: list[int] = []

    async def call() -> None:
        found = limited.reserve(CALL, 50_000, NOON)
        if isinstance(found, BudgetBlock):
            return
        await asyncio.sleep(0)
        cost = rng.randint(0, 50_000)
        paid.append(cost)
        limited.settle(found, cost)

    async def main() -> None:
        for _ in range(30):
            await asyncio.gather(*(call() for _ in range(100)))

    run(main)
    (bucket,) = limited.buckets(NOON)
    assert (sum(paid) <= 1_000_000, bucket.spent == sum(paid), bucket.reserved) == (True, True, 0)
    assert bucket.limit - bucket.spent < 50_000


def test_calls_under_way_hold_their_money() -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    held(limited.reserve(CALL, 600_000, NOON))
    assert isinstance(limited.reserve(CALL, 600_000, NOON), BudgetBlock)


def test_what_a_call_did_not_need_is_free_again() -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    limited.settle(held(limited.reserve(CALL, 600_000, NOON)), 1)
    held(limited.reserve(CALL, 600_000, NOON))


def test_settling_twice_counts_once() -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    reservation = held(limited.reserve(CALL, 600_000, NOON))
    limited.settle(reservation, 5)
    limited.settle(reservation, 5)
    assert limited.buckets(NOON)[0].spent == 5


def test_a_budget_begins_again_with_its_period() -> None:
    limited = budgets(Budget(name="b", daily=1.0), spent=[(NOON - 60, CALL, 1_000_000)])
    assert limited.over(CALL, NOON) is not None
    assert limited.over(CALL, NOON + DAY) is None


def test_a_call_is_charged_to_the_period_it_began_in() -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    reservation = held(limited.reserve(CALL, 600_000, NOON))
    limited.over(CALL, NOON + DAY)
    limited.settle(reservation, 600_000)
    held(limited.reserve(CALL, 1_000_000, NOON + DAY))


def test_a_start_takes_the_sums_from_the_ledger() -> None:
    spent = [(NOON - 60, CALL, 300_000), (NOON - 2 * DAY, CALL, 900_000)]
    limited = budgets(Budget(name="b", daily=1.0, weekly=2.0), spent=spent)
    assert {bucket.period: bucket.spent for bucket in limited.buckets(NOON)} == {"daily": 300_000, "weekly": 1_200_000}


def test_other_budgets_keep_what_is_reserved() -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    reservation = held(limited.reserve(CALL, 600_000, NOON))
    limited.use((Budget(name="b", daily=0.7),), nothing, NOON)
    assert isinstance(limited.reserve(CALL, 200_000, NOON), BudgetBlock)
    limited.settle(reservation, 100_000)
    held(limited.reserve(CALL, 200_000, NOON))


def test_the_block_says_who_how_much_and_until_when() -> None:
    limited = budgets(Budget(name="b", daily=1.0, on_exceed="deny"), spent=[(NOON, CALL, 1_000_000)])
    block = limited.over(CALL, NOON)
    assert block == BudgetBlock("b", "deny", "$1.00 of $1.00 spent today; resets Thu 11 Jun 00:00 UTC", NOON + DAY / 2)


def test_money_that_is_held_for_others_may_soon_be_free() -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    held(limited.reserve(CALL, 600_000, NOON))
    block = limited.reserve(CALL, 500_000, NOON)
    assert isinstance(block, BudgetBlock)
    assert block.until == NOON + SOON
    assert "$0.60 more is held for calls under way" in block.words
    assert "this call may cost up to $0.50" in block.words


def test_a_call_that_is_too_dear_waits_for_the_next_period() -> None:
    block = budgets(Budget(name="b", daily=1.0)).reserve(CALL, 1_000_001, NOON)
    assert isinstance(block, BudgetBlock)
    assert block.until == NOON + DAY / 2


def test_other_budgets_know_what_this_process_has_spent() -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    limited.settle(limited.note(CALL, NOON - 3600), 100_000)
    limited.settle(held(limited.reserve(CALL, 50_000, NOON)), 20_000)
    limited.use((Budget(name="other", weekly=1.0),), nothing, NOON)
    assert [bucket.spent for bucket in limited.buckets(NOON)] == [120_000]


def test_what_was_spent_is_forgotten_after_the_longest_period() -> None:
    limited = budgets()
    for day in range(100):
        limited.settle(limited.note(CALL, NOON + day * DAY), 1)
    assert len(limited._tally) < 35


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 100), st.booleans()), max_size=60), st.data())
def test_no_order_of_reservations_and_settlements_passes_a_limit(
    calls: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    limited = budgets(Budget(name="day", daily=1.0), Budget(name="each", weekly=0.4, each="key", on_exceed="deny"))
    under_way: list[tuple[Reservation, int]] = []
    paid: dict[str, int] = {"intern": 0, "boss": 0}
    for most, share, boss in calls:
        who = "boss" if boss else "intern"
        found = limited.reserve(replace(CALL, key=who), most, NOON)
        if isinstance(found, Reservation):
            under_way.append((found, most * share // 100))
        if under_way and data.draw(st.booleans()):
            reservation, cost = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            limited.settle(reservation, cost)
            paid[str(reservation.charge.key)] += cost
        if data.draw(st.integers(0, 9)) == 0:  # other rules in between
            rules = (Budget(name="day", daily=1.0), Budget(name="each", weekly=0.4, each="key", on_exceed="deny"))
            limited.use((*rules, Budget(name="more", monthly=9, enabled=data.draw(st.booleans()))), nothing, NOON)
        for bucket in limited.buckets(NOON):
            assert bucket.spent + bucket.reserved <= bucket.limit
    held_now = sum(reservation.micro for reservation, _ in under_way)
    known = {(one.budget.name, one.each): (one.spent, one.reserved) for one in limited.buckets(NOON)}
    assert known["day", None] == (sum(paid.values()), held_now)
    for who, cost in paid.items():
        assert known.get(("each", who), (0, 0))[0] == cost


def test_of_several_full_budgets_the_denial_counts() -> None:
    limited = budgets(
        Budget(name="soft", monthly=0), Budget(name="hard", daily=0, on_exceed="deny"), Budget(name="soft2", weekly=0)
    )
    block = limited.over(CALL, NOON)
    assert block is not None
    assert block.name == "hard"


def test_a_budget_that_only_warns_blocks_nothing() -> None:
    limited = budgets(Budget(name="b", daily=0, on_exceed="warn"))
    held(limited.reserve(CALL, 600_000, NOON))


def test_what_costs_nothing_goes_on() -> None:
    limited = budgets(Budget(name="b", daily=0))
    held(limited.reserve(CALL, 0, NOON))
    assert limited.over(CALL, NOON, free=True) is None


def test_a_denial_holds_for_what_costs_nothing_too() -> None:
    limited = budgets(Budget(name="b", daily=0, on_exceed="deny"))
    assert isinstance(limited.reserve(CALL, 0, NOON), BudgetBlock)


def test_an_unknown_price_is_blocked_when_all_is_spent() -> None:
    limited = budgets(Budget(name="b", daily=1.0), spent=[(NOON, CALL, 999_999)])
    limited.settle(held(limited.reserve(CALL, None, NOON)), 1)
    assert isinstance(limited.reserve(CALL, None, NOON), BudgetBlock)


def test_each_has_a_budget_of_its_own() -> None:
    limited = budgets(Budget(name="b", daily=1.0, each="key"), spent=[(NOON, CALL, 1_000_000)])
    assert limited.over(CALL, NOON) is not None
    assert limited.over(replace(CALL, key="boss"), NOON) is None


@pytest.mark.parametrize(
    "match",
    [
        BudgetMatch(client=("codex",)),
        BudgetMatch(key=("boss*",)),
        BudgetMatch(model=("gpt-*",)),
        BudgetMatch(provider=("minimax",)),
        BudgetMatch(account=("spare",)),
        BudgetMatch(tier=("api-key",)),
        BudgetMatch(combo=("other",)),
        BudgetMatch(target=("minimax/*",)),
    ],
)
def test_a_budget_covers_only_what_it_matches(match: BudgetMatch) -> None:
    assert budgets(Budget(name="b", daily=0, match=match)).over(CALL, NOON) is None


def test_it_warns_once_in_a_period_and_once_more_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    limited = budgets(Budget(name="b", daily=1.0))
    with caplog.at_level(logging.WARNING):
        for _ in range(12):
            limited.settle(held(limited.reserve(CALL, 0, NOON)), 100_000)
    assert [record.getMessage()[:36] for record in caplog.records] == [
        "budget b: $0.80 of $1.00 spent today",
        "budget b: $1.00 of $1.00 spent today",
    ]


@pytest.mark.parametrize(
    "micro, words", [(0, "$0.00"), (12_345_678, "$12.35"), (10_000, "$0.01"), (9_900, "$0.0099"), (1, "$0.000001")]
)
def test_small_sums_are_not_rounded_away(micro: int, words: str) -> None:
    assert dollars(micro) == words


def test_a_disabled_budget_is_none() -> None:
    assert budgets(Budget(name="b", daily=0, enabled=False)).over(CALL, NOON) is None


def test_models_without_end_take_no_memory_without_end_and_no_cent_is_lost() -> None:
    """A client may ask for a model of another name with every call."""
    each = Budget(name="each", each="model", daily=1.0)
    limited = budgets(each, Budget(name="all", daily=1000.0))
    dear = held(limited.reserve(CALL, 900_000, NOON))
    limited.settle(held(limited.reserve(replace(CALL, model="dear"), 900_000, NOON)), 900_000)
    for number in range(MOST + 10_000):
        limited.settle(held(limited.reserve(replace(CALL, model=f"m{number}"), 1, NOON)), 1)
    assert len(limited.buckets(NOON)) <= MOST
    assert len(limited._tally) <= MOST
    whole = next(bucket for bucket in limited.buckets(NOON) if bucket.budget.name == "all")
    assert whole.spent == 900_000 + MOST + 10_000
    assert isinstance(limited.reserve(replace(CALL, model="dear"), 200_000, NOON), BudgetBlock)
    assert isinstance(limited.reserve(CALL, 200_000, NOON), BudgetBlock), "what is under way counts"
    limited.settle(dear, 0)
    limited.use((Budget(name="all", weekly=1000.0),), nothing, NOON)
    assert limited.buckets(NOON)[0].spent == 900_000 + MOST + 10_000
