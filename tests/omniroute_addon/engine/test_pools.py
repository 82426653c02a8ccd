"""Connections that are kept, for each outbound proxy apart, and closed when the rules name it no more."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from omniroute_addon.config.ways import Outbound, read_outbound
from omniroute_addon.engine.call import Dial
from omniroute_addon.engine.upstream import UpstreamError, Upstreams
from tests.omniroute_addon import loopback
from tests.omniroute_addon.loopback import HOLD, Provider, run
from tests.servers.certificates import authority
from tests.servers.outbound import Kind, OutboundProxy, leaving
from tests.servers.provider import serving

HOST = "far.example.test"


@asynccontextmanager
async def upstreams(ca: Path | None = None) -> AsyncIterator[Upstreams]:
    found = Upstreams()
    if ca is not None:
        found._context.load_verify_locations(ca)
    try:
        yield found
    finally:
        await found.aclose()


def call(port: int, way: Outbound | None, *, scheme: str = "http", host: str = HOST) -> Dial:
    return Dial("GET", f"{scheme}://{host}:{port}/v1", (), b"", proxy=way)


async def said(on: Upstreams, one: Dial) -> tuple[int, bytes]:
    async with await on.open(one, connect=20, idle=20) as answer:
        return answer.status, await answer.read(1000)


def against(answers: list[loopback.Answer], main: Callable[[Provider, int], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Provider(answers) as provider:
            await main(provider, int(provider.url.rpartition(":")[2]))

    run(whole)


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_calls_one_after_the_other_share_a_connection(kind: Kind) -> None:
    async def main(_: Provider, port: int) -> None:
        with leaving(OutboundProxy(kind)) as proxy:
            way = read_outbound(proxy.url)
            async with upstreams() as on:
                assert [await said(on, call(port, way)) for _ in range(3)] == [(200, b"hello")] * 3
            assert proxy.connected == [f"{HOST}:{port}"]

    against([loopback.answer(200, b"hello")], main)


def test_ways_share_nothing() -> None:
    async def main(_: Provider, port: int) -> None:
        with leaving() as proxy, leaving(OutboundProxy("socks5")) as other:
            async with upstreams() as on:
                for way in (read_outbound(proxy.url), read_outbound(other.url), None, read_outbound(proxy.url)):
                    assert await said(on, call(port, way, host="127.0.0.1" if way is None else HOST)) == (200, b"hello")
            assert (len(proxy.connected), len(other.connected)) == (1, 1)

    against([loopback.answer(200, b"hello")], main)


@pytest.mark.skipif(
    sys.version_info[:3] == (3, 12, 1), reason="asyncio breaks on a refused TLS in TLS there (gh-113214)"
)
@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_tls_is_spoken_with_the_host_and_verified(kind: Kind, tmp_path: Path) -> None:
    for name in ("host", "proxy"):
        (tmp_path / name).mkdir()
    host, proxys = authority(tmp_path / "host", HOST), authority(tmp_path / "proxy", "localhost")
    tls = proxys.server if kind == "https" else None
    with serving(tls=host.server) as provider, leaving(OutboundProxy(kind, tls=tls)) as proxy:
        way = read_outbound(proxy.url)

        async def main() -> None:
            async with upstreams(host.ca) as on:
                on._context.load_verify_locations(proxys.ca)
                for _ in range(2):
                    assert await said(on, call(provider.port, way, scheme="https")) == (404, b"{}")
                assert len(proxy.connected) == 1
                with pytest.raises(UpstreamError) as caught:
                    await said(on, call(provider.port, way, scheme="https", host="other.example.test"))
                assert caught.value.kind == "tls"

        run(main)


def test_a_kept_connection_that_the_proxy_has_closed_costs_no_call() -> None:
    async def main(_: Provider, port: int) -> None:
        async with upstreams() as on:
            with leaving() as first:
                way = read_outbound(first.url)
                assert await said(on, call(port, way)) == (200, b"hello")
            with leaving(OutboundProxy(port=first.port)):
                assert await said(on, call(port, way)) == (200, b"hello")

    against([loopback.answer(200, b"hello")], main)


def test_a_pool_is_closed_when_its_proxy_is_gone_from_the_rules() -> None:
    async def main(_: Provider, port: int) -> None:
        with leaving() as proxy, leaving() as other:
            async with upstreams() as on:
                for one in (proxy, other):
                    await said(on, call(port, read_outbound(one.url)))
                on.keep([read_outbound(other.url)])
                await loopback.within(_until(proxy))
                assert (proxy.open, other.open) == (0, 1)

    against([loopback.answer(200, b"hello")], main)


def test_a_stream_under_way_goes_on_without_its_proxy_in_the_rules() -> None:
    gate = loopback.Gate()

    async def main(_: Provider, port: int) -> None:
        with leaving() as proxy:
            async with upstreams() as on:
                answer = await on.open(call(port, read_outbound(proxy.url)), connect=20, idle=20)
                on.keep([])
                gate.open()
                async with answer:
                    assert await answer.read(100) == b"onetwo"
                await loopback.within(_until(proxy))

    against([loopback.stream(b"one", gate, b"two")], main)


def test_leaving_a_stream_closes_the_way_through_the_proxy() -> None:
    async def main(_: Provider, port: int) -> None:
        with leaving() as proxy:
            async with upstreams() as on:
                answer = await on.open(call(port, read_outbound(proxy.url)), connect=20, idle=20)
                await answer.aclose()
                await loopback.within(_until(proxy))

    against([loopback.stream(b"one", HOLD)], main)


async def _until(proxy: OutboundProxy) -> None:
    """Until nothing is open at the proxy."""
    await asyncio.to_thread(proxy.wait_open, 0)


def test_the_login_is_in_no_error() -> None:
    async def main() -> None:
        with leaving(OutboundProxy(login="me:right")) as proxy:
            async with upstreams() as on:
                with pytest.raises(UpstreamError) as caught:
                    await on.open(call(9, read_outbound(proxy.with_login("me:canary"))), connect=20, idle=20)
        assert caught.value.kind == "proxy"
        assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"

    run(main)
