"""Addresses that guess are locked out; tools with one wrong key are not punished for it."""

import orjson
import pytest

from omniroute_addon.gateway.callers import Shown, digest
from omniroute_addon.gateway.lockout import KEPT, LASTS, MOST, TRIES, WITHIN, Lockouts
from translators.hub import JSON


def _wrong(
    lockouts: Lockouts, times: int, *, at: float = 0.0, every: float = 1.0, source: str = "a", same: bool = False
) -> None:
    for n in range(times):
        lockouts.wrong(source, Shown(digest("same" if same else f"{at}-{n}")), at + n * every)


def test_fewer_wrong_keys_lock_nobody_out() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES - 1)
    assert lockouts.until("a", 10, right=False) is None


def test_the_last_try_locks_out_for_a_time() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES)
    end = TRIES - 1 + LASTS
    assert lockouts.until("a", end - 1, right=True) == end
    assert lockouts.until("a", end, right=False) is None


def test_other_addresses_are_not_concerned() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES)
    assert lockouts.until("b", 5, right=False) is None


def test_slow_mistakes_lock_nobody_out() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, 3 * TRIES, every=WITHIN / (TRIES - 1) + 1)
    assert lockouts.until("a", 2 * WITHIN, right=False) is None


def test_one_wrong_key_again_and_again_is_refused_but_the_right_one_ends_it() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES + 3, same=True)
    assert lockouts.until("a", 10, right=False) is not None
    assert lockouts.until("a", 10, right=True) is None


def test_whoever_tries_another_key_while_locked_out_is_guessing() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES, same=True)
    lockouts.wrong("a", Shown(b"another"), 6)
    assert lockouts.until("a", 7, right=True) is not None


def test_a_new_lockout_begins_anew() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES)
    later = TRIES + LASTS + WITHIN
    _wrong(lockouts, TRIES - 1, at=later)
    assert lockouts.until("a", later + TRIES, right=False) is None
    _wrong(lockouts, 1, at=later + TRIES)
    assert lockouts.until("a", later + TRIES, right=True) is not None


@pytest.mark.parametrize("end", ["good", "lift"])
def test_a_good_key_and_new_rules_forget_the_wrong_ones(end: str) -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES - 1)
    lockouts.good("a") if end == "good" else lockouts.lift()
    _wrong(lockouts, 1, at=10)
    assert lockouts.until("a", 11, right=False) is None


def test_no_more_than_a_number_of_addresses_is_remembered() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES, source="first")
    for n in range(MOST):
        lockouts.wrong(f"{n}", Shown(b"x"), 10)
    assert lockouts.until("first", 11, right=False) is None


@pytest.mark.parametrize(
    "guesser, other, out",
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::1", "::2", False),
        ("", "", True),
    ],
)
def test_an_ipv6_network_is_one_address(guesser: str, other: str, *, out: bool) -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES, source=guesser)
    assert (lockouts.until(other, 10, right=False) is not None) is out


def test_lifting_says_whom_it_has_let_in_again() -> None:
    lockouts = Lockouts()
    for source in ("10.0.0.1", "10.0.0.2", "2001:db8::1"):
        _wrong(lockouts, TRIES, source=source)
    assert lockouts.lift("10.0.0.1") == ["10.0.0.1"]
    assert lockouts.until("10.0.0.2", 10, right=False) is not None
    assert lockouts.lift("2001:db8::2") == ["2001:db8::/64"]
    assert (lockouts.lift(), lockouts.lift(), lockouts.lift("glm")) == (["10.0.0.2"], [], [])


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES, at=1_000_000)
    assert lockouts.until("a", 900_000, right=False) is None
    _wrong(lockouts, TRIES - 1, at=900_000)
    assert lockouts.until("a", 900_010, right=False) is None


# ── over restarts ───────────────────────────────────────────────────────────────────────────────────────────────────


def _restarted(lockouts: Lockouts, now: float) -> Lockouts:
    again = Lockouts()
    again.load(orjson.loads(orjson.dumps(lockouts.dump(now))), now)
    return again


def test_a_lockout_and_its_guesses_outlive_the_process() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES)
    again = _restarted(lockouts, 10)
    end = TRIES - 1 + LASTS
    assert (again.until("a", 11, right=True), again.until("a", end, right=True)) == (end, None)


def test_one_wrong_key_shown_before_and_after_a_restart_is_still_one() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES - 1, same=True)
    again = _restarted(lockouts, 10)
    _wrong(again, 1, at=11, same=True)
    assert (again.until("a", 12, right=False) is not None, again.until("a", 12, right=True)) == (True, None)


def test_nobody_is_kept_who_has_nothing_against_them_any_more() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES - 1)
    _wrong(lockouts, TRIES, source="b")
    assert lockouts.dump(WITHIN + TRIES) != lockouts.dump(TRIES)
    assert _restarted(lockouts, LASTS + WITHIN).lift() == []


def test_of_many_addresses_the_latest_are_kept() -> None:
    lockouts = Lockouts()
    for n in range(KEPT + 10):
        lockouts.wrong(f"{n}", Shown(b"x"), 10)
    again = _restarted(lockouts, 11).lift()
    assert (len(again), again[-1]) == (KEPT, f"{KEPT + 9}")


def test_a_wrong_key_is_kept_by_so_little_that_nobody_can_find_it_again() -> None:
    lockouts = Lockouts()
    lockouts.wrong("a", Shown(digest("nearly the right one")), 0)
    assert digest("nearly the right one")[:5].hex() not in orjson.dumps(lockouts.dump(1)).decode()


@pytest.mark.parametrize("now", [-LASTS, 1_000_000])
def test_a_clock_that_was_set_meanwhile_locks_nobody_out(now: float) -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES)
    again = Lockouts()
    again.load(lockouts.dump(10), now)
    assert again.until("a", now, right=False) is None


@pytest.mark.parametrize(
    "value",
    [None, 7, "x", [], {"a": 7}, {"a": []}, {"a": [1, 2, 3]}, {"a": ["x", True, []]}, {"a": [0, True, [[1, 2]]]}],
    ids=str,
)
def test_nonsense_is_left_out(value: JSON) -> None:
    again = Lockouts()
    again.load(value, 8)
    assert again.until("a", 8, right=False) is None


def test_what_changes_is_counted() -> None:
    lockouts = Lockouts()
    seen = [lockouts.changes]
    lockouts.wrong("a", Shown(b"x"), 0)
    seen.append(lockouts.changes)
    lockouts.good("a")
    seen.append(lockouts.changes)
    lockouts.good("a")
    assert (seen, lockouts.changes) == ([0, 1, 2], 2)


def test_who_is_locked_out_is_told_until_when() -> None:
    lockouts = Lockouts()
    _wrong(lockouts, TRIES)
    _wrong(lockouts, 1, source="b")
    assert lockouts.locked(10) == [("a", TRIES - 1 + LASTS)]
    assert lockouts.locked(10 + LASTS) == []
