"""No secret leaves on a page: what the rules hold as keys, and what looks like one, is replaced in every answer.

The second line of defence. Headers are redacted before anything is recorded; this holds for bodies too, in which a key
may have been pasted or echoed.
"""

import re
from functools import lru_cache

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.headers import REDACTED

_SHORTEST = 8
_TELLING = 16
"""Characters that say more than whose key it is; what begins like a known key is one that was cut off."""
_CHARACTERS = r"[\w.+/=~-]"
_LIKE_KEYS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (literal, re.compile(re.escape(literal) + rest))
    for literal, rest in (
        ("sk-", r"[\w-]{16,}"),
        ("AIza", r"[\w-]{30,}"),
        ("ya29.", r"[\w-]{20,}"),
        *((f"gh{kind}_", r"\w{30,}") for kind in "pousr"),
        *((f"xox{kind}-", r"[\w-]{10,}") for kind in "abprs"),
        ("eyJ", r"[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"),
    )
)
"""How a key begins, which is looked for first since that is quick, and the whole of it."""


def of_snapshot(snapshot: Snapshot) -> frozenset[str]:
    """The keys that the rules hold."""
    accounts = [account for several in snapshot.usable.values() for account in several]
    return frozenset(one.key.get_secret_value() for one in accounts if one.key is not None)


def without(text: str, known: frozenset[str] = frozenset()) -> str:
    for literal, pattern in _known(known):
        if literal in text:
            text = pattern.sub(REDACTED, text)
    for literal, pattern in _LIKE_KEYS:
        if literal in text:
            text = pattern.sub(_hidden, text)
    return text


def _hidden(found: re.Match[str]) -> str:
    """``task-force…`` is no key."""
    before = found.string[found.start() - 1 : found.start()]
    return found[0] if before.isalnum() or before == "_" else REDACTED


@lru_cache(maxsize=64)
def _known(values: frozenset[str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
    starts = [(value[:_TELLING], "" if len(value) <= _TELLING else f"{_CHARACTERS}*") for value in found]
    return tuple((start, re.compile(re.escape(start) + rest)) for start, rest in starts)
