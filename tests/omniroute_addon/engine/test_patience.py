"""How long a call may wait, and how often it may be tried."""

from dataclasses import replace

import pytest

from omniroute_addon.config.combos import ComboDefaults
from omniroute_addon.config.models import Place, Timeouts
from omniroute_addon.engine.patience import patience, spent
from omniroute_addon.ledger import ExchangeRecord
from omniroute_addon.ledger.record import Tape
from omniroute_addon.routing.candidate import Candidate

NOW = 1000.0
TIMEOUTS = Timeouts(first_event=60, whole=600)


def record(*, streaming: bool = True, attempts: int = 0) -> ExchangeRecord:
    one = ExchangeRecord("x", "c", "f", "generate", None, "r", None, NOW, Tape(0), streaming=streaming)
    one.attempts = [None] * attempts  # type: ignore[list-item] -- only their number counts
    return one


def candidate(**settings: float) -> Candidate:
    return Candidate("glm/x", None, "x", None, place=Place("c", ComboDefaults(**settings), None))  # type: ignore[arg-type]


@pytest.mark.parametrize("streaming, longest", [(True, 60), (False, 600)])
def test_nobody_waits_longer_than_for_an_answer(longest: float, *, streaming: bool) -> None:
    asked = record(streaming=streaming)
    found = [patience(candidate(), TIMEOUTS, asked, NOW + passed) for passed in (0, 10, 1000)]
    assert found == [longest, longest - 10, 0]


def test_nobody_waits_longer_than_the_combo_allows() -> None:
    assert patience(candidate(max_time=5), TIMEOUTS, record(), NOW + 2) == 3


def test_a_target_of_no_combo_is_tried_as_often_as_its_verdicts_say() -> None:
    assert not spent(replace(candidate(), place=None), record(attempts=99), NOW + 1e6)


@pytest.mark.parametrize("attempts, over", [(1, False), (2, True), (3, True)])
def test_a_combo_may_bound_the_attempts(attempts: int, *, over: bool) -> None:
    assert spent(candidate(max_attempts=2), record(attempts=attempts), NOW) is over


@pytest.mark.parametrize("passed, over", [(4.9, False), (5, True)])
def test_a_combo_may_bound_the_time(passed: float, *, over: bool) -> None:
    assert spent(candidate(max_time=5), record(), NOW + passed) is over
