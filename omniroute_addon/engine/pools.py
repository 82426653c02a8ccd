"""Connections that are kept for further calls, whoever makes them: one pool for each outbound proxy, one for none.

A pool whose proxy the rules no longer name takes no new calls, and is closed when those that it has have ended. Idle
connections go after 30 s, so that no pool holds more than was under way then.
"""

import asyncio
import ssl
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from socket import AddressFamily
from ssl import SSLCertVerificationError, SSLError
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

from omniroute_addon.config.ways import Outbound
from omniroute_addon.engine.tunnel import through

KEEPALIVE = 30.0
_LINE_LIMIT = 64 * 1024
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp would add by itself; nobody asked for them."""


@dataclass(slots=True)
class Connection:
    """The connection that a call got."""

    reused: bool = False


CONNECTION: ContextVar[Connection] = ContextVar("connection")
"""Filled in for the call of this context."""


class Pool:
    """Make it where the event loop runs."""

    def __init__(self, context: ssl.SSLContext, way: Outbound | None) -> None:
        self.session = _session(_Connector(context) if way is None else _Through(context, way))
        self._users = 0
        self._retired = False
        self._closing: asyncio.Task[None] | None = None

    def taken(self) -> None:
        """A call begins to use it; it says :meth:`left` when it has ended."""
        self._users += 1

    def left(self) -> None:
        self._users -= 1
        self._close_if_done()

    def retire(self) -> None:
        """Close it when the last of its calls has ended."""
        self._retired = True
        self._close_if_done()

    @property
    def closed(self) -> bool:
        return self._closing is not None and self._closing.done()

    def _close_if_done(self) -> None:
        if self._retired and self._users == 0 and self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self.session.close())

    async def aclose(self) -> None:
        await self.session.close()


class Pools:
    """All of them."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._pools: dict[Outbound | None, Pool] = {}
        self._retired: set[Pool] = set()

    def of(self, way: Outbound | None) -> Pool:
        found = self._pools.get(way)
        if found is None:
            found = self._pools[way] = Pool(self._context, way)
        return found

    def keep(self, ways: Iterable[Outbound]) -> None:
        """Retire the pools of all other proxies."""
        self._retired = {pool for pool in self._retired if not pool.closed}
        for gone in self._pools.keys() - {*ways, None}:
            pool = self._pools.pop(gone)
            self._retired.add(pool)
            pool.retire()

    async def aclose(self) -> None:
        for pool in (*self._pools.values(), *self._retired):
            await pool.aclose()


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_AUTOMATIC,
        max_line_size=_LINE_LIMIT,
        max_field_size=_LINE_LIMIT,
        trust_env=False,
    )


class _Connector(aiohttp.TCPConnector):
    """Tells each call whether its connection has carried others before."""

    def __init__(self, context: ssl.SSLContext, resolver: AbstractResolver | None = None) -> None:
        super().__init__(ssl=context, limit=0, keepalive_timeout=KEEPALIVE, resolver=resolver)
        self._used = WeakSet[BaseProtocol]()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  aiohttp's signature
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        assert protocol is not None
        CONNECTION.get().reused = protocol in self._used
        self._used.add(protocol)
        return connection


class _Unresolved(AbstractResolver):
    """Names are for the proxy to resolve."""

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


class _Through(_Connector):
    """Connects by an outbound proxy. aiohttp's own way knows no SOCKS5, and CONNECT only for TLS."""

    def __init__(self, context: ssl.SSLContext, way: Outbound) -> None:
        super().__init__(context, _Unresolved())
        self._context = context
        self._way = way
        self._writers: WeakKeyDictionary[BaseProtocol, asyncio.StreamWriter] = WeakKeyDictionary()
        """A writer that is collected closes its connection."""

    async def _wrap_create_connection(
        self,
        *args: Any,  # noqa: ANN401  aiohttp's signature
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  the same
        ssl: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        **kwargs: Any,  # noqa: ANN401  the same
    ) -> tuple[asyncio.BaseTransport, ResponseHandler]:
        host, port = req.url.raw_host, req.url.port
        assert host is not None
        assert port is not None
        limit = timeout.sock_connect or KEEPALIVE
        _, writer = await through(self._way, host, port, context=self._context, limit=limit)
        loop, transport = self._loop, writer.transport
        protocol = ResponseHandler(loop)
        if ssl is None:
            transport.set_protocol(protocol)
        else:
            try:
                async with asyncio.timeout(limit):
                    secured = await loop.start_tls(transport, protocol, ssl, server_hostname=server_hostname or host)
            except SSLCertVerificationError as error:
                transport.abort()
                raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
            except SSLError as error:
                transport.abort()
                raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
            except TimeoutError as error:
                transport.abort()
                raise aiohttp.ConnectionTimeoutError from error
            except BaseException:
                transport.abort()
                raise
            assert secured is not None
            transport = secured
        protocol.connection_made(transport)
        self._writers[protocol] = writer
        return transport, protocol
