"""Work for those who look is done once for many wishes, and less often when it takes long."""

import asyncio
import time
from collections.abc import Callable

from omniroute_addon.pace import SHARE, Pace
from tests.omniroute_addon.loopback import run


class Work:
    def __init__(self, every: float, seconds: float = 0.0) -> None:
        self.began: list[float] = []
        self._done = asyncio.Event()
        self._seconds = seconds
        self.pace = Pace(self._work, every)

    async def next(self) -> None:
        self._done.clear()
        await asyncio.wait_for(self._done.wait(), 30)

    def _work(self) -> None:
        self.began.append(time.monotonic())
        busy_until = time.thread_time() + self._seconds
        while time.thread_time() < busy_until:
            pass
        self._done.set()


def test_many_wishes_are_one_piece_of_work() -> None:
    async def main() -> None:
        work = Work(0.01)
        for _ in range(100):
            work.pace.soon()
        await work.next()
        work.pace.soon()
        await work.next()
        assert len(work.began) == 2

    run(main)


def test_work_that_took_long_has_to_wait_for_its_share() -> None:
    async def main() -> None:
        work = Work(0.001, seconds=0.02)
        for _ in range(2):
            work.pace.soon()
            await work.next()
        assert work.began[1] - work.began[0] >= 0.02 / SHARE

    run(main)


def test_work_that_fails_is_done_again_when_it_is_wished_for() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        failed = asyncio.Event()
        loop.set_exception_handler(lambda *_: failed.set())
        turns: list[Callable[[], None]] = []

        def work() -> None:
            turns.append(work)
            raise ValueError

        pace = Pace(work, 0.001)
        for _ in range(2):
            failed.clear()
            pace.soon()
            await asyncio.wait_for(failed.wait(), 30)
        assert len(turns) == 2

    run(main)
