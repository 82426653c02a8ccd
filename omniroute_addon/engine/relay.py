"""The loopback HTTP/1.1 server that runs exchanges: mitmproxy sends a routed flow here and streams what we write.

Why several ports: mitmproxy opens at most five server connections per (client connection, address), so one HTTP/2
client with more parallel streams would starve on a single one. Only flows of this process are served: the request must
carry the process's secret and the id of a waiting exchange, everything else gets 404. tornado's connection interface
is used without its web framework, whose automatic headers and buffering a relay must not have.
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from http.client import responses as reasons
from typing import Protocol

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets

from omniroute_addon.engine.call import SHUTDOWN, ClientLeftError, Sink

logger = logging.getLogger(__name__)

SECRET_HEADER = "x-omniroute-relay"  # noqa: S105 -- a header's name
EXCHANGE_HEADER = "x-omniroute-exchange"
PORTS = 24
"""24 × 5 connections carry the 100 streams that mitmproxy allows an HTTP/2 client."""

type Runner = Callable[[Sink], Awaitable[None]]


class RelaySink(Sink, Protocol):
    """A sink that knows whether it has got the answer's end."""

    ended: bool


class Relay(HTTPServerConnectionDelegate):
    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(24)
        self.ports: tuple[int, ...] = ()
        self._waiting: dict[str, Runner] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._server: HTTPServer | None = None

    def start(self) -> None:
        """Listen on ``PORTS`` free ports of 127.0.0.1."""
        server = HTTPServer(self)
        sockets = [bind_sockets(0, "127.0.0.1")[0] for _ in range(PORTS)]
        server.add_sockets(sockets)
        self.ports = tuple(sock.getsockname()[1] for sock in sockets)
        self._server = server

    async def stop(self, grace: float) -> None:
        """No new exchanges; running ones get ``grace`` seconds, then they are cancelled."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        for task in list(self._running):
            task.cancel(SHUTDOWN)
        if self._running:
            await asyncio.wait(self._running, timeout=1)
        if server is not None:
            await server.close_all_connections()

    @property
    def running(self) -> int:
        return len(self._running)

    def expect(self, exchange_id: str, run: Runner) -> None:
        """``run`` is called with the sink when the flow of this id arrives."""
        self._waiting[exchange_id] = run

    def forget(self, exchange_id: str) -> None:
        """The flow died on its way here."""
        self._waiting.pop(exchange_id, None)

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        # Else a small write waits for the acknowledgement of the one before it, up to 40 ms on a kept-alive connection.
        request_conn.stream.set_nodelay(True)  # type: ignore[attr-defined]  # HTTP1Connection has it
        return _Request(self, request_conn)

    def reached_directly(self) -> None:
        """Flows come without a socket from now on (replays do not): one address is enough."""
        self.ports = self.ports[:1]

    def is_at(self, address: tuple[str, int]) -> bool:
        """Whether this is one of the relay's own addresses."""
        return address[0] == "127.0.0.1" and address[1] in self.ports

    def answer(self, secret: str, exchange_id: str, sink: RelaySink) -> asyncio.Task[None] | None:
        """The task that answers the exchange's request into ``sink``; None for a stranger."""
        if not hmac.compare_digest(secret.encode(), self.secret.encode()):
            return None
        run = self._waiting.pop(exchange_id, None)
        if run is None:
            return None
        task = asyncio.get_running_loop().create_task(_serve(run, sink))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


class _Request(HTTPMessageDelegate):
    def __init__(self, relay: Relay, connection: HTTPConnection) -> None:
        self._relay = relay
        self._connection = connection
        self._headers = HTTPHeaders()
        self._task: asyncio.Task[None] | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._headers = headers
        return None

    def finish(self) -> None:
        secret, ticket = self._headers.get(SECRET_HEADER, ""), self._headers.get(EXCHANGE_HEADER, "")
        self._task = self._relay.answer(secret, ticket, _ConnectionSink(self._connection))
        if self._task is None:
            head = ResponseStartLine("HTTP/1.1", 404, "Not Found")
            self._connection.write_headers(head, HTTPHeaders({"content-length": "0"}))
            self._connection.finish()
            return
        self._connection.set_close_callback(self._left)  # type: ignore[attr-defined]  # HTTP1Connection has it

    def on_connection_close(self) -> None:
        self._left()

    def _left(self) -> None:
        if self._task is not None:
            self._task.cancel()


async def _serve(run: Runner, sink: RelaySink) -> None:
    try:
        await run(sink)
    except ClientLeftError:
        logger.debug("the client left while an answer was written")
    except Exception:
        logger.exception("an exchange failed inside OmniRoute")
    finally:
        if not sink.ended:
            sink.abort()


class _ConnectionSink:
    """Writes an answer to a tornado connection (chunked unless it has a length); leaving surfaces as ClientLeftError."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self.ended = False

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        lines = HTTPHeaders()
        for name, value in headers:
            with suppress(HTTPInputError):  # characters that no header may carry; better lost than the whole answer
                lines.add(name, value)
        line = ResponseStartLine("HTTP/1.1", status, reasons.get(status, ""))
        written = self._connection.write_headers(line, lines)
        written.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def write(self, chunk: bytes) -> None:
        try:
            await self._connection.write(chunk)
        except StreamClosedError as error:
            raise ClientLeftError from error

    def finish(self) -> None:
        self._connection.finish()
        self.ended = True

    def abort(self) -> None:
        self.ended = True
        self._connection.detach().close()  # type: ignore[attr-defined]  # HTTP1Connection has it
