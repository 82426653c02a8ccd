"""What mitmweb shows: routed flows as the tool made them, every attempt as a flow beside them, no secrets, bounded.

Secrets are replaced by ``[redacted]`` before a flow is in the view; what a replay needs of them stays in this object's
memory, by flow id, only as long as the flow is shown; a replay is sent by the relay, so they never come back into a
flow. Without a view (headless) nothing is kept at all.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from mitmproxy import connection, ctx, flow, http
from mitmproxy.net.http import url

from omniroute_addon.addons.view import RedactedView, exposed, redacted
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.bypassed import Bypassed
from omniroute_addon.engine.call import Dial
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.sharing import Shared
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.record import Tape

KEY = "omniroute"
PIN = "omniroute.route"
"""Metadata of a flow whose replays go to one target, whatever the rules say."""
_SENT_POLL = 0.01
_MARK_FAILED = ":warning:"
_MARK_FALLBACK = ":arrows_counterclockwise:"


class Inspect:
    """Observer of exchanges and keeper of the view."""

    name = "omniroute-inspect"

    def __init__(self) -> None:
        self.max_flows = 2000
        self.max_bytes = 256 * 1024 * 1024
        self.redact: Callable[[str], str] = str
        """Takes known keys out of what providers have said before it becomes a comment."""
        self.untouched: Callable[[http.HTTPFlow], object] = lambda _flow: None
        """Told of a call that no rule touches, when it begins and when it has ended."""
        self._secrets: dict[str, http.Headers] = {}
        self._paths: dict[str, str] = {}
        self._routed: dict[str, http.HTTPFlow] = {}
        """By exchange id, while the exchange runs."""
        self._attempts: dict[str, http.HTTPFlow] = {}
        """By attempt id, while the attempt runs."""
        self._exchanges: dict[str, Exchange | Bypassed | Shared] = {}
        """By flow id, until the flow has its answer."""
        self._tapes: dict[str, Tape] = {}
        """By flow id: what passes in an untouched flow of a surface."""
        self._kept: OrderedDict[str, tuple[flow.Flow, int]] = OrderedDict()
        """Flows in the view, oldest first, with their bytes."""
        self._bytes = 0
        self._watched: RedactedView | None = None

    # ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self._view()  # before a stock view's own hook would show this flow

    def request(self, flow: http.HTTPFlow) -> None:
        self._let_go(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        self._settle(flow)
        self._let_go(flow)

    def _let_go(self, flow: http.HTTPFlow) -> None:
        """mitmweb's intercept would hold a call that nobody can see yet: resume it when all addons had their turn."""
        if self._view() is not None and getattr(ctx.options, "intercept_active", False):
            asyncio.get_running_loop().call_soon(flow.resume)

    def error(self, flow: http.HTTPFlow) -> None:
        exchange = self._exchanges.get(flow.id)
        if exchange is not None and exchange.record.ok:
            flow.error = None  # Codex cancels its stream as soon as it has read the last event
        self._settle(flow)

    def _settle(self, flow: http.HTTPFlow) -> None:
        self.hide_request(flow)
        exchange = self._exchanges.pop(flow.id, None)
        answer = flow.response
        sent = answer is None or flow.is_replay or (answer.stream and answer.raw_content != b"")
        tape = exchange.record.response_body if exchange is not None else self._tapes.pop(flow.id, None)
        if tape is not None and self._view() is not None:
            _show_answer(flow, tape, exchange.record.status if exchange is not None else None)
        if role(flow) == "attempt":
            _tell_replay(flow)
        elif role(flow) == "untouched":
            self.untouched(flow)
        if sent:
            self.hide_response(flow)
        else:
            self._hide_when_sent(flow)

    def _hide_when_sent(self, flow: http.HTTPFlow) -> None:
        """The headers of an answer without a body are sent after the last hook; no hook tells when."""
        if flow.live:
            asyncio.get_running_loop().call_later(_SENT_POLL, self._hide_when_sent, flow)
        else:
            self.hide_response(flow)

    # ── called by intercept ─────────────────────────────────────────────────────────────────────────────────────────

    def routed(self, flow: http.HTTPFlow, exchange: Exchange | Bypassed | Shared) -> None:
        """The flow is about to go to the relay."""
        if not flow.is_replay:
            self.keep_secrets(flow)
        record = exchange.record
        flow.metadata[KEY] = {
            "role": "exchange",
            "exchange": record.id,
            "route": record.route,
            "format": record.format,
            "decision": record.decision,
        }
        self._routed[exchange.record.id] = flow
        self._exchanges[flow.id] = exchange

    def replaying(self, flow: http.HTTPFlow, exchange: Exchange) -> http.HTTPFlow:
        """The row of a shown call that is asked once more, beside the call's own; :meth:`replayed` ends it."""
        shown = flow.copy()
        shown.is_replay, shown.response, shown.error = "request", None, None
        shown.comment = shown.marked = ""
        if flow.id in self._secrets:
            self._secrets[shown.id], self._paths[shown.id] = self._secrets[flow.id].copy(), self._paths[flow.id]
        self.routed(shown, exchange)
        self.show(shown)
        return shown

    def replayed(self, flow: http.HTTPFlow, exchange: Exchange, headers: Sequence[tuple[str, str]]) -> None:
        """``headers``: of the answer."""
        self._exchanges.pop(flow.id, None)
        _show_answer(flow, exchange.record.response_body, exchange.record.status)
        if flow.response is not None:
            flow.response.headers = redacted(_fields(headers))
        self.show(flow)

    def listen(self, flow: http.HTTPFlow, limit: int) -> None:
        """Stream an untouched answer through and keep a copy for the view, at most ``limit`` bytes."""
        assert flow.response is not None
        if self._view() is None:
            flow.response.stream = True
            return
        tape = self._tapes[flow.id] = Tape(limit)

        def passed(chunk: bytes) -> bytes:
            tape.add(chunk)
            if exposed(flow):
                self.hide_response(flow)
            return chunk

        flow.response.stream = passed
        if flow.is_replay:
            self.hide_response(flow)

    def keep_secrets(self, flow: http.HTTPFlow) -> None:
        if self._view() is not None and exposed(flow):
            self._secrets[flow.id] = http.Headers(flow.request.headers.fields)
            self._paths[flow.id] = flow.request.path

    @staticmethod
    def forget_body(flow: http.HTTPFlow) -> None:
        """A side call (login, telemetry) is shown without its body, which may be a token or what the user has typed."""
        flow.request.data.content = None

    def hide_request(self, flow: http.HTTPFlow) -> None:
        """Take the secrets out of a request that has been sent."""
        if flow.id not in self._secrets:
            self.keep_secrets(flow)
        flow.request.headers = redacted(flow.request.headers)
        flow.request.path = header_rules.redact_query(flow.request.path)

    def answering(self, flow: http.HTTPFlow) -> None:
        """The headers of a shown flow's answer are here; mitmproxy sends them after this hook and before any body."""
        if self._view() is None or not exposed(flow):
            return
        if flow.is_replay:
            self.hide_response(flow)
            return
        assert flow.response is not None

        def sent(chunk: bytes) -> bytes:
            if exposed(flow):
                self.hide_response(flow)
            return chunk

        flow.response.stream = sent

    def hide_response(self, flow: http.HTTPFlow) -> None:
        """Take the secrets out of an answer whose headers have been sent, and show the flow."""
        if flow.response is not None:
            flow.response.headers = redacted(flow.response.headers)
        self.show(flow)

    def with_secrets(self, flow: http.HTTPFlow) -> http.Request:
        """The request of a replay as it is to be sent: what the user edited, and the secrets that were taken out."""
        request = flow.request.copy()
        if (kept := self._secrets.get(flow.id)) is not None:
            for name in set(request.headers):
                if request.headers[name] == header_rules.REDACTED and name in kept:
                    request.headers.set_all(name, kept.get_all(name))
            request.path = header_rules.restore_query(request.path, self._paths[flow.id])
            self._secrets[flow.id], self._paths[flow.id] = request.headers.copy(), request.path
        return request

    def twin(self, flow: http.HTTPFlow) -> http.HTTPFlow:
        """A new row with the flow's request, and with the secrets that a replay of it needs; without an answer."""
        new = flow.copy()
        new.response = new.error = None
        new.marked = new.comment = ""
        new.metadata = {}
        if (kept := self._secrets.get(flow.id)) is not None:
            self._secrets[new.id], self._paths[new.id] = kept.copy(), self._paths[flow.id]
        self.show(new)
        return new

    def shown(self, flow_id: str) -> http.HTTPFlow | None:
        """A flow of the view."""
        view = self._view()
        found = None if view is None else view.get_by_id(flow_id)
        return found if isinstance(found, http.HTTPFlow) else None

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

    def flows(self) -> list[http.HTTPFlow]:
        """What is in the view and shows no secret, oldest first, whatever the view is filtered by."""
        return [one for one, _ in self._kept.values() if isinstance(one, http.HTTPFlow) and not exposed(one)]

    def secrets_of(self, flow: http.HTTPFlow) -> tuple[str, ...]:
        """The credentials that the flow's request had."""
        kept = self._secrets.get(flow.id)
        return () if kept is None else header_rules.secret_values(list(kept.items(multi=True)))

    # ── observer ────────────────────────────────────────────────────────────────────────────────────────────────────

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: Dial) -> None:
        client = self._routed.get(exchange.id)
        if client is None or self._view() is None:
            return
        shown = _attempt_flow(client, exchange, attempt)
        self._secrets[shown.id] = _fields(dial.headers)
        secret = dial.url != attempt.url
        self._paths[shown.id] = url.parse(dial.url)[3].decode() if secret else shown.request.path
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
                headers=http.Headers(
                    [(n.encode(), v.encode("latin-1", "replace")) for n, v in attempt.response_headers]
                ),
            )
            shown.response.raw_content = attempt.response_body.content()
            shown.response.timestamp_start = attempt.first_event or attempt.ended or time.time()
            shown.response.timestamp_end = attempt.ended
        else:
            shown.error = flow.Error(self.redact(attempt.outcome))
        said = f"↳ {attempt.title} of {exchange.id[:8]} · {attempt.target} · {attempt.outcome}"
        shown.comment = self.redact(said)
        if attempt.failed:
            shown.marked = _MARK_FAILED
        shown.metadata[KEY] |= {
            "target": attempt.target,
            "account": attempt.account,
            "outcome": attempt.outcome,
            "losses": _losses(attempt),
        }
        self.show(shown)

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        client = self._routed.pop(exchange.id, None)
        if client is None:
            return
        client.comment = self.redact(f"{exchange.summary()} · /omniroute/calls/{exchange.id[:8]}")
        if exchange.ok:
            client.error = None  # Codex cancels its stream as soon as it has read the last event
        if not exchange.ok:
            client.marked = _MARK_FAILED
        elif len(exchange.attempts) > 1:
            client.marked = _MARK_FALLBACK
        elif client.is_replay:
            client.marked = ""
        client.metadata[KEY] |= {
            "client": exchange.client,
            "route": exchange.route,
            "decision": exchange.decision,
            "format": exchange.format,
            "model": exchange.model,
            "combo": exchange.combo,
            "outcome": exchange.outcome,
            "excluded": list(exchange.excluded),
            "losses": _losses(exchange.used) if exchange.used else [],
        }
        if self._view() is not None:
            self.show(client)

    # ── view ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _view(self) -> RedactedView | None:
        """The view, if there is one; a stock one (``mitmweb -s``) becomes ours first."""
        found: Any = ctx.master.addons.get("view")
        if found is not None and found is not self._watched:
            if not isinstance(found, RedactedView):
                found.__class__ = RedactedView
            found.sig_store_remove.connect(self._removed)
            found.sig_store_refresh.connect(self._cleared)
            self._watched = found
        return found

    def _evict(self, view: RedactedView) -> None:
        while len(self._kept) > self.max_flows or self._bytes > self.max_bytes:
            old = next((shown for shown, _ in self._kept.values() if self._may_go(shown)), None)
            if old is None:
                return
            view.evict(old)
            if old.id in self._kept:
                self._removed(old)

    def _may_go(self, shown: flow.Flow) -> bool:
        return not (shown.live or shown.intercepted or shown.id in self._exchanges)

    def _removed(self, flow: flow.Flow) -> None:
        """The view no longer has the flow: nothing of it is kept."""
        _, size = self._kept.pop(flow.id, (flow, 0))
        self._bytes -= size
        self._secrets.pop(flow.id, None)
        self._paths.pop(flow.id, None)

    def _cleared(self) -> None:
        assert self._watched is not None
        for shown, _ in list(self._kept.values()):
            if self._watched.get_by_id(shown.id) is None:
                self._removed(shown)


def role(flow: http.HTTPFlow) -> str:
    """``exchange`` (routed), ``attempt`` (one upstream call), ``untouched`` (a surface without a rule) or ``foreign``."""
    return flow.metadata.get(KEY, {}).get("role", "foreign")


def pinned(flow: http.HTTPFlow) -> str | None:
    """The target to which a replay of the flow goes; None when the rules decide."""
    return flow.metadata.get(PIN)


def _show_answer(flow: http.HTTPFlow, tape: Tape, status: int | None) -> None:
    """The answer as the client got it; mitmproxy itself keeps nothing of a streamed body."""
    if flow.response is None and status is not None:
        flow.response = http.Response.make(status)
    if flow.response is not None:
        # Not through the setter of ``content``, which would rewrite content-length.
        flow.response.data.content = tape.content()


def _tell_replay(flow: http.HTTPFlow) -> None:
    """Only a replay brings an attempt's flow through the hooks."""
    said = f"{flow.response.status_code}" if flow.response is not None else str(flow.error)
    failed = flow.response is None or flow.response.status_code >= 400
    flow.comment = f"{' · '.join(flow.comment.split(' · ')[:2])} · replayed: {said}"
    flow.marked = _MARK_FAILED if failed else ""


def _fields(pairs: Sequence[tuple[str, str]]) -> http.Headers:
    return http.Headers(
        [(n.encode("utf-8", "surrogateescape"), v.encode("utf-8", "surrogateescape")) for n, v in pairs]
    )


def _attempt_flow(client: http.HTTPFlow, exchange: ExchangeRecord, attempt: AttemptRecord) -> http.HTTPFlow:
    scheme, host, port, path = _parts(attempt.url)
    request = http.Request(
        host, port, attempt.method.encode(), scheme, b"", path, b"HTTP/1.1", _fields(attempt.headers), attempt.body, None,
        attempt.started, attempt.started,
    )  # fmt: skip
    peer = connection.Client(
        peername=client.client_conn.peername,
        sockname=client.client_conn.sockname,
        timestamp_start=attempt.started,
        state=connection.ConnectionState.CLOSED,
    )
    shown = http.HTTPFlow(peer, connection.Server(address=(request.host, request.port)), live=False)
    shown.request = request
    shown.comment = f"↳ {attempt.title} of {exchange.id[:8]} · {attempt.target}"
    shown.metadata[KEY] = {
        "role": "attempt",
        "exchange": exchange.id,
        "flow": client.id,
        "format": attempt.format,
        "number": attempt.number,
    }
    return shown


@lru_cache(maxsize=256)
def _parts(address: str) -> tuple[bytes, str, int, bytes]:
    """Scheme, host, port and path of an address without secrets; the same few are asked for again and again."""
    scheme, host, port, path = url.parse(address)
    return scheme, host.decode("idna"), port, path


def _losses(attempt: AttemptRecord) -> list[tuple[str, str]]:
    return [(loss.path, loss.reason) for loss in attempt.losses]
