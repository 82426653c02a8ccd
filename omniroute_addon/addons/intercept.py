"""Points routed flows at the relay, and leaves everything else alone.

The hooks never raise: mitmproxy would log the exception and send the flow on to the real upstream. A failure of ours
becomes an error in the client's own format. Three kinds of flow exist:

- *foreign*: host on no surface; the TLS connection is tunnelled unopened.
- *untouched*: a surface's host, but no surface's path, or no rule for it; passed through, answers and long bodies of
  side calls as streams.
- *routed*: its request goes to the relay with an empty body (the exchange has the bytes already). When the relay has
  taken it, the flow gets its own address back, so that mitmweb shows the call that the tool made, without secrets.

An untouched call whose provider has another address in the rules, and every replay of an attempt or of an untouched
call, is sent by the relay too (*resent*: straight to its address). mitmproxy itself would let the sixth parallel stream of
one client connection wait for the first five, and could only replay a flow that carries its secrets for all to see.
"""

import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mitmproxy import http, tls

from omniroute_addon.addons.gate import Gate, is_gateway
from omniroute_addon.addons.inspect import KEY, Inspect, pinned, role
from omniroute_addon.config.models import Operation
from omniroute_addon.config.references import GATEWAY_CLIENT
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.bypassed import Bypassed
from omniroute_addon.engine.call import Call, Dial, Sink
from omniroute_addon.engine.encodings import TooLargeError, decoded
from omniroute_addon.engine.engine import Engine
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.relay import EXCHANGE_HEADER, SECRET_HEADER
from omniroute_addon.engine.sharing import Shared
from omniroute_addon.engine.target import origin_url
from omniroute_addon.gateway import endpoints
from omniroute_addon.logs.writer import audit
from omniroute_addon.routing import surfaces
from omniroute_addon.routing.ask import Ask, BodyFacts
from translators import FORMATS, WireRequest, WireResponse, hub

logger = logging.getLogger(__name__)

REFUSED_BODY = 1 << 16
"""Bytes of a body that may be waited for before a refusal is said."""
_WITH_BODY = ("POST", "PUT", "PATCH")
STREAM_FROM = 1 << 20
"""The Content-Length above which the body of an untouched call is not collected first."""


@dataclass(frozen=True, slots=True)
class Knock:
    """A call on a surface or a gateway endpoint."""

    client: str
    format: str
    operation: Operation
    provider: str | None
    slash_models: bool
    gateway: bool
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class _Address:
    scheme: str
    host: str
    port: int
    path: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None


class Intercept:
    name = "omniroute-intercept"

    def __init__(self, engine: Engine, inspect: Inspect, gate: Gate) -> None:
        self._engine = engine
        self._inspect = inspect
        self._gate = gate
        self._load: dict[tuple[str, int], int] = {}
        """Streams by client connection and relay port."""
        self._pending: dict[str, Callable[[], None]] = {}
        """Flow id → what to undo when a routed flow dies before the relay has taken it."""

    # ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        address = data.context.server.address
        try:
            host = data.client_hello.sni or (address[0] if address else "")
        except Exception:  # noqa: BLE001  mitmproxy parses the extension only now; what it cannot read is not ours
            host = ""
        if host.lower() not in self._engine.hosts:
            data.ignore_connection = True

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        try:
            if flow.response is not None:
                self._answer_at_once(flow, flow.response)
            elif (
                flow.is_replay is None and _is_long(flow.request) and not is_gateway(flow) and self._knock(flow) is None
            ):
                flow.request.stream = True
        except Exception:
            logger.exception("OmniRoute could not tell whose call this is")

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or not flow.live:  # not live: loaded from a file
            return
        try:
            self._request(flow)
        except Exception:
            logger.exception("OmniRoute could not route %s", flow.request.pretty_host)
            self._undo(flow)
            name = endpoints.format_of(flow.request.path)
            failure = hub.Failure("server", "OmniRoute could not route this call; its log says why", 502)
            _answer(flow, FORMATS[name].render_error(failure))

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self._undo(flow)  # the relay has not taken it: another addon answered
        if flow.response is None:
            return
        if role(flow) == "attempt":
            self._inspect.answering(flow)
            return
        if role(flow) == "untouched":
            self._overhear(flow, flow.response)
            self._inspect.hide_request(flow)
            self._inspect.listen(flow, self._engine.snapshot.view.max_body)
            return
        flow.response.stream = True
        if role(flow) == "exchange":
            self._inspect.answering(flow)
        if role(flow) == "foreign":
            self._inspect.hide_request(flow)
            self._inspect.forget_body(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._undo(flow)

    def _answer_at_once(self, flow: http.HTTPFlow, response: http.Response) -> None:
        """An answer that was given before the body came does not wait for a long one, and the body is kept nowhere.

        mitmproxy itself would collect the body first; only a flow that has an upstream can drop it, so the relay has to
        say what the gate has said.
        """
        if flow.is_replay is not None or not _may_be_long(flow.request):
            return
        content = response.raw_content or b""
        headers = [(name, value) for name, value in response.headers.items(multi=True) if name.lower() != "connection"]

        async def say(sink: Sink) -> None:
            sink.start(response.status_code, headers)
            await sink.write(content)
            sink.finish()

        flow.response = None
        self._to_relay(flow, str(uuid.uuid4()), say, lambda: None)
        flow.request.stream = _drop

    def _overhear(self, flow: http.HTTPFlow, response: http.Response) -> None:
        """What the tool's own provider tells of its quotas holds for later calls that the rules do touch."""
        known = flow.metadata[KEY]
        if (provider := known.get("provider")) is not None and known["operation"] == "generate":
            headers = response.headers.items(multi=True)
            standing, now = self._engine.standing, self._engine.now()
            standing.overheard(provider, known["model"], response.status_code, headers, now)

    def again(self, flow: http.HTTPFlow) -> tuple[Call, Ask]:
        """A call that is shown, as if it came now: with its secrets. Raises ValueError when it is no call of a surface."""
        request = self._inspect.with_secrets(flow)
        knock = self._knock(flow)
        if knock is None or knock.operation == "websocket":
            raise ValueError("no rule can be asked for this call")
        call = _call(request, knock, self._engine.snapshot.limits.max_request)
        return call, _ask(call, knock, flow, self._gate.caller(flow, request))

    def _undo(self, flow: http.HTTPFlow) -> None:
        if pending := self._pending.pop(flow.id, None):
            pending()

    # ── routing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _request(self, flow: http.HTTPFlow) -> None:
        if flow.request.stream:
            return
        replay = flow.is_replay == "request"
        if replay:
            audit("replay", "mitmweb", flow=flow.id, row=role(flow), target=pinned(flow) or "rules")
        request = self._inspect.with_secrets(flow) if replay else flow.request
        knock = None if replay and role(flow) == "attempt" else self._knock(flow)
        snapshot = self._engine.snapshot
        if knock is None:
            self._side_call(flow, request)
            return
        if knock.operation == "websocket":
            _refuse_websocket(flow)
            return
        try:
            call = _call(request, knock, snapshot.limits.max_request)
        except TooLargeError as error:
            _answer(flow, FORMATS[knock.format].render_error(hub.Failure("too_large", str(error), 413)))
            return
        except ValueError as error:
            failure = hub.Failure("invalid_request", f"cannot read the request body: {error}", 400)
            _answer(flow, FORMATS[knock.format].render_error(failure))
            return
        if self._engine.stopping:
            _answer(flow, FORMATS[knock.format].render_error(hub.Failure("overloaded", "OmniRoute is stopping", 503)))
            return
        ask = _ask(call, knock, flow, self._gate.caller(flow, request))
        target = pinned(flow) if replay else None
        if target is None and (bypassed := self._engine.bypassed(call, self._inspect, ask)) is not None:
            self._route(flow, bypassed)
            return
        chosen = self._engine.plan(ask, target)
        if chosen.untouched and not knock.gateway:
            self._untouched(flow, request, call)
            return
        exchange = self._engine.exchange(call, chosen, self._inspect, ask, target)
        # Whoever presses replay wants to see what is answered now.
        self._route(flow, exchange if replay else self._engine.shared(exchange, self._inspect, ask))

    def _side_call(self, flow: http.HTTPFlow, request: http.Request) -> None:
        """No call to route: the replay of an attempt or of anything else, a path of the gateway, or none of our business."""
        if flow.is_replay and (role(flow) == "attempt" or not is_gateway(flow)):
            self._resend(flow, request, request.url)
        elif is_gateway(flow):
            listed = endpoints.listing(request.method, request.path, self._engine.snapshot)
            _answer(flow, listed or endpoints.not_found(request.method, request.path))

    def _untouched(self, flow: http.HTTPFlow, request: http.Request, call: Call) -> None:
        """No rule: as dialled, unless the user gave the tool's own provider another address."""
        flow.metadata[KEY] = {
            "role": "untouched",
            "exchange": flow.id,
            "format": call.format,
            "operation": call.operation,
            "client": call.client,
            "provider": call.provider,
            "model": call.model,
            "host": call.host,
        }
        self._inspect.untouched(flow)
        snapshot = self._engine.snapshot
        provider = snapshot.providers.get(call.provider or "")
        if flow.is_replay:
            flow.comment = flow.marked = ""
        elif provider is None or not provider.overridden:
            return
        self._resend(flow, request, origin_url(call, snapshot))

    def _knock(self, flow: http.HTTPFlow) -> Knock | None:
        request = flow.request
        if is_gateway(flow):
            found = endpoints.endpoint(request.method, request.path)
            if found is None:
                return None
            client = surfaces.client_of(self._engine.snapshot.surfaces, request.headers, GATEWAY_CLIENT)
            return Knock(client, found.format, found.operation, None, False, True, found.prefix)
        match = surfaces.match(
            self._engine.snapshot.surfaces, request.pretty_host, request.method, request.path, headers=request.headers
        )
        if match is None or match.operation == "models":
            return None
        surface = match.surface
        return Knock(match.client, surface.format, match.operation, surface.provider, surface.slash_models, False)

    def _route(self, flow: http.HTTPFlow, exchange: Exchange | Bypassed | Shared) -> None:
        self._inspect.routed(flow, exchange)
        self._to_relay(flow, exchange.call.id, exchange.run, exchange.abandon)

    def _resend(self, flow: http.HTTPFlow, request: http.Request, url: str) -> None:
        """Send the call straight to ``url``, without rules."""
        headers = [pair for pair in request.headers.items(multi=True) if pair[0].lower() not in header_rules.HOP_BY_HOP]
        form = flow.metadata.get(KEY, {}).get("format") or endpoints.format_of(flow.request.path)
        call = Dial(request.method, url, tuple(headers), request.raw_content or b"")

        async def run(sink: Sink) -> None:
            await self._engine.resend(call, form, sink)

        self._to_relay(flow, str(uuid.uuid4()), run, lambda: None)

    def _to_relay(
        self,
        flow: http.HTTPFlow,
        ticket: str,
        answer: Callable[[Sink], Awaitable[None]],
        abandon: Callable[[], None],
    ) -> None:
        """Let the relay answer the flow with ``answer``; ``abandon`` is called instead when it dies before that."""
        request = flow.request
        original = _Address(
            request.scheme, request.host, request.port, request.path, request.headers.fields, request.raw_content
        )
        connection = flow.client_conn.id
        port = self._port(connection)

        def lost() -> None:
            self._engine.relay.forget(ticket)
            self._released(connection, port)
            _restore(flow, original)
            self._inspect.hide_request(flow)
            abandon()

        async def run(sink: Sink) -> None:
            self._pending.pop(flow.id, None)
            _restore(flow, original)
            self._inspect.hide_request(flow)
            self._inspect.show(flow)
            try:
                await answer(sink)
            finally:
                self._released(connection, port)

        self._pending[flow.id] = lost
        self._engine.relay.expect(ticket, run)
        request.headers = http.Headers(
            [(b"host", b"127.0.0.1"), *((n.encode(), v.encode()) for n, v in self._pass(ticket))]
        )
        request.raw_content = b""
        request.headers["content-length"] = "0"
        request.data.scheme, request.data.host, request.data.port = b"http", "127.0.0.1", port
        request.data.authority = b""
        request.path = "/"

    def _pass(self, exchange_id: str) -> Sequence[tuple[str, str]]:
        return (SECRET_HEADER, self._engine.relay.secret), (EXCHANGE_HEADER, exchange_id)

    def _port(self, connection: str) -> int:
        """The relay port that carries the fewest of this client connection's streams.

        The first of several such: a client without parallel streams stays on one kept-alive connection to the relay.
        """
        port = min(self._engine.relay.ports, key=lambda port: self._load.get((connection, port), 0))
        self._load[connection, port] = self._load.get((connection, port), 0) + 1
        return port

    def _released(self, connection: str, port: int) -> None:
        left = self._load.get((connection, port), 0) - 1
        if left > 0:
            self._load[connection, port] = left
        else:
            self._load.pop((connection, port), None)


def _is_long(request: http.Request) -> bool:
    """Whether the body is long or of unknown length; mitmproxy itself sees to requests without one.

    Only such a body is streamed: a streamed request has left before the ``request`` hook, where mitmproxy's own addons
    (``map_remote``, intercept) would still change it.
    """
    length = request.headers.get("content-length", "")
    return not length.isdecimal() or int(length) > STREAM_FROM


def _may_be_long(request: http.Request) -> bool:
    """Whether more than ``REFUSED_BODY`` bytes may follow."""
    length = request.headers.get("content-length", "")
    if length.isdecimal():
        return int(length) > REFUSED_BODY
    return "transfer-encoding" in request.headers or (request.is_http2 and request.method in _WITH_BODY)


def _drop(_chunk: bytes) -> bytes:
    return b""


def _call(request: http.Request, knock: Knock, limit: int) -> Call:
    """The client's call as values. Raises ValueError for a body in an unknown or broken content encoding.

    TooLargeError for one of more than ``limit`` bytes.
    """
    raw = request.raw_content or b""
    body = decoded(raw, request.headers.get("content-encoding", ""), limit)
    path, _, query = request.path.partition("?")
    pairs = tuple((name, value) for name, value in request.headers.items(multi=True))
    wire = WireRequest(request.method, path, query, {name.lower(): value for name, value in pairs}, body)
    form = FORMATS[knock.format]
    model = form.model_of(wire)
    if knock.prefix and model and not model.startswith(f"{knock.prefix}/"):
        model = f"{knock.prefix}/{model}"
    return Call(
        id=str(uuid.uuid4()),
        client=knock.client,
        format=knock.format,
        operation=knock.operation,
        wire=wire,
        headers=pairs,
        body=raw,
        scheme=request.scheme,
        host=request.pretty_host,
        port=request.port,
        path=request.path,
        model=model,
        streaming=form.asks_stream(wire),
        gateway=knock.gateway,
        provider=knock.provider,
    )


def _ask(call: Call, knock: Knock, flow: http.HTTPFlow, key: str | None) -> Ask:
    peer = flow.client_conn.peername
    return Ask(
        client=call.client,
        format=call.format,
        model=call.model,
        host=call.host,
        path=call.path,
        headers=call.wire.headers,
        operation=call.operation,
        gateway=call.gateway,
        provider=call.provider,
        slash_models=knock.slash_models,
        key=key,
        source=str(peer[0]) if peer else "",
        facts=BodyFacts(call.format, call.wire, call.wire.headers),
    )


def _restore(flow: http.HTTPFlow, original: _Address) -> None:
    request = flow.request
    request.raw_content = original.body
    request.headers = http.Headers(original.headers)
    request.data.scheme = original.scheme.encode()
    request.data.host, request.data.port = original.host, original.port
    request.path = original.path


def _refuse_websocket(flow: http.HTTPFlow) -> None:
    """426 makes Codex fall back to POST at once and silently; 400 or 429 would be fatal to it (clients.md section 2)."""
    body = b'{"error":{"message":"OmniRoute does not carry websockets here; use POST","type":"upgrade_required"}}'
    _answer(flow, WireResponse(426, {"content-type": "application/json", "upgrade": "HTTP/1.1"}, body))


def _answer(flow: http.HTTPFlow, response: WireResponse) -> None:
    flow.response = http.Response.make(response.status, response.body, dict(response.headers))
