"""Cooldowns."""

from dataclasses import dataclass

import pytest

from omniroute_addon.accounts.health import (
    LOCKOUT,
    LOCKOUT_AFTER,
    LONGEST_BACKOFF,
    MAX_ENTRIES,
    QUIET,
    SET_BACK,
    Cooldown,
    Health,
)
from translators.hub import JSON


@dataclass(frozen=True)
class Tried:
    account_key: str = "glm:main"
    target_key: str = "glm/x"


@dataclass(frozen=True)
class Judged:
    scope: str = "target"
    cooldown: float = 2.0
    retry_after: float | None = None
    reason: str = "why"


def test_what_has_not_failed_does_not_rest() -> None:
    assert Health().until(Tried(), 0) is None


def test_a_verdict_without_scope_rests_nothing() -> None:
    health = Health()
    health.note(Judged(scope="none"), Tried(), 0)
    assert health.until(Tried(), 0) is None


def test_an_account_rests_for_all_its_targets() -> None:
    health = Health()
    health.note(Judged(scope="account"), Tried(), 100)
    assert health.until(Tried(target_key="glm/other"), 100) == 102


def test_a_target_rests_for_all_its_accounts() -> None:
    health = Health()
    health.note(Judged(), Tried(), 100)
    assert health.until(Tried(account_key="glm:spare"), 100) == 102


def test_another_target_and_account_stay_awake() -> None:
    health = Health()
    health.note(Judged(), Tried(), 100)
    health.note(Judged(scope="account"), Tried(), 100)
    assert health.until(Tried("glm:spare", "glm/y"), 100) is None


def test_a_cooldown_ends() -> None:
    health = Health()
    health.note(Judged(), Tried(), 100)
    assert health.until(Tried(), 102) is None


def test_our_own_times_double_up_to_two_minutes() -> None:
    health, now, seen = Health(), 0.0, []
    for _ in range(9):
        health.note(Judged(), Tried(), now)
        until = health.until(Tried(), now) or 0
        seen.append(until - now)
        now = until
    assert seen == [2, 4, 8, 16, 32, 64, 120, 120, 120]


def test_a_named_time_is_kept_exactly() -> None:
    health = Health()
    for _ in range(3):
        health.note(Judged(cooldown=50, retry_after=50), Tried(), 0)
    assert health.until(Tried(), 0) == 50


def test_a_long_time_of_ours_does_not_double() -> None:
    health = Health()
    for now in (0, 300):
        health.note(Judged(scope="account", cooldown=300), Tried(), now)
    assert health.until(Tried(), 300) == 600


def test_a_shorter_cooldown_does_not_end_a_longer_one() -> None:
    health = Health()
    health.note(Judged(scope="account", cooldown=3600, retry_after=3600), Tried(), 0)
    health.note(Judged(scope="account", cooldown=1, retry_after=1), Tried(), 0)
    assert health.until(Tried(), 0) == 3600


def test_a_success_wakes_the_target_and_starts_small_again() -> None:
    health = Health()
    for _ in range(4):
        health.note(Judged(), Tried(), 0)
    health.succeeded(Tried())
    assert health.until(Tried(), 0) is None
    health.note(Judged(), Tried(), 10)
    assert health.until(Tried(), 10) == 12


def test_a_success_leaves_the_accounts_quota_gone() -> None:
    health = Health()
    health.note(Judged(scope="account", cooldown=3600, retry_after=3600), Tried(), 0)
    health.succeeded(Tried())
    assert health.until(Tried(), 0) == 3600


def test_old_failures_no_longer_count() -> None:
    health = Health()
    for _ in range(4):
        health.note(Judged(), Tried(), 0)
    later = 16 + QUIET + 1
    health.note(Judged(), Tried(), later)
    assert health.until(Tried(), later) == later + 2


def test_the_soonest_end_is_known() -> None:
    health = Health()
    health.note(Judged(cooldown=9, retry_after=9), Tried(), 0)
    health.note(Judged(cooldown=4, retry_after=4), Tried(target_key="glm/y"), 0)
    assert health.soonest(0) == 4


def test_memory_is_bounded() -> None:
    health = Health()
    for number in range(MAX_ENTRIES * 2):
        health.note(Judged(cooldown=60, retry_after=60), Tried(target_key=f"t{number}"), 0)
    assert len(health.cooling(0)) <= MAX_ENTRIES


def test_a_reset_forgets_everything() -> None:
    health = Health()
    health.note(Judged(), Tried(), 0)
    health.reset()
    assert health.cooling(0) == ()


def test_one_name_can_be_woken() -> None:
    health = Health()
    health.note(Judged(), Tried(), 100)
    health.note(Judged(), Tried(target_key="glm/y"), 100)
    health.reset("glm/x")
    assert [one.key for one in health.cooling(100)] == ["glm/y"]


def test_an_account_that_is_refused_again_and_again_is_locked_out() -> None:
    health, now = Health(), 0.0
    for _ in range(LOCKOUT_AFTER):
        health.note(Judged(scope="account", cooldown=120), Tried(), now)
        now = health.until(Tried(), now) or 0
    resting = health.resting(Tried(), now - 1)
    assert resting is not None
    assert (resting.until - now, resting.reason) == (0, "locked out, 5 refusals in a row: why")
    assert now == 120 * (LOCKOUT_AFTER - 1) + LOCKOUT


def test_a_throttled_account_is_never_locked_out() -> None:
    health, now = Health(), 0.0
    for _ in range(LOCKOUT_AFTER * 2):
        health.note(Judged(scope="account", cooldown=5), Tried(), now)
        before, now = now, health.until(Tried(), now) or 0
    assert now - before == LONGEST_BACKOFF


def test_what_rests_is_kept_over_a_restart() -> None:
    health, again = Health(), Health()
    for _ in range(3):
        health.note(Judged(), Tried(), 100)
    again.load(health.dump(), 101)
    again.note(Judged(), Tried(), 101)
    assert again.cooling(101) == (Cooldown("target", "glm/x", 117, "why", 4, 101),)


NONSENSE: list[JSON] = [
    None,
    {},
    [1],
    [{"scope": "account"}],
    [{"scope": "planet", "key": "a", "until": 200, "reason": "", "failures": 1}],
    [{"scope": "account", "key": "a", "until": "200", "reason": "", "failures": 1}],
    [{"scope": "account", "key": "a", "until": float("nan"), "reason": "", "failures": 1}],
    [{"scope": "account", "key": "a", "until": 1e15, "reason": "", "failures": 1}],
    [{"scope": "account", "key": "a", "until": 100 - QUIET - 1, "reason": "", "failures": 1}],
]


@pytest.mark.parametrize("state", NONSENSE)
def test_what_cannot_be_true_is_not_loaded(state: JSON) -> None:
    health = Health()
    health.load(state, 100)
    assert health.dump() == []


def test_a_clock_that_is_set_back_leaves_nothing_resting() -> None:
    health = Health()
    health.note(Judged(scope="account", cooldown=60), Tried(), 1_000_000)
    assert health.until(Tried(), 1_000_000 - SET_BACK) == 1_000_060
    assert health.until(Tried(), 1_000_000 - SET_BACK - 1) is None
    health.note(Judged(scope="account", cooldown=5), Tried(), 500_000)
    assert health.until(Tried(), 500_001) == 500_005


def test_what_was_noted_before_a_restart_and_the_clock_set_back_does_not_rest() -> None:
    before, after = Health(), Health()
    before.note(Judged(cooldown=60), Tried(), 1_000_000)
    after.load(before.dump(), 900_000)
    assert after.until(Tried(), 900_000) is None


def test_a_clock_that_is_set_forward_ends_what_rests() -> None:
    health = Health()
    health.note(Judged(cooldown=60), Tried(), 0)
    assert health.until(Tried(), 86_400) is None
