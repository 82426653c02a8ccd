import sys
from random import Random

import pytest

from omniroute_addon.web.differences import LINES, WORDS, differences


def told(before: str, after: str) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in differences(before, after)]


@pytest.mark.parametrize(
    "before, after, changes",
    [
        ("", "", []),
        ("same", "same", [("same", "same")]),
        ("I see a cat.", "I see a dog.", [("same", "I see a "), ("gone", "cat"), ("added", "dog"), ("same", ".")]),
        ("", "new", [("added", "new")]),
        ("old", "", [("gone", "old")]),
        ("ünï 漢字", "ünï 漢字!", [("same", "ünï 漢字"), ("added", "!")]),
    ],
)
def test_word_by_word(before: str, after: str, changes: list[tuple[str, str]]) -> None:
    assert told(before, after) == changes


def test_long_texts_are_compared_line_by_line() -> None:
    before = "".join(f"line {number} of many words\n" for number in range(WORDS // 4))
    assert told(before, before + "one more\n")[-1] == ("added", "one more\n")


def test_very_long_texts_are_not_compared() -> None:
    before = "x\n" * (LINES + WORDS + 1)
    assert [kind for kind, _ in told(before, before + "y")] == ["gone", "added"]


@pytest.mark.parametrize("words", [["t=1;", "token"], ["the", "cat", "and", "dog", "of", "a", "house"]])
def test_words_that_come_on_and_on_do_not_take_the_square_of_their_number(words: list[str]) -> None:
    """Counted in steps, so that a slow machine is none of our business."""
    draw = Random(1)
    before, after = (" ".join(draw.choice(words) + str(n % 7) for n in range(WORDS // 4)) for _ in range(2))
    steps = 0

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(step)
    try:
        found = differences(before, after)
    finally:
        sys.setprofile(None)
    assert "".join(one.text for one in found if one.kind != "gone") == after
    assert steps < 500_000


def test_nothing_is_lost_on_the_way() -> None:
    before, after = "one two\n\tthree", "one  2\nthree four"
    found = differences(before, after)
    assert "".join(one.text for one in found if one.kind != "gone") == after
    assert "".join(one.text for one in found if one.kind != "added") == before
