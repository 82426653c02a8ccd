"""Work that is done now and then for those who look, and never takes much of the event loop.

Whoever has something to do says ``soon``; however often that is, the work is done once, a moment later. Work that took
long is done less often: it gets at most ``SHARE`` of the processor time of the loop.
"""

import asyncio
import time
from collections.abc import Callable

SHARE = 0.03


class Pace:
    """Belongs to the event loop that runs when ``soon`` is first said."""

    def __init__(self, work: Callable[[], None], every: float) -> None:
        """``every``: seconds between two times at least."""
        self._work = work
        self._every = self._wait = every
        self._timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._wait, self._go)

    def _go(self) -> None:
        self._timer = None
        began = time.thread_time()
        try:
            self._work()
        finally:
            self._wait = max(self._every, (time.thread_time() - began) / SHARE)
