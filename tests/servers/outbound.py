"""An outbound proxy on loopback, as companies have them: HTTP, HTTPS or SOCKS5, with or without a login.

An asyncio server in a thread of its own. Whatever host is asked for, it connects to ``127.0.0.1`` and the asked port or the
one of ``at``: a name that exists nowhere shows that nobody but the proxy has resolved it.
"""

import asyncio
import contextlib
import ssl
import threading
from base64 import b64encode
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.servers.steps import PATIENCE

type Kind = Literal["http", "https", "socks5"]


@dataclass(slots=True)
class OutboundProxy:
    kind: Kind = "http"
    login: str | None = None
    """``USER:PASSWORD``."""
    says: str | bytes | None = None
    """An HTTP status line, or the reply of SOCKS5, instead of a connection."""
    silent: bool = False
    """Takes the request and says nothing."""
    crumbs: bool = False
    """Answers byte by byte."""
    at: Mapping[str, int] = field(default_factory=dict)
    """Host → port."""
    tls: ssl.SSLContext | None = None
    connected: list[str] = field(default_factory=list)
    """``HOST:PORT`` of every request, in order."""
    open: int = 0
    port: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.kind}://localhost:{self.port}"

    def with_login(self, login: str) -> str:
        return f"{self.kind}://{login}@localhost:{self.port}"

    def wait_open(self, count: int) -> None:
        """Until so many connections are open."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.open == count, PATIENCE), f"{self.open} connections are open"

    # ── server ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._accepted, "localhost", self.port, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        await asyncio.sleep(0)  # who was let in just now has a task then
        while self._tasks:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)  # the loop ends with this: what was aborted is closed before

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count(1)
        try:
            await (self._socks if self.kind == "socks5" else self._http)(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()
            self._count(-1)

    def _count(self, by: int) -> None:
        with self.changed:
            self.open += by
            self.changed.notify_all()

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.split("\r\n")
        method, place, _ = line.split(" ")
        assert method == "CONNECT"
        headers = dict(field.split(": ", 1) for field in fields if field)
        self.connected.append(place)
        if self.silent:
            await reader.read()
            return
        said = self.says if isinstance(self.says, str) else None
        if self.login and headers.get("Proxy-Authorization") != f"Basic {b64encode(self.login.encode()).decode()}":
            said = "407 Proxy Authentication Required"
        answer = f"HTTP/1.1 {said or '200 Connection established'}\r\nVia: 1.1 test\r\n\r\n".encode()
        for piece in [answer[i : i + 1] for i in range(len(answer))] if self.crumbs else [answer]:
            writer.write(piece)
            await asyncio.sleep(0)
        if said is None:
            host, _, port = place.rpartition(":")
            await self._relay(host, int(port), reader, writer)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 2 if self.login else 0
        writer.write(bytes([5, wanted if wanted in methods else 255]))
        if wanted not in methods:
            return
        if self.login:
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            good = f"{user.decode()}:{password.decode()}" == self.login
            writer.write(bytes([1, 0 if good else 1]))
            if not good:
                return
        kind = (await reader.readexactly(4))[3]
        assert kind == 3, "names are for the proxy to resolve"
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2))
        self.connected.append(f"{host}:{port}")
        if self.silent:
            await reader.read()
            return
        writer.write(b"\5" + (self.says if isinstance(self.says, bytes) else b"\0") + b"\0\1\0\0\0\0\0\0")
        if self.says is None:
            await self._relay(host, port, reader, writer)

    async def _relay(self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.at.get(host, port))
        ways = [
            asyncio.create_task(_pump(reader, far_writer)),
            asyncio.create_task(_pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            far_writer.transport.abort()
            for one in ways:
                one.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@contextlib.contextmanager
def leaving(proxy: OutboundProxy | None = None) -> Generator[OutboundProxy]:
    """The proxy for the time of the block; open connections are dropped at its end."""
    found = proxy or OutboundProxy()
    loop, started = asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(found.serve(started, stop))
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="outbound proxy", daemon=True)
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
