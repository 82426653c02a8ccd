"""Names that fit."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators import Unsupported
from translators.tools.names import Names

PATTERN = r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}"


def test_a_word_that_fits_stays() -> None:
    assert Names(PATTERN).make("get_weather", "k") == "get_weather"


@given(st.lists(st.text(max_size=200), max_size=8))
def test_all_words_fit_and_differ(words: list[str]) -> None:
    names = Names(PATTERN)
    made = [names.make(word, f"{number}{word}") for number, word in enumerate(words)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(PATTERN, word) for word in made)


def test_the_same_words_give_the_same_names() -> None:
    assert Names(PATTERN).make("mcp.server/tool", "k") == Names(PATTERN).make("mcp.server/tool", "k")


def test_long_words_stay_apart() -> None:
    names = Names(PATTERN)
    assert names.make("x" * 80 + "a", "a") != names.make("x" * 80 + "b", "b")


def test_reserved_words_are_not_given_out() -> None:
    names = Names(PATTERN)
    names.reserve("get")
    assert names.make("get", "k") != "get"


def test_nine_plain_characters_are_possible() -> None:
    assert re.fullmatch("[a-z0-9]{9}", Names("[a-z0-9]{9}").make("call_0", "k"))


def test_a_pattern_that_nothing_fits_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="nothing like 'a'"):
        Names("!").make("a", "k")
