"""The ladder of reasoning efforts, and the steps between an effort and a budget of thinking tokens."""

from collections.abc import Iterable

LADDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
BUDGETS = {"none": 0, "minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 65536}
_STEPS = ((0, "none"), (4096, "low"), (16384, "medium"))
"""Thinking tokens up to which a budget counts as an effort; more is ``high``."""


def effort_of(budget: int | None) -> str | None:
    """The effort that comes nearest to a budget; None for none and for the model's own choice."""
    if budget is None or budget < 0:
        return None
    return next((word for most, word in _STEPS if budget <= most), "high")


def nearest(wanted: str, known: Iterable[str]) -> str:
    """``wanted``, or the nearest of the known efforts; of two equally near ones the lower. Nothing known is everything.

    Who wants reasoning gets some, where there is any.
    """
    steps = [word for word in LADDER if word in set(known)]
    if wanted in steps or not steps or wanted not in LADDER:
        return wanted
    place = LADDER.index(wanted)
    thinking = [word for word in steps if word != "none"] or steps
    return min(thinking, key=lambda word: abs(LADDER.index(word) - place))
