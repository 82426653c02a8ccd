"""A provider on loopback that is out of order in the way its address names.

``http://HOST:PORT/FAULT/…`` is a provider with that fault, in the wire format that the rest of the path speaks. HTTP is
written by hand on an asyncio stream, one request per connection, because most of what is played here is against its
rules. ``wires.py`` says what each fault does; here is what all of them need: the request, and the ways to write.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.servers import answers
from tests.servers.answers import Answer, Call
from tests.servers.steps import PATIENCE

PIECES = ("Deep ", "down ", "it ", "said so.")
FIRST = Answer(pieces=PIECES, calls=(Call("call_first", "read_file", '{"path": "first.txt", "lines": 3}'),))
"""What the provider says when nothing stops it: text in four pieces and a tool call."""
SECOND = Answer(pieces=("The other ", "one."))
"""What the provider says that is asked after the first has failed."""
TYPES = {True: "text/event-stream", False: "application/json"}

type Ending = Literal["chunked", "length", "close"]


class Asked:
    """One request, and the connection on which its answer is written."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self.fault, _, path = path.removeprefix("/").partition("/")
        self.form = _format(path)
        document = json.loads(body)
        named = path.rpartition("/")[2].partition(":")[0]
        self.model: str = named if self.form == "gemini" else document["model"]
        self.stream = (
            ":streamGenerateContent" in path if self.form.startswith("gemini") else document.get("stream") is True
        )
        self.answer = FIRST
        self._ending: Ending = "chunked"

    @property
    def events(self) -> list[bytes]:
        """The right answer as a stream."""
        return answers.events(self.form, self.answer, self.model)

    @property
    def whole(self) -> bytes:
        """The right answer as one body."""
        return answers.whole(self.form, self.answer, self.model)

    @property
    def opening(self) -> list[bytes]:
        """The events before the first word."""
        events = self.events
        return events[: _holding(events, PIECES[0])]

    @property
    def beginning(self) -> list[bytes]:
        """The events through the second piece of text."""
        events = self.events
        return events[: _holding(events, PIECES[1]) + 1]

    @property
    def through_half_a_call(self) -> list[bytes]:
        """The events up to the middle of the tool call's arguments; all but the last where a call is one event."""
        events = self.events
        if self.form.startswith("gemini"):
            return events[:-1]
        return events[: _holding(events, "path") + 1]

    async def head(self, status: int = 200, ending: Ending = "chunked", **headers: str | None) -> None:
        """The status line and headers; a header that is None is left out."""
        kind = TYPES[self.stream and status == 200]
        lines = {"content-type": kind, "connection": "close"} | {n.replace("_", "-"): v for n, v in headers.items()}
        if ending == "chunked":
            lines["transfer-encoding"] = "chunked"
        version = "1.0" if ending == "close" else "1.1"
        text = [f"HTTP/{version} {status} Scripted", *(f"{name}: {value}" for name, value in lines.items() if value)]
        self._ending = ending
        await self.raw(("\r\n".join(text) + "\r\n\r\n").encode())

    async def send(self, *parts: bytes) -> None:
        """Bytes of the body, each part in a write of its own."""
        for part in parts:
            if part:
                await self.raw(b"%x\r\n%s\r\n" % (len(part), part) if self._ending == "chunked" else part)

    async def end(self) -> None:
        """The proper end of a chunked body; others end by themselves."""
        if self._ending == "chunked":
            await self.raw(b"0\r\n\r\n")

    async def body(self, body: bytes, status: int = 200, **headers: str | None) -> None:
        """A whole response of known length."""
        await self.head(status, "length", content_length=str(len(body)), **headers)
        await self.raw(body)

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def left(self) -> None:
        """Say nothing until the other side has closed the connection."""
        while await self._reader.read(65536):
            pass

    def reset(self) -> None:
        _reset(self._writer)


def _format(path: str) -> str:
    if "v1internal" in path:
        return "gemini-cli"
    endings = {
        "/messages": "anthropic-messages",
        "/chat/completions": "openai-chat",
        "/responses": "openai-responses",
        ":generateContent": "gemini",
        ":streamGenerateContent": "gemini",
    }
    return next(form for ending, form in endings.items() if path.endswith(ending))


def _holding(events: list[bytes], words: str) -> int:
    """The number of the first event with these words."""
    return next(number for number, event in enumerate(events) if words.encode() in event)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


type Wire = Callable[[Asked, int], Awaitable[None]]
"""How a fault answers a request; the number counts the requests for this model, from 1."""

TLS_HANDSHAKE = b"\x16"
"""The first byte of a connection that is opened with TLS."""
BEFORE_THE_BODY = "reset-sending"
"""The one fault that does not read the request to its end."""


@dataclass(slots=True)
class Broken:
    """The faulty provider; ``calls`` counts its requests by model."""

    wires: Mapping[str, Wire]
    calls: Counter[str]
    port: int = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._answer(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == TLS_HANDSHAKE:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n")
            return
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.split("\r\n")
        path = line.split(" ")[1].partition("?")[0]
        if path.startswith(f"/{BEFORE_THE_BODY}/"):
            _reset(writer)
            return
        headers = dict(one.lower().split(": ", 1) for one in lines if one)
        body = await reader.readexactly(int(headers["content-length"]))
        asked = Asked(reader, writer, path, body)
        self.calls[asked.model] += 1
        await self.wires[asked.fault](asked, self.calls[asked.model])


@contextlib.contextmanager
def broken(wires: Mapping[str, Wire]) -> Generator[Broken]:
    """The faulty provider for the time of the block."""
    server = Broken(wires, Counter())
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = loop.create_task(server.connected(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def serve() -> None:
        listener = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=512)
        server.port = listener.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="broken provider", daemon=True)
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)


@contextlib.contextmanager
def refusing() -> Generator[int]:
    """A port where nobody listens, kept from others."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextlib.contextmanager
def unreachable() -> Generator[int]:
    """A port whose queue is full: further connections get no answer at all, as behind a firewall that drops."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
