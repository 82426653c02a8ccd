"""What mitmweb shows: routed flows as the tool made them, every attempt as a flow beside them, no secrets, bounded.

Secrets are replaced by ``[redacted]`` before a flow is in the view; what a replay needs of them stays in this object's
memory, by flow id, only as long as the flow is shown. Without a view (headless) nothing is kept at all.
"""

import time
from collections import OrderedDict
from typing import Any

from mitmproxy import connection, ctx, flow, http
from mitmproxy.addons.view import View

from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Dial
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.record import Tape

KEY = "omniroute"
_MARK_FAILED = ":warning:"
_MARK_FALLBACK = ":arrows_counterclockwise:"


class Inspect:
    """Observer of exchanges and keeper of the view."""

    name = "omniroute-inspect"

    def __init__(self) -> None:
        self.max_flows = 2000
        self.max_bytes = 256 * 1024 * 1024
        self._secrets: dict[str, http.Headers] = {}
        self._paths: dict[str, str] = {}
        self._routed: dict[str, http.HTTPFlow] = {}
        """By exchange id, while the exchange runs."""
        self._attempts: dict[str, http.HTTPFlow] = {}
        """By attempt id, while the attempt runs."""
        self._exchanges: dict[str, Exchange] = {}
        """By flow id, until the flow has its answer."""
        self._tapes: dict[str, Tape] = {}
        """By flow id: what passes in an untouched flow of a surface."""
        self._kept: OrderedDict[str, tuple[flow.Flow, int]] = OrderedDict()
        """Flows in the view, oldest first, with their bytes."""
        self._bytes = 0

    # ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def response(self, flow: http.HTTPFlow) -> None:
        self._settle(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        if role(flow) != "exchange":
            self.hide_request(flow)
        exchange = self._exchanges.get(flow.id)
        if exchange is not None and exchange.record.ok:
            flow.error = None  # Codex cancels its stream as soon as it has read the last event
        self._settle(flow)

    def _settle(self, flow: http.HTTPFlow) -> None:
        exchange = self._exchanges.pop(flow.id, None)
        tape = exchange.record.response_body if exchange is not None else self._tapes.pop(flow.id, None)
        if tape is not None and self._view() is not None:
            _show_answer(flow, tape, exchange.record.status if exchange is not None else None)
        if flow.response is not None and flow.response.stream:
            flow.response.headers = _redacted(flow.response.headers)
        self.show(flow)

    # ── called by intercept ─────────────────────────────────────────────────────────────────────────────────────────

    def routed(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """The flow is about to go to the relay."""
        self.keep_secrets(flow)
        record = exchange.record
        flow.metadata[KEY] = {"role": "exchange", "exchange": record.id, "route": record.route, "format": record.format}
        self._routed[exchange.record.id] = flow
        self._exchanges[flow.id] = exchange

    def listen(self, flow: http.HTTPFlow, limit: int) -> None:
        """Stream an untouched answer through and keep a copy for the view, at most ``limit`` bytes."""
        assert flow.response is not None
        if self._view() is None:
            flow.response.stream = True
            return
        tape = self._tapes[flow.id] = Tape(limit)

        def passed(chunk: bytes) -> bytes:
            tape.add(chunk)
            return chunk

        flow.response.stream = passed

    def keep_secrets(self, flow: http.HTTPFlow) -> None:
        if self._view() is not None and any(header_rules.is_secret(name) for name in flow.request.headers):
            self._secrets[flow.id] = flow.request.headers.copy()
            self._paths[flow.id] = flow.request.path

    def hide_request(self, flow: http.HTTPFlow) -> None:
        """Take the secrets out of a request that has been sent."""
        if flow.id not in self._secrets:
            self.keep_secrets(flow)
        flow.request.headers = _redacted(flow.request.headers)
        flow.request.path = header_rules.redact_query(flow.request.path)

    def give_back_secrets(self, flow: http.HTTPFlow) -> None:
        """A replay needs them for as long as it is being sent."""
        kept = self._secrets.get(flow.id)
        if kept is None:
            return
        for name in set(flow.request.headers):
            if flow.request.headers[name] == header_rules.REDACTED and name in kept:
                flow.request.headers[name] = kept[name]
        if header_rules.REDACTED in flow.request.path:
            flow.request.path = self._paths[flow.id]

    def show(self, flow: http.HTTPFlow) -> None:
        """Add the flow to the view, or refresh it there."""
        view = self._view()
        if view is None:
            return
        if view.get_by_id(flow.id) is None:
            view.add([flow])
        else:
            view.update([flow])
        size = sum(len(part.raw_content or b"") for part in (flow.request, flow.response) if part is not None)
        _, old = self._kept.pop(flow.id, (flow, 0))
        self._kept[flow.id] = (flow, size)
        self._bytes += size - old
        self._evict(view)

    # ── observer ────────────────────────────────────────────────────────────────────────────────────────────────────

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: Dial) -> None:
        client = self._routed.get(exchange.id)
        if client is None or self._view() is None:
            return
        shown = _attempt_flow(client, exchange, attempt)
        self._secrets[shown.id] = http.Headers([(n.encode(), v.encode("latin-1")) for n, v in dial.headers])
        self._paths[shown.id] = http.Request.make("POST", dial.url).path
        self._attempts[attempt.id] = shown
        client.metadata[KEY].setdefault("attempts", []).append(shown.id)
        self.show(shown)

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None:
        shown = self._attempts.pop(attempt.id, None)
        if shown is None:
            return
        if attempt.status is not None:
            shown.response = http.Response.make(
                attempt.status,
                attempt.response_body.content(),
                http.Headers([(n.encode(), v.encode("latin-1", "replace")) for n, v in attempt.response_headers]),
            )
            shown.response.timestamp_start = attempt.first_event or attempt.ended or time.time()
            shown.response.timestamp_end = attempt.ended
        else:
            shown.error = flow.Error(attempt.outcome)
        shown.comment = f"↳ attempt {attempt.number} of {exchange.id[:8]} · {attempt.target} · {attempt.outcome}"
        if not attempt.used:
            shown.marked = _MARK_FAILED
        shown.metadata[KEY] |= {
            "target": attempt.target,
            "account": attempt.account,
            "outcome": attempt.outcome,
            "losses": [(loss.path, loss.reason) for loss in attempt.losses],
        }
        self.show(shown)

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        client = self._routed.pop(exchange.id, None)
        if client is None:
            return
        client.comment = f"{exchange.summary()} · {exchange.id[:8]}"
        if not exchange.ok:
            client.marked = _MARK_FAILED
        elif len(exchange.attempts) > 1:
            client.marked = _MARK_FALLBACK
        client.metadata[KEY] |= {
            "client": exchange.client,
            "format": exchange.format,
            "model": exchange.model,
            "combo": exchange.combo,
            "outcome": exchange.outcome,
            "excluded": list(exchange.excluded),
        }
        if self._view() is not None:
            self.show(client)

    # ── view ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _view() -> View | None:
        found: Any = ctx.master.addons.get("view")
        return found

    def _evict(self, view: View) -> None:
        for flow_id in list(self._kept):
            if len(self._kept) <= self.max_flows and self._bytes <= self.max_bytes:
                return
            shown, size = self._kept[flow_id]
            if shown.live or shown.intercepted or flow_id in self._exchanges:
                continue
            del self._kept[flow_id]
            self._bytes -= size
            self._secrets.pop(flow_id, None)
            self._paths.pop(flow_id, None)
            view.remove([shown])


def role(flow: http.HTTPFlow) -> str:
    """``exchange`` (routed), ``attempt`` (one upstream call), ``untouched`` (a surface without a rule) or ``foreign``."""
    return flow.metadata.get(KEY, {}).get("role", "foreign")


def _show_answer(flow: http.HTTPFlow, tape: Tape, status: int | None) -> None:
    """The answer as the client got it; mitmproxy itself keeps nothing of a streamed body."""
    if flow.response is None and status is not None:
        flow.response = http.Response.make(status)
    if flow.response is not None:
        # Not through the setter of ``content``, which would rewrite content-length.
        flow.response.data.content = tape.content()


def _redacted(headers: http.Headers) -> http.Headers:
    return http.Headers(
        [
            (n, header_rules.REDACTED.encode() if header_rules.is_secret(n.decode("latin-1")) else v)
            for n, v in headers.fields
        ]
    )


def _attempt_flow(client: http.HTTPFlow, exchange: ExchangeRecord, attempt: AttemptRecord) -> http.HTTPFlow:
    headers = http.Headers([(n.encode(), v.encode("latin-1", "replace")) for n, v in attempt.headers])
    request = http.Request.make(attempt.method, attempt.url, attempt.body, headers)
    request.timestamp_start = request.timestamp_end = attempt.started
    peer = connection.Client(
        peername=client.client_conn.peername,
        sockname=client.client_conn.sockname,
        timestamp_start=attempt.started,
        state=connection.ConnectionState.CLOSED,
    )
    shown = http.HTTPFlow(peer, connection.Server(address=(request.host, request.port)), live=False)
    shown.request = request
    shown.comment = f"↳ attempt {attempt.number} of {exchange.id[:8]} · {attempt.target}"
    shown.metadata[KEY] = {
        "role": "attempt",
        "exchange": exchange.id,
        "flow": client.id,
        "format": attempt.format,
        "number": attempt.number,
    }
    return shown
