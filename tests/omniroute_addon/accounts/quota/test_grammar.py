"""How providers write amounts, spans and instants."""

from math import isfinite
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.accounts.quota.grammar import LONGEST, amount, instant, span, written_span

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z

ALPHABET = st.text(alphabet="0123456789.eE+-_:,; hmsdwTZinfa/ADayprtoM", max_size=40)
TEXTS = st.one_of(
    st.text(max_size=60),
    ALPHABET,
    st.floats().map(str),
    st.integers().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ("", "nan", "inf", "-1", "1e999", "9" * 400, "0x10", "٣", "0001-01-01", "9999-12-31T23:59:59-23:59")
    ),
)


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("6m0s", 360),
        ("1s", 1),
        ("20ms", 0.02),
        ("500ms", 0.5),
        ("1m30s", 90),
        ("1h", 3600),
        ("2h7m23s", 7643),
        ("7.66s", 7.66),
        ("2m59.56s", 179.56),
        ("1d2h", 93600),
        ("6m", 360),
        ("59.70s", 59.7),
        ("2 hours 7 minutes", 7620),
        ("1 hour, 5 minutes and 3 seconds", 3903),
        ("3 days", 259200),
        ("90", 90),
        ("0.25", 0.25),
        ("60;w=60", 60),
    ],
)
def test_a_span_is_read(text: str, seconds: float) -> None:
    assert span(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "5 apples", "-3", "nan", "inf", "1e99", "2 months", "m", "5m soon"])
def test_what_is_no_span_is_none(text: str) -> None:
    assert span(text) is None


@pytest.mark.parametrize(
    "text, moment",
    [
        ("1767229200", NOW + 3600),
        ("1767229200.5", NOW + 3600.5),
        ("1767229200000", NOW + 3600),
        ("1767229200000000", NOW + 3600),
        ("1767229200000000000", NOW + 3600),
        ("2026-01-01T01:00:00Z", NOW + 3600),
        ("2026-01-01T01:00:00.250Z", NOW + 3600.25),
        ("2026-01-01T02:00:00+01:00", NOW + 3600),
        ("2026-01-01 01:00:00", NOW + 3600),
        ("Thu, 01 Jan 2026 01:00:00 GMT", NOW + 3600),
        ("3600", NOW + 3600),
        ("1h0m0s", NOW + 3600),
        ("2025-12-31T23:00:00Z", NOW - 3600),
    ],
)
def test_an_instant_is_read(text: str, moment: float) -> None:
    assert instant(text, NOW) == pytest.approx(moment)


def test_a_time_without_a_zone_is_the_providers() -> None:
    assert instant("2026-01-01 09:00:00", NOW, ZoneInfo("Asia/Shanghai")) == NOW + 3600


@pytest.mark.parametrize("text", ["", "never", "9999-12-31T00:00:00Z", "-5", "nan", "99999999999999999999999", "1970"])
def test_what_is_no_instant_near_now_is_none(text: str) -> None:
    assert instant(text, NOW) is None or text == "1970"


@given(TEXTS)
def test_an_amount_is_finite_and_not_negative(text: str) -> None:
    found = amount(text)
    assert found is None or (isfinite(found) and found >= 0)


@given(TEXTS)
def test_a_span_is_finite_and_not_negative(text: str) -> None:
    for found in (span(text), written_span(text)):
        assert found is None or (isfinite(found) and 0 <= found <= LONGEST)


@given(TEXTS, st.floats(min_value=0, max_value=4e9))
def test_an_instant_is_finite_and_not_far(text: str, now: float) -> None:
    found = instant(text, now)
    assert found is None or (isfinite(found) and 0 <= found <= now + LONGEST)
