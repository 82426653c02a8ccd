"""Addresses that have shown too many wrong keys are let in no more for a while. Pure: the time comes in.

After ``TRIES`` wrong keys within ``WITHIN`` seconds an address is locked out for ``LASTS``. A tool that shows one wrong key
again and again is badly set up, not guessing: as long as all its tries were the same key, the right one ends its lockout.
"""

import ipaddress
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from omniroute_addon.gateway.callers import Shown

TRIES = 5
WITHIN = 5 * 60.0
LASTS = 15 * 60.0
MOST = 10_000
"""Addresses that are remembered; the one that was silent longest goes first."""


@dataclass(slots=True)
class _Source:
    tries: deque[tuple[float, Shown]] = field(default_factory=lambda: deque(maxlen=TRIES))
    until: float = 0.0
    guesses: bool = False
    """It has shown different wrong keys."""

    def locked(self, now: float) -> bool:
        """A lockout that ends later than it could was ordered before the clock was set back."""
        return now < self.until <= now + LASTS


class Lockouts:
    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Source] = OrderedDict()

    def until(self, source: str, now: float, *, right: bool) -> float | None:
        """When the address may try again; None when it may now. ``right``: it shows a good key."""
        known = self._sources.get(_whole(source))
        if known is None or not known.locked(now) or (right and not known.guesses):
            return None
        return known.until

    def wrong(self, source: str, proof: Shown, now: float) -> None:
        """The address has shown a wrong key."""
        place = _whole(source)
        known = self._sources.setdefault(place, _Source())
        self._sources.move_to_end(place)
        if not known.locked(now):
            known.guesses, known.until = False, 0.0
        known.tries.append((now, proof))
        recent = [shown for when, shown in known.tries if abs(now - when) <= WITHIN or known.until > now]
        known.guesses = known.guesses or len(set(recent)) > 1
        if known.until <= now and len(recent) >= TRIES:
            known.until = now + LASTS
        while len(self._sources) > MOST:
            self._sources.popitem(last=False)

    def good(self, source: str) -> None:
        """The address has shown a good key."""
        self._sources.pop(_whole(source), None)

    def lift(self, source: str | None = None) -> list[str]:
        """Forget what is held against an address, or against all (None); which were locked out or on their way there."""
        place = None if source is None else _whole(source)
        found = [known for known in self._sources if place in (None, known)]
        for known in found:
            del self._sources[known]
        return found


def _whole(source: str) -> str:
    """Whoever has one IPv6 address has the whole network of 64 bits that it is in."""
    try:
        address = ipaddress.IPv6Address(source.partition("%")[0])
    except ValueError:
        return source
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return source if address.is_loopback else str(ipaddress.IPv6Network((address, 64), strict=False))
