"""One process of a fuzz: its own hostile provider, and many hostile clients at once.

    python -m tests.soak.fuzz.worker SEED WORKER CALLS CLIENTS

Prints its provider's port, reads the proxy's addresses as one line of JSON, and then prints one line of JSON a second,
the last one with ``"done": true``. What comes back is read to its end and counted by status; that it is well-formed
HTTP is all that is asked of it, for what is right for a hostile call is the business of the translators' own fuzz.
"""

import asyncio
import contextlib
import json
import ssl
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.soak.fuzz.material import Attack, Door, attack
from tests.soak.fuzz.provider import Count, serve

WHOLE, SOME = 20.0, 0.1
"""Seconds to wait for an answer that is due, and for one that may never come."""


class MissingError(Exception):
    """An answer that was due did not come, or was none."""


@dataclass(slots=True)
class Found:
    """What this worker has seen."""

    kinds: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[str] = field(default_factory=Counter[str])
    missing: list[str] = field(default_factory=list[str])

    def line(self, count: Count, *, done: bool) -> str:
        said: dict[str, Any] = {"kinds": self.kinds, "statuses": self.statuses, "missing": self.missing}
        return json.dumps({**said, "reached": count.calls, "done": done})


@dataclass(slots=True)
class Line:
    """An open connection that may carry further calls."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self) -> None:
        self.writer.transport.abort()


class Client:
    """One after the other; a connection is kept as long as its answers are complete."""

    def __init__(self, addresses: dict[str, str], found: Found) -> None:
        self._gateway = urlsplit(addresses["gateway"]).port
        self._proxy = urlsplit(addresses["proxy"]).port
        self._found = found
        self._kept: dict[tuple[Door, str], Line] = {}
        self._trust = ssl.create_default_context(cafile=addresses["ca"])
        self._h2 = ssl.create_default_context(cafile=addresses["ca"])
        self._h2.set_alpn_protocols(["h2"])

    async def play(self, one: Attack, name: str) -> None:
        self._found.kinds[one.kind] += one.calls
        place = one.door, one.host if one.door == "tunnel" else ""
        line = self._kept.pop(place, None) if one.answers is not None else None
        kept = line is not None
        try:
            if line is None:
                line = await self._open(one)
            line.writer.write(one.data)
            if one.leaves:
                await line.writer.drain()
            elif one.answers is None:
                await self._whatever(line)
            elif await self._answers(line, one.answers):
                self._kept[place] = line
                return
        except (TimeoutError, OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            if one.answers is not None and not (kept and isinstance(error, OSError | EOFError)):
                self._found.missing.append(f"{name} {one.kind}: {type(error).__name__} {error}"[:300])
        if line is not None:
            line.close()

    async def _open(self, one: Attack) -> Line:
        port = self._gateway if one.door == "gateway" else self._proxy
        line = Line(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))
        if one.door in ("tunnel", "http2"):
            line.writer.write(f"CONNECT {one.host}:443 HTTP/1.1\r\nhost: {one.host}\r\n\r\n".encode())
            async with asyncio.timeout(WHOLE):
                await line.reader.readuntil(b"\r\n\r\n")
                context = self._h2 if one.door == "http2" else self._trust
                await line.writer.start_tls(context, server_hostname=one.host)
        return line

    async def _whatever(self, line: Line) -> None:
        """All that comes until the other side closes, or waits a while."""
        first = b""
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(SOME):
                    data = await line.reader.read(65536)
                first = first or data[:12]
                if not data:
                    break
        self._found.statuses[first[9:12].decode("latin-1") if first.startswith(b"HTTP/1.") else "none"] += 1

    async def _answers(self, line: Line, count: int) -> bool:
        """Whether the connection goes on after so many complete answers."""
        for _ in range(count):
            async with asyncio.timeout(WHOLE):
                if not await self._answer(line.reader):
                    return False
        return True

    async def _answer(self, reader: asyncio.StreamReader) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return False  # closed before it: said so in the answer before, or to a call that is none
        if not head.startswith(b"http/1.1 "):
            raise ValueError(f"no answer: {head[:80]!r}")
        self._found.statuses[head[9:12].decode()] += 1
        if b"\r\ntransfer-encoding: chunked\r\n" in head:
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        elif (at := head.find(b"\r\ncontent-length:")) >= 0:
            await reader.readexactly(int(head[at + 17 : head.index(b"\r\n", at + 2)]))
        else:
            await reader.read()
            return False
        return b"\r\nconnection: close\r\n" not in head

    def close(self) -> None:
        for line in self._kept.values():
            line.close()


async def main(seed: int, worker: int, calls: int, clients: int) -> None:
    count, found = Count(), Found()
    server = await serve(seed, worker, count)  # its end would wait for the connections that the proxy keeps
    _say(str(server.sockets[0].getsockname()[1]))
    addresses = json.loads(await asyncio.to_thread(sys.stdin.readline))
    numbers = iter(range(1 << 60))

    async def one() -> None:
        client = Client(addresses, found)
        while found.kinds.total() < calls:
            number = next(numbers)
            await client.play(attack(seed, worker, number), f"{seed}/{worker}/{number}")
        client.close()

    async def tell() -> None:
        while True:
            await asyncio.sleep(1)
            _say(found.line(count, done=False))

    telling = asyncio.create_task(tell())
    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(one())
    telling.cancel()
    _say(found.line(count, done=True))
    await asyncio.to_thread(sys.stdin.readline)  # the proxy may still call the provider
    server.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:5])))
