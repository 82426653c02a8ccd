"""Scorecards over time."""

from pathlib import Path

import pytest

from omniroute_addon.evals import store
from omniroute_addon.evals.run import Billed, Card, Result


def card(number: int, suite: str = "s", target: str = "glm/x") -> Card:
    result = Result("c", "Case", True, 0.5, "said", billed=Billed("glm/x", "main", 1, 2, 3), tags=("a", "b"))
    return Card(f"run-{number:04}", suite, "Suite", target, float(number), number + 1.0, (result,))


def test_a_card_comes_back_as_it_was(tmp_path: Path) -> None:
    store.keep(tmp_path, card(1))
    assert store.cards(tmp_path) == [card(1)]


def test_the_latest_come_oldest_first(tmp_path: Path) -> None:
    for number in range(5):
        store.keep(tmp_path, card(number))
    assert [one.id for one in store.cards(tmp_path, limit=2)] == ["run-0003", "run-0004"]


def test_they_are_chosen_by_suite_target_and_name(tmp_path: Path) -> None:
    for one in (card(1), card(2, "other"), card(3, target="groq/y")):
        store.keep(tmp_path, one)
    found = [
        store.cards(tmp_path, suite="other"),
        store.cards(tmp_path, target="groq/y"),
        store.cards(tmp_path, name="run-0001"),
    ]
    assert [[one.id for one in each] for each in found] == [["run-0002"], ["run-0003"], ["run-0001"]]


def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT", 3)
    for number in range(6):
        store.keep(tmp_path, card(number))
    assert [one.id for one in store.cards(tmp_path)] == ["run-0003", "run-0004", "run-0005"]


def test_nothing_has_run_yet(tmp_path: Path) -> None:
    assert (store.cards(tmp_path), list(tmp_path.iterdir())) == ([], [])


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    store.keep(tmp_path, card(1))
    assert (tmp_path / store.NAME).stat().st_mode & 0o777 == 0o600
