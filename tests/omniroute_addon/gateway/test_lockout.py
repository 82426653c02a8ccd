"""Addresses that guess are locked out; tools with one wrong key are not punished for it."""

import pytest

from omniroute_addon.gateway.callers import Shown
from omniroute_addon.gateway.lockout import LASTS, MOST, TRIES, WITHIN, Lockouts


def _wrong(
    lockouts: Lockouts, times: int, *, at: float = 0.0, every: float = 1.0, source: str = "a", same: bool = False
) -> None:
    for n in range(times):
        lockouts.wrong(source, Shown(b"same" if same else f"{at}-{n}".encode()), at + n * every)


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
