"""A tool in a terminal of its own, as somebody sits before it: started by ``omniroute run``, ended when it has done its part."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers.proxy import Proxy, environment

ROWS, COLUMNS = 50, 160
PATIENCE = 90.0
"""Seconds until the tool must have done its part."""


def show(command: Sequence[str], proxy: Proxy, env: Mapping[str, str], work: Path, done: Callable[[], bool]) -> str:
    """What the tool has put on its screen until ``done``; fails the test when that takes too long."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "omniroute_addon", "run", "--config", str(proxy.config), "--", *command],
        stdin=its,
        stdout=its,
        stderr=its,
        env=environment(proxy.home, {"TERM": "xterm-256color", **env}),
        cwd=work,
        start_new_session=True,
    )
    os.close(its)
    screen = b""
    end = time.monotonic() + PATIENCE
    try:
        while not done():
            assert time.monotonic() < end, f"not done:\n{screen.decode(errors='replace')[-4000:]}"
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    screen += os.read(ours, 65536)
                except OSError:  # the tool has closed its terminal
                    assert done(), f"ended too soon:\n{screen.decode(errors='replace')[-4000:]}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(ours)
    return screen.decode(errors="replace")
