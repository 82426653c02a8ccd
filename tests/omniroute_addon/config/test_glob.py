"""Globs of rules."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.config.glob import matches


@pytest.mark.parametrize(
    "pattern, text, expected",
    [
        ("*", "", True),
        ("claude-*", "claude-opus-4-6", True),
        ("claude-*", "x-claude-1", False),
        ("claude-opus-4-6[1m]", "claude-opus-4-6[1m]", True),
        ("gpt-?", "gpt-5", True),
        ("gpt-?", "gpt-", False),
        ("a.b", "axb", False),
        ("MiniMax-*", "minimax-m2", True),
        ("*/x", "a/b/x", True),
    ],
)
def test_only_star_and_question_mark_are_special(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


def _slow(pattern: str, text: str) -> bool:
    """The same, with every way tried."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), text, re.IGNORECASE | re.DOTALL) is not None


@given(st.text("ab*?", max_size=8), st.text("abA\n", max_size=10))
def test_every_way_to_match_is_found(pattern: str, text: str) -> None:
    assert matches(pattern, text) is _slow(pattern, text)


@pytest.mark.parametrize("pattern", ["*a" * 12 + "*b", "*" * 40 + "b", "*?" * 12 + "b", "a*" * 30 + "b"])
def test_no_glob_takes_long_on_any_name(pattern: str) -> None:
    began = time.thread_time()
    assert not matches(pattern, "a" * 20_000)
    assert time.thread_time() - began < 0.5
