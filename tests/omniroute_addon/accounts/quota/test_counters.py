"""Quotas that are counted here."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.accounts.quota.counters import Counters
from omniroute_addon.config.governance import Window

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
DAY = (Window(window="day", requests=4),)


def shares(counters: Counters, rules: tuple[Window, ...], now: float) -> list[float]:
    return [one.share for one in counters.allowances(rules, now)]


def test_what_was_not_used_is_all_there() -> None:
    assert shares(Counters(), DAY, NOW) == [1.0]


def test_each_call_counts_until_the_day_is_used_up() -> None:
    counters = Counters()
    seen: list[float] = []
    for _ in range(5):
        counters.add(DAY, NOW, 1, 0)
        seen += shares(counters, DAY, NOW)
    assert seen == [0.75, 0.5, 0.25, 0.0, 0.0]


@pytest.mark.parametrize(
    "window, zone, resets",
    [
        ("day", "UTC", NOW + 86400),
        ("day", "America/Los_Angeles", NOW + 8 * 3600),
        ("week", "UTC", NOW + 4 * 86400),
        ("month", "UTC", NOW + 31 * 86400),
    ],
)
def test_a_calendar_window_begins_again_in_its_zone(window: Any, zone: str, resets: float) -> None:
    rules, counters = (Window(window=window, requests=1, timezone=zone),), Counters()
    counters.add(rules, NOW, 1, 0)
    (gone,) = counters.allowances(rules, resets - 1)
    assert (gone.share, gone.resets) == (0.0, resets)
    assert shares(counters, rules, resets) == [1.0]


def test_a_short_window_slides() -> None:
    rules, counters = (Window(window="hour", requests=2),), Counters()
    counters.add(rules, NOW, 1, 0)
    counters.add(rules, NOW + 1800, 1, 0)
    (gone,) = counters.allowances(rules, NOW + 1800)
    assert (gone.share, gone.resets) == (0.0, NOW + 3600)
    assert shares(counters, rules, NOW + 3600) == [0.5]
    assert shares(counters, rules, NOW + 5400) == [1.0]


def test_tokens_and_requests_are_windows_of_their_own() -> None:
    rules, counters = (Window(window="day", requests=10, tokens=1000),), Counters()
    counters.add(rules, NOW, 1, 0)
    counters.add(rules, NOW, 0, 750)
    assert [(one.window, one.share) for one in counters.allowances(rules, NOW)] == [
        ("day requests", 0.9),
        ("day tokens", 0.25),
    ]


def test_a_changed_rule_holds_at_once() -> None:
    counters = Counters()
    counters.add(DAY, NOW, 3, 0)
    assert shares(counters, (Window(window="day", requests=30),), NOW) == [0.9]


def test_a_restart_keeps_the_counts() -> None:
    rules, counters = (*DAY, Window(window="5h", tokens=100)), Counters()
    counters.add(rules, NOW, 1, 50)
    again = Counters.read(counters.plain())
    assert shares(again, rules, NOW) == [0.75, 0.5]


def test_numbers_that_nothing_can_be_reckoned_with_count_nothing() -> None:
    assert Counters.read({"hour": [[10**400, 1, 0], [float("nan"), 1, 0], [-5, 1, 0]]}).plain() == {"hour": []}


@given(st.dictionaries(st.text(max_size=9), st.lists(st.lists(st.integers() | st.floats(), max_size=4), max_size=4)))
def test_what_cannot_be_read_counts_nothing(state: Any) -> None:
    Counters.read(state)


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=20000), st.integers(1, 3)), max_size=60))
def test_a_sliding_window_never_counts_less_than_what_was_used_in_it(used: list[tuple[float, int]]) -> None:
    rules, counters, now = (Window(window="hour", requests=1000),), Counters(), NOW
    for moment, count in sorted(used):
        now = NOW + moment
        counters.add(rules, now, count, 0)
    inside = sum(count for moment, count in used if NOW + moment > now - 3600 + 60)
    (found,) = counters.allowances(rules, now)
    assert found.share <= 1 - inside / 1000 + 1e-9


def test_old_counts_are_forgotten() -> None:
    rules, counters = (Window(window="minute", requests=5),), Counters()
    for second in range(5000):
        counters.add(rules, NOW + second, 1, 0)
    slots = counters.plain()["minute"]
    assert isinstance(slots, list)
    assert len(slots) <= 61


@pytest.mark.parametrize("window", ["minute", "hour", "5h", "day", "week", "month"])
def test_what_was_counted_before_the_clock_was_set_back_counts_no_more(window: Any) -> None:
    counters, rules = Counters(), (Window(window=window, requests=1),)
    counters.add(rules, NOW + 90 * 86400, 1, 0)
    assert shares(counters, rules, NOW) == [1.0]
    counters.add(rules, NOW, 1, 0)
    assert shares(counters, rules, NOW) == [0.0]
