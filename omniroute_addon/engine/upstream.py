"""One HTTP call to a provider: open it, read its raw bytes, close it at once when nobody wants them any more.

aiohttp's session with all its courtesies switched off: no redirects, no cookies, no proxies of its own finding (the rules
name them, see ``config.ways``), no decompression. The httpx API over it cost a twentieth of a call.
Foreign exceptions are mapped here, once, to :class:`UpstreamError`.
"""

import asyncio
import re
import ssl
from asyncio import sslproto
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import ClassVar, Literal, Self

import aiohttp
import certifi
from yarl import URL

from omniroute_addon.config.ways import Outbound
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Dial
from omniroute_addon.engine.pools import CONNECTION, Connection, Pool, Pools
from omniroute_addon.engine.tunnel import OutboundError

type FaultKind = Literal["dns", "connect", "tls", "timeout-connect", "timeout-idle", "cut", "proxy", "proxy-silent"]

_RECORD = 16 * 1024
"""Bytes of the largest piece that TLS deciphers at once."""
_RECEIVED = 64 * 1024
"""Bytes that are taken from a TLS connection's socket at once."""
_PRINTABLE = re.compile(r"[!-~]*")


class UpstreamError(Exception):
    """The call broke below HTTP; ``kind`` says where."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.kind: FaultKind = kind


class Answer:
    """An open answer: status and headers are here, the body is read with :meth:`chunks`."""

    def __init__(self, response: aiohttp.ClientResponse, pool: Pool) -> None:
        """The pool is told when the answer is closed."""
        self._response = response
        self._pool: Pool | None = pool
        self._chunks = self._received()
        self.status = response.status
        self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, content encoding untouched: all that has come at once as one piece.

        Raises UpstreamError (``cut``, ``timeout-idle``).
        """
        return self._chunks

    async def _received(self) -> AsyncGenerator[bytes]:
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise _mapped(error) from error

    async def read(self, limit: int) -> bytes:
        """The whole body, at most ``limit`` bytes of it."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self._chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= limit:
                break
        return b"".join(parts)[:limit]

    async def aclose(self) -> None:
        """Close the connection unless the body was read to its end. Never raises."""
        await self._chunks.aclose()
        with suppress(aiohttp.ClientError, OSError):
            if self._response.content.at_eof():
                self._response.release()
            else:
                self._response.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.left()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class Upstreams:
    """The pooled connections to all providers."""

    def __init__(self) -> None:
        self._context = ssl.create_default_context()
        self._context.load_verify_locations(certifi.where())
        sslproto.SSLProtocol = _Tls  # type: ignore[misc]
        self._pools = Pools(self._context)

    async def open(self, call: Dial, *, connect: float, idle: float) -> Answer:
        """Send the request and wait for the status line. ``connect`` and ``idle`` are seconds. Raises UpstreamError.

        A kept-alive connection may have been closed by the provider the moment we use it; the call is then sent again,
        since nothing of it was answered. A fresh connection that breaks is a failure: its call may have been worked on.
        """
        pool = self._pools.of(call.proxy)
        pool.taken()
        try:
            return Answer(await self._sent(call, pool, _timeout(connect, idle, call.proxy is None)), pool)
        except BaseException:
            pool.left()
            raise

    async def _sent(self, call: Dial, pool: Pool, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:  # noqa: ASYNC109  aiohttp's
        headers = [(name, _text(value)) for name, value in call.headers]
        while True:
            connection = Connection()
            CONNECTION.set(connection)
            try:
                return await pool.session.request(
                    call.method,
                    _address(call.url),
                    headers=headers,
                    data=call.body or None,
                    allow_redirects=False,
                    timeout=timeout,
                )
            except (aiohttp.ClientError, OSError, ValueError) as error:
                if not (connection.reused and _stale(error)):
                    raise _mapped(error) from error

    def keep(self, proxies: Iterable[Outbound]) -> None:
        """Close the connections by all other outbound proxies when their calls have ended."""
        self._pools.keep(proxies)

    async def aclose(self) -> None:
        await self._pools.aclose()


class _Tls(sslproto.SSLProtocol):
    """asyncio's, with one buffer for all connections, since what is received into it leaves it at once.

    asyncio sets 256 KiB aside for each, which would be most of what a held stream takes. A loop that receives while others
    are received (Windows' proactor), or a Python that names its buffer otherwise, has one of ``_RECORD`` bytes for each.
    """

    _shared: ClassVar = bytearray(_RECEIVED)
    _view: ClassVar = memoryview(_shared)

    def __init__(self, loop: asyncio.AbstractEventLoop, *args: object, **more: object) -> None:
        vars(self)["max_size"] = _RECORD
        super().__init__(loop, *args, **more)  # type: ignore[arg-type]  # as they come
        if isinstance(loop, asyncio.SelectorEventLoop):
            self._ssl_buffer, self._ssl_buffer_view = self._shared, self._view

    def _do_write(self) -> None:
        """A long request leaves in pieces: OpenSSL keeps room for the longest for as long as the connection lasts."""
        backlog = self._write_backlog
        if sum(map(len, backlog)) <= _RECEIVED:
            super()._do_write()
            return
        waiting = [memoryview(data) for data in backlog]
        backlog.clear()
        for data in waiting:
            for start in range(0, len(data), _RECEIVED):
                backlog.append(data[start : start + _RECEIVED])
                if len(data) > _RECEIVED:
                    super()._do_write()
        super()._do_write()


@lru_cache(64)
def _timeout(connect: float, idle: float, directly: bool) -> aiohttp.ClientTimeout:
    """The way through an outbound proxy is timed where it is known which part of it is slow."""
    return aiohttp.ClientTimeout(connect=connect if directly else None, sock_connect=connect, sock_read=idle)


def _address(url: str) -> URL:
    """The address as it is written; only what none may carry is escaped. aiohttp would write all of it anew."""
    return URL(url, encoded=_PRINTABLE.fullmatch(url) is not None)


def _text(value: str) -> str:
    """What aiohttp, which writes UTF-8, is to be given; mitmproxy keeps bytes that are no UTF-8 as surrogates."""
    if value.isascii():
        return value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _stale(error: Exception) -> bool:
    """Whether a connection broke in the way of one that the other side had closed, or reset, before."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ServerDisconnectedError | ConnectionError):
        cause = cause.__cause__
    return cause is not None


def _cause(error: Exception) -> BaseException:
    return error if isinstance(error, aiohttp.ClientError | OSError) else error.__cause__ or error


def _mapped(error: Exception) -> UpstreamError:
    cause = _cause(error)
    outbound = error if isinstance(error, OutboundError) else error.__cause__
    if isinstance(outbound, OutboundError):
        return UpstreamError(outbound.fault, str(outbound))
    match cause:
        case aiohttp.ClientConnectorDNSError():
            return UpstreamError("dns", f"cannot resolve the host: {cause}")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return UpstreamError("tls", f"TLS failed: {cause}")
        case aiohttp.ConnectionTimeoutError():
            return UpstreamError("timeout-connect", "no connection within the time limit")
        case aiohttp.SocketTimeoutError():
            return UpstreamError("timeout-idle", "nothing received within the time limit")
        case aiohttp.ClientConnectorError():
            return UpstreamError("connect", f"cannot connect: {cause}")
        case _:
            said = header_rules.redact_query(str(cause)) or type(cause).__name__
            return UpstreamError("cut", f"the connection broke: {said}")
