"""Globs of rules: ``*`` is any text, ``?`` one character, nothing else is special (model names contain brackets).

Rules are the user's, but what they are matched with comes from anywhere: the time is at most the product of the two
lengths, whatever they are. What follows a ``*`` is looked for once, from the left, and never tried again further right
(an atomic group): when the rest does not fit there, it fits no later either.
"""

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *others = (
        "".join("." if char == "?" else re.escape(char) for char in part) for part in re.split(r"\*+", pattern)
    )
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(first + middle + (f".*{others[-1]}" if others else ""), re.IGNORECASE | re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches, in any case of letters."""
    return pattern == "*" or _compiled(pattern).fullmatch(text) is not None
