"""What mitmproxy itself sends leaves by the outbound proxy, too: untouched calls, websockets and tunnels.

mitmproxy's own ``via`` knows no SOCKS5 and no tunnels outside its ``upstream`` mode. So the connection to the server is
opened here, already through the proxy, and handed over as if it were a direct one: all above it is as ever. What a
handler does around a connection (hooks, life and end) is told in mitmproxy's own ``open_connection``; only what needs
no proxy is left to that.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events, server_hooks
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionIO

from omniroute_addon.config.ways import Outbound
from omniroute_addon.engine.engine import Engine
from omniroute_addon.engine.tunnel import OutboundError, through, trusted


class Outgoing(ProxyConnectionHandler):
    """Give it an engine with :meth:`leave_by` before anything is opened."""

    _engine: Callable[[], Engine | None]

    def leave_by(self, engine: Callable[[], Engine | None]) -> None:
        self._engine = engine

    async def open_connection(self, command: commands.OpenConnection) -> None:
        server, engine = command.connection, self._engine()
        if server.address is None or server.transport_protocol != "tcp" or engine is None:
            await super().open_connection(command)
            return
        scheme = "http" if server.address[1] == 80 else "https"
        way = engine.way(scheme, *server.address[:2])
        if way is None or engine.relay.is_at(server.address):
            await super().open_connection(command)
            return
        await self._open_through(way, command, engine.snapshot.timeouts.connect)

    async def _open_through(self, way: Outbound, command: commands.OpenConnection, limit: float) -> None:
        server = command.connection
        data = server_hooks.ServerConnectionHookData(client=self.client, server=server)
        await self.handle_hook(server_hooks.ServerConnectHook(data))
        if server.error:
            await self._not_opened(data, command, f"Connection killed: {server.error}")
            return
        assert server.address is not None
        host, port = server.address[:2]
        server.timestamp_start = time.time()
        try:
            reader, writer = await through(way, host, port, context=trusted(), limit=limit)
        except (OutboundError, asyncio.CancelledError) as failure:
            server.error = str(failure) or "connection cancelled"
            await self._not_opened(data, command, server.error)
            if isinstance(failure, asyncio.CancelledError):
                raise
            return
        server.timestamp_tcp_setup = time.time()
        server.state = ConnectionState.OPEN
        server.peername = writer.get_extra_info("peername")
        server.sockname = writer.get_extra_info("sockname")
        self.transports[server] = ConnectionIO(handler=asyncio.current_task(), reader=reader, writer=writer)
        self.log(f"server connect {host}:{port} through {way}")
        await self.handle_hook(server_hooks.ServerConnectedHook(data))
        await self.server_event(events.OpenConnectionCompleted(command, None))
        try:
            await self.handle_connection(server)
        finally:
            self.log(f"server disconnect {host}:{port}")
            server.timestamp_end = time.time()
            await self.handle_hook(server_hooks.ServerDisconnectedHook(data))

    async def _not_opened(
        self, data: server_hooks.ServerConnectionHookData, command: commands.OpenConnection, error: str
    ) -> None:
        self.log(error, logging.WARNING)
        await self.handle_hook(server_hooks.ServerConnectErrorHook(data))
        await self.server_event(events.OpenConnectionCompleted(command, error))
