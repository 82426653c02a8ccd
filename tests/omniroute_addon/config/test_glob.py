"""Globs of rules."""

import pytest

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
