"""No secret leaves on a page: what the rules hold as keys, and what looks like one, is replaced in every answer.

The second line of defence. Headers are redacted before anything is recorded; this holds for bodies too, in which a key
may have been pasted or echoed.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.headers import REDACTED

_SHORTEST = 8
_TELLING = 16
"""Characters that say more than whose key it is; what begins like a known key is one that was cut off."""
_CHARACTERS = r"[\w.+/=~-]"
_LIKE_KEYS = (
    r"\bsk-[\w-]{16,}",
    r"\bAIza[\w-]{30,}",
    r"\bya29\.[\w-]{20,}",
    r"\bgh[pousr]_\w{30,}",
    r"\bxox[abprs]-[\w-]{10,}",
    r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}",
)


def of_snapshot(snapshot: Snapshot) -> frozenset[str]:
    """The keys that the rules hold."""
    accounts = [account for several in snapshot.usable.values() for account in several]
    return frozenset(one.key.get_secret_value() for one in accounts if one.key is not None)


def without(text: str, known: frozenset[str] = frozenset()) -> str:
    return _pattern(known).sub(REDACTED, text)


@lru_cache(maxsize=32)
def _pattern(known: frozenset[str]) -> re.Pattern[str]:
    return re.compile("|".join([*_known(known), *_LIKE_KEYS]))


def _known(values: Iterable[str]) -> list[str]:
    found = sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
    return [
        re.escape(value) if len(value) <= _TELLING else f"{re.escape(value[:_TELLING])}{_CHARACTERS}*"
        for value in found
    ]
