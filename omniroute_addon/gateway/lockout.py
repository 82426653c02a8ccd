"""Addresses that have shown too many wrong keys are let in no more for a while. Pure: the time comes in.

After ``TRIES`` wrong keys within ``WITHIN`` seconds an address is locked out for ``LASTS``. A tool that shows one wrong key
again and again is badly set up, not guessing: as long as all its tries were the same key, the right one ends its lockout.

All of it outlives the process with ``dump`` and ``load``. Of a wrong key four bytes of its digest are kept: enough to
know it again, too little to find it by trying.
"""

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from omniroute_addon.gateway.callers import Shown
from translators.hub import JSON

TRIES = 5
WITHIN = 5 * 60.0
LASTS = 15 * 60.0
MOST = 10_000
"""Addresses that are remembered; the one that was silent longest goes first."""
KEPT = 500
"""Of those a restart remembers."""
_MARK = 4
"""Bytes of a digest."""


@dataclass(slots=True)
class _Source:
    tries: deque[tuple[float, bytes]] = field(default_factory=lambda: deque(maxlen=TRIES))
    until: float = 0.0
    guesses: bool = False
    """It has shown different wrong keys."""

    def locked(self, now: float) -> bool:
        """A lockout that ends later than it could was ordered before the clock was set back."""
        return now < self.until <= now + LASTS


class Lockouts:
    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self.changes = 0
        """Grows with everything that ``dump`` would show."""

    def until(self, source: str, now: float, *, right: bool) -> float | None:
        """When the address may try again; None when it may now. ``right``: it shows a good key."""
        known = self._sources.get(_whole(source))
        if known is None or not known.locked(now) or (right and not known.guesses):
            return None
        return known.until

    def wrong(self, source: str, proof: Shown, now: float) -> bool:
        """The address has shown a wrong key; whether that has locked it out."""
        self.changes += 1
        place = _whole(source)
        known = self._sources.setdefault(place, _Source())
        self._sources.move_to_end(place)
        if not known.locked(now):
            known.guesses, known.until = False, 0.0
        known.tries.append((now, proof.digest[:_MARK]))
        recent = [shown for when, shown in known.tries if abs(now - when) <= WITHIN or known.until > now]
        known.guesses = known.guesses or len(set(recent)) > 1
        begins = known.until <= now and len(recent) >= TRIES
        if begins:
            known.until = now + LASTS
        while len(self._sources) > MOST:
            self._sources.popitem(last=False)
        return begins

    def good(self, source: str) -> None:
        """The address has shown a good key."""
        if self._sources.pop(_whole(source), None) is not None:
            self.changes += 1

    def locked(self, now: float) -> list[tuple[str, float]]:
        """Addresses that are let in no more, and until when."""
        return [(place, known.until) for place, known in self._sources.items() if known.locked(now)]

    def lift(self, source: str | None = None) -> list[str]:
        """Forget what is held against an address, or against all (None); which were locked out or on their way there."""
        place = None if source is None else _whole(source)
        found = [known for known in self._sources if place in (None, known)]
        for known in found:
            del self._sources[known]
        self.changes += bool(found)
        return found

    def dump(self, now: float) -> JSON:
        """What a restart should remember."""
        held = [
            (place, known)
            for place, known in self._sources.items()
            if known.locked(now) or any(abs(now - when) <= WITHIN for when, _ in known.tries)
        ]
        return {
            place: [known.until, known.guesses, [[when, mark.hex()] for when, mark in known.tries]]
            for place, known in held[-KEPT:]
        }

    def load(self, kept: JSON, now: float) -> None:
        """What ``dump`` gave; what cannot be read or true is left out."""
        if not isinstance(kept, dict):
            return
        for place, value in kept.items():
            match value:
                case [int() | float() as until, bool() as guesses, list(tries)]:
                    source = _Source(until=float(until), guesses=guesses)
                    source.tries.extend(_tries(tries, now))
                    if source.locked(now) or source.tries:
                        self._sources[place] = source
                case _:
                    pass


def _tries(kept: list[JSON], now: float) -> Iterator[tuple[float, bytes]]:
    for one in kept:
        match one:
            case [int() | float() as when, str(mark)] if now - LASTS - WITHIN <= when <= now + 1:
                with suppress(ValueError):
                    yield float(when), bytes.fromhex(mark)
            case _:
                pass


def _whole(source: str) -> str:
    """Whoever has one IPv6 address has the whole network of 64 bits that it is in."""
    try:
        address = ipaddress.IPv6Address(source.partition("%")[0])
    except ValueError:
        return source
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return source if address.is_loopback else str(ipaddress.IPv6Network((address, 64), strict=False))
