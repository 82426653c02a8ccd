"""The ``omniroute`` command with an observer inside: it counts, when asked over a Unix socket, what lives in the process.

    OMNIROUTE_PROBE=/path/of.sock python -m tests.soak.probe up --headless …

The product is the real one and knows nothing of it: a thread of its own waits for questions, and the counting is done in
the event loop between two of its turns. What is counted:

* tasks of the loop by coroutine, and threads by name;
* objects by class, of the classes of this product and of those that stand for connections and calls;
* the size of every list, dict, set and queue that an object or a module of this product holds, and of every function
  cache: whatever grows with the calls is among them, whether somebody thought of it or not.
"""

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import socket
import sys
import threading
from collections import Counter, deque
from functools import lru_cache
from types import ModuleType
from typing import Any

from omniroute_addon import heap

VARIABLE = "OMNIROUTE_PROBE"
_OURS = ("omniroute_addon", "translators")
_THEIRS = ("mitmproxy.proxy", "mitmproxy.http", "mitmproxy.connection", "mitmproxy.certs", "mitmproxy.addons")
_CONNECTIONS = (
    "asyncio.selector_events",
    "asyncio.sslproto",
    "asyncio.streams",
    "tornado",
    "aiohttp",
    "OpenSSL",
    "ssl",
)
_SIZED = (list, dict, set, deque, bytearray)
_CACHE = type(lru_cache(lambda: None))


def census() -> dict[str, Any]:
    """In the loop's thread. First what the proxy does by itself within half a minute: collect, and give memory back."""
    gc.collect()
    heap.trim()
    tasks = Counter(_coroutine(task) for task in asyncio.all_tasks())
    objects: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for one in gc.get_objects():
        kind = type(one)
        if kind is ModuleType:
            if one.__name__.startswith(_OURS):
                _add_sizes(sizes, f"{one.__name__}:", vars(one).items())
        elif kind is _CACHE:
            if str(getattr(one, "__module__", "")).startswith(_OURS):
                sizes[f"{one.__module__}.{one.__qualname__}()"] += one.cache_info().currsize
        elif (module := str(kind.__module__)).startswith(_OURS):
            name = f"{module}.{kind.__qualname__}"
            objects[name] += 1
            _add_sizes(sizes, name, _attributes(one))
        elif module.startswith(_THEIRS) or module.startswith(_CONNECTIONS):
            objects[f"{module}.{kind.__qualname__}"] += 1
            if module.startswith(_THEIRS):
                _add_sizes(sizes, f"{module}.{kind.__qualname__}", _attributes(one))
    threads = Counter(thread.name.rstrip("0123456789") for thread in threading.enumerate())
    found = {"tasks": tasks, "objects": objects, "sizes": sizes, "threads": threads, "heap": _heap()}
    return {name: dict(counted) for name, counted in found.items()}


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "chunks", "fast", "maps", "mapped", "peak", "in_fast", "used", "free", "top")
    ]


def _heap() -> dict[str, int]:
    """Bytes of glibc's heap: in use, free but not given back, and mapped one by one."""
    with contextlib.suppress(OSError, AttributeError):
        mallinfo = ctypes.CDLL(None).mallinfo2
        mallinfo.restype = _Mallinfo
        found = mallinfo()
        return {"used": found.used, "free": found.free, "mapped": found.mapped}
    return {}


def _coroutine(task: "asyncio.Task[Any]") -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", repr(coroutine))


def _attributes(one: object) -> list[tuple[str, Any]]:
    found = list(getattr(one, "__dict__", {}).items())
    for kind in type(one).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        found += [(name, getattr(one, name, None)) for name in names]
    return found


def _add_sizes(sizes: "Counter[str]", name: str, attributes: Any) -> None:
    for key, value in list(attributes):
        if isinstance(value, _SIZED) and not key.startswith("__"):
            sizes[f"{name}.{key}"] += len(value)


def _answer(loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    async def count() -> dict[str, Any]:
        return census()

    return asyncio.run_coroutine_threadsafe(count(), loop).result(60)


def _serve(server: socket.socket) -> None:
    while True:
        connection, _ = server.accept()
        with connection:
            connection.recv(1)
            gc.unfreeze()  # what is frozen would not be found
            loop = next(
                one for one in gc.get_objects() if isinstance(one, asyncio.AbstractEventLoop) and one.is_running()
            )
            connection.sendall(json.dumps(_answer(loop)).encode())


def main() -> None:
    from omniroute_addon.cli import main as omniroute  # noqa: PLC0415 -- after the socket is there

    server = socket.socket(socket.AF_UNIX)
    server.bind(os.environ[VARIABLE])
    server.listen()
    threading.Thread(target=_serve, args=(server,), name="probe", daemon=True).start()
    omniroute()


if __name__ == "__main__":
    sys.exit(main())
