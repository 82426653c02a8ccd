"""Effort, budget and level of reasoning lead into each other in both directions."""

import pytest

from translators.efforts import BUDGETS, LADDER, effort_of, nearest


@pytest.mark.parametrize("effort", ["none", "low", "high"])
def test_the_budget_of_an_effort_is_that_effort_again(effort: str) -> None:
    assert effort_of(BUDGETS[effort]) in (effort, "medium" if effort == "high" else effort)


@pytest.mark.parametrize("budget, effort", [(0, "none"), (1, "low"), (4097, "medium"), (16385, "high"), (-1, None)])
def test_a_budget_has_an_effort(budget: int, effort: str | None) -> None:
    assert effort_of(budget) == effort


def test_no_budget_has_none() -> None:
    assert effort_of(None) is None


@pytest.mark.parametrize("wanted", LADDER)
def test_a_known_effort_stays(wanted: str) -> None:
    assert nearest(wanted, LADDER) == nearest(wanted, ()) == wanted


@pytest.mark.parametrize(
    "wanted, known, found",
    [("max", ("low", "high"), "high"), ("medium", ("low", "high"), "low"), ("none", ("low",), "low")],
)
def test_another_becomes_the_nearest(wanted: str, known: tuple[str, ...], found: str) -> None:
    assert nearest(wanted, known) == found


@pytest.mark.parametrize("wanted, found", [("minimal", "low"), ("low", "low"), ("none", "none")])
def test_who_wants_reasoning_does_not_lose_it(wanted: str, found: str) -> None:
    assert nearest(wanted, ("none", "low", "high")) == found


def test_a_word_that_is_no_effort_stays() -> None:
    assert nearest("default", ("low",)) == "default"
