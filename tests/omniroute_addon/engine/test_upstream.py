"""Calls to a provider on a loopback socket: what is sent, what comes back, and every way it can break."""

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from omniroute_addon.engine.call import Dial
from omniroute_addon.engine.upstream import Answer, UpstreamError, Upstreams
from tests.omniroute_addon import loopback
from tests.omniroute_addon.loopback import HOLD, Provider, closed, run, within
from tests.servers import certificates


@asynccontextmanager
async def pool() -> AsyncIterator[Upstreams]:
    upstreams = Upstreams()
    try:
        yield upstreams
    finally:
        await upstreams.aclose()


def post(url: str, *headers: tuple[str, str], body: bytes = b"{}") -> Dial:
    return Dial("POST", url, headers, body)


async def read(answer: Answer, limit: int = 1_000_000) -> bytes:
    async with answer:
        return await answer.read(limit)


def asked(said: loopback.Answer, call: Callable[[Upstreams, Provider], Awaitable[None]]) -> None:
    """Run ``call`` against a provider that always answers ``said``."""

    async def main() -> None:
        async with Provider([said]) as provider, pool() as upstreams:
            await call(upstreams, provider)

    run(main)


def failing(said: loopback.Answer, kind: str, *, connect: float = 20, idle: float = 20) -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        with pytest.raises(UpstreamError) as caught:
            await read(await upstreams.open(post(provider.url), connect=connect, idle=idle))
        assert caught.value.kind == kind

    asked(said, main)


def test_the_request_is_sent_with_its_headers_and_no_others() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        call = post(f"{provider.url}/v1/x?alt=sse", ("x-api-key", "k"), ("X-Odd", "na\udcefve"), body=b'{"a":1}')
        await read(await upstreams.open(call, connect=20, idle=20))
        sent = provider.last
        assert (sent.method, sent.target, sent.body) == ("POST", "/v1/x?alt=sse", b'{"a":1}')
        assert {name.lower() for name, _ in sent.headers} == {"host", "x-api-key", "x-odd", "content-length"}

    asked(loopback.answer(200, b""), main)


@pytest.mark.parametrize("target", ['/v1/%41%7e%2f..%2F?a=%20b+c%2B&d={"e"}|&a=%zz', "/v1/m:generate?key=a/b?c"])
def test_the_address_is_sent_as_it_was_written(target: str) -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        await read(await upstreams.open(post(provider.url + target), connect=20, idle=20))
        assert provider.last.target == target

    asked(loopback.answer(200, b""), main)


def test_what_no_address_may_carry_is_escaped() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        await read(await upstreams.open(post(f"{provider.url}/caf\xe9 noir?x=y"), connect=20, idle=20))
        assert provider.last.target == "/caf%C3%A9%20noir?x=y"

    asked(loopback.answer(200, b""), main)


def test_the_answer_keeps_its_headers_apart_and_its_bytes_encoded() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        answer = await upstreams.open(post(provider.url), connect=20, idle=20)
        assert [value for name, value in answer.headers if name.lower() == "set-cookie"] == ["a=1", "b=\xe9"]
        assert (answer.header("content-encoding"), await read(answer)) == ("gzip", b"not really gzip")

    said = loopback.answer(200, b"not really gzip", "Set-Cookie: a=1", "Set-Cookie: b=\xe9", "Content-Encoding: gzip")
    asked(said, main)


def test_redirects_are_answers() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        answer = await upstreams.open(post(provider.url), connect=20, idle=20)
        assert (answer.status, len(provider.received)) == (307, 1)
        await answer.aclose()

    asked(loopback.answer(307, b"", "location: /elsewhere"), main)


def test_no_cookie_is_kept_for_the_next_call() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        for _ in range(2):
            await read(await upstreams.open(post(provider.url), connect=20, idle=20))
        assert provider.last.header("cookie") is None

    asked(loopback.answer(200, b"", "Set-Cookie: a=1"), main)


def test_a_stream_is_read_while_it_is_written() -> None:
    gate = loopback.Gate()

    async def main(upstreams: Upstreams, provider: Provider) -> None:
        async with await upstreams.open(post(provider.url), connect=20, idle=20) as answer:
            chunks = answer.chunks()
            assert await anext(chunks) == b"first"
            gate.open()
            assert [chunk async for chunk in chunks] == [b"second"]

    asked(loopback.stream(b"first", gate, b"second"), main)


def test_http_1_0_without_a_length_is_read_to_its_end() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        assert await read(await upstreams.open(post(provider.url), connect=20, idle=20)) == b"old and whole"

    asked(loopback.Answer((b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold and whole",)), main)


def test_no_more_than_the_limit_is_read() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        assert await read(await upstreams.open(post(provider.url), connect=20, idle=20), limit=7) == b"0123456"

    asked(loopback.answer(200, b"0123456789"), main)


def test_closing_an_open_answer_closes_the_connection() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        async with await upstreams.open(post(provider.url), connect=20, idle=20) as answer:
            assert await anext(answer.chunks()) == b"first"
        await within(provider.gone.wait())

    asked(loopback.stream(b"first", HOLD), main)


def test_cancelling_a_call_that_waits_for_its_answer_closes_the_connection() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        task = asyncio.ensure_future(upstreams.open(post(provider.url), connect=20, idle=20))
        await within(provider.asked.wait())
        task.cancel()
        await within(provider.gone.wait())
        with pytest.raises(asyncio.CancelledError):
            await task

    asked(loopback.Answer((HOLD,)), main)


def test_a_read_answer_leaves_its_connection_for_the_next_call() -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        for _ in range(3):
            await read(await upstreams.open(post(provider.url), connect=20, idle=20))
        assert (len(provider.received), provider.connections) == (3, 1)

    asked(loopback.answer(200, b"ok"), main)


@pytest.mark.parametrize("reset", [True, False])
def test_a_kept_connection_that_has_gone_stale_costs_nothing(reset: bool) -> None:
    async def main() -> None:
        stale = loopback.Answer((), close=True, reset=reset)
        async with Provider([loopback.answer(200, b"one"), stale, loopback.answer(200, b"two")]) as provider:
            async with pool() as upstreams:
                await read(await upstreams.open(post(provider.url), connect=20, idle=20))
                assert await read(await upstreams.open(post(provider.url), connect=20, idle=20)) == b"two"
            assert (len(provider.received), provider.connections) == (3, 2)

    run(main)


def test_a_kept_connection_that_was_reset_while_it_was_idle_costs_nothing() -> None:
    """As firewalls and load balancers do it: not closed, but answered with a reset."""
    connections: list[asyncio.StreamWriter] = []

    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            first = len(connections) == 1
            await reader.readuntil(b"{}")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n" + (b"one" if first else b"two"))
            await writer.drain()
            if not first:
                await reader.read()
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, pool() as upstreams:
            call = post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            assert await read(await upstreams.open(call, connect=20, idle=20)) == b"one"
            assert await read(await upstreams.open(call, connect=20, idle=20)) == b"two"
        assert len(connections) == 2

    run(main)


@pytest.mark.parametrize("reset", [True, False])
def test_a_fresh_connection_that_breaks_is_not_asked_again(reset: bool) -> None:
    async def main(upstreams: Upstreams, provider: Provider) -> None:
        with pytest.raises(UpstreamError) as caught:
            await upstreams.open(post(provider.url), connect=20, idle=20)
        assert (caught.value.kind, len(provider.received)) == ("cut", 1)

    asked(loopback.Answer((), close=True, reset=reset), main)


def test_a_stream_without_its_end_is_cut() -> None:
    failing(loopback.stream(b"first", end=False), "cut")


def test_a_body_shorter_than_its_length_is_cut() -> None:
    failing(loopback.Answer((b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",)), "cut")


def test_an_answer_that_is_no_http_is_cut() -> None:
    failing(loopback.Answer((b"SSH-2.0-OpenSSH_9.6\r\n\r\n",)), "cut")


def test_silence_before_the_status_is_an_idle_timeout() -> None:
    failing(loopback.Answer((HOLD,)), "timeout-idle", idle=0.05)


def test_silence_in_a_stream_is_an_idle_timeout() -> None:
    failing(loopback.stream(b"first", HOLD), "timeout-idle", idle=0.05)


def test_a_refused_connection_is_a_connect_error() -> None:
    async def main() -> None:
        async with Provider([]) as closed:
            url = closed.url
        async with pool() as upstreams:
            with pytest.raises(UpstreamError) as caught:
                await upstreams.open(post(url), connect=20, idle=20)
        assert caught.value.kind == "connect"

    run(main)


def test_a_name_that_does_not_exist_is_a_dns_error() -> None:
    async def main() -> None:
        async with pool() as upstreams:
            with pytest.raises(UpstreamError) as caught:
                await upstreams.open(post("http://no-such-host.invalid/"), connect=20, idle=20)
        assert caught.value.kind == "dns"

    run(main)


def test_answers_over_tls_that_come_at_once_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections receive into one buffer."""
    authority = certificates.authority(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    size = 400_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        word = head.split(b" ", 2)[1][1:]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + word * (size // len(word)))
        await writer.drain()
        writer.close()

    async def main() -> None:
        async with pool() as upstreams:
            server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=authority.server)
            async with server:
                url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
                words = [f"{number:04}" for number in range(20)]
                answers = await asyncio.gather(
                    *(upstreams.open(post(url + word, body=b""), connect=20, idle=20) for word in words)
                )
                bodies = await asyncio.gather(*map(read, answers))
                assert [len(body) for body in bodies] == [size] * len(words)
                assert all(body == word.encode() * (size // 4) for word, body in zip(words, bodies, strict=True))

    run(main)


def test_long_requests_arrive_whole_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They leave in pieces, also where the provider reads slower than we send."""
    authority = certificates.authority(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    written = random.Random(1)
    bodies = [written.randbytes(size) for size in (1, 65_535, 65_536, 65_537, 131_073, 1_000_000)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                body = await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
                said = sha256(body).hexdigest().encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said) + said)
        await closed(writer)

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=authority.server)
        async with server, pool() as upstreams:
            url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"

            async def sent(body: bytes) -> str:
                opened = await upstreams.open(post(url, body=body), connect=20, idle=20)
                return (await read(opened)).decode()

            for _ in range(2):
                assert await asyncio.gather(*map(sent, bodies)) == [sha256(one).hexdigest() for one in bodies]

    run(main)


def test_a_server_without_tls_is_a_tls_error() -> None:
    async def main() -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server, pool() as upstreams:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(UpstreamError) as caught:
                await upstreams.open(post(f"https://127.0.0.1:{port}/"), connect=20, idle=20)
        assert caught.value.kind == "tls"

    run(main)


def test_a_connection_that_never_opens_is_a_connect_timeout() -> None:
    """A TLS server that accepts and says nothing holds the handshake."""

    async def main() -> None:
        left = asyncio.Event()

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            left.set()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        async with server, pool() as upstreams:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(UpstreamError) as caught:
                await upstreams.open(post(f"https://127.0.0.1:{port}/"), connect=0.05, idle=5)
            await within(left.wait())
        assert caught.value.kind == "timeout-connect"

    run(main)


@pytest.mark.parametrize(
    "url", ["nonsense", "http://[::1/", "ftp://127.0.0.1/?key=sk-secret", "http://:99999/?key=sk-secret"]
)
def test_an_address_that_is_none_is_an_error_without_its_credentials(url: str) -> None:
    async def main() -> None:
        async with pool() as upstreams:
            with pytest.raises(UpstreamError) as caught:
                await upstreams.open(post(url), connect=20, idle=20)
        assert "sk-secret" not in str(caught.value)

    run(main)


def test_upstream_certificates_are_verified() -> None:
    async def main() -> None:
        upstreams = Upstreams()
        context = upstreams._context
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        await upstreams.aclose()

    run(main)
