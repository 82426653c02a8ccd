"""Answers that may be given again: how long, how many, and how they are told to a call that asks in another manner.

No I/O and no clock. Values in :class:`Answers` leave by age, and the least recently used first when they are too many
or too large.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from translators import FORMATS, TranslationError, WireRequest
from translators.bridge import Translation
from translators.format import Profile

_OVERHEAD = 512
"""Bytes that an entry takes besides its answer, about."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole good answer, as the client got it, and what is known of it. No credentials, no request."""

    key: str
    manner: str
    """How it was asked for."""
    format: str
    content_type: str
    body: bytes
    streamed: bool
    stored: float
    """Unix seconds."""
    target: str
    """Who gave it."""
    address: str = ""
    """Where that was."""
    provider: str | None = None
    model: str | None = None
    worth: int | None = None
    """Micro-dollars at the list price: what giving it again saves."""

    @property
    def size(self) -> int:
        return len(self.body) + _OVERHEAD


class Answers:
    """Kept answers by key."""

    def __init__(self, dropped: Callable[[str], None] | None = None) -> None:
        """``dropped``: told of every key that leaves by itself."""
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._dropped = dropped
        self.bytes = 0
        self.ttl = 0.0
        self.max_entries = 0
        self.max_bytes = 0
        self.evicted = 0
        """Answers that had to make room."""

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        return iter(self._kept.values())

    def limit(self, ttl: float, max_entries: int, max_bytes: int, now: float) -> None:
        """What holds from now on, also for what is there."""
        self.ttl, self.max_entries, self.max_bytes = ttl, max_entries, max_bytes
        for key in [one.key for one in self._kept.values() if self._old(one, now)]:
            self.drop(key)
        self._make_room()

    def get(self, key: str, now: float) -> Kept | None:
        """The answer, which is now the most recently used one."""
        found = self._kept.get(key)
        if found is None:
            return None
        if self._old(found, now):
            self.drop(key)
            return None
        self._kept.move_to_end(key)
        return found

    def put(self, one: Kept, now: float) -> bool:
        """False when it cannot be kept."""
        if one.size > self.max_bytes or self.max_entries < 1 or self._old(one, now):
            return False
        if (old := self._kept.pop(one.key, None)) is not None:
            self.bytes -= old.size
        self._kept[one.key] = one
        self.bytes += one.size
        self._make_room(now)
        return one.key in self._kept

    def drop(self, key: str) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self.bytes -= old.size
            if self._dropped is not None:
                self._dropped(key)

    def _old(self, one: Kept, now: float) -> bool:
        return not 0 <= now - one.stored < self.ttl  # a clock that was set back makes everything old

    def _make_room(self, now: float | None = None) -> None:
        while self._kept and (len(self._kept) > self.max_entries or self.bytes > self.max_bytes):
            oldest = next(iter(self._kept.values()))
            self.evicted += now is None or not self._old(oldest, now)
            self.drop(oldest.key)


def told_again(one: Kept, wire: WireRequest, manner: str) -> tuple[bytes, str] | None:
    """The answer for another call of the same format, with its content type: the same bytes for the same manner, else
    made a stream or a whole answer. None when that cannot be done.
    """
    if manner == one.manner:
        return one.body, one.content_type
    form = FORMATS[one.format]
    bridge = Translation(form, form, Profile(), None)
    try:
        bridge.request(wire)
        body = bridge.feed(one.body, one.content_type) + bridge.close()
    except TranslationError:
        return None
    return (body, bridge.content_type) if bridge.finished and bridge.failure is None else None
