"""Asking a running proxy to forget what it holds against accounts, providers and targets: files in the data dir.

Who asks writes ``run/reset-<pid>-<random>.json`` with the names; the proxy of that id looks a few times a second, takes
the file away, and leaves ``….done`` with what it has reset. Only the data dir's owner can write there.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from omniroute_addon.home import write_private

WAIT = 3.0
"""Seconds that a proxy has for an answer."""
LOOK = 0.05


def ask(home: Path, pid: int, names: Sequence[str], wait: float = WAIT) -> list[str] | None:
    """What the proxy has reset; None when it does not answer. No names are all."""
    path = home / "run" / f"reset-{pid}-{secrets.token_hex(6)}.json"
    done = path.with_suffix(".done")
    write_private(path, json.dumps(list(names)).encode())
    end = time.monotonic() + wait
    try:
        while time.monotonic() < end:
            if done.exists():
                return _names(done)
            time.sleep(LOOK)
    finally:
        path.unlink(missing_ok=True)
        done.unlink(missing_ok=True)
    return None


def serve(home: Path, pid: int, reset: Callable[[str | None], list[str]]) -> list[str]:
    """Do what was asked of this process since the last look; what was reset by it."""
    found: list[str] = []
    for path, names in _asked(home, pid):
        found = list(dict.fromkeys(key for name in names or (None,) for key in reset(name)))
        write_private(path.with_suffix(".done"), json.dumps(found).encode())
    return found


def _asked(home: Path, pid: int) -> Iterator[tuple[Path, list[str]]]:
    for path in (home / "run").glob(f"reset-{pid}-*.json"):
        names = _names(path)
        with contextlib.suppress(OSError):
            path.unlink()
            if names is not None:
                yield path, names


def _names(path: Path) -> list[str] | None:
    try:
        read: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    listed = cast("list[object]", read) if isinstance(read, list) else None
    return None if listed is None else [str(name) for name in listed]
