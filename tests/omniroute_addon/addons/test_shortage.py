"""No file descriptors left: one line, not a stack trace each time."""

import asyncio
import errno
import logging

import pytest

from omniroute_addon.addons.shortage import EVERY, Shortage

NONE_LEFT = OSError(errno.EMFILE, "Too many open files")


def test_it_is_said_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 1.0, EVERY, EVERY + 1])
    shortage = Shortage(lambda: next(times))
    assert [shortage.explains(NONE_LEFT) for _ in range(4)] == [True] * 4
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "no file descriptors left" in caplog.text


def test_other_errors_go_where_they_went_before(caplog: pytest.LogCaptureFixture) -> None:
    other, seen = ValueError("why"), []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context.get("exception")))
        Shortage().running()
        for error in (other, NONE_LEFT, OSError(errno.EPIPE, "gone")):
            loop.call_exception_handler({"message": "m", "exception": error})
        loop.call_exception_handler({"message": "without one"})

    asyncio.run(main())
    assert [type(one) for one in seen] == [ValueError, BrokenPipeError, type(None)]
    assert "Traceback" not in caplog.text
