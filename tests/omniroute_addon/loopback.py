"""A provider on a real loopback socket that says exactly the bytes it is told, and knows when its client has gone."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

PATIENCE = 30.0
"""Seconds until a test that waits for an event fails."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


type Part = "bytes | Gate | Hold"


class Gate:
    """The provider waits here until the test opens it."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()

    def open(self) -> None:
        self._opened.set()

    async def passage(self) -> None:
        await self._opened.wait()


class Hold:
    """The provider says nothing more and waits until its client has gone."""


HOLD = Hold()


@dataclass(slots=True)
class Answer:
    """The raw bytes of one HTTP answer, status line and all; ``close`` ends the connection after them."""

    parts: tuple[Part, ...]
    close: bool = True
    reset: bool = False


def answer(status: int, body: bytes, *headers: str, close: bool = False) -> Answer:
    """A plain answer with its length."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}", *headers]
    return Answer(("\r\n".join([*lines, "", ""]).encode("latin-1") + body,), close=close)


def json(status: int, body: bytes, *headers: str) -> Answer:
    return answer(status, body, "content-type: application/json", *headers)


def stream(*parts: Part, kind: str = "text/event-stream", headers: tuple[str, ...] = (), end: bool = True) -> Answer:
    """A chunked answer, one chunk for each piece; ``end`` False leaves the terminating chunk out."""
    lines = ["HTTP/1.1 200 OK", f"content-type: {kind}", "transfer-encoding: chunked", *headers]
    head = "\r\n".join([*lines, "", ""]).encode()
    chunks = [f"{len(part):x}\r\n".encode() + part + b"\r\n" if isinstance(part, bytes) else part for part in parts]
    return Answer((head, *chunks, *([b"0\r\n\r\n"] if end else [])), close=not end)


@dataclass(slots=True)
class Provider:
    """Gives ``answers`` one after the other, the last one again and again."""

    answers: list[Answer]
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """A client has closed its connection while it was being answered."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def last(self) -> Received:
        return self.received[-1]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: Python 3.12 would log one of asyncio's that ends as cancelled.
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                self.received.append(request)
                self.asked.set()
                said = self.answers[min(len(self.received), len(self.answers)) - 1]
                await self._say(said, reader, writer)
                if said.close:
                    break
        except ConnectionError:
            self.gone.set()
        finally:
            await closed(writer)

    async def _say(self, said: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in said.parts:
            if isinstance(part, bytes):
                writer.write(part)
                await writer.drain()
            else:
                left = asyncio.ensure_future(reader.read(1))
                opened = asyncio.ensure_future(part.passage() if isinstance(part, Gate) else asyncio.Event().wait())
                try:
                    await asyncio.wait((left, opened), return_when=asyncio.FIRST_COMPLETED)
                    if left.done():
                        raise ConnectionResetError
                finally:
                    opened.cancel()
                    left.cancel()
                    await asyncio.gather(opened, left, return_exceptions=True)
        if said.reset:
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Received(method, target, headers, await reader.readexactly(length))


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection and wait until it is."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def within[T](waited: Awaitable[T]) -> T:
    """The value, soon."""
    async with asyncio.timeout(PATIENCE):
        return await waited


def run(main: Callable[[], Awaitable[None]]) -> None:
    """One test's coroutine in a loop of its own; an exception that nobody retrieves fails the test."""
    unhandled: list[dict[str, object]] = []

    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        await within(main())

    asyncio.run(whole())
    assert not unhandled, unhandled
