"""One HTTP call to a provider: open it, read its raw bytes, close it at once when nobody wants them any more.

The httpx API over aiohttp's transport (design.md section 2 has the measurements), called without httpx's client: no
redirects, no cookies, no environment proxies; an upstream call must never loop back through ourselves.
Foreign exceptions are mapped here, once, to :class:`UpstreamError`.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Literal, Self

import aiohttp
import certifi
import httpx
from httpx_aiohttp import AiohttpTransport

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
        self._stream = response.stream
        self.status = response.status_code
        self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, content encoding untouched. Raises UpstreamError (``cut``, ``timeout-idle``)."""
        assert isinstance(self._stream, httpx.AsyncByteStream)
        try:
            async for chunk in self._stream:
                yield chunk
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _mapped(error) from error

    async def read(self, limit: int) -> bytes:
        """The whole body, at most ``limit`` bytes of it."""
        parts: list[bytes] = []
        size = 0
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                parts.append(chunk)
                size += len(chunk)
                if size >= limit:
                    break
        return b"".join(parts)[:limit]

    async def aclose(self) -> None:
        assert isinstance(self._stream, httpx.AsyncByteStream)
        with suppress(httpx.HTTPError, aiohttp.ClientError, OSError):
            await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class Upstreams:
    """The pooled connections to all providers."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        self._transport = AiohttpTransport(verify=context, trust_env=False, client=lambda: _session(context))

    async def open(self, call: Dial, *, connect: float, idle: float) -> Answer:
        """Send the request and wait for the status line. ``connect`` and ``idle`` are seconds. Raises UpstreamError.

        A kept-alive connection may have been closed by the provider the moment we use it; the call is then sent once
        more on a fresh one, since nothing of it was answered.
        """
        request = httpx.Request(
            call.method,
            call.url,
            headers=list(call.headers),
            content=call.body,
            extensions={"timeout": {"connect": connect, "read": idle, "pool": None}},
        )
        try:
            try:
                response = await self._transport.handle_async_request(request)
            except httpx.HTTPError as error:
                if not isinstance(error.__cause__, aiohttp.ServerDisconnectedError):
                    raise
                response = await self._transport.handle_async_request(request)
        except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as error:
            raise _mapped(error) from error
        return Answer(response)

    async def aclose(self) -> None:
        await self._transport.aclose()


def _session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=0, keepalive_timeout=_KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTOMATIC,
        max_line_size=_LINE_LIMIT,
        max_field_size=_LINE_LIMIT,
        trust_env=False,
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
            return UpstreamError("cut", f"the connection broke: {cause or type(cause).__name__}")
