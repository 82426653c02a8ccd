"""Figures in words and blocks."""

import pytest

from omniroute_addon.cli import plots


@pytest.mark.parametrize("share, drawn", [(0, ""), (1, "████"), (0.5, "██"), (0.53, "██▏"), (0.001, "▏"), (7, "████")])
def test_a_bar_is_as_long_as_its_share(share: float, drawn: str) -> None:
    assert plots.bar(share, 4) == drawn


def test_a_gauge_shows_its_rest() -> None:
    assert plots.gauge(0.5, 4) == "██░░"


def test_a_spark_has_one_character_for_each_value() -> None:
    assert plots.spark([0, 1, 4, 8]) == " ▂▅█"
    assert plots.spark([0, 0]) == "  "


@pytest.mark.parametrize(
    "number, said", [(0, "0"), (950, "950"), (12_345, "12.3k"), (4.5e6, "4.5M"), (2e15, "2000.0T")]
)
def test_a_count_is_short(number: float, said: str) -> None:
    assert plots.count(number) == said


@pytest.mark.parametrize("micro, said", [(0, "$0.00"), (1_234_567, "$1.23"), (12_300, "$0.0123")])
def test_money_keeps_the_digits_that_say_something(micro: int, said: str) -> None:
    assert plots.money(micro) == said


def test_an_estimate_is_marked() -> None:
    assert plots.money(2_000_000, estimated=True) == "~$2.00"


@pytest.mark.parametrize("seconds, said", [(45, "45s"), (8000, "2h 13m"), (3 * 86400 + 5, "3d"), (-1, "0s")])
def test_a_duration_has_its_two_greatest_units(seconds: float, said: str) -> None:
    assert plots.duration(seconds) == said
