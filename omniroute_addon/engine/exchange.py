"""One client request from plan to last byte: the attempt loop and the commit point.

Theory of operation. The plan lists candidates. Each attempt is opened and its answer *held* until the bridge has seen
the first meaningful event (or the whole answer, when the client wants one). Until then any failure becomes a verdict
and the next candidate is tried; the client has seen nothing. The first byte written is the commit: from then on chunks
go through the bridge one by one, and a failure becomes the client format's own error event. Whatever happens, the
client gets a well-formed end.

The client's format decides what a *call* looks like; the upstream's what is sent. Nothing here knows either.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import aclosing

from omniroute_addon.accounts.health import Health
from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine import verdicts
from omniroute_addon.engine.call import SHUTDOWN, Call, ClientLeftError, Dial, Observer, Recorder, Sink
from omniroute_addon.engine.encodings import UnknownEncodingError
from omniroute_addon.engine.reading import Reading
from omniroute_addon.engine.target import dial
from omniroute_addon.engine.upstream import UpstreamError, Upstreams
from omniroute_addon.engine.verdict import Outcome, Verdict, judge
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.record import Tape
from omniroute_addon.routing.plan import Candidate, Plan
from translators import FORMATS, TranslationError, Unsupported, WireResponse, hub
from translators import bridge as make_bridge
from translators.bridge import Bridge, Passthrough
from translators.memory import Memory

logger = logging.getLogger(__name__)

STOPPED = "OmniRoute was stopped"


class Exchange:
    """Runs once."""

    def __init__(
        self,
        call: Call,
        plan: Plan,
        snapshot: Snapshot,
        *,
        upstreams: Upstreams,
        health: Health,
        memory: Memory,
        observer: Observer,
    ) -> None:
        self.call = call
        self.plan = plan
        self._snapshot = snapshot
        self._upstreams = upstreams
        self._health = health
        self._memory = memory
        self._observer = observer
        self._format = FORMATS[call.format]
        self._failures: list[tuple[Candidate, hub.Failure]] = []
        self._last_error: tuple[Candidate, WireResponse] | None = None
        self._told = False
        """The client has got the answer's end."""
        self.record = ExchangeRecord(
            id=call.id,
            client=call.client,
            format=call.format,
            operation=call.operation,
            model=call.model,
            route=plan.route,
            combo=plan.combo,
            started=time.time(),
            response_body=Tape(snapshot.view.max_body),
            excluded=tuple(f"{out.target}: {out.reason}" for out in plan.excluded),
        )

    async def run(self, sink: Sink) -> None:
        """Answer the call. Cancelling it (the client left) closes the upstream at once and keeps what was learned."""
        recorder = Recorder(sink, self.record)
        try:
            await self._attempts(recorder)
        except asyncio.CancelledError as error:
            if SHUTDOWN in error.args and not recorder.started:
                await self._refuse(recorder, hub.Failure("overloaded", STOPPED, 503))
                return
            self._left_by_client()
            raise
        except ClientLeftError:
            self._left_by_client()
            raise
        except Exception as error:
            self.record.outcome = f"failed: {type(error).__name__}"
            if recorder.started:
                recorder.abort()
            else:
                said = f"OmniRoute failed inside: {type(error).__name__}; see its log"
                await self._send(recorder, self._format.render_error(hub.Failure("server", said, 502)))
            raise
        finally:
            self.record.ended = time.time()
            self._tell(self._observer.exchange_ended, self.record)

    def abandon(self) -> None:
        """The client left before anything was tried."""
        self._left_by_client()
        self.record.ended = time.time()
        self._tell(self._observer.exchange_ended, self.record)

    def _left_by_client(self) -> None:
        if self.record.outcome == "running":
            self.record.outcome = "client left"

    async def _attempts(self, sink: "Recorder") -> None:
        candidates = list(self.plan.candidates)
        tries = 0
        while candidates:
            candidate = candidates[0]
            tries += 1
            verdict = await self._attempt(candidate, sink, tries, more=len(candidates) > 1)
            if verdict is None:
                return
            match verdict.action:
                case "wait":
                    await asyncio.sleep(verdict.retry_after or 0)
                    continue
                case "retry":
                    continue
                case "give-up":
                    await self._give_up(sink)
                    return
                case _:
                    candidates = self._left(candidates, skip_target=verdict.action == "next-target")
                    tries = 0
        await self._exhausted(sink)

    def _left(self, candidates: Sequence[Candidate], *, skip_target: bool) -> list[Candidate]:
        """Whom to try after the first of ``candidates`` has failed: not what this failure has put to rest."""
        failed, now = candidates[0], time.time()
        return [
            other
            for other in candidates[1:]
            if not (skip_target and other.target_key == failed.target_key) and self._health.until(other, now) is None
        ]

    async def _attempt(self, candidate: Candidate, sink: Recorder, tries: int, *, more: bool) -> Verdict | None:
        """One attempt; None when the client has been answered."""
        self._last_error = None
        asked, upstream = self.call.wire, self.call.format
        if candidate.provider is not None and not candidate.origin:
            upstream = candidate.provider.format
        if self.call.operation == "count" and upstream != self.call.format:
            await self._estimate(sink)
            return None
        bridge = make_bridge(self.call.format, upstream, profile=candidate.profile, memory=self._memory, wire=asked)
        try:
            wire = bridge.request(asked, None if candidate.origin else candidate.model)
        except TranslationError as error:
            failure = hub.Failure("invalid_request", str(error), error.status_hint)
            # A target that needs no translation may still take what we could not read.
            kind = "unsupported" if more or isinstance(error, Unsupported) else "status"
            return self._judge(candidate, Outcome(kind, failure.status, failure), tries, more=more)
        request = dial(self.call, candidate, wire, isinstance(bridge, Passthrough), self._snapshot)
        attempt = self._begin(candidate, upstream, request)
        verdict: Verdict | None = None
        try:
            outcome = await self._send_on(candidate, request, attempt, bridge, sink)
            if outcome is not None:
                verdict = self._judge(candidate, outcome, tries, more=more)
            return verdict
        finally:
            self._end(attempt, bridge, verdict)

    async def _send_on(
        self, candidate: Candidate, request: Dial, attempt: AttemptRecord, bridge: Bridge, sink: Recorder
    ) -> Outcome | None:
        """The upstream call up to its last byte; the outcome when it failed before the commit, else None."""
        timeouts = self._snapshot.timeouts
        patience = timeouts.first_event if self.call.streaming else timeouts.whole
        try:
            async with asyncio.timeout(patience) as limit:
                answer = await self._upstreams.open(request, connect=timeouts.connect, idle=timeouts.idle)
                async with answer:
                    attempt.status = answer.status
                    attempt.response_headers = header_rules.redact(answer.headers)
                    hidden = header_rules.secret_values(request.headers, request.secrets)
                    reading = Reading(answer, bridge, attempt, self._snapshot.limits, hidden)
                    outcome = await reading.hold(self.call.operation)
                    if outcome.kind != "ok":
                        if outcome.kind == "status":
                            self._last_error = (candidate, reading.error(candidate))
                        return outcome
                    limit.reschedule(None)
                    self._health.succeeded(candidate)
                    attempt.used = True
                    await self._deliver(candidate, reading, sink)
                    return None
        except UpstreamError as error:
            return Outcome(error.kind, failure=hub.Failure("cut" if error.kind == "cut" else "server", f"{error}", 502))
        except UnknownEncodingError as error:
            return Outcome("not-format", attempt.status, hub.Failure("server", f"{error}", 502))
        except TimeoutError:
            if attempt.used:
                raise
            return Outcome("timeout-first", failure=hub.Failure("timeout", f"no answer within {patience:g} s", 504))

    def _judge(self, candidate: Candidate, outcome: Outcome, tries: int, *, more: bool) -> Verdict:
        failure = verdicts.dated(outcome.failure or verdicts.failure_of(outcome), time.time())
        outcome = Outcome(
            outcome.kind,
            outcome.status,
            failure,
            retry_after=failure.retry_after,
            attempts_on_candidate=tries,
            more_candidates=more,
        )
        if candidate.origin and outcome.kind == "status" and outcome.status == 401:
            # The tool refreshes its own login when it sees its provider's 401; another target would hide it.
            return Verdict("give-up", "none", 0, "the tool's own login was refused", None)
        verdict = judge(outcome, self._snapshot.limits)
        if more or verdict.retry_after is not None:
            # Resting the last target for a fault that may be over in a second would only turn retries away.
            self._health.note(verdict, candidate, time.time())
        self._failures.append((candidate, failure))
        return verdict

    async def _deliver(self, candidate: Candidate, reading: "Reading", sink: "Recorder") -> None:
        """From the commit to the last byte."""
        sink.start(reading.answer.status, reading.response_headers(candidate))
        bridge = reading.bridge
        for chunk in reading.held:
            await sink.write(chunk)
        self._told = bridge.finished
        failure: hub.Failure | None = None
        try:
            async with aclosing(reading.rest()) as rest:
                async for out in rest:
                    if out:
                        await sink.write(out)
                    self._told = bridge.finished
        except UpstreamError as error:
            kind = "timeout" if error.kind == "timeout-idle" else "cut"
            failure = hub.Failure(kind, f"{error}", 502)
        except asyncio.CancelledError as error:
            if SHUTDOWN not in error.args:
                raise
            failure = hub.Failure("overloaded", STOPPED, 503)
        failure = failure or bridge.failure
        self.record.usage = bridge.usage
        if failure is None or bridge.finished:
            self.record.outcome = "done"
        else:
            self.record.outcome = f"broken after the first byte: {failure.message}"
            if reading.mute:
                sink.abort()
                return
            await sink.write(bridge.fail(failure))
        sink.finish()

    # ── answers of our own ──────────────────────────────────────────────────────────────────────────────────────────

    async def _give_up(self, sink: "Recorder") -> None:
        """The upstream's own error, in the client's format."""
        if self._last_error is not None:
            await self._send(sink, self._last_error[1])
        else:
            await self._send(sink, self._format.render_error(self._failures[-1][1]))
        self.record.outcome = f"failed: {self._failures[-1][1].message}" if self._failures else "failed: refused"

    async def _exhausted(self, sink: "Recorder") -> None:
        if self.call.operation == "count":
            await self._estimate(sink)
            return
        own = all(candidate.origin for candidate, _ in self._failures) and not self.plan.excluded
        if own and self._last_error is not None:
            await self._give_up(sink)
            return
        await self._refuse(sink, verdicts.exhausted(self.plan, self._failures, self._health, time.time()))

    async def _estimate(self, sink: "Recorder") -> None:
        """Token counting for a target that has no such call: an estimate in the client's format."""
        try:
            request = self._format.parse_request(self.call.wire)
        except TranslationError as error:
            await self._refuse(sink, hub.Failure("invalid_request", str(error), error.status_hint))
            return
        await self._send(sink, verdicts.estimate(self.call.format, request))
        self.record.outcome = "done"

    async def _refuse(self, sink: "Recorder", failure: hub.Failure) -> None:
        """An error of our own, in the client's format."""
        self.record.outcome = f"failed: {failure.message}"
        await self._send(sink, self._format.render_error(failure))

    async def _send(self, sink: "Recorder", response: WireResponse) -> None:
        sink.start(response.status, [*response.headers.items(), ("content-length", str(len(response.body)))])
        await sink.write(response.body)
        sink.finish()

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, candidate: Candidate, upstream: str, call: Dial) -> AttemptRecord:
        attempt = AttemptRecord(
            id=str(uuid.uuid4()),
            number=len(self.record.attempts) + 1,
            target=candidate.target,
            account=candidate.account.name if candidate.account else None,
            format=upstream,
            method=call.method,
            url=header_rules.redact_query(call.url),
            headers=header_rules.redact(call.headers, call.secrets),
            body=call.body,
            started=time.time(),
            response_body=Tape(self._snapshot.view.max_body),
        )
        self.record.attempts.append(attempt)
        self._tell(self._observer.attempt_started, self.record, attempt, call)
        return attempt

    def _end(self, attempt: AttemptRecord, bridge: Bridge, verdict: Verdict | None) -> None:
        attempt.ended = time.time()
        attempt.usage, attempt.stop, attempt.losses = bridge.usage, bridge.stop, tuple(bridge.losses)
        if attempt.used:
            self.record.usage = bridge.usage
            if self._told and self.record.outcome == "running":
                self.record.outcome = "done"  # e.g. Codex cancels the stream at response.completed
            attempt.outcome = "used"
        elif verdict is not None:
            attempt.outcome = f"{verdict.reason} → {verdict.action.replace('-', ' ')}"
        else:
            attempt.outcome = "cancelled"
        self._tell(self._observer.attempt_ended, self.record, attempt)

    @staticmethod
    def _tell[**P](tell: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """An observer that fails must not cost the client its answer."""
        try:
            tell(*args, **kwargs)
        except Exception:
            logger.exception("an exchange could not be shown")
