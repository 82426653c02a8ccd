"""The pace of an account goes on where it was after a restart."""

from math import inf

import orjson
import pytest

from omniroute_addon.accounts.limits import LANES_KEPT, LONGEST_LEARNED, STARTS_KEPT, Limits
from omniroute_addon.config.governance import Rates
from translators.hub import JSON

WALL = 1_800_000_000.0
BEGAN, BOOTED = 1000.0, 777.0
"""What the clocks of the two processes show, each at its start."""
FREE = Rates()


def _started(limits: Limits, calls: int, rates: Rates = FREE) -> None:
    for number in range(calls):
        limits.lane("a").pace.start(number, rates, BEGAN)
        limits.lane("a").pace.heard(number, good=True)


def _limits(now: float = BEGAN) -> Limits:
    return Limits(lambda: now)


def _restarted(before: Limits, later: float = 1.0) -> Limits:
    again = _limits(BOOTED)
    again.load(orjson.loads(orjson.dumps(before.dump(WALL))), WALL + later)
    return again


def _wait(limits: Limits, rates: Rates = FREE) -> float:
    return limits.lane("a").pace.wait(rates, BOOTED)


def test_the_calls_of_the_last_minute_count() -> None:
    before, rates = _limits(), Rates(rpm=3)
    _started(before, 3, rates)
    assert _wait(_restarted(before, 20), rates) == pytest.approx(40)
    assert _wait(_restarted(before, 61), rates) == 0


def test_the_gap_is_kept() -> None:
    before = _limits()
    _started(before, 1)
    assert _wait(_restarted(before), Rates(min_gap="5s")) == pytest.approx(4)


def test_what_the_headers_said_holds_until_its_end() -> None:
    before = _limits()
    before.learned("a", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, WALL)
    again = _restarted(before, 10)
    assert _wait(again) == pytest.approx(20)
    assert _wait(_restarted(before, 31)) == 0


def test_after_a_pause_one_call_goes_first() -> None:
    before = _limits()
    before.lane("a").pause(8)
    again = _restarted(before, 2)
    assert _wait(again) == pytest.approx(6)
    later = _restarted(before, 9)
    assert _wait(later) == 0
    later.lane("a").pace.start("first", FREE, BOOTED)
    assert _wait(later) > 0


def test_calls_under_way_end_with_their_process() -> None:
    before, rates = _limits(), Rates(concurrency=1)
    before.lane("a").pace.start("one", rates, BEGAN)
    assert before.lane("a").pace.wait(rates, BEGAN) == inf
    assert _wait(_restarted(before), rates) == 0


@pytest.mark.parametrize("later", [-2 * LONGEST_LEARNED, 10 * LONGEST_LEARNED])
def test_a_clock_that_was_set_meanwhile_holds_nobody_up(later: float) -> None:
    before = _limits()
    _started(before, 2)
    before.learned("a", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, WALL)
    before.lane("a").pause(8)
    assert _wait(_restarted(before, later), Rates(rpm=2)) == 0


def test_what_is_kept_is_bounded() -> None:
    before = _limits()
    _started(before, 2 * STARTS_KEPT, Rates(rpm=10_000))
    for n in range(2 * LANES_KEPT):
        before.lane(f"{n}").pause(9)
    assert len(orjson.dumps(before.dump(WALL))) < 60 * LANES_KEPT + 20 * STARTS_KEPT


def test_who_was_never_asked_is_not_kept() -> None:
    before = _limits()
    before.lane("a")
    assert before.dump(WALL) == {}


@pytest.mark.parametrize(
    "value",
    [None, 7, [], {"a": None}, {"a": [[], None]}, {"a": [["x", None], 7, "x", True]}, {"a": [[], [1], 1e300, 1]}],
    ids=str,
)
def test_nonsense_is_left_out(value: JSON) -> None:
    again = _limits(BOOTED)
    again.load(value, WALL)
    assert _wait(again) == 0
