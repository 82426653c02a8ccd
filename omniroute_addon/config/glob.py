"""Globs of rules: ``*`` is any text, ``?`` one character, nothing else is special (model names contain brackets)."""

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches, in any case of letters."""
    return pattern == "*" or _compiled(pattern).fullmatch(text) is not None
