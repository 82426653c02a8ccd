"""Connections through a real outbound proxy: what is asked of it, and whose fault it is when there is none."""

import asyncio
import ssl
from pathlib import Path

import pytest

from omniroute_addon.config.ways import Outbound, read_outbound
from omniroute_addon.engine.tunnel import Fault, OutboundError, through
from tests.omniroute_addon.loopback import run
from tests.servers.certificates import authority
from tests.servers.outbound import Kind, OutboundProxy, leaving

CONTEXT = ssl.create_default_context()
HOST = "far.example.test"


async def opened(way: Outbound, host: str = HOST, *, port: int = 443, limit: float = 20) -> bytes:
    """What the host says first."""
    reader, writer = await through(way, host, port, context=CONTEXT, limit=limit)
    try:
        return await reader.read(100)
    finally:
        writer.transport.abort()


def refused(way: Outbound, *, limit: float = 20) -> tuple[Fault, str]:
    async def main() -> None:
        with pytest.raises(OutboundError) as caught:
            await opened(way, limit=limit)
        found.append((caught.value.fault, str(caught.value)))

    found: list[tuple[Fault, str]] = []
    run(main)
    return found[0]


@pytest.mark.parametrize("crumbs", [False, True])
@pytest.mark.parametrize("login", [None, "me:p@ss:w\xf6rd"])
@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_the_host_is_reached_by_its_name(kind: Kind, login: str | None, crumbs: bool) -> None:
    async def main() -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with leaving(OutboundProxy(kind, login=login, crumbs=crumbs)) as proxy:
                user, _, password = (login or "").partition(":")
                way = Outbound(kind, "localhost", proxy.port, user, password)
                assert await opened(way, "f\xe4r.example", port=port) == b"hello"
            assert proxy.connected == [f"xn--fr-via.example:{port}"]

    run(main)


def test_a_proxy_may_speak_tls(tmp_path: Path) -> None:
    certificates = authority(tmp_path, "localhost")
    with leaving(OutboundProxy("https", tls=certificates.server, says="403 No")) as proxy:
        assert refused(read_outbound(proxy.url)) == (
            "proxy",
            f"no connection to the outbound proxy {proxy.url}: its certificate is not trusted: unable to get local issuer certificate",
        )

        async def main() -> None:
            context = ssl.create_default_context(cafile=str(certificates.ca))
            with pytest.raises(OutboundError, match="403 No"):
                await through(read_outbound(proxy.url), HOST, 443, context=context, limit=20)

        run(main)


@pytest.mark.parametrize(
    "proxy,login,fault,words",
    [
        (
            OutboundProxy(login="me:right"),
            "",
            "proxy",
            "wants a user and a password (407 Proxy Authentication Required)",
        ),
        (OutboundProxy(login="me:right"), "me:canary", "proxy", "refused its user and password (407"),
        (OutboundProxy("socks5", login="me:right"), "", "proxy", "wants a user and a password"),
        (OutboundProxy("socks5", login="me:right"), "me:canary", "proxy", "refused its user and password"),
        (OutboundProxy(says="403 Forbidden"), "", "proxy", f"does not connect to {HOST}:443 (403 Forbidden)"),
        (OutboundProxy("socks5", says=b"\2"), "", "proxy", "its rules do not allow this connection"),
        (OutboundProxy(says="502 Bad Gateway"), "", "connect", f"cannot reach {HOST}:443 (502 Bad Gateway)"),
        (OutboundProxy("socks5", says=b"\4"), "", "connect", f"did not connect to {HOST}:443: host unreachable"),
        (OutboundProxy(says="what?"), "", "proxy", "does not speak HTTP"),
    ],
)
def test_a_refusal_is_told_without_the_login(proxy: OutboundProxy, login: str, fault: Fault, words: str) -> None:
    with leaving(proxy):
        found = refused(read_outbound(proxy.with_login(login) if login else proxy.url))
    assert found[0] == fault
    assert words in found[1]
    assert proxy.url in found[1]
    assert "canary" not in found[1]


def test_one_that_is_not_there_is_named() -> None:
    with leaving(OutboundProxy()) as gone:
        pass
    fault, words = refused(read_outbound(gone.with_login("me:canary")))
    assert (fault, words.startswith(f"no connection to the outbound proxy {gone.url}: ")) == ("proxy", True)


def test_a_name_that_nobody_knows_is_its_fault() -> None:
    assert refused(Outbound("http", "no-such-proxy.invalid", 1))[0] == "proxy"


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_silence_is_nobodys_fault(kind: Kind) -> None:
    with leaving(OutboundProxy(kind, silent=True)) as proxy:
        fault, words = refused(read_outbound(proxy.url), limit=0.3)
    assert (fault, f"did not connect to {HOST}:443 within 0.3 s" in words) == ("proxy-silent", True)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200", b"\5", b"x" * 100_000])
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_what_is_no_proxy_is_told_as_that(scheme: Kind, said: bytes) -> None:
    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(said)
            writer.close()

        async with await asyncio.start_server(answer, "localhost", 0) as server:
            way = Outbound(scheme, "localhost", server.sockets[0].getsockname()[1])
            with pytest.raises(OutboundError) as caught:
                await opened(way)
            assert caught.value.fault == "proxy"

    run(main)
