"""The provider of the benchmarks: an own process, raw asyncio, TLS; prints its port and ends with its standard input.

    python -m tests.benchmarks.provider CERTIFICATE_AND_KEY.pem

The path chooses the format, and the words ``chunks=N pause=MS`` in the request's text choose the answer, so that an
order survives every translation. Every event carries the time at which it was written (``t=``, nanoseconds of the
machine's monotonic clock) in its text, so that it survives too. Bytes are prepared once; what is left per event is one
copy and one write.
"""

import asyncio
import contextlib
import os
import re
import ssl
import sys
import threading
import time
from dataclasses import dataclass

from tests.servers import answers

ORDER = re.compile(rb"chunks=(\d+) pause=(\d+)")
STREAM = re.compile(rb'"stream"\s*:\s*true')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
BLANK = b"t=%020d;" % 0
"""What stands for the time in a prepared event."""

_PATHS = {b"/v1/messages": "anthropic-messages", b"/v1/chat/completions": "openai-chat"}
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Script:
    """What one format says: the framed bytes before, of and after the events that carry text."""

    before: bytes
    event: bytes
    """With ``BLANK`` in it."""
    after: bytes
    whole: bytes


def script(form: str) -> Script:
    answer = answers.Answer(pieces=(BLANK.decode() + " token",))
    model = "bench-model"
    events = answers.events(form, answer, model)
    place = next(number for number, event in enumerate(events) if BLANK in event)
    body = answers.whole(form, answer, model)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return Script(
        b"".join(map(_chunk, events[:place])),
        _chunk(events[place]),
        b"".join(map(_chunk, events[place + 1 :])) + b"0\r\n\r\n",
        head + body,
    )


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Provider(asyncio.Protocol):
    """One connection; calls on it come one after the other."""

    def __init__(self, scripts: dict[str, Script]) -> None:
        self._scripts = scripts
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._received, 0, end + 2)
        body_end = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) < body_end:
            return
        request = bytes(self._received[:body_end])
        del self._received[:body_end]
        path = request.split(b" ", 2)[1].partition(b"?")[0]
        said = self._scripts[_PATHS[path]]
        order = ORDER.search(request, end)
        assert self._transport is not None
        if STREAM.search(request, end) is None:
            self._transport.write(said.whole)
            return
        assert order is not None, "the request does not say what to answer"
        answer = self._stream(self._transport, said, int(order[1]), int(order[2]) / 1000)
        self._answering = asyncio.get_running_loop().create_task(answer)

    async def _stream(self, transport: asyncio.Transport, said: Script, chunks: int, pause: float) -> None:
        transport.write(_STREAM_HEAD + said.before)
        for number in range(chunks):
            if number:
                # A loop's turn between two events, so that parallel streams take turns as they would in life.
                await asyncio.sleep(pause)
            await self._writable.wait()
            transport.write(said.event.replace(BLANK, b"t=%020d;" % time.monotonic_ns()))
        transport.write(said.after)


async def serve(pem: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    scripts = {form: script(form) for form in _PATHS.values()}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(scripts), "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  how the parent learns the port
    parent_left = asyncio.Event()

    def watch() -> None:
        while os.read(0, 1024):
            pass
        loop.call_soon_threadsafe(parent_left.set)

    threading.Thread(target=watch, daemon=True).start()
    await parent_left.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.argv[1]))
