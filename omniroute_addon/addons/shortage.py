"""Says in one line that no file descriptors are left, instead of a stack trace for every connection that must wait.

asyncio itself stops accepting for a second and tries again; open calls go on meanwhile.
"""

import asyncio
import contextlib
import errno
import logging
import time
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two complaints."""


class Shortage:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said: float | None = None

    def running(self) -> None:
        """Needs a running event loop."""
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()

        def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            if self.explains(context.get("exception")):
                return
            if before is None:
                loop.default_exception_handler(context)
            else:
                before(loop, context)

        loop.set_exception_handler(handle)

    def explains(self, error: object) -> bool:
        """Whether it was that; a complaint is due then, but not each time."""
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            return False
        now = self._now()
        if self._said is None or now - self._said >= EVERY:
            self._said = now
            logger.error("no file descriptors left%s: new connections wait, open calls go on", _limit())
        return True


def _limit() -> str:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415  # not on Windows

        return f" (the limit is {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}; `ulimit -n` raises it)"
    return ""
