"""The load generator: an own process, raw asyncio, TLS through the proxy's CONNECT.

    python -m tests.benchmarks.load < job.json > result.json

It reads no more of an answer than it must: where it ends, and the ``t=`` marks of the provider in it. One process
can ask and count several times what any proxy here can carry; the row ``direct`` of the results shows how much.
"""

import asyncio
import re
import ssl
import sys
import time
from dataclasses import dataclass, field
from typing import Literal

import h2.config
import h2.connection
import h2.events
import orjson

type Kind = Literal["requests", "chunks", "delay", "first-token", "held"]

MARK = re.compile(rb"t=(\d{20});")
END = b"0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
SLACK = 15.0
"""Seconds beyond the job's own that a hanging proxy gets before the job fails."""


@dataclass(frozen=True, slots=True)
class Job:
    kind: Kind
    proxy: int | None
    """The proxy's port; None goes to the host directly."""
    host: str
    port: int
    path: str
    trust: str
    """PEM file of the authority that the client trusts."""
    model: str
    clients: int
    seconds: float = 0.0
    """How long ``requests`` and ``chunks`` go on."""
    calls: int = 1
    """How often each client of ``delay`` and ``first-token`` asks."""
    chunks: int = 1
    pause: int = 0
    """Milliseconds between two chunks."""
    ramp: float = 0.0
    """Seconds over which the clients of ``held`` begin, one after the other."""
    fresh: bool = False
    """A new connection for every call."""
    size: int = 0
    """Bytes by which the request is longer than it has to be."""
    http2: bool = False
    """All clients as streams of one HTTP/2 connection."""
    slack: float = SLACK


@dataclass(slots=True)
class Result:
    calls: int = 0
    chunks: int = 0
    seconds: float = 0.0
    samples: list[float] = field(default_factory=list)
    """Milliseconds: each chunk's way from provider to client, or each call's time to its first token."""


class Wire(asyncio.Protocol):
    """One connection of the client; one call at a time."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, int]] = []
        """When a chunk arrived, and when the provider had written it."""
        self._done: asyncio.Future[bytes] | None = None
        self._pieces: list[bytes] = []
        self._tail = b""
        self._left: int | None = None
        self._timed = False

    def begin(self, *, timed: bool) -> asyncio.Future[bytes]:
        """The whole next answer, head included."""
        self._done = asyncio.get_running_loop().create_future()
        self._pieces, self._tail, self._left, self._timed = [], b"", None, timed
        self.marks = []
        return self._done

    def data_received(self, data: bytes) -> None:
        if self._done is None or self._done.done():
            return
        if self._timed:
            now = time.monotonic_ns()
            self.marks += [(now, int(found[1])) for found in MARK.finditer(data)]
        first = not self._pieces
        self._pieces.append(data)
        if first or self._left is not None:
            self._count(data, first=first)
        self._tail = (self._tail + data)[-len(END) :]
        if (self._left is None and self._tail == END) or (self._left is not None and self._left <= 0):
            self._done.set_result(b"".join(self._pieces))

    def _count(self, data: bytes, *, first: bool) -> None:
        if not first:
            assert self._left is not None
            self._left -= len(data)
            return
        head, _, body = data.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200") and b"\r\n" not in head:
            self._left = 0  # the proxy's answer to CONNECT
        elif length := LENGTH.search(head + b"\r\n"):
            self._left = int(length[1]) - len(body)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionError("the connection ended before the answer did"))


class Streams(asyncio.Protocol):
    """One HTTP/2 connection of the client; any number of calls at a time."""

    def __init__(self) -> None:
        self._wire = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, validate_inbound_headers=False)
        )
        self._pieces: dict[int, list[bytes]] = {}
        self._done: dict[int, asyncio.Future[bytes]] = {}
        self._transport: asyncio.Transport | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._wire.initiate_connection()
        self._wire.increment_flow_control_window(1 << 30)
        transport.write(self._wire.data_to_send())

    def ask(self, job: Job, body: bytes) -> asyncio.Future[bytes]:
        assert self._transport is not None
        stream = self._wire.get_next_available_stream_id()
        self._pieces[stream], self._done[stream] = [], asyncio.get_running_loop().create_future()
        head = [(":method", "POST"), (":scheme", "https"), (":authority", job.host), (":path", job.path)]
        more = [("content-type", "application/json"), ("x-api-key", "sk-bench"), ("anthropic-version", "2023-06-01")]
        self._wire.send_headers(stream, head + more)
        self._wire.send_data(stream, body, end_stream=True)
        self._transport.write(self._wire.data_to_send())
        return self._done[stream]

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        for event in self._wire.receive_data(data):
            match event:
                case h2.events.DataReceived():
                    self._pieces[event.stream_id].append(event.data)
                    self._wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self._done.pop(event.stream_id).set_result(b"".join(self._pieces.pop(event.stream_id)))
                case h2.events.StreamReset():
                    self._done.pop(event.stream_id).set_exception(ConnectionError("the stream was reset"))
                case _:
                    pass
        self._transport.write(self._wire.data_to_send())

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in self._done.values():
            waiting.set_exception(exc or ConnectionError("the connection ended before the answer did"))


async def _connect2(job: Job, context: ssl.SSLContext) -> Streams:
    context.set_alpn_protocols(["h2"])
    transport, _ = await _connect(job, context)
    streams = Streams()
    transport.set_protocol(streams)
    streams.begin(transport)
    return streams


async def _connect(job: Job, context: ssl.SSLContext) -> tuple[asyncio.Transport, Wire]:
    loop = asyncio.get_running_loop()
    if job.proxy is None:
        transport, wire = await loop.create_connection(
            Wire, "127.0.0.1", job.port, ssl=context, server_hostname=job.host
        )
        return transport, wire
    plain, wire = await loop.create_connection(Wire, "127.0.0.1", job.proxy)
    answered = wire.begin(timed=False)
    plain.write(f"CONNECT {job.host}:{job.port} HTTP/1.1\r\nhost: {job.host}:{job.port}\r\n\r\n".encode())
    said = await answered
    assert b" 200 " in said[:16], said[:200]
    transport = await loop.start_tls(plain, wire, context, server_hostname=job.host)
    assert transport is not None
    return transport, wire


def _request(job: Job) -> bytes:
    body = orjson.dumps(
        {
            "model": job.model,
            "max_tokens": 1024,
            "stream": job.kind != "requests",
            "system": "You are a coding agent." + " Mind the details." * (job.size // 18),
            "messages": [{"role": "user", "content": f"chunks={job.chunks} pause={job.pause}"}],
        }
    )
    head = (
        f"POST {job.path} HTTP/1.1\r\nhost: {job.host}\r\ncontent-type: application/json\r\naccept: */*\r\n"
        f"x-api-key: sk-bench\r\nanthropic-version: 2023-06-01\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _unchunked(answer: bytes) -> bytes:
    """The body of a whole chunked answer."""
    pieces: list[bytes] = []
    at = answer.index(b"\r\n\r\n") + 4
    while at < len(answer):
        line = answer.index(b"\r\n", at)
        size = int(answer[at:line], 16)
        pieces.append(answer[line + 2 : line + 2 + size])
        at = line + 2 + size + 2
    return b"".join(pieces)


class _Client:
    """Asks again and again over one connection, or over a new one every time."""

    def __init__(
        self, job: Job, context: ssl.SSLContext, result: Result, shared: Streams | None, *, wait: float
    ) -> None:
        self._job = job
        self._wait = wait
        self._shared = shared
        self._context = context
        self._result = result
        self._request = _request(job)

    async def run(self, begin: asyncio.Event, ready: asyncio.Semaphore) -> None:
        job = self._job
        if self._shared is not None:
            await self._run2(self._shared, begin, ready)
            return
        transport, wire = await _connect(job, self._context)
        if job.kind != "held":
            await self._ask(transport, wire)
        ready.release()
        await begin.wait()
        await asyncio.sleep(self._wait)
        ends = time.monotonic() + job.seconds
        calls = 0
        while time.monotonic() < ends if job.seconds else calls < job.calls:
            started = time.monotonic_ns()
            if job.fresh:
                transport.close()
                transport, wire = await _connect(job, self._context)
            await self._ask(transport, wire)
            calls += 1
            self._note(wire, started)
        transport.close()

    async def _run2(self, streams: Streams, begin: asyncio.Event, ready: asyncio.Semaphore) -> None:
        job = self._job
        body = self._request.partition(b"\r\n\r\n")[2]
        await streams.ask(job, body)
        ready.release()
        await begin.wait()
        ends = time.monotonic() + job.seconds
        while time.monotonic() < ends:
            answer = await streams.ask(job, body)
            assert answer.count(b"t=0") == job.chunks, answer[:400]
            self._result.calls += 1
            self._result.chunks += job.chunks

    async def _ask(self, transport: asyncio.Transport, wire: Wire) -> None:
        job = self._job
        answered = wire.begin(timed=job.kind in ("delay", "first-token", "held"))
        transport.write(self._request)
        answer = await answered
        assert answer.startswith(b"HTTP/1.1 200"), answer[:400]
        seen = answer.count(b"t=0")
        if seen != job.chunks:
            seen = _unchunked(answer).count(b"t=0")  # a proxy may cut its chunks inside a mark
        assert seen == job.chunks, f"{seen} of {job.chunks} chunks arrived: {answer[-400:]!r}"

    def _note(self, wire: Wire, started: int) -> None:
        self._result.calls += 1
        self._result.chunks += self._job.chunks
        match self._job.kind:
            case "delay" | "held":
                self._result.samples += [(seen - written) / 1e6 for seen, written in wire.marks]
            case "first-token":
                self._result.samples.append((wire.marks[0][0] - started) / 1e6)
            case _:
                pass


async def _surviving(client: _Client, begin: asyncio.Event, ready: asyncio.Semaphore) -> None:
    """A stream that breaks is one that did not survive; the others go on."""
    try:
        await client.run(begin, ready)
    except (OSError, AssertionError):
        ready.release()


async def run(job: Job) -> Result:
    """Every client asks once to warm up; then all begin together."""
    context = ssl.create_default_context(cafile=job.trust)
    result = Result()
    begin = asyncio.Event()
    ready = asyncio.Semaphore(0)
    shared = await _connect2(job, context) if job.http2 else None
    async with (
        asyncio.timeout(job.seconds + job.ramp + 2 * job.calls * job.chunks * job.pause / 1000 + job.slack),
        asyncio.TaskGroup() as tasks,
    ):
        for number in range(job.clients):
            client = _Client(job, context, result, shared, wait=job.ramp * number / job.clients)
            tasks.create_task(_surviving(client, begin, ready) if job.kind == "held" else client.run(begin, ready))
        for _ in range(job.clients):
            await ready.acquire()
        started = time.monotonic()
        begin.set()
    result.seconds = time.monotonic() - started
    return result


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(asyncio.run(run(Job(**orjson.loads(sys.stdin.buffer.read()))))))
