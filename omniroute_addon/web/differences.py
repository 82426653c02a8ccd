"""What two answers have in common and what only one of them has, word by word. Pure."""

import re
from difflib import SequenceMatcher
from typing import Literal

from omniroute_addon.web.resource import Answer

WORDS = 3000
"""More than these are compared line by line: comparing takes the square of their number."""
LINES = 2000
"""More than these are not compared."""
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


class Change(Answer):
    kind: Literal["same", "added", "gone"]
    text: str


def differences(before: str, after: str) -> tuple[Change, ...]:
    """``after`` against ``before``; what is changed is gone and added."""
    if before == after:
        return (Change(kind="same", text=after),) if after else ()
    one, two = _WORD.findall(before), _WORD.findall(after)
    if max(len(one), len(two)) > WORDS:
        one, two = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if max(len(one), len(two)) > LINES + WORDS:
        return (Change(kind="gone", text=before), Change(kind="added", text=after))
    found: list[Change] = []
    for how, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if how == "equal":
            found.append(Change(kind="same", text="".join(two[c:d])))
            continue
        if b > a:
            found.append(Change(kind="gone", text="".join(one[a:b])))
        if d > c:
            found.append(Change(kind="added", text="".join(two[c:d])))
    return tuple(found)
