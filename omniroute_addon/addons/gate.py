"""Lets calls in: at the gateway, and at the proxy, by the keys of the rules.

* The gateway asks for a key as soon as the rules have any, and asks other machines always.
* The proxy asks other machines (for ``Proxy-Authorization``), and with ``listen.proxy_auth`` this machine's tools, too.
  As a script in somebody's own mitmproxy only the latter: who may come there is that mitmproxy's business.

A refused call gets its answer here, in the client's format, and reaches no other hook. Whoever a flow has come from,
:meth:`Gate.caller` knows the name of the key; the key itself goes nowhere.
"""

import time
from dataclasses import replace

from mitmproxy import connection, http
from mitmproxy.proxy.mode_specs import RegularMode, ReverseMode

from omniroute_addon.config.models import is_loopback
from omniroute_addon.engine.engine import Engine
from omniroute_addon.gateway import callers, endpoints
from omniroute_addon.logs.writer import audit
from translators import FORMATS, WireResponse, hub

GATEWAY_HOST = "gateway.omniroute.invalid"
"""The address of the gateway's reverse-mode listener; nothing is ever sent there."""

_HOW = "as Authorization: Bearer, x-api-key or x-goog-api-key"


class Gate:
    name = "omniroute-gate"

    def __init__(self, engine: Engine, *, strangers: bool = True) -> None:
        """``strangers``: other machines need a key at the proxy."""
        self._engine = engine
        self._strangers = strangers
        self._keys = engine.snapshot.keys
        self._known: dict[str, str] = {}
        """Client connections of the proxy that have shown a key, with its name."""

    # ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def http_connect(self, flow: http.HTTPFlow) -> None:
        if isinstance(flow.client_conn.proxy_mode, RegularMode):
            self._at_proxy(flow)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.is_replay is not None:  # by whoever sits before mitmweb
            return
        if is_gateway(flow):
            if self._engine.snapshot.keys or _foreign(flow):
                self._at_gateway(flow)
        elif isinstance(flow.client_conn.proxy_mode, RegularMode):
            self._at_proxy(flow)

    def client_disconnected(self, client: connection.Client) -> None:
        self._known.pop(client.id, None)

    # ── who it is ───────────────────────────────────────────────────────────────────────────────────────────────────

    def caller(self, flow: http.HTTPFlow, request: http.Request) -> str | None:
        """The name of the key under which a call has come in. ``request`` is the flow's, with its secrets."""
        if not is_gateway(flow):
            return self._known.get(flow.client_conn.id)
        return callers.find(self._engine.snapshot.keys, _shown(request), time.time()).name

    def _asks(self, flow: http.HTTPFlow) -> bool:
        return self._engine.snapshot.listen.proxy_auth or (self._strangers and _foreign(flow))

    def _at_gateway(self, flow: http.HTTPFlow) -> None:
        failure = self._refusal(flow, _shown(flow.request), _HOW)
        if failure is not None:
            form = endpoints.format_of(flow.request.path)
            _answer(flow, _final(FORMATS[form].render_error(failure)))

    def _at_proxy(self, flow: http.HTTPFlow) -> None:
        """A connection shows its key once; where none is asked for, one that is shown still gives the caller its name."""
        keys, asks = self._engine.snapshot.keys, self._asks(flow)
        if not keys and not asks:
            return
        known = self._known.get(flow.client_conn.id)
        proofs = callers.shown_to_proxy(flow.request.headers.pop("proxy-authorization", ""))
        if known is not None and not proofs and callers.is_good(keys, known, time.time()):
            return
        failure = None
        if asks or (proofs and self._strangers):
            failure = self._refusal(flow, proofs, "in the proxy's address: http://KEY@HOST:PORT")
        if failure is None:
            found = callers.find(keys, proofs, time.time())
            if found.name is not None:
                self._known[flow.client_conn.id] = found.name
            return
        headers = {"content-type": "text/plain; charset=utf-8", "proxy-authenticate": 'Basic realm="OmniRoute"'}
        if failure.status == 429:
            headers = {"content-type": headers["content-type"], "retry-after": f"{failure.retry_after:.0f}"}
        status = 407 if failure.status == 401 else failure.status or 403
        _answer(flow, WireResponse(status, headers, f"{failure.message}\n".encode()))

    def _refusal(self, flow: http.HTTPFlow, proofs: tuple[callers.Shown, ...], how: str) -> hub.Failure | None:
        """Why the caller may not come in; None when it may."""
        now, source = time.time(), _source(flow)
        keys = self._engine.snapshot.keys
        if keys is not self._keys:
            self._keys = keys
            self._engine.lockouts.lift()
        found = callers.find(keys, proofs, now)
        until = self._engine.lockouts.until(source, now, right=found.name is not None)
        if found.wrong is not None and self._engine.lockouts.wrong(source, found.wrong, now):
            audit("address locked out", "caller", source=source)
        if until is not None:
            said = f"OmniRoute: too many wrong keys from {source}; wait {until - now:.0f} s"
            return hub.Failure("rate_limit", said, 429, retry_after=until - now)
        if found.name is not None:
            self._engine.lockouts.good(source)
            return None
        if found.expired is not None:
            said = f"OmniRoute: the key {found.expired!r} has expired; the rules set `expires` under keys"
        elif found.wrong is not None:
            said = f"OmniRoute: this is none of its keys; show one of those under `keys` of its rules, {how}"
        else:
            said = f"OmniRoute asks for a key; show one of those under `keys` of its rules, {how}"
        return hub.Failure("authentication", said, 401)


def is_gateway(flow: http.HTTPFlow) -> bool:
    mode = flow.client_conn.proxy_mode
    return isinstance(mode, ReverseMode) and mode.address[0] == GATEWAY_HOST


def _shown(request: http.Request) -> tuple[callers.Shown, ...]:
    return callers.shown(request.headers.items(multi=True), request.path.partition("?")[2])


def _source(flow: http.HTTPFlow) -> str:
    peer = flow.client_conn.peername
    return str(peer[0]) if peer else ""


def _foreign(flow: http.HTTPFlow) -> bool:
    """From another machine."""
    return not is_loopback(_source(flow).partition("%")[0].removeprefix("::ffff:"))


def _final(response: WireResponse) -> WireResponse:
    """Tools repeat a 401 up to eleven times, each a wrong key; most heed this header."""
    return replace(response, headers={**response.headers, "x-should-retry": "false"})


def _answer(flow: http.HTTPFlow, response: WireResponse) -> None:
    flow.response = http.Response.make(response.status, response.body, dict(response.headers))
