"""A few thousand cases of the fuzz on every run; ``python -m tests.translators.fuzz`` makes a million."""

import pytest

from tests.translators.fuzz import attack, corpus, damage, linear
from translators import FORMATS

CASES = 6_000
PARTS = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_calls_are_refused_or_translated(part: int) -> None:
    for number in range(part, CASES, PARTS):
        try:
            attack.run(attack.case(20_251, number))
        except Exception as error:
            error.add_note(f"python -m tests.translators.fuzz --seed 20251 --only {number}")
            raise


def test_every_format_has_something_to_damage() -> None:
    for name in FORMATS:
        seeds = corpus.seeds()[name]
        assert all((seeds.requests, seeds.streams, seeds.answers, seeds.errors))


def test_the_same_number_is_the_same_case() -> None:
    assert attack.case(3, 77) == attack.case(3, 77)


def test_marked_values_become_what_no_tree_can_say() -> None:
    assert damage.text_of({"a": "\x02raw:NaN", "\x02twice:1:b": 1, "b": 2}) == b'{"a": NaN, "b": 1, "b": 2}'


def test_every_shape_that_hurts_can_be_built() -> None:
    for shape, make, size in linear.works("openai-chat", "anthropic-messages"):
        assert make(max(1, size // 50))() is None or shape.startswith("error")


@pytest.mark.parametrize("times, steep", [([1, 2, 4, 8], False), ([1, 4, 16, 64], True), ([5, 5, 6, 8], False)])
def test_growth_tells_linear_from_quadratic(times: list[float], steep: bool) -> None:
    assert (linear.slope(times) > linear.GROWTH) is steep
