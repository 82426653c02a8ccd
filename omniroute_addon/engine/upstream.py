"""One HTTP call to a provider: open it, read its raw bytes, close it at once when nobody wants them any more.

The httpx API over aiohttp's transport (design.md section 2 has the measurements), called without httpx's client: no
redirects, no cookies, no environment proxies; an upstream call must never loop back through ourselves.
Foreign exceptions are mapped here, once, to :class:`UpstreamError`.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import aiohttp
import certifi
import httpx
from httpx_aiohttp import AiohttpTransport

from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Dial

type FaultKind = Literal["dns", "connect", "tls", "timeout-connect", "timeout-idle", "cut"]

_LINE_LIMIT = 64 * 1024
_KEEPALIVE = 30.0
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp would add by itself; nobody asked for them."""


class UpstreamError(Exception):
    """The call broke below HTTP; ``kind`` says where."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.kind: FaultKind = kind


class Answer:
    """An open answer: status and headers are here, the body is read with :meth:`chunks`."""

    def __init__(self, response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._stream = response.stream
        self._chunks = self._received()
        self.status = response.status_code
        self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, content encoding untouched. Raises UpstreamError (``cut``, ``timeout-idle``)."""
        return self._chunks

    async def _received(self) -> AsyncGenerator[bytes]:
        stream = aiter(self._stream)
        assert isinstance(stream, AsyncGenerator)
        try:
            async with aclosing(stream):
                async for chunk in stream:
                    yield chunk
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
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
        with suppress(httpx.HTTPError, aiohttp.ClientError, OSError):
            await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


@dataclass(slots=True)
class _Connection:
    """The connection that a call got."""

    reused: bool = False


_CONNECTION: ContextVar[_Connection] = ContextVar("connection")


class Upstreams:
    """The pooled connections to all providers."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        self._transport = AiohttpTransport(verify=context, trust_env=False, client=lambda: _session(context))

    async def open(self, call: Dial, *, connect: float, idle: float) -> Answer:
        """Send the request and wait for the status line. ``connect`` and ``idle`` are seconds. Raises UpstreamError.

        A kept-alive connection may have been closed by the provider the moment we use it; the call is then sent again,
        since nothing of it was answered. A fresh connection that breaks is a failure: its call may have been worked on.
        """
        try:
            request = httpx.Request(
                call.method,
                call.url,
                headers=[(_raw(name), _raw(value)) for name, value in call.headers],
                content=call.body,
                extensions={"timeout": {"connect": connect, "read": idle, "pool": connect}},
            )
            while True:
                connection = _Connection()
                _CONNECTION.set(connection)
                try:
                    return Answer(await self._transport.handle_async_request(request))
                except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
                    if not (connection.reused and _stale(error)):
                        raise
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
            raise _mapped(error) from error

    async def aclose(self) -> None:
        await self._transport.aclose()


def _raw(text: str) -> bytes:
    """A header's bytes; mitmproxy keeps those that are no UTF-8 as surrogates."""
    return text.encode("utf-8", "surrogateescape")


async def _reused(_session: object, _context: object, _params: object) -> None:
    _CONNECTION.get().reused = True


def _stale(error: Exception) -> bool:
    """Whether a connection broke in the way of one that the other side had closed before."""
    cause = error.__cause__ or error
    return isinstance(cause, aiohttp.ServerDisconnectedError | ConnectionError)


def _session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_reused)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=0, keepalive_timeout=_KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTOMATIC,
        max_line_size=_LINE_LIMIT,
        max_field_size=_LINE_LIMIT,
        trust_env=False,
        trace_configs=[trace],
    )


def _mapped(error: Exception) -> UpstreamError:
    cause = error.__cause__ or error
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
