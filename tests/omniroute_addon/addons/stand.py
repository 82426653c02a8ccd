"""A proxy in the test's own event loop, with a relay that listens nowhere: what reaches it came without a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from mitmproxy import connection, http, options
from mitmproxy.addons import core, next_layer
from mitmproxy.master import Master

from omniroute_addon.addons.server import Listener
from omniroute_addon.engine.call import Sink
from omniroute_addon.engine.engine import Engine
from omniroute_addon.engine.relay import EXCHANGE_HEADER, SECRET_HEADER, Relay
from tests.omniroute_addon.loopback import closed, run, within

PORT = 1
"""The address that the relay answers to, and where nothing listens."""


class Front:
    """The addon in front of the relay: every call goes there, as ``Intercept`` would send it."""

    def __init__(self, stand: "Stand") -> None:
        self._stand = stand

    def running(self) -> None:
        self._stand.running.set()

    def client_connected(self, client: connection.Client) -> None:
        client.alpn = self._stand.alpn

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if self._stand.drops:
            self._route(flow)
            flow.request.stream = lambda _: b""

    def request(self, flow: http.HTTPFlow) -> None:
        if self._stand.routes and not self._stand.drops:
            self._route(flow)

    def _route(self, flow: http.HTTPFlow) -> None:
        stand = self._stand
        stand.flows.append(flow)
        stand.relay.expect(flow.id, stand.answer)
        flow.request.headers[SECRET_HEADER] = stand.secret
        flow.request.headers[EXCHANGE_HEADER] = flow.id
        flow.request.raw_content = b""
        flow.request.data.scheme, flow.request.data.host, flow.request.data.port = b"http", "127.0.0.1", PORT

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.stream = True


class First:
    """In front of all others: addons of the test, as its children."""

    def __init__(self) -> None:
        self.addons: list[object] = []


class Stand:
    def __init__(self, answer: Callable[[Sink], Awaitable[None]]) -> None:
        self.relay = Relay()
        self.relay.ports = (PORT,)
        self.secret = self.relay.secret
        self.answer = answer
        self.alpn: bytes | None = None
        self.flows: list[http.HTTPFlow] = []
        self.routes = True
        self.drops = False
        """Answers at a request's head, and drops its body."""
        self.first = First()
        self.connections: dict[object, object] = {}
        """The open ones."""
        self.engine: Engine | None = cast("Engine", self)
        """Of an engine the listener wants nothing but its relay, and the way out."""
        self.port = 0
        self.running = asyncio.Event()

    def way(self, scheme: str, host: str, port: int) -> None:
        """Everything is called directly."""

    async def over(self) -> None:
        """Until every call is over."""
        while self.relay._running or self.relay._waiting:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, first: str = "POST http://provider.test/ HTTP/1.1") -> bytes:
        """Everything that the proxy answers to one request, up to the connection's end."""
        reader, writer = await self.dial()
        try:
            writer.write(f"{first}\r\nhost: provider.test\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            return await within(reader.read())
        finally:
            await closed(writer)


@asynccontextmanager
async def opened(stand: Stand) -> AsyncIterator[Stand]:
    opts = options.Options()
    master = Master(opts)
    listener = Listener(stand, master.addons)
    master.addons.add(core.Core(), listener, next_layer.NextLayer(), stand.first, Front(stand))
    stand.connections = listener.connections
    opts.update(mode=["regular@127.0.0.1:0"], connection_strategy="lazy")
    running = asyncio.get_running_loop().create_task(master.run())
    try:
        await within(stand.running.wait())
        stand.port = next(iter(listener.servers)).listen_addrs[0][1]
        yield stand
    finally:
        master.shutdown()
        await within(running)


def scene(stand: Stand, main: Callable[[Stand], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with opened(stand):
            await main(stand)

    run(whole)
