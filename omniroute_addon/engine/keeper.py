"""Keeps what the engine has learned for the next start: written in the ledger's state half a second after it changed.

The event loop only makes the values and appends them to the ledger's journal, where they survive ``kill -9``; its thread
does the rest. ``status`` and ``explain`` read the same state beside the proxy.
"""

import asyncio
import logging
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol, cast

from omniroute_addon.config.models import Snapshot
from omniroute_addon.gateway.lockout import Lockouts
from omniroute_addon.ledger.storable import json_text
from translators.hub import JSON

logger = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between two looks whether something has changed."""


class Keeping(Protocol):
    """Where state is kept: the ledger."""

    def get_state(self, key: str) -> object: ...

    def put_state(self, key: str, value: object) -> None: ...


class Learned(Protocol):
    """What is kept: in parts, each with a name of its own."""

    @property
    def changes(self) -> int:
        """Grows with everything that ``dump`` would show."""
        ...

    def dump(self) -> dict[str, JSON]: ...

    def load(self, part: Callable[[str], JSON]) -> None:
        """What ``dump`` gave; ``part`` finds one by its name."""
        ...


class Barred:
    """Lockouts as something that is kept, together with the keys that they are about: under others they are over."""

    def __init__(self, lockouts: Lockouts, rules: Callable[[], Snapshot], now: Callable[[], float]) -> None:
        self._lockouts = lockouts
        self._rules = rules
        self._now = now

    @property
    def changes(self) -> int:
        return self._lockouts.changes

    def dump(self) -> dict[str, JSON]:
        return {"lockouts": {"keys": self._digest(), "sources": self._lockouts.dump(self._now())}}

    def load(self, part: Callable[[str], JSON]) -> None:
        match part("lockouts"):
            case {"keys": str(keys), "sources": sources} if keys == self._digest():
                self._lockouts.load(sources, self._now())
            case _:
                pass

    def _digest(self) -> str:
        keys = [(key.name, key.digest) for key in self._rules().keys]
        return sha256(repr(keys).encode()).hexdigest()[:16]


class Keeper:
    def __init__(self, ledger: Keeping, *learned: Learned) -> None:
        self._ledger = ledger
        self._learned = learned
        self._saved: dict[str, str] = {}
        self._changes = [one.changes for one in learned]
        self._task: asyncio.Task[None] | None = None

    def load(self) -> None:
        """What an earlier process has left. A state that cannot be used costs nothing but what was learned."""
        for one in self._learned:
            try:
                one.load(lambda part: cast("JSON", self._ledger.get_state(part)))
            except (TypeError, ValueError, OverflowError):
                logger.exception("what was learned before the start cannot be used; it is learned again")

    def save(self) -> None:
        """Keep what has changed."""
        for number, one in enumerate(self._learned):
            if self._changes[number] == one.changes:
                continue
            self._changes[number] = one.changes
            for part, value in one.dump().items():
                written = json_text(value)
                if self._saved.get(part) != written:
                    self._saved[part] = written
                    self._ledger.put_state(part, value)

    def start(self) -> None:
        """Needs a running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="omniroute: keep what was learned")

    def stop(self) -> None:
        """Save for the last time. Safe to repeat."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.save()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                self.save()
            except Exception:
                logger.exception("what was learned could not be kept; calls go on")
