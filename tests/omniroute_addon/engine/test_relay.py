"""The loopback server: who is served, how an answer is written, and what happens when somebody leaves."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from omniroute_addon.engine.call import SHUTDOWN, ClientLeftError, Sink
from omniroute_addon.engine.relay import EXCHANGE_HEADER, PORTS, SECRET_HEADER, Relay
from tests.omniroute_addon.loopback import closed, run, within


class Client:
    """One connection to the relay."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def ask(self, exchange: str, secret: str, method: str = "POST") -> None:
        self.writer.write(
            f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n{SECRET_HEADER}: {secret}\r\n"
            f"{EXCHANGE_HEADER}: {exchange}\r\nContent-Length: 0\r\n\r\n".encode()
        )

    async def head(self) -> list[str]:
        return (await within(self.reader.readuntil(b"\r\n\r\n"))).decode("latin-1").split("\r\n")[:-2]

    async def chunk(self) -> bytes:
        size = int(await within(self.reader.readline()), 16)
        return (await within(self.reader.readexactly(size + 2)))[:-2]


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Relay, Client]]:
    relay = Relay()
    relay.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.ports[0])
    try:
        yield relay, Client(reader, writer)
    finally:
        await closed(writer)
        await relay.stop(0)


def scene(main: Callable[[Relay, Client], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with opened() as (relay, client):
            await main(relay, client)

    run(whole)


async def hello(sink: Sink) -> None:
    sink.start(200, [("content-type", "text/plain"), ("set-cookie", "a=1"), ("set-cookie", "b=\xe9")])
    await sink.write(b"hel")
    await sink.write(b"lo")
    sink.finish()


def test_it_listens_on_many_ports_of_loopback() -> None:
    async def main(relay: Relay, client: Client) -> None:
        del client
        assert len(set(relay.ports)) == PORTS

    scene(main)


def test_an_expected_exchange_is_answered_in_chunks_as_they_are_written() -> None:
    async def main(relay: Relay, client: Client) -> None:
        relay.expect("1", hello)
        client.ask("1", relay.secret)
        head = await client.head()
        assert head[0] == "HTTP/1.1 200 OK"
        assert [line for line in head if line.lower().startswith("set-cookie")] == [
            "Set-Cookie: a=1",
            "Set-Cookie: b=\xe9",
        ]
        assert [await client.chunk(), await client.chunk(), await client.chunk()] == [b"hel", b"lo", b""]

    scene(main)


def test_a_chunk_is_sent_before_the_answer_ends() -> None:
    async def main(relay: Relay, client: Client) -> None:
        more = asyncio.Event()

        async def slow(sink: Sink) -> None:
            sink.start(200, [])
            await sink.write(b"first")
            await more.wait()
            sink.finish()

        relay.expect("1", slow)
        client.ask("1", relay.secret)
        await client.head()
        assert await client.chunk() == b"first"
        assert relay.running == 1
        more.set()
        assert await client.chunk() == b""

    scene(main)


def test_a_small_write_does_not_wait_for_the_acknowledgement_of_the_one_before() -> None:
    async def main(relay: Relay, client: Client) -> None:
        relay.expect("1", hello)
        client.ask("1", relay.secret)
        await client.head()
        assert relay._server is not None
        (connection,) = relay._server._connections
        assert connection.stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    scene(main)


def test_an_answer_with_a_length_is_sent_with_it() -> None:
    async def main(relay: Relay, client: Client) -> None:
        async def whole(sink: Sink) -> None:
            sink.start(429, [("content-length", "4")])
            await sink.write(b"slow")
            sink.finish()

        relay.expect("1", whole)
        client.ask("1", relay.secret)
        assert "Content-Length: 4" in await client.head()
        assert await within(client.reader.readexactly(4)) == b"slow"

    scene(main)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_is_one(status: int) -> None:
    async def main(relay: Relay, client: Client) -> None:
        async def bare(sink: Sink) -> None:
            sink.start(status, [])
            sink.finish()

        for exchange in ("1", "2"):
            relay.expect(exchange, bare)
            client.ask(exchange, relay.secret)
            head = await client.head()
            assert head[0].startswith(f"HTTP/1.1 {status} ")
            assert not any("chunked" in line for line in head)

    scene(main)


def test_a_connection_is_kept_for_the_next_exchange() -> None:
    async def main(relay: Relay, client: Client) -> None:
        for exchange in ("1", "2", "3"):
            relay.expect(exchange, hello)
            client.ask(exchange, relay.secret)
            await client.head()
            assert [await client.chunk(), await client.chunk(), await client.chunk()] == [b"hel", b"lo", b""]

    scene(main)


def test_a_header_that_cannot_be_sent_does_not_cost_the_answer() -> None:
    async def main(relay: Relay, client: Client) -> None:
        async def odd(sink: Sink) -> None:
            sink.start(200, [("x-odd", "a\0b"), ("bad name", "x"), ("x-split", "a\r\nb: c"), ("x-good", "yes")])
            sink.finish()

        relay.expect("1", odd)
        client.ask("1", relay.secret)
        names = {line.partition(":")[0] for line in (await client.head())[1:]}
        assert names == {"X-Good", "Transfer-Encoding"}

    scene(main)


@pytest.mark.parametrize("exchange, secret", [("1", "wrong"), ("2", None), ("", None), ("1", "")])
def test_a_stranger_gets_a_404_and_starts_nothing(exchange: str, secret: str | None) -> None:
    async def main(relay: Relay, client: Client) -> None:
        relay.expect("1", hello)
        client.ask(exchange, relay.secret if secret is None else secret)
        assert (await client.head())[0] == "HTTP/1.1 404 Not Found"
        assert (relay.running, set(relay._waiting)) == (0, {"1"})

    scene(main)


def test_an_exchange_is_answered_once() -> None:
    async def main(relay: Relay, client: Client) -> None:
        relay.expect("1", hello)
        client.ask("1", relay.secret)
        await client.head()
        assert [await client.chunk(), await client.chunk(), await client.chunk()] == [b"hel", b"lo", b""]
        client.ask("1", relay.secret)
        assert (await client.head())[0] == "HTTP/1.1 404 Not Found"

    scene(main)


def test_a_forgotten_exchange_is_a_strangers() -> None:
    async def main(relay: Relay, client: Client) -> None:
        relay.expect("1", hello)
        relay.forget("1")
        relay.forget("1")
        client.ask("1", relay.secret)
        assert (await client.head())[0] == "HTTP/1.1 404 Not Found"

    scene(main)


@pytest.mark.parametrize("started", [True, False])
def test_a_client_that_leaves_cancels_the_exchange(started: bool) -> None:
    async def main(relay: Relay, client: Client) -> None:
        reasons: list[object] = []
        cancelled = asyncio.Event()
        running = asyncio.Event()

        async def endless(sink: Sink) -> None:
            if started:
                sink.start(200, [])
                await sink.write(b"first")
            running.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                reasons.extend(error.args)
                cancelled.set()
                raise

        relay.expect("1", endless)
        client.ask("1", relay.secret)
        await within(running.wait())
        client.writer.close()
        await within(cancelled.wait())
        assert SHUTDOWN not in reasons
        await asyncio.wait(relay._running, timeout=5) if relay._running else None
        assert relay.running == 0

    scene(main)


def test_writing_to_a_client_that_has_left_says_so() -> None:
    async def main(relay: Relay, client: Client) -> None:
        caught = asyncio.Event()

        async def stubborn(sink: Sink) -> None:
            sink.start(200, [])
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                with pytest.raises(ClientLeftError):
                    await sink.write(b"late")
                caught.set()
                raise

        relay.expect("1", stubborn)
        client.ask("1", relay.secret)
        await client.head()
        client.writer.transport.abort()
        await within(caught.wait())

    scene(main)


@pytest.mark.parametrize("fails", [True, False], ids=["it raises", "it forgets to finish"])
def test_an_exchange_without_an_end_breaks_the_connection(fails: bool) -> None:
    async def main(relay: Relay, client: Client) -> None:
        async def broken(sink: Sink) -> None:
            sink.start(200, [])
            await sink.write(b"first")
            if fails:
                raise RuntimeError("defect")

        relay.expect("1", broken)
        client.ask("1", relay.secret)
        await client.head()
        assert await client.chunk() == b"first"
        assert await within(client.reader.read()) == b""

    scene(main)


def test_an_aborted_answer_has_no_proper_end() -> None:
    async def main(relay: Relay, client: Client) -> None:
        async def aborted(sink: Sink) -> None:
            sink.start(200, [])
            await sink.write(b"first")
            sink.abort()

        relay.expect("1", aborted)
        client.ask("1", relay.secret)
        await client.head()
        assert await client.chunk() == b"first"
        assert await within(client.reader.read()) == b""

    scene(main)


def test_a_stop_lets_an_exchange_end_within_its_grace() -> None:
    async def main(relay: Relay, client: Client) -> None:
        more = asyncio.Event()

        async def slow(sink: Sink) -> None:
            sink.start(200, [])
            await sink.write(b"first")
            await more.wait()
            sink.finish()

        relay.expect("1", slow)
        client.ask("1", relay.secret)
        await client.head()
        stopping = asyncio.ensure_future(relay.stop(5))
        more.set()
        await within(stopping)
        assert await client.chunk() == b"first"
        assert await client.chunk() == b""

    scene(main)


def test_a_stop_after_the_grace_tells_the_exchange_why() -> None:
    async def main(relay: Relay, client: Client) -> None:
        async def endless(sink: Sink) -> None:
            sink.start(200, [])
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                await sink.write(str(error).encode())
                sink.finish()

        relay.expect("1", endless)
        client.ask("1", relay.secret)
        await client.head()
        await within(relay.stop(0))
        assert await client.chunk() == SHUTDOWN.encode()
        assert await client.chunk() == b""

    scene(main)


def test_a_stopped_relay_takes_no_connections_and_may_be_stopped_again() -> None:
    async def main(relay: Relay, client: Client) -> None:
        await relay.stop(0)
        await relay.stop(0)
        assert await within(client.reader.read()) == b""
        with pytest.raises(OSError, match="Connect"):
            await asyncio.open_connection("127.0.0.1", relay.ports[0])

    scene(main)


def test_flows_that_come_without_a_socket_need_one_address_only() -> None:
    async def main(relay: Relay, _: Client) -> None:
        first, *others = relay.ports
        assert all(relay.is_at(("127.0.0.1", port)) for port in (first, *others))
        relay.reached_directly()
        assert relay.ports == (first,)
        assert relay.is_at(("127.0.0.1", first))
        assert not relay.is_at(("10.0.0.1", first))

    scene(main)
