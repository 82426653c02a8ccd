"""What plans are told of the past, and what exchanges tell."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from omniroute_addon.accounts.limits import SentOn
from omniroute_addon.config import Snapshot
from omniroute_addon.config.governance import Quota, Window
from omniroute_addon.engine.entry import Entry
from omniroute_addon.engine.standing import KEPT, Standing
from omniroute_addon.engine.verdict import Verdict
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.plan import Plan
from omniroute_addon.routing.state import Rest
from tests.omniroute_addon.routing.rules import NOW, planned, snapshot
from translators.hub import Failure

TEXT = """
providers: {p: {format: openai-chat, base_url: 'https://p.example/v1/chat/completions'}}
accounts: [{name: one, provider: p, key: k1}, {name: two, provider: p, key: k2}]
combos: {c: {targets: [p/m]}}
routes: [{match: {client: claude-code}, to: c}]
"""
RULES = snapshot(TEXT)


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def standing(clock: Clock) -> Standing:
    return Standing(lambda: RULES, clock)


def found(rules: Snapshot = RULES) -> tuple[Candidate, Candidate]:
    one, two = planned(rules).candidates
    return one, two


def test_at_first_nothing_is_known(standing: Standing) -> None:
    one, _ = found()
    known = standing.rest(one, NOW), standing.quota(one, NOW), standing.uses(one.target_key), standing.turn("combo:c")
    assert known == (None, None, 0, 0)


def test_a_cooldown_is_a_rest_until_its_end(standing: Standing) -> None:
    one, _ = found()
    standing.health.note(Verdict("next-account", "account", 60, "429 quota", 60), one, NOW)
    rest = standing.rest(one, NOW)
    assert rest is not None
    assert rest.until == NOW + 60


def test_a_cooldown_of_one_account_leaves_the_other(standing: Standing) -> None:
    one, two = found()
    standing.health.note(Verdict("next-account", "account", 60, "429 quota", 60), one, NOW)
    assert standing.rest(two, NOW) is None


def test_calls_under_way_are_counted_until_they_end(standing: Standing) -> None:
    one, _ = found()
    standing.began(one)
    standing.began(one)
    standing.ended(one)
    assert (standing.in_flight(one.account_key), standing.uses(one.target_key)) == (1, 2)


def test_the_last_use_is_the_clocks(standing: Standing, clock: Clock) -> None:
    one, _ = found()
    clock.now = NOW + 5
    standing.began(one)
    assert standing.last_used(one.account_key) == NOW + 5


def test_a_call_takes_its_turns(standing: Standing) -> None:
    standing.planned(Plan("routes[0]", turns=("combo:c", "combo:d")))
    assert (standing.turn("combo:c"), standing.turn("combo:d"), standing.turn("combo:e")) == (1, 1, 0)


def test_a_session_stays_with_the_account_that_answered(standing: Standing) -> None:
    _, two = found()
    standing.chosen(Plan("routes[0]", session="s"), two)
    assert standing.account_of("s", "p") == (two.account.name if two.account else None)


def test_headers_of_an_answer_are_learned(standing: Standing) -> None:
    one, two = found()
    told = (("anthropic-ratelimit-unified-5h-status", "allowed"), ("anthropic-ratelimit-unified-5h-utilization", "0.9"))
    standing.learned(one, 200, told, None, NOW)
    left = standing.quota(one, NOW)
    assert left is not None
    assert (left.window, round(left.share, 3), standing.quota(two, NOW)) == ("5h", 0.1, None)


def test_calls_are_counted_by_the_rules_of_the_account(standing: Standing) -> None:
    one, _ = found()
    assert one.account is not None
    rules = Quota(windows=(Window(window="day", requests=4),))
    limited = replace(one, account=replace(one.account, quota=rules))
    standing.began(limited)
    left = standing.quota(limited, NOW)
    assert left is not None
    assert left.share == 0.75


# ── failures ────────────────────────────────────────────────────────────────────────────────────────────────────────

SERVER = Failure("server", "", 500)
QUOTA = Failure("quota", "", 429)
BROKEN = Verdict("next-target", "target", 2, "500 server")
SPENT = Verdict("next-account", "account", 300, "429 quota")


def origin() -> Candidate:
    (own,) = planned("{routes: [{match: {client: claude-code}, to: origin}]}").candidates
    return own


def test_a_broken_target_rests_when_there_is_another(standing: Standing) -> None:
    one, two = found()
    standing.failed(None, one, BROKEN, SERVER, NOW, more=True)
    assert (standing.rest(one, NOW), standing.rest(two, NOW)) == (Rest("cooling down", NOW + 2),) * 2


def test_the_last_target_does_not_rest_for_what_may_be_over_in_a_second(standing: Standing) -> None:
    one, _ = found()
    standing.failed(None, one, BROKEN, SERVER, NOW, more=False)
    assert standing.rest(one, NOW) is None


def test_an_account_without_quota_rests_even_when_it_is_the_last(standing: Standing) -> None:
    one, _ = found()
    standing.failed(None, one, SPENT, QUOTA, NOW, more=False)
    assert standing.rest(one, NOW) == Rest("cooling down", NOW + 300)


def test_a_lost_quota_of_one_model_leaves_the_account_to_the_others(standing: Standing) -> None:
    one, _ = found()
    told = (
        ("anthropic-ratelimit-unified-status", "rejected"),
        ("anthropic-ratelimit-unified-representative-claim", "seven_day_opus"),
        ("anthropic-ratelimit-unified-7d_opus-status", "rejected"),
        ("anthropic-ratelimit-unified-7d_opus-reset", str(NOW + 900)),
    )
    opus = replace(one, model="claude-opus-4-6")
    standing.learned(opus, 429, told, QUOTA, NOW)
    standing.failed(None, opus, SPENT, QUOTA, NOW, more=True)
    assert standing.rest(opus, NOW) is None
    assert (standing.quota(one, NOW), standing.quota(opus, NOW)) != (None, None)


def fail(standing: Standing, candidate: Candidate, times: int, *, more: bool = True) -> None:
    for _ in range(times):
        standing.failed(None, candidate, BROKEN, SERVER, NOW, more=more)


def test_failures_in_a_row_open_the_breakers_of_target_and_provider(standing: Standing) -> None:
    one, _ = found()
    fail(standing, one, 11)
    standing.health.reset()
    before = standing.rest(one, NOW)
    fail(standing, one, 1)
    standing.health.reset()
    rest = standing.rest(one, NOW)
    assert before is None
    assert rest is not None
    assert (rest.until, rest.reason[:41]) == (NOW + 30, "the breaker of p is open: 12 failures in ")
    assert [found.key for found in standing.breakers.opened(NOW)] == ["p", "p/m"]


def test_what_nobody_else_can_answer_opens_no_breaker(standing: Standing) -> None:
    one, _ = found()
    fail(standing, one, 20, more=False)
    assert standing.rest(one, NOW) is None


def test_a_probe_that_fails_opens_its_breaker_again_even_when_it_was_the_last(standing: Standing) -> None:
    one, _ = found()
    fail(standing, one, 12)
    later = NOW + 31
    standing.breakers.enter([one.target_key], None, later)
    standing.failed(None, one, BROKEN, SERVER, later, more=False)
    assert standing.breakers.state(one.target_key, later) == "open"


def test_a_tools_own_provider_has_a_breaker_when_somebody_else_can_answer(standing: Standing) -> None:
    fail(standing, origin(), 8)
    assert [found.key for found in standing.breakers.opened(NOW)] == [
        "origin:anthropic",
        "origin:anthropic/claude-opus-4-6",
    ]


def test_an_answer_closes_the_breakers(standing: Standing) -> None:
    one, _ = found()
    fail(standing, one, 12)
    standing.health.reset()
    standing.succeeded(one)
    assert standing.rest(one, NOW) is None


# ── entering ────────────────────────────────────────────────────────────────────────────────────────────────────────


def entered(standing: Standing, candidate: Candidate) -> Entry | SentOn:
    return asyncio.run(standing.enter(candidate, 1))


def test_who_may_be_tried_is_entered(standing: Standing) -> None:
    assert isinstance(entered(standing, found()[0]), Entry)


def test_what_came_to_rest_after_the_plan_sends_the_call_on(standing: Standing) -> None:
    one, _ = found()
    standing.failed(None, one, SPENT, QUOTA, NOW, more=True)
    assert entered(standing, one) == SentOn("429 quota", 300)


def test_a_broken_target_is_told_as_overloaded(standing: Standing) -> None:
    one, _ = found()
    standing.failed(None, one, BROKEN, SERVER, NOW, more=True)
    said = entered(standing, one)
    assert isinstance(said, SentOn)
    assert said.kind == "overloaded"


def test_a_quota_that_others_have_used_up_after_the_plan_sends_the_call_on(standing: Standing) -> None:
    one, _ = found()
    assert one.account is not None
    limited = replace(one, account=replace(one.account, quota=Quota(windows=(Window(window="day", requests=1),))))
    standing.began(limited)
    said = entered(standing, limited)
    assert isinstance(said, SentOn)
    assert said.reason == "its day requests quota is gone"


# ── forgetting ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name, woken",
    [(None, 2), ("p", 2), ("one", 1), ("p:one", 1), ("two", 1), ("other", 0), ("p:", 0), ("", 0), ("p/m", 0)],
)
def test_a_reset_is_for_what_it_names(standing: Standing, name: str | None, woken: int) -> None:
    for candidate in found():
        standing.failed(None, candidate, SPENT, QUOTA, NOW, more=True)
    assert len(standing.reset(name)) == woken
    assert sum(standing.rest(candidate, NOW) is None for candidate in found()) == woken


def test_a_target_can_be_reset(standing: Standing) -> None:
    one, _ = found()
    fail(standing, one, 12, more=True)
    assert standing.reset("p/m") == ["p/m"]
    assert [found.key for found in standing.breakers.opened(NOW)] == ["p"]


def test_what_a_tools_own_login_has_lost_is_reset_by_its_provider(standing: Standing) -> None:
    standing.failed(None, origin(), SPENT, QUOTA, NOW, more=True)
    assert standing.reset("anthropic") == ["origin:anthropic"]


def test_a_new_key_is_nothing_that_is_known(standing: Standing) -> None:
    for candidate in found():
        standing.failed(None, candidate, SPENT, QUOTA, NOW, more=True)
    standing.use(RULES, snapshot(TEXT.replace("k1", "another")))
    assert [standing.rest(candidate, NOW) is None for candidate in found()] == [True, False]


def test_a_new_address_is_nothing_that_is_known(standing: Standing) -> None:
    one, _ = found()
    fail(standing, one, 12, more=True)
    standing.use(RULES, snapshot(TEXT.replace("p.example", "q.example")))
    assert standing.rest(one, NOW) is None


def test_the_same_rules_again_forget_nothing(standing: Standing) -> None:
    one, _ = found()
    standing.failed(None, one, SPENT, QUOTA, NOW, more=True)
    standing.use(RULES, snapshot(TEXT))
    assert standing.rest(one, NOW) is not None


def test_memory_is_bounded(standing: Standing, clock: Clock) -> None:
    one, _ = found()
    for number in range(2 * KEPT + 2):
        clock.now += 1
        standing.began(replace(one, model=f"m{number}"))
    assert standing.uses("p/m0") == 0
    assert standing.uses(f"p/m{2 * KEPT}") == 1
