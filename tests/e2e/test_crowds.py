"""Many clients at once, each with a connection of its own: all are answered, and so is whoever comes after them."""

import asyncio
import ssl
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartProxy
from tests.e2e.calls import ask
from tests.e2e.targets import routes, targets
from tests.omniroute_addon.loopback import closed
from tests.servers.answers import Answer
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE, Say

ANSWER = Answer(pieces=("Here.",))
CALLS = 3
"""Of each client, over its connection."""


async def _client(proxy: Proxy, trust: ssl.SSLContext) -> int:
    """How many of a new connection's calls are answered."""
    asked = ask("anthropic-messages")
    host, port = urlsplit(asked.url).hostname, urlsplit(proxy.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(trust, server_hostname=host)
        head = f"POST {asked.path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(asked.content)}\r\n\r\n"
        answered = 0
        for _ in range(CALLS):
            writer.write(head.encode() + asked.content)
            answered += b"Here." in await _body(reader)
        return answered
    finally:
        await closed(writer)


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        return await reader.readuntil(b"\r\n0\r\n\r\n")
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))


@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat"], ids=["passthrough", "translated"])
def test_new_connections_are_served_after_a_crowd(form: str, provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(Say(ANSWER))
    proxy = start_proxy(targets(up=provider) + routes(f"up-{form}/m"))

    async def come(number: int) -> None:
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.gather(*(_client(proxy, proxy.trust) for _ in range(number))) == [CALLS] * number

    async def main() -> None:
        for number in (64, 1, 200, 1, 8):
            await come(number)

    asyncio.run(main())
