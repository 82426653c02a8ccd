"""What two answers have in common and what only one of them has, word by word. Pure."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import takewhile
from typing import Literal

from omniroute_addon.web.resource import Answer

WORDS = 3000
"""More than these are compared line by line."""
LINES = 2000
"""More than these are not compared."""
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


class Change(Answer):
    kind: Literal["same", "added", "gone"]
    text: str


@lru_cache(maxsize=16)  # a page asks again and again while other targets still answer
def differences(before: str, after: str) -> tuple[Change, ...]:
    """``after`` against ``before``; what is changed is gone and added."""
    if before == after:
        return (Change(kind="same", text=after),) if after else ()
    one, two = _WORD.findall(before), _WORD.findall(after)
    if max(len(one), len(two)) > WORDS:
        one, two = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if max(len(one), len(two)) > LINES + WORDS:
        return (Change(kind="gone", text=before), Change(kind="added", text=after))
    begin = _common(one, two)
    end = _common(one[begin:][::-1], two[begin:][::-1])
    found = [Change(kind="same", text="".join(one[:begin]))] if begin else []
    found += _changes(one[begin : len(one) - end], two[begin : len(two) - end])
    if end:
        found.append(Change(kind="same", text="".join(one[-end:])))
    return tuple(found)


def _common(one: list[str], two: list[str]) -> int:
    """How many words both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))


def _changes(one: list[str], two: list[str]) -> Iterator[Change]:
    # What occurs on and on (spaces, above all) is no place to begin at, or this takes the square of their number.
    for how, a, b, c, d in SequenceMatcher(None, one, two, autojunk=True).get_opcodes():
        if how == "equal":
            yield Change(kind="same", text="".join(two[c:d]))
            continue
        if b > a:
            yield Change(kind="gone", text="".join(one[a:b]))
        if d > c:
            yield Change(kind="added", text="".join(two[c:d]))
