"""When budgets begin again."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.ledger.periods import PERIODS, Period, span

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    "period, start, end",
    [
        ("daily", "2026-06-10T00:00", "2026-06-11T00:00"),
        ("weekly", "2026-06-08T00:00", "2026-06-15T00:00"),
        ("monthly", "2026-06-01T00:00", "2026-07-01T00:00"),
    ],
)
def test_a_period_begins_at_midnight_of_its_zone(period: Period, start: str, end: str) -> None:
    assert span(period, at("2026-06-10T14:30"), BERLIN) == (at(start), at(end))


def test_the_day_that_loses_an_hour_has_23() -> None:
    start, end = span("daily", at("2026-03-29T12:00"), BERLIN)
    assert end - start == 23 * HOUR


def test_the_day_that_gains_an_hour_has_25() -> None:
    start, end = span("daily", at("2026-10-25T12:00"), BERLIN)
    assert end - start == 25 * HOUR


def test_december_ends_with_the_year() -> None:
    assert span("monthly", at("2026-12-31T23:59"), BERLIN)[1] == at("2027-01-01T00:00")


@given(
    st.sampled_from(PERIODS),
    st.floats(0, 4e9),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Africa/Cairo", "America/Havana"]),
)
def test_periods_follow_each_other_without_a_gap(period: Period, now: float, name: str) -> None:
    zone = ZoneInfo(name)
    start, end = span(period, now, zone)
    assert start <= now < end
    assert span(period, end, zone)[0] == end
    assert datetime.fromtimestamp(start, UTC) < datetime.fromtimestamp(end, UTC)
