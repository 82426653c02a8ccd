"""What a window means later than it was told."""

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.accounts.health import SET_BACK
from omniroute_addon.accounts.quota.allowance import GONE_UNDATED, Allowance, period_name, read


def test_a_fixed_window_says_the_same_until_its_reset() -> None:
    window = Allowance("5h", 0.25, 100, resets=200)
    assert (window.share_at(100), window.share_at(199)) == (0.25, 0.25)


def test_after_its_reset_nothing_is_known() -> None:
    assert Allowance("5h", 0.0, 100, resets=200).share_at(200) is None


def test_a_window_that_is_gone_without_a_reset_is_believed_for_minutes() -> None:
    window = Allowance("quota", 0.0, 100)
    assert window.share_at(100 + GONE_UNDATED - 1) == 0
    assert window.share_at(100 + GONE_UNDATED) is None


def test_a_bucket_fills_all_the_time() -> None:
    window = Allowance("day requests", 0.5, 0, limit=100, period=1000)
    assert window.share_at(250) == pytest.approx(0.75)
    assert window.share_at(500) is None


def test_an_empty_bucket_is_back_with_its_first_unit() -> None:
    window = Allowance("day requests", 0.0, 0, limit=100, period=1000)
    assert (window.share_at(9), window.back) == (0.0, 10)
    assert window.share_at(10) == pytest.approx(0.01)


def test_a_bucket_is_full_when_the_rest_has_come() -> None:
    assert Allowance("day requests", 0.25, 100, limit=100, period=1000).believed_until == 850


@pytest.mark.parametrize("model, about", [("claude-opus-4-6", True), ("claude-sonnet-4-5", False), (None, False)])
def test_a_models_window_is_about_that_model(model: str | None, about: bool) -> None:
    assert Allowance("week opus", 0.0, 0, models="opus").about(model) is about


@pytest.mark.parametrize("model, about", [("gpt-4o", True), ("GPT-4o", True), ("gpt-4o-mini", False), (None, False)])
def test_a_whole_name_is_about_no_other_model(model: str | None, about: bool) -> None:
    assert Allowance("day requests gpt-4o", 0.0, 0, models="=gpt-4o").about(model) is about


@pytest.mark.parametrize(
    "seconds, name", [(300 * 60, "5h"), (10080 * 60, "week"), (60, "minute"), (30 * 86400, "month"), (7200, None)]
)
def test_a_length_has_a_name(seconds: float, name: str | None) -> None:
    assert period_name(seconds) == name


def test_what_is_written_down_can_be_read() -> None:
    window = Allowance("week opus", 0.4, 100, 200, "error", 50, None, "opus", gates=False)
    assert read(window.plain()) == window


@pytest.mark.parametrize("name", ["share", "seen", "resets"])
def test_a_number_that_nothing_can_be_reckoned_with_is_left_out(name: str) -> None:
    assert read({**Allowance("5h", 0.5, 1.0, 2.0).plain(), name: 10**400}) in (None, Allowance("5h", 0.5, 1.0))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(Allowance("", 0, 0).plain())), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_anything_else_is_left_out(value: object) -> None:
    found = read(value)  # pyright: ignore[reportArgumentType]
    assert found is None or all(isfinite(number) for number in (found.share, found.seen, found.believed_until))


@pytest.mark.parametrize(
    "window",
    [
        Allowance("5h", 0.0, 1_000_000, resets=1_018_000),
        Allowance("quota", 0.0, 1_000_000),
        Allowance("day requests", 0.0, 1_000_000, limit=100, period=86400),
    ],
    ids=["dated", "undated", "bucket"],
)
def test_what_was_seen_before_the_clock_was_set_back_is_not_believed(window: Allowance) -> None:
    assert (window.share_at(1_000_000 - SET_BACK), window.share_at(900_000)) == (0.0, None)
