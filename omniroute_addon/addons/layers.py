"""mitmproxy's HTTP layer, with a server side that is the relay itself: no socket, no bytes of HTTP between them.

Theory of operation. mitmproxy's ``HttpStream`` asks its ``HttpLayer`` for a connection to the address of a flow's
request, and speaks HTTP *events* with the layer that it gets. For the relay's address that layer is :class:`RelayClient`
here. It begins a :class:`Call` with the request's head; the call is the sink that the exchange writes to. What is
written is gathered until the event loop's next turn, so that a head, a chunk and an end that come together are handled
together, and comes back as the answer to a wake-up (:class:`Turn`): the one event that mitmproxy's layers bring back to
the layer that asked for it, whatever lies between (TLS, CONNECT, HTTP/2). There is always one turn to come while a call
lasts, and none after it.

Hooks that are done at once are answered on the spot, as mitmproxy answers a request for a connection that it has: their
command does not go up through all layers, nor their completion down again.

A call has no limit of five connections per client, needs no kept-alive connection, and is over when either side leaves:
a client that leaves cancels the exchange, an exchange that breaks off is a broken connection to the client.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from http.client import responses as reasons
from types import MethodType
from typing import Protocol

from mitmproxy import http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator, Layer
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    GetHttpConnectionCompleted,
    HttpLayer,
    HttpStream,
    RegisterHttpConnection,
    SendHttp,
)
from mitmproxy.proxy.layers.http._base import HttpConnection, HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http2 import Http2Server

from omniroute_addon.engine.call import ClientLeftError
from omniroute_addon.engine.relay import EXCHANGE_HEADER, SECRET_HEADER, Relay

FULL = 64 * 1024
"""Bytes that may wait for a client before its answer's source has to."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Owner(Protocol):
    """The client connection's handler."""

    relay: Relay | None

    def begin(self, call: "Call") -> None:
        """Begin the call when the event that is worked on has been."""
        ...

    def over(self, call: "Call") -> None:
        """The call has ended."""
        ...

    def advance(self, event: events.Event) -> None: ...

    def hook(self, hook: commands.StartHook) -> bool:
        """Run the hook; False when it is not done yet, and then its command has to come up to the handler."""
        ...

    async def client_ready(self) -> None:
        """Wait while more waits in the client's socket than may. Raises ClientLeftError."""
        ...

    def next_event(self) -> asyncio.Future[None]:
        """Done when the next event has been worked on."""
        ...


class Turn(commands.RequestWakeup):
    """Wanted: a wake-up when there is something to tell."""

    def __init__(self) -> None:
        super().__init__(0)


class RoutedHttp(HttpLayer):
    """What ``adopt`` makes of an ``HttpLayer``."""

    owner: Owner
    idle: list[Server]
    """The connections of calls that have ended, as if kept alive."""

    def get_connection(self, event: GetHttpConnection, *, reuse: bool = True) -> CommandGenerator[None]:
        relay = self.owner.relay
        if relay is None or event.tls or event.via or not relay.is_at(event.address):
            yield from super().get_connection(event, reuse=reuse)
            return
        stream = self.command_sources.pop(event)
        assert isinstance(stream, HttpStream)
        server = self.idle.pop() if self.idle else _server(event.address)
        self.connections[server] = RelayClient(self, server, stream.stream_id, relay)
        yield from self.event_to_child(stream, GetHttpConnectionCompleted(event, (server, None)))

    def event_to_child(self, child: object, event: events.Event) -> CommandGenerator[None]:
        """As mitmproxy's, with the most frequent commands told by their type at once."""
        for command in child.handle_event(event):  # type: ignore[attr-defined]  # a layer
            kind = type(command)
            if kind is commands.SendData or kind is commands.Log:
                yield command
                continue
            if command.blocking or isinstance(command, commands.RequestWakeup):
                self.command_sources[command] = child  # type: ignore[assignment]
            if kind is SendHttp:
                yield from self.event_to_child(self.connections[command.connection], command.event)
            elif kind is ReceiveHttp:
                received = command.event
                if type(received) is RequestHeaders:
                    yield from self.make_stream(received.stream_id)
                stream = self.streams.get(received.stream_id)
                if stream is not None:
                    yield from self.event_to_child(stream, received)
            else:
                yield from self._own(child, command)

    def _own(self, child: object, command: commands.Command) -> CommandGenerator[None]:
        match command:
            case commands.StartHook():
                if self.owner.hook(command):
                    yield from self.event_to_child(self.command_sources.pop(command), events.HookCompleted(command))
                else:
                    yield command
            case DropStream():
                _part(self.streams.pop(command.stream_id, None))
            case GetHttpConnection():
                yield from self.get_connection(command)
            case RegisterHttpConnection():
                yield from self.register_connection(command)
            case commands.OpenConnection():
                self.connections[command.connection] = child  # type: ignore[assignment]
                yield command
            case _:
                yield command


def part(top: Layer) -> None:
    """Cut the circles that the layers of a connection stand in, when nothing is to come any more.

    They would wait for the garbage collector with all that hangs from them: 140 values and two TLS connections' buffers.
    """
    waiting, seen = [top], {top}
    while waiting:
        one = waiting.pop()
        known = vars(one)
        found = [*one.context.layers, *(value for value in known.values() if isinstance(value, Layer))]
        for name, value in list(known.items()):
            if isinstance(value, dict):
                found += (inner for inner in value.values() if isinstance(inner, Layer))
            elif isinstance(value, MethodType) and value.__self__ is one:
                del known[name]
        one.context.layers.clear()
        waiting += (other for other in found if other not in seen)
        seen.update(found)


def _part(stream: HttpStream | None) -> None:
    """The same for a stream that has ended, whose connection goes on."""
    if stream is not None:
        stream.context.layers.remove(stream)
        stream.client_state = stream.server_state = _ended


def _ended(_event: events.Event) -> CommandGenerator[None]:
    yield from ()


def _server(address: tuple[str, int]) -> Server:
    server = Server(address=address)
    server.timestamp_start = server.timestamp_tcp_setup = time.time()
    server.peername = server.sockname = address
    server.state = ConnectionState.OPEN
    return server


def adopt(found: object, owner: Owner) -> None:
    """Give a new HTTP layer its way to the relay; anything else is left as it is."""
    if type(found) is HttpLayer:
        found.__class__ = RoutedHttp
        assert isinstance(found, RoutedHttp)
        found.owner = owner
        found.idle = []


class RelayClient(HttpConnection):
    """The server side of one flow that goes to the relay."""

    def __init__(self, parent: RoutedHttp, server: Server, stream_id: int, relay: Relay) -> None:
        # A layer for one call, on no stack: it never pauses and is never debugged.
        self.context = parent.context
        self.conn = server
        self._parent = parent
        self._stream_id = stream_id
        self._relay = relay
        self._call: Call | None = None
        self._asked = False
        """The whole request was here."""

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        match event:
            case events.Wakeup():
                yield from self._told()
            case RequestHeaders(request=request):
                # The exchange has the body, and what is refused at its headers does not wait for one.
                self._call = Call(self._parent, self._stream_id, request, self._relay)
                yield self._call.expect()
                self._parent.owner.begin(self._call)
            case RequestEndOfMessage():
                self._asked = True
                self._end()
            case RequestProtocolError():
                if self._call is not None:
                    self._call.leave()
                self.conn.state = ConnectionState.CLOSED
                self.conn.timestamp_end = time.time()
                self._parent.connections.pop(self.conn, None)
            case _:
                pass

    _handle_event = handle_event

    def _told(self) -> CommandGenerator[None]:
        call = self._call
        assert call is not None
        for told in call.take():
            yield ReceiveHttp(told)
        if not call.over:
            yield call.expect()
        else:
            self._end()

    def _end(self) -> None:
        """Give the connection back when both the request and its answer have ended."""
        if self._asked and self._call is not None and self._call.over and self._parent.connections.pop(self.conn, None):
            self._parent.idle.append(self.conn)


class Call:
    """The sink of one exchange: what it writes becomes HTTP events."""

    def __init__(self, parent: RoutedHttp, stream_id: int, request: http.Request, relay: Relay) -> None:
        self._owner = parent.owner
        self._parent = parent
        self._stream_id = stream_id
        self._relay = relay
        self._secret = request.headers.get(SECRET_HEADER, "")
        self._ticket = request.headers.get(EXCHANGE_HEADER, "")
        self._bodiless = request.data.method == b"HEAD"
        self._chunks = request.data.http_version != b"HTTP/1.0"
        """An HTTP/1.0 client knows no chunks; the end is told by closing."""
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._turn: Turn | None = None
        self._told: list[HttpEvent] = []
        self._data: list[bytes] = []
        self._size = 0
        self._due = False
        self.ended = False
        """The exchange has written the answer's end."""
        self.over = False
        """Nothing more is to come; all is told, or nobody listens."""

    # ── the layer's side ────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        if self.over:
            return
        self._task = self._relay.answer(self._secret, self._ticket, self)
        if self._task is None:
            self.start(404, [("content-length", "0")])
            self.finish()

    def expect(self) -> Turn:
        """The turn in which the layer wants to hear what there is."""
        self._turn = Turn()
        if self._told or self._data:
            self._soon()
        return self._turn

    def take(self) -> list[HttpEvent]:
        self._close_data()
        told, self._told = [] if self.over else self._told, []
        if self.ended and not self.over:
            self.over = True
            self._owner.over(self)
        return told

    def leave(self) -> None:
        """The client has left."""
        if self.over:
            return
        self.over = True
        self._owner.over(self)
        if self._task is not None and not self.ended:
            self._task.cancel()
        self._soon()  # the last turn; mitmproxy's layers remember it until it has come

    # ── the exchange's side ─────────────────────────────────────────────────────────────────────────────────────────

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        fields: list[tuple[bytes, bytes]] = []
        length: str | None = None
        for name, value in headers:
            if _TOKEN.fullmatch(name) is None or _CONTROL.search(value):
                continue  # characters that no header may carry; better lost than the whole answer
            if name.lower() == "content-length":
                length = value
            fields.append((name.encode("latin-1", "replace"), value.encode("latin-1", "replace")))
        self._bodiless = self._bodiless or status in (204, 304)
        if length is None and self._chunks and not self._bodiless:
            fields.append((b"transfer-encoding", b"chunked"))
        answer = http.Response(
            b"HTTP/1.1",
            status,
            reasons.get(status, "").encode(),
            http.Headers(fields),
            None,
            None,
            time.time(),
            None,
        )
        self._told.append(ResponseHeaders(self._stream_id, answer, self._bodiless or length == "0"))
        self._soon()

    async def write(self, chunk: bytes) -> None:
        if self.over:
            raise ClientLeftError
        if chunk and not self._bodiless:
            self._data.append(chunk)
            self._size += len(chunk)
            if self._size >= FULL:
                self._flush()
            else:
                self._soon()
        await self._owner.client_ready()
        await self._stream_ready()

    def finish(self) -> None:
        self._end(ResponseEndOfMessage(self._stream_id))

    def abort(self) -> None:
        self._end(ResponseProtocolError(self._stream_id, "server closed connection", ErrorCode.GENERIC_SERVER_ERROR))

    def _end(self, last: ResponseEndOfMessage | ResponseProtocolError) -> None:
        if self.ended:
            return
        self.ended = True
        self._close_data()
        self._told.append(last)
        self._soon()

    def _close_data(self) -> None:
        if self._data:
            self._told.append(ResponseData(self._stream_id, b"".join(self._data)))
            self._data.clear()
            self._size = 0

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Bring what there is to the layer; when it has not asked for it yet, ``expect`` calls again."""
        self._due = False
        turn, self._turn = self._turn, None
        if turn is not None:
            self._owner.advance(events.Wakeup(turn))

    async def _stream_ready(self) -> None:
        """mitmproxy keeps what an HTTP/2 client's window has no room for, without a limit of its own."""
        client = self._parent.connections.get(self._parent.context.client)
        if not isinstance(client, Http2Server):
            return
        kept = client.h2_conn.stream_buffers
        while sum(len(one.data) for one in kept.get(self._stream_id, ())) >= FULL:
            await self._owner.next_event()
            if self.over:
                raise ClientLeftError
