"""Calls that reach the relay without a socket: every way an answer can go, and every way it can end."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import h2.config
import h2.connection
import h2.events
import pytest

from omniroute_addon.addons.layers import FULL
from omniroute_addon.engine.call import Sink
from tests.omniroute_addon.addons.stand import Stand, scene
from tests.omniroute_addon.loopback import closed, within

type Answer = Callable[[Sink], Awaitable[None]]
PIECE = bytes(16 * 1024)
PIECES = 800
"""13 MB: more than all buffers of the kernel together."""
ASKED = b"POST http://provider.test/ HTTP/1.1\r\nhost: provider.test\r\ncontent-length: 0\r\n\r\n"


async def hello(sink: Sink) -> None:
    sink.start(200, [("content-type", "text/plain"), ("set-cookie", "a=1"), ("set-cookie", "b=\xe9")])
    await sink.write(b"hel")
    await sink.write(b"lo")
    sink.finish()


def test_an_answer_without_a_length_comes_in_chunks() -> None:
    async def main(stand: Stand) -> None:
        head, _, body = (await stand.ask()).partition(b"\r\n\r\n")
        assert head.split(b"\r\n")[0] == b"HTTP/1.1 200 OK"
        assert head.count(b"set-cookie: ") == 2
        assert b"transfer-encoding: chunked" in head
        assert body == b"5\r\nhello\r\n0\r\n\r\n"

    scene(Stand(hello), main)


def test_an_answer_with_a_length_comes_whole() -> None:
    async def sized(sink: Sink) -> None:
        sink.start(429, [("content-length", "2")])
        await sink.write(b"no")
        sink.finish()

    async def main(stand: Stand) -> None:
        said = await stand.ask()
        assert said.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert said.endswith(b"\r\n\r\nno")
        assert b"chunked" not in said

    scene(Stand(sized), main)


def test_an_http_1_0_client_gets_the_bare_bytes_up_to_the_end_of_the_connection() -> None:
    async def main(stand: Stand) -> None:
        said = await stand.ask("POST http://provider.test/ HTTP/1.0")
        assert said.endswith(b"\r\n\r\nhello")
        assert b"chunked" not in said

    scene(Stand(hello), main)


def test_the_answer_to_head_has_no_body() -> None:
    async def main(stand: Stand) -> None:
        said = await stand.ask("HEAD http://provider.test/ HTTP/1.1")
        assert said.endswith(b"\r\n\r\n")
        assert b"hello" not in said

    scene(Stand(hello), main)


def test_a_header_that_cannot_be_sent_is_left_out() -> None:
    async def odd(sink: Sink) -> None:
        sink.start(200, [("x-good", "1"), ("x-bad", "a\r\nx-smuggled: 1"), ("x bad", "2"), ("content-length", "0")])
        sink.finish()

    async def main(stand: Stand) -> None:
        said = await stand.ask()
        assert b"x-good: 1\r\n" in said
        assert b"bad" not in said
        assert b"smuggled" not in said

    scene(Stand(odd), main)


def test_two_calls_of_one_client_share_their_connection_to_the_relay() -> None:
    async def main(stand: Stand) -> None:
        reader, writer = await stand.dial()
        for _ in range(2):
            writer.write(ASKED)
            assert (await within(reader.readuntil(b"0\r\n\r\n"))).endswith(b"hello\r\n0\r\n\r\n")
        await closed(writer)
        first, second = stand.flows
        assert first.server_conn is second.server_conn
        await stand.over()

    scene(Stand(hello), main)


def test_a_stranger_is_not_served() -> None:
    async def main(stand: Stand) -> None:
        stand.secret = "guessed"
        said = await stand.ask()
        assert said.startswith(b"HTTP/1.1 404 ")
        assert b"hello" not in said

    scene(Stand(hello), main)


def test_an_answer_that_breaks_off_breaks_the_clients_connection() -> None:
    async def broken(sink: Sink) -> None:
        sink.start(200, [])
        await sink.write(b"half")
        sink.abort()

    async def main(stand: Stand) -> None:
        body = (await stand.ask()).partition(b"\r\n\r\n")[2]
        assert body == b"4\r\nhalf\r\n"

    scene(Stand(broken), main)


def test_an_exchange_that_says_nothing_is_an_error_of_the_gateway() -> None:
    async def silent(sink: Sink) -> None:
        sink.abort()

    async def main(stand: Stand) -> None:
        assert (await stand.ask()).startswith(b"HTTP/1.1 502 ")

    scene(Stand(silent), main)


@pytest.mark.parametrize("said", [False, True], ids=["before a word", "in the middle"])
def test_a_client_that_leaves_ends_the_exchange_at_once(said: bool) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(sink: Sink) -> None:
        try:
            if said:
                sink.start(200, [])
                await sink.write(b"first")
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def main(stand: Stand) -> None:
        reader, writer = await stand.dial()
        writer.write(ASKED)
        await within(begun.wait())
        if said:
            await within(reader.readuntil(b"first"))
        await closed(writer)
        await within(ended.wait())
        await stand.over()

    scene(Stand(endless), main)


class Flood:
    """More than a client takes that does not read."""

    def __init__(self, pieces: int) -> None:
        self._pieces = pieces
        self.written = 0

    async def __call__(self, sink: Sink) -> None:
        sink.start(200, [("content-length", str(len(PIECE) * self._pieces))])
        for _ in range(self._pieces):
            await sink.write(PIECE)
            self.written += len(PIECE)
        sink.finish()

    async def stuck(self) -> int:
        """What had been written when nothing more could be."""
        before, quiet = -1, 0
        while quiet < 300:
            before, quiet = self.written, quiet + 1 if self.written == before else 0
            await asyncio.sleep(0)
        return before


def test_a_client_that_does_not_read_stops_the_exchange_and_loses_nothing() -> None:
    flood = Flood(PIECES)

    async def main(stand: Stand) -> None:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", stand.port))
            await loop.sock_sendall(client, ASKED)
            while not flood.written:  # noqa: ASYNC110  it is a plain number
                await asyncio.sleep(0)
            stuck = await flood.stuck()
            assert 0 < stuck < len(PIECE) * PIECES / 2
            got = 0
            while got < len(PIECE) * PIECES:
                got += len(await within(loop.sock_recv(client, 1 << 20)))
        assert flood.written == len(PIECE) * PIECES

    scene(Stand(flood), main)


class Http2:
    """An HTTP/2 client that gives the windows that it is told to give."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.wire = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.wire.initiate_connection()
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()

    def ask(self) -> int:
        stream = self.wire.get_next_available_stream_id()
        self.wire.send_headers(
            stream,
            [(":method", "POST"), (":scheme", "http"), (":authority", "provider.test"), (":path", "/")],
            end_stream=True,
        )
        self.bodies[stream] = b""
        self.send()
        return stream

    def send(self) -> None:
        self._writer.write(self.wire.data_to_send())

    async def hear(self, *, more: bool = True) -> None:
        """What has come; ``more`` gives room for as much again."""
        for event in self.wire.receive_data(await within(self._reader.read(1 << 20))):
            match event:
                case h2.events.DataReceived():
                    self.bodies[event.stream_id] += event.data
                    if more:
                        self.wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self.ended.add(event.stream_id)
                case _:
                    pass
        self.send()


def http2(answer: Answer) -> Stand:
    stand = Stand(answer)
    stand.alpn = b"h2"
    return stand


def test_thirty_http2_streams_are_open_at_once() -> None:
    open_now = asyncio.Barrier(30)

    async def together(sink: Sink) -> None:
        sink.start(200, [])
        await open_now.wait()
        await sink.write(b"all here")
        sink.finish()

    async def main(stand: Stand) -> None:
        reader, writer = await stand.dial()
        client = Http2(reader, writer)
        asked = {client.ask() for _ in range(30)}
        while client.ended != asked:
            await client.hear()
        assert set(client.bodies.values()) == {b"all here"}
        await closed(writer)

    scene(http2(together), main)


def test_a_full_http2_window_stops_the_exchange_and_loses_nothing() -> None:
    flood = Flood(64)

    async def main(stand: Stand) -> None:
        reader, writer = await stand.dial()
        client = Http2(reader, writer)
        stream = client.ask()
        while len(client.bodies[stream]) < 65_535:
            await client.hear(more=False)
        assert await flood.stuck() <= 65_535 + FULL + len(PIECE)
        client.wire.acknowledge_received_data(65_535, stream)
        client.send()
        while stream not in client.ended:
            await client.hear()
        assert client.bodies[stream] == PIECE * 64
        await closed(writer)

    scene(http2(flood), main)


def test_an_http2_stream_that_is_reset_ends_its_exchange_and_no_other() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(_: Sink) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def main(stand: Stand) -> None:
        reader, writer = await stand.dial()
        client = Http2(reader, writer)
        left = client.ask()
        await within(begun.wait())
        client.wire.reset_stream(left, 8)
        client.send()
        await within(ended.wait())
        stand.answer = hello
        asked = client.ask()
        while asked not in client.ended:
            await client.hear()
        assert client.bodies[asked] == b"hello"
        await stand.over()
        await closed(writer)

    scene(http2(endless), main)


def test_an_answer_may_come_before_the_request_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    async def main(stand: Stand) -> None:
        stand.drops = True
        reader, writer = await stand.dial()
        for _ in range(2):
            writer.write(b"POST http://provider.test/ HTTP/1.1\r\nhost: provider.test\r\ncontent-length: 6\r\n\r\nabc")
            assert b"200 OK" in await within(reader.readuntil(b"hello"))
            writer.write(b"def")
            await within(reader.readuntil(b"\r\n0\r\n\r\n"))
        await closed(writer)

    scene(Stand(hello), main)
    assert "crashed" not in caplog.text
