"""A provider on loopback: speaks all five wire formats by path, plays scripted steps, records every request.

An asyncio server in a thread of its own. Requests are read with h11; answers are written by hand, because the point of
many of them is to break the rules (a reset in the middle, a chunked body without its end). Each request takes the next
step of the script; when the script is used up, the last step (or the ``otherwise`` behaviour) answers all further ones.
"""

import asyncio
import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import brotli
import h11
import zstandard

from tests.servers import answers
from tests.servers.steps import PATIENCE, Gate, Hangup, Say, Silence, Step, Stream, Whole, says

BASE_PATHS = {
    "anthropic-messages": "/v1/messages",
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "gemini": "/v1beta/models",
    "gemini-cli": "/v1internal",
}


@dataclass(slots=True, eq=False)
class Received:
    """One request as it came, and what became of its connection."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    raw: bytes
    at: float
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the client side closed the connection before the answer was complete."""
    gone_at: float | None = None

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def body(self) -> bytes:
        match self.header("content-encoding"):
            case "zstd":
                return zstandard.ZstdDecompressor().decompressobj().decompress(self.raw)
            case "gzip":
                return gzip.decompress(self.raw)
            case "br":
                return brotli.decompress(self.raw)
            case "deflate":
                return zlib.decompress(self.raw)
            case _:
                return self.raw

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def format(self) -> str | None:
        """The wire format that the path speaks; None for a side call."""
        if self.method != "POST":
            return None
        for name, ending in (
            ("anthropic-messages", "/messages"),
            ("openai-chat", "/chat/completions"),
            ("openai-responses", "/responses"),
        ):
            if self.path.endswith(ending):
                return name
        if self.path.endswith((":generateContent", ":streamGenerateContent")):
            return "gemini-cli" if "v1internal" in self.path else "gemini"
        return None

    @property
    def stream(self) -> bool:
        if "enerateContent" in self.path:
            return self.path.endswith(":streamGenerateContent")
        return self.json.get("stream") is True

    @property
    def model(self) -> str:
        if self.format == "gemini":
            return self.path.rpartition("/")[2].partition(":")[0]
        return str(self.json.get("model", ""))

    def wait_gone(self) -> None:
        assert self.gone.wait(PATIENCE), "the connection to the provider stayed open"


type Behaviour = Callable[[Received], Step]


class Provider:
    """Start with :func:`serving`. Thread-safe for a test that scripts it and looks at ``calls``."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.sides: dict[str, Step | Behaviour] = {}
        """Answers to side calls by path; others get 404 ``{}``."""
        self.otherwise: Behaviour | None = None
        self.remembers = True
        """Whether ``received`` is kept; a million calls would be too many."""
        self._tls = tls
        self._script: list[Step] = []
        self._last: Step = says("Hello", " from", " upstream")
        self._received: list[Received] = []
        self._arrived = threading.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    # ── for the test ────────────────────────────────────────────────────────────────────────────────────────────────

    def script(self, *steps: Step) -> None:
        """What the next calls get, in order; the last one stays for all calls after it."""
        self._script = list(steps)

    def forget(self) -> None:
        """As new, for the next test of a module that shares this provider."""
        with self._arrived:
            self._received.clear()
        self._script, self._last, self.otherwise = [], says("Hello", " from", " upstream"), None

    @property
    def calls(self) -> list[Received]:
        """The LLM calls so far, without side calls."""
        with self._arrived:
            return [one for one in self._received if one.format]

    @property
    def call(self) -> Received:
        """The only LLM call."""
        calls = self.calls
        assert len(calls) == 1, [one.path for one in calls]
        return calls[0]

    @property
    def received(self) -> list[Received]:
        with self._arrived:
            return list(self._received)

    def wait_calls(self, count: int) -> list[Received]:
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.calls_unlocked()) >= count, PATIENCE)
            assert arrived, f"{len(self.calls_unlocked())} of {count} calls came"
            return self.calls_unlocked()

    def wait_received(self, count: int) -> list[Received]:
        """Calls of all kinds; what each of them gets has been decided."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self._received) >= count, PATIENCE)
            assert arrived, f"{len(self._received)} of {count} requests came"
            return list(self._received)

    def calls_unlocked(self) -> list[Received]:
        return [one for one in self._received if one.format]

    def url(self, form: str = "") -> str:
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}{BASE_PATHS.get(form, '')}"

    # ── server ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def serve(self, started: Callable[[], None], stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        started()
        await stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: Python 3.12 would log one of asyncio's that ends as cancelled.
        task = asyncio.create_task(self._connected(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._connection(reader, writer)
        except (ConnectionError, ssl.SSLError, h11.RemoteProtocolError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()
            # The loop ends with the last task: without this, sockets would be left to the garbage collector.
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pending = b""
        while True:
            request, pending = await _read_request(reader, pending)
            if request is None:
                return
            with self._arrived:
                if self.remembers:
                    self._received.append(request)
                step = self._step(request)
                self._arrived.notify_all()
            playing = asyncio.create_task(_Player(request, writer).play(step))
            leaving = asyncio.create_task(reader.read(65536))
            try:
                await asyncio.wait((playing, leaving), return_when=asyncio.FIRST_COMPLETED)
                if playing.done():
                    keep = playing.result()
                    if not keep:
                        return
                    pending += await leaving
                    if not pending:
                        return
                    continue
                # A client that reads nothing more but pipelines is not expected: any end of reading is its leaving.
                data = leaving.result() if not leaving.exception() else b""
                if data:
                    pending += data
                    if not await playing:
                        return
                    continue
                request.gone_at = time.monotonic()
                request.gone.set()
                return
            finally:
                playing.cancel()
                leaving.cancel()
                await asyncio.gather(playing, leaving, return_exceptions=True)

    def _step(self, request: Received) -> Step:
        if request.format is None:
            if request.path.endswith("/count_tokens"):
                return Whole(200, {"content-type": "application/json"}, b'{"input_tokens":42}')
            if request.path.endswith(":countTokens"):
                return Whole(200, {"content-type": "application/json"}, b'{"totalTokens":42}')
            side = self.sides.get(request.path, Whole(404, {"content-type": "application/json"}, b"{}"))
            return side(request) if callable(side) else side
        if self._script:
            self._last = self._script.pop(0)
        elif self.otherwise is not None:
            return self.otherwise(request)
        return self._last


async def _read_request(reader: asyncio.StreamReader, pending: bytes) -> tuple[Received | None, bytes]:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(pending) if pending else None
    head: h11.Request | None = None
    body = bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                data = await reader.read(65536)
                if not data and head is None:
                    return None, b""
                connection.receive_data(data)
            case h11.Request() as head:
                pass
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage():
                assert head is not None
                path, _, query = head.target.decode().partition("?")
                headers = [(name.decode(), value.decode()) for name, value in head.headers]
                received = Received(head.method.decode(), path, query, headers, bytes(body), time.monotonic())
                return received, connection.trailing_data[0]
            case _:
                return None, b""


class _Player:
    """Plays one step on one connection."""

    def __init__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        self._request = request
        self._writer = writer

    async def play(self, step: Step) -> bool:
        """Whether the connection can be used again."""
        match step:
            case Silence():
                await asyncio.Event().wait()
                return False
            case Hangup():
                self._reset()
                return False
            case Whole():
                headers = {"content-length": str(len(step.body)), **step.headers}
                await self._write(_head(step.status, headers), step.body)
                return True
            case Stream():
                await self._write(_head(200, {**step.headers, "transfer-encoding": "chunked"}))
                for chunk in step.chunks:
                    await self._write(_chunk(chunk))
                await self._write(b"0\r\n\r\n")
                return True
            case Say():
                return await self._say(step)

    async def _say(self, step: Say) -> bool:
        form = self._request.format
        assert form is not None
        if not self._request.stream:
            body = answers.whole(form, step.answer, self._request.model)
            return await self._say_whole(step, _encode(step.encoding, body))
        if "gemini" in form and "alt=sse" not in self._request.query:
            return await self._say_whole(step, _json_array(step, self._request))
        headers = {"content-type": "text/event-stream", "transfer-encoding": "chunked"} | dict(step.headers)
        if step.encoding != "identity":
            headers["content-encoding"] = step.encoding
        await self._write(_head(200, headers))
        encoder = _StreamEncoder(step.encoding)
        for number, event in enumerate(answers.events(form, step.answer, self._request.model)):
            if gate := step.gates.get(number):
                await gate.passage()
            if extra := step.insert.get(number):
                await self._write(_chunk(encoder.feed(extra)))
                if step.ends_there:
                    break
            if step.cut == number:
                return self._cut(step)
            await self._write(_chunk(encoder.feed(event)))
        await self._write(_chunk(encoder.close()) + b"0\r\n\r\n")
        return True

    async def _say_whole(self, step: Say, body: bytes) -> bool:
        if gate := step.gates.get(0):
            await gate.passage()
        headers = {"content-type": "application/json", "content-length": str(len(body))} | dict(step.headers)
        if step.encoding != "identity":
            headers["content-encoding"] = step.encoding
        if step.cut is not None:
            await self._write(_head(200, headers), body[: len(body) // 2] if step.cut else b"")
            return self._cut(step)
        await self._write(_head(200, headers), body)
        return True

    def _cut(self, step: Say) -> bool:
        if step.cut_by == "reset":
            self._reset()
        return False

    async def _write(self, *parts: bytes) -> None:
        self._writer.write(b"".join(parts))
        await self._writer.drain()

    def _reset(self) -> None:
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def _json_array(step: Say, request: Received) -> bytes:
    chunks = answers.gemini_chunks(step.answer, request.model)
    if request.format == "gemini-cli":
        chunks = [{"response": chunk, "traceId": "trace-1"} for chunk in chunks]
    return json.dumps(chunks).encode()


def _encode(encoding: str, body: bytes) -> bytes:
    encoder = _StreamEncoder(encoding)
    return encoder.feed(body) + encoder.close()


class _StreamEncoder:
    """Content encoding that can be read up to the last fed event at once (flushed each time)."""

    def __init__(self, encoding: str) -> None:
        self._gzip = zlib.compressobj(wbits=31) if encoding == "gzip" else None
        self._brotli = brotli.Compressor() if encoding == "br" else None
        self._zstd = zstandard.ZstdCompressor().compressobj() if encoding == "zstd" else None

    def feed(self, data: bytes) -> bytes:
        if self._gzip:
            return self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        if self._brotli:
            return self._brotli.process(data) + self._brotli.flush()
        if self._zstd:
            return self._zstd.compress(data) + self._zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        return data

    def close(self) -> bytes:
        if self._gzip:
            return self._gzip.flush()
        if self._brotli:
            return self._brotli.finish()
        return self._zstd.flush() if self._zstd else b""


@contextlib.contextmanager
def serving(*, tls: ssl.SSLContext | None = None) -> Generator[Provider]:
    """A provider for the time of the block; open connections are dropped at its end."""
    provider = Provider(tls=tls)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(provider.serve(ready.set, stop))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, name="provider", daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)


__all__ = ["Behaviour", "Gate", "Provider", "Received", "serving"]
