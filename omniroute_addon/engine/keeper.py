"""Keeps what the engine has learned for the next start: written in the ledger's state half a second after it changed.

The event loop only makes the values and appends them to the ledger's journal, where they survive ``kill -9``; its thread
does the rest. ``status`` and ``explain`` read the same state beside the proxy.
"""

import asyncio
import logging
from typing import Protocol, cast

import orjson

from omniroute_addon.engine.standing import Standing
from translators.hub import JSON

logger = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds between two looks whether something has changed."""


class Keeping(Protocol):
    """Where state is kept: the ledger."""

    def get_state(self, key: str) -> object: ...

    def put_state(self, key: str, value: object) -> None: ...


class Keeper:
    def __init__(self, standing: Standing, ledger: Keeping) -> None:
        self._standing = standing
        self._ledger = ledger
        self._saved: dict[str, bytes] = {}
        self._changes = standing.changes
        self._task: asyncio.Task[None] | None = None

    def load(self) -> None:
        """What an earlier process has left. A state that cannot be used costs nothing but what was learned."""
        try:
            self._standing.load(lambda part: cast("JSON", self._ledger.get_state(part)))
        except (TypeError, ValueError, OverflowError):
            logger.exception("what was learned before the start cannot be used; it is learned again")

    def save(self) -> None:
        """Keep what has changed."""
        if self._changes == self._standing.changes:
            return
        self._changes = self._standing.changes
        for part, value in self._standing.dump().items():
            written = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
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
