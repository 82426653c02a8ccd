"""Recorded calls through other rules."""

from dataclasses import replace

import pytest

from omniroute_addon.engine.simulation import (
    ASSUMED,
    FAILED,
    HERE,
    REFUSED,
    UNTOUCHED,
    Change,
    Move,
    moves,
    simulate,
    with_keys,
)
from omniroute_addon.ledger.history import Call, Tried
from omniroute_addon.routing.ask import Told
from tests.omniroute_addon.routing.rules import CLAUDE, NOW, snapshot
from translators.hub import Usage

ACCOUNTS = "accounts: [{name: a, provider: glm, key: k}, {name: b, provider: glm, key: k2}, {name: c, provider: groq, key: k}]\n"
PRICES = "prices: {'glm/*': {input: 1, output: 10}, 'groq/*': {input: 0, output: 0}, 'anthropic/*': {input: 5, output: 25}}\n"
USED = Tried("origin", None, "api-key", used=True, usage=Usage(1_000_000, 100_000), micro=7_500_000)


def called(number: int = 0, *, at: float | None = None, **changes: object) -> Call:
    """Claude Code's call, answered by origin at $7.50."""
    started = NOW + number if at is None else at
    facts = Told(tokens=1_000_000, session="s-1")
    call = Call(f"x{number}", started, started + 0.5, replace(CLAUDE, facts=facts), "done", (USED,), frozenset())
    return replace(call, **changes)  # type: ignore[arg-type]


def one(rules: str, **changes: object) -> Change:
    (found,) = simulate([called(**changes)], snapshot(ACCOUNTS + PRICES + rules))  # type: ignore[arg-type]
    return found


def test_a_call_goes_where_the_new_rules_say() -> None:
    found = one("routes: [{to: glm/glm-4.7}]")
    assert (found.before, found.after, found.account, found.route, found.moved) == (
        "origin",
        "glm/glm-4.7",
        "a",
        "routes[0]",
        True,
    )


def test_it_costs_what_its_tokens_cost_there() -> None:
    found = one("routes: [{to: glm/glm-4.7}]")
    assert (found.cost_before, found.cost_after) == (7_500_000, 2_000_000)


def test_a_call_that_stays_has_not_moved() -> None:
    assert one("routes: [{to: origin}]").moved is False


def test_the_own_call_is_paid_as_it_was() -> None:
    assert one("routes: [{to: origin}]").cost_after == 7_500_000


def test_a_call_that_no_rule_wants_is_untouched() -> None:
    found = one("routes: [{match: {client: codex}, to: glm/glm-4.7}]")
    assert (found.after, found.cost_after) == (UNTOUCHED, 7_500_000)


def test_a_gateway_call_of_an_unknown_model_is_refused() -> None:
    found = one("routes: []", ask=replace(CLAUDE, gateway=True, model="nonsense"))
    assert (found.after, "unknown model 'nonsense'" in found.why) == (REFUSED, True)


def test_a_target_that_failed_then_fails_again() -> None:
    tried = Tried("glm/glm-4.7", "a", "cheap", used=False, usage=Usage(), micro=None)
    found = one("routes: [{to: [glm/glm-4.7, groq/m]}]", attempts=(tried, USED))
    assert (found.after, found.account) == ("glm/glm-4.7", "b")


def test_a_target_that_rested_then_does_not_answer() -> None:
    resting = frozenset({("glm/glm-4.7", "a"), ("glm/glm-4.7", "b")})
    assert one("routes: [{to: [glm/glm-4.7, groq/m]}]", resting=resting).after == "groq/m"


def test_when_nothing_could_have_answered_there_is_no_answer() -> None:
    resting = frozenset({("groq/m", "c")})
    assert one("routes: [{to: groq/m}]", resting=resting).after == FAILED


def test_why_there_is_no_answer_is_told() -> None:
    found = one("policies: [{name: none, deny: 'groq/*'}]\nroutes: [{to: groq/m}]")
    assert (found.after, found.why.startswith("groq/m: ")) == (FAILED, True)


def test_a_call_without_answer_costs_nothing() -> None:
    found = one("routes: [{to: groq/m}]", resting=frozenset({("groq/m", "c")}))
    assert found.cost_after == 0


def test_what_happened_before_is_told_when_there_was_no_answer() -> None:
    found = one("routes: [{to: origin}]", attempts=(), outcome="failed: no candidate is left")
    assert found.before == f"{FAILED}: failed"


SMALL = "budgets: [{name: small, match: {provider: glm}, daily: 5}]\nroutes: [{to: [glm/glm-4.7, groq/m]}]"


def test_a_budget_is_spent_by_the_simulated_calls() -> None:
    found = simulate([called(number) for number in range(4)], snapshot(ACCOUNTS + PRICES + SMALL))
    assert [change.after for change in found] == ["glm/glm-4.7", "glm/glm-4.7", "groq/m", "groq/m"]


def test_a_budget_is_fresh_the_next_day() -> None:
    calls = [called(0), called(1), called(2), called(3, at=NOW + 86_400)]
    found = simulate(calls, snapshot(ACCOUNTS + PRICES + SMALL))
    assert [change.after for change in found][2:] == ["groq/m", "glm/glm-4.7"]


def test_a_budget_that_denies_refuses() -> None:
    denying = SMALL.replace("daily: 5", "daily: 1, on_exceed: deny")
    assert one(denying).after == REFUSED


def test_a_call_under_way_holds_its_money() -> None:
    long = [replace(called(number), ended=NOW + 100) for number in range(3)]
    found = simulate(long, snapshot(ACCOUNTS + PRICES + SMALL))
    assert [change.after for change in found] == ["glm/glm-4.7", "glm/glm-4.7", "groq/m"]


def test_a_session_stays_on_its_account() -> None:
    found = simulate([called(number) for number in range(6)], snapshot(ACCOUNTS + "routes: [{to: glm/glm-4.7}]"))
    assert len({change.account for change in found}) == 1


def test_a_round_robin_takes_its_turns() -> None:
    rules = "combos: {both: {strategy: round-robin, targets: [glm/glm-4.7, groq/m]}}\nroutes: [{to: both}]"
    found = simulate([called(number) for number in range(4)], snapshot(ACCOUNTS + rules))
    assert [change.after for change in found] == ["glm/glm-4.7", "groq/m"] * 2


def test_a_condition_on_the_time_sees_the_time_of_the_call() -> None:
    rules = "routes: [{match: {hours: '13:00-14:00', timezone: UTC}, to: groq/m}, {to: origin}]"
    noon = 12 * 3600.0
    found = simulate([called(0, at=noon), called(1, at=noon + 3600)], snapshot(ACCOUNTS + rules))
    assert [change.after for change in found] == ["origin", "groq/m"]


def test_the_same_calls_give_the_same_result() -> None:
    rules = snapshot(
        ACCOUNTS + "combos: {any: {strategy: random, targets: [glm/m, groq/m, origin]}}\nroutes: [{to: any}]"
    )
    calls = [called(number) for number in range(50)]
    assert simulate(calls, rules) == simulate(calls, rules)


@pytest.mark.parametrize("micro", [None, 5])
def test_a_cost_that_nobody_knows_is_unknown(micro: int | None) -> None:
    found = one("routes: [{to: origin}]", attempts=(replace(USED, micro=micro),))
    assert found.cost_before == micro


def test_moves_sum_the_calls_that_went_the_same_way() -> None:
    rules = snapshot(ACCOUNTS + PRICES + SMALL)
    found = moves(simulate([called(number) for number in range(3)], rules))
    assert found == [
        Move("origin", "glm/glm-4.7", 2, 15_000_000, 4_000_000, 0),
        Move("origin", "groq/m", 1, 7_500_000, 0, 0),
    ]


def test_the_own_call_is_the_same_whether_a_rule_names_it_or_not() -> None:
    assert one("routes: []").moved is False


def test_calls_without_answer_are_known() -> None:
    found = one("routes: [{to: groq/m}]", resting=frozenset({("groq/m", "c")}), attempts=(), outcome="failed: x")
    assert (found.answered_before, found.answered) == (False, False)


def test_a_quota_that_is_counted_here_is_used_up_by_the_simulated_calls() -> None:
    rules = "quota: {windows: [{window: day, requests: 2}]}\nroutes: [{to: [glm/glm-4.7, groq/m]}]"
    found = simulate([called(number) for number in range(6)], snapshot(ACCOUNTS + rules))
    assert [change.after for change in found].count("glm/glm-4.7") == 4


def test_missing_keys_can_be_assumed() -> None:
    rules = with_keys(
        snapshot("accounts: [{name: a, provider: glm, key: '${NO}'}]\nroutes: [{to: [glm/m, groq/m]}]", {})
    )
    found = simulate([called(), called(1, resting=frozenset({("glm/m", "a")}))], rules)
    assert [(change.after, change.account) for change in found] == [("glm/m", "a"), ("groq/m", ASSUMED)]


def test_a_login_is_not_assumed() -> None:
    found = simulate([called()], with_keys(snapshot("routes: [{to: qw/m}]", {})))
    assert "needs a login" in found[0].why


@pytest.mark.parametrize(
    "rules,after", [("bypass: {titles: true}\n", HERE), ("bypass: {warmup: true}\n", "glm/glm-4.7")]
)
def test_what_was_answered_here_still_is_where_the_rules_say_so(rules: str, after: str) -> None:
    found = one(rules + "routes: [{to: glm/glm-4.7}]", attempts=(), outcome="bypassed", bypassed="titles")
    assert (found.before, found.after, found.answered_before) == (HERE, after, True)


def test_an_answer_that_was_never_given_costs_as_much_as_others() -> None:
    calls = [called(0), called(1, attempts=(), outcome="failed: no candidate is left")]
    found = simulate(calls, snapshot(ACCOUNTS + PRICES + "routes: [{to: glm/glm-4.7}]"))
    assert [change.cost_after for change in found] == [2_000_000, 2_000_000]


def test_an_untouched_call_fails_where_the_own_call_has_failed() -> None:
    failed = Tried("origin", None, "api-key", used=False, usage=Usage(), micro=None)
    assert one("routes: []", attempts=(failed,), outcome="failed: 429").after == FAILED
