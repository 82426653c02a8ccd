"""A client that does not read stops the provider, and nobody keeps the stream for it; then it gets every byte."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from tests.conftest import StartProxy
from tests.e2e.calls import ask
from tests.omniroute_addon.loopback import closed, within
from tests.servers.proxy import Proxy

PIECE = b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": {"content": "~" * 16_000}}]}) + b"\n\n"
PIECES = 4000
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
RULES = """\
providers: {{up: {{format: openai-chat, base_url: "http://127.0.0.1:{port}/v1/chat/completions", auth: none}}}}
routes: [{{match: {{model: "*"}}, to: up/m}}]
"""
STUCK = 0.5
"""Seconds without a byte after which nobody takes any."""
KEPT = 24
"""Megabytes that the sockets and the proxy may hold: loopback's sockets take up to ten."""


class Flooding:
    """A provider that sends as fast as it is read."""

    def __init__(self) -> None:
        self.sent = 0
        self._moved = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield
            finally:
                if self._writer is not None and not self._writer.is_closing():
                    self._writer.transport.abort()  # else a failure would wait for the end of its stream

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
        writer.write(HEAD)
        for _ in range(PIECES):
            writer.write(PIECE)
            await writer.drain()
            self.sent += 1
            self._moved.set()
        writer.write(LAST)
        await closed(writer)

    async def stuck(self) -> int:
        """The pieces that had been sent when nobody took any more."""
        while True:
            self._moved.clear()
            try:
                async with asyncio.timeout(STUCK if self.sent else None):
                    await self._moved.wait()
            except TimeoutError:
                return self.sent


async def _asked(proxy: Proxy, form: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A call through the tunnel, whose client has room for little."""
    asked = ask(form, stream=True)
    host = str(urlsplit(asked.url).hostname)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", proxy.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=64 * 1024)
    writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    await writer.start_tls(ssl.create_default_context(cafile=str(proxy.ca)), server_hostname=host)
    head = f"POST {asked.path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(asked.content)}\r\n\r\n"
    writer.write(head.encode() + asked.content)
    return reader, writer


def _resident(proxy: Proxy) -> float:
    """Megabytes at its peak."""
    status = Path(f"/proc/{proxy.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize("form", ["openai-chat", "anthropic-messages"], ids=["passthrough", "translated"])
def test_a_client_that_does_not_read_stops_the_provider(form: str, start_proxy: StartProxy) -> None:
    async def main() -> None:
        flooding = Flooding()
        async with flooding.listening():
            proxy = start_proxy(RULES.format(port=flooding.port))
            reader, writer = await _asked(proxy, form)
            before = _resident(proxy)
            sent = await flooding.stuck()
            assert sent * len(PIECE) < KEPT << 20
            assert _resident(proxy) - before < KEPT
            texts = 0
            while (chunk := await within(reader.read(1 << 20))) and not chunk.endswith(b"0\r\n\r\n"):
                texts += chunk.count(b"~")
            assert texts + chunk.count(b"~") == PIECES * 16_000
            await closed(writer)

    asyncio.run(main())
