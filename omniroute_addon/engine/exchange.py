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
from collections.abc import Callable, Sequence
from contextlib import aclosing, closing
from functools import partial

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine import progress, verdicts
from omniroute_addon.engine.call import SHUTDOWN, Call, ClientLeftError, Dial, Observer, Recorder, Sink
from omniroute_addon.engine.encodings import UnknownEncodingError
from omniroute_addon.engine.ending import Ending, send
from omniroute_addon.engine.entry import Entry
from omniroute_addon.engine.hedge import Race
from omniroute_addon.engine.patience import patience, spent
from omniroute_addon.engine.reading import Reading
from omniroute_addon.engine.records import attempt_record, exchange_record
from omniroute_addon.engine.resume import Resume
from omniroute_addon.engine.sanitize import sanitized
from omniroute_addon.engine.shaping import bounded, orders, shape
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.target import dial, way
from omniroute_addon.engine.upstream import UpstreamError, Upstreams
from omniroute_addon.engine.verdict import PROXY_FAULTS, Action, Outcome, Verdict, judge, once_more
from omniroute_addon.ledger import AttemptRecord
from omniroute_addon.ledger.budgets import Reservation
from omniroute_addon.ledger.decision import decision, without_room
from omniroute_addon.ledger.record import CANCELLED, OVERTAKEN
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.plan import Plan
from omniroute_addon.routing.state import BudgetBlock
from translators import FORMATS, TranslationError, Unsupported, WireRequest, hub
from translators.bridge import Bridge
from translators.memory import Memory
from translators.signatures import Trust

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
        standing: Standing,
        memory: Memory,
        observer: Observer,
        ask: Ask | None = None,
        again: Callable[[], Plan] | None = None,
    ) -> None:
        """``again``: the plan as it would be later."""
        self.call = call
        self.plan = plan
        self._snapshot = snapshot
        self._upstreams = upstreams
        self._standing = standing
        self._memory = memory
        self._observer = observer
        self._ask = ask or Ask(
            call.client, call.format, call.model, headers=call.wire.headers, operation=call.operation
        )
        self._resume = Resume(call, plan, snapshot)
        able = call.streaming and call.operation == "generate"
        self._race = Race(standing.paces, snapshot.governance.combo_defaults.hedge, able=able)
        self._returning: list[Candidate] = []
        """Where another call was finding out whether there is room; asked again when all others have failed."""
        self._others: list[Candidate] = []
        """Left to try after the one that is tried now."""
        self._hurry = True
        self._again = again
        self._told = False
        """The client has got the answer's end."""
        self._sent: WireRequest | None = None
        """To the candidate that was asked last."""
        self.record = exchange_record(
            call,
            self._ask,
            snapshot,
            decision(plan, ask, standing, time.time()),
            route=plan.route,
            combo=plan.combo,
            session=plan.session,
            excluded=plan.excluded,
        )
        self._ending = Ending(call, self.record, self._resume)

    async def run(self, sink: Sink) -> None:
        """Answer the call. Cancelling it (the client left) closes the upstream at once and keeps what was learned."""
        recorder = Recorder(sink, self.record)
        try:
            await self._attempts(recorder)
        except asyncio.CancelledError as error:
            if SHUTDOWN in error.args and (not recorder.started or self._resume.waiting):
                await self._ending.refuse(recorder, hub.Failure("overloaded", STOPPED, 503))
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
                await send(recorder, FORMATS[self.call.format].render_error(hub.Failure("server", said, 502)))
            raise
        finally:
            self.record.ended = time.time()
            self._tell(self._observer.exchange_ended, self.record)

    def abandon(self) -> None:
        """The client left before anything was tried."""
        self._left_by_client()
        self.record.ended = time.time()
        self._tell(self._observer.exchange_ended, self.record)

    async def refuse(self, sink: Sink) -> None:
        """The proxy stops before anything was tried."""
        try:
            await self._ending.refuse(Recorder(sink, self.record), hub.Failure("overloaded", STOPPED, 503))
        finally:
            self.record.ended = time.time()
            self._tell(self._observer.exchange_ended, self.record)

    def _left_by_client(self) -> None:
        if self.record.outcome == "running":
            self.record.outcome = "client left"

    async def _attempts(self, sink: "Recorder") -> None:
        await self._awaken()
        self._standing.planned(self.plan)
        candidates = list(self.plan.candidates)
        tries, unsigned = 0, False
        while candidates and not spent(candidates[0], self.record, time.time()):
            candidate = candidates[0]
            tries += 1
            self._others = [*candidates[1:], *self._returning]
            self._ending.anew()
            attempt = partial(self._attempt, sink=sink, tries=tries, more=bool(self._others), unsigned=unsigned)
            verdict = await self._race.run(candidates, attempt, self._may_hedge)
            candidate = candidates[0]
            if verdict is None:
                return
            match verdict.action:
                case "wait":
                    await self._pause(min(verdict.retry_after or 0, self._patience(candidate)))
                    continue
                case "retry":
                    continue
                case "retry-unsigned":
                    unsigned = True
                    continue
                case "give-up":
                    await self._ending.give_up(sink, candidate)
                    return
                case _:
                    candidates = self._left(candidates, verdict.action)
                    if not candidates:
                        candidates, self._returning, self._hurry = self._returning, [], False
                    tries, unsigned = 0, False
        await self._ending.exhausted(sink, self.plan, self._standing.health)

    def _may_hedge(self, candidate: Candidate) -> bool:
        """Not in the open stream of an answer that is gone on with, and only as often as the combo allows."""
        return not self._resume.waiting and not spent(candidate, self.record, time.time())

    def _left(self, candidates: Sequence[Candidate], action: Action) -> list[Candidate]:
        """Whom to try after the first of ``candidates`` has failed: not what this failure has put to rest."""
        failed, now, skip_target = candidates[0], time.time(), action == "next-target"
        if action == "next-way":
            candidates = self._another_way(failed, candidates)
            self._returning = self._another_way(failed, self._returning)[1:]
        if skip_target:
            self._returning = [other for other in self._returning if other.target_key != failed.target_key]
        return [
            other
            for other in candidates[1:]
            if not (skip_target and other.target_key == failed.target_key) and self._standing.rest(other, now) is None
        ]

    def _another_way(self, failed: Candidate, others: Sequence[Candidate]) -> list[Candidate]:
        """The failed one, and those that do not leave by the same outbound proxy."""
        by = way(self.call, failed, self._snapshot)
        same = [one for one in others if one is not failed and way(self.call, one, self._snapshot) == by]
        self.record.excluded += tuple({f"{one.target}: leaves by the same outbound proxy, {by}": None for one in same})
        return [failed, *(one for one in others if one is not failed and one not in same)]

    async def _awaken(self) -> None:
        """When everything rests, but the first only for as long as a throttle is waited out, wait and plan anew."""
        soonest = self.plan.soonest
        if self.plan.candidates or self.plan.denied is not None or soonest is None or self._again is None:
            return
        wait = max(0.0, soonest - time.time())
        if wait <= self._snapshot.limits.inline_wait:
            await self._pause(wait)
            self.plan = self._again()

    def _patience(self, candidate: Candidate) -> float:
        return patience(candidate, self._snapshot.timeouts, self.record, time.time())

    async def _pause(self, seconds: float) -> None:
        self.record.waited += seconds
        await asyncio.sleep(seconds)

    async def _entered(self, candidate: Candidate, *, more: bool) -> Entry | None:
        """A place at the candidate, perhaps after a wait; None when the call is sent on to the next."""
        began = time.monotonic()
        try:
            entry = await self._standing.enter(candidate, self._patience(candidate), hurry=more and self._hurry)
        finally:
            self.record.waited += time.monotonic() - began
        if isinstance(entry, Entry):
            return entry
        if entry.soon:
            self._returning.append(candidate)
        else:
            status = 429 if entry.kind == "rate_limit" else 503
            self._ending.failed(candidate, hub.Failure(entry.kind, entry.reason, status, retry_after=entry.wait))
            self.record.excluded += (f"{candidate.target}: {entry.reason}",)
        return None

    async def _attempt(
        self, candidate: Candidate, sink: Recorder, tries: int, *, more: bool, unsigned: bool = False
    ) -> Verdict | None:
        """One attempt; None when the client has been answered. ``unsigned``: the candidate has refused past reasoning."""
        upstream = self.call.format
        if candidate.provider is not None and not candidate.origin:
            upstream = candidate.provider.format
        if self.call.operation == "count" and upstream != self.call.format:
            await self._ending.estimate(sink)
            return None
        try:
            bridge, wire = self._rendered(candidate, upstream, "proven" if unsigned else "told")
            if unsigned and self._sent is not None and wire.body == self._sent.body:
                bridge, wire = self._rendered(candidate, upstream, "none")
        except TranslationError as error:
            failure = hub.Failure("invalid_request", str(error), error.status_hint)
            # A target that needs no translation may still take what we could not read.
            kind = "unsupported" if more or isinstance(error, Unsupported) else "status"
            return self._judge(candidate, Outcome(kind, failure.status, failure), tries, more=more)
        self._sent = wire
        request = dial(self.call, candidate, wire, bridge.untouched, self._snapshot)
        waited = self.record.waited
        entry = await self._entered(candidate, more=more)
        if entry is None:
            return Verdict("next-account", reason="sent on")
        with closing(entry):
            held = self._reserved(candidate)
            if isinstance(held, BudgetBlock):
                return await self._over(candidate, held, sink)
            attempt = self._begin(candidate, upstream, request, held)
            attempt.waited = self.record.waited - waited
            self._standing.began(candidate)
            verdict: Verdict | None = None
            try:
                outcome = await self._send_on(entry, request, attempt, bridge, sink)
                if outcome is not None:
                    verdict = self._judge(candidate, outcome, tries, more=more, unsigned=unsigned, entry=entry)
                return verdict
            finally:
                self._standing.ended(candidate, bridge.usage)
                self._race.ended(candidate, time.time() - attempt.started)
                self._end(attempt, bridge, verdict, held)

    def _rendered(self, candidate: Candidate, upstream: str, trust: Trust) -> tuple[Bridge, WireRequest]:
        """The call as the candidate gets it, and the bridge that reads its answer."""
        limit = self.plan.max_tokens
        asked = shape(self.call.wire, self.call.format, orders(self.call, candidate, limit, self._snapshot.governance))
        profile, home = bounded(candidate.profile, limit), self._home()
        bridge = self._resume.bridge(
            candidate, upstream, profile=profile, memory=self._memory, wire=asked, home=home, trust=trust
        )
        bridge.echoes_model = True
        return bridge, bridge.request(asked, None if candidate.origin else candidate.model)

    async def _send_on(
        self, entry: Entry, request: Dial, attempt: AttemptRecord, bridge: Bridge, sink: Recorder
    ) -> Outcome | None:
        """The upstream call up to its last byte; the outcome when it failed before the commit, else None."""
        candidate = entry.candidate
        timeouts = candidate.timeouts(self._snapshot.timeouts)
        patience = timeouts.first_event if self.call.streaming else timeouts.whole
        try:
            async with asyncio.timeout(patience) as limit:
                answer = await self._upstreams.open(request, connect=timeouts.connect, idle=timeouts.idle)
                async with answer:
                    attempt.status = answer.status
                    attempt.response_headers = header_rules.redact(answer.headers)
                    entry.heard(good=answer.status < 300)
                    if answer.status < 300:
                        self._standing.learned(candidate, answer.status, answer.headers, None, time.time())
                    hidden = {
                        *header_rules.secret_values(request.headers, request.secrets),
                        *header_rules.secret_values(self.call.headers),  # a tool may have said its own key to the model
                    }
                    reading = Reading(answer, bridge, attempt, self._snapshot.limits, tuple(hidden))
                    outcome = await reading.hold(self.call.operation)
                    if outcome.kind != "ok":
                        if outcome.failure is not None:
                            said = verdicts.dated(outcome.failure, time.time())
                            self._standing.learned(candidate, answer.status, answer.headers, said, time.time())
                        if outcome.kind == "status":
                            self._ending.answered(candidate, reading.error(candidate))
                        return outcome
                    await self._race.claim(candidate, time.time() - attempt.started)
                    limit.reschedule(None)
                    self._standing.succeeded(candidate)
                    self._standing.chosen(self.plan, candidate)
                    attempt.used = True
                    return await self._deliver(candidate, reading, sink)
        except UpstreamError as error:
            return Outcome(error.kind, failure=hub.Failure("cut" if error.kind == "cut" else "server", f"{error}", 502))
        except UnknownEncodingError as error:
            return Outcome("not-format", attempt.status, hub.Failure("server", f"{error}", 502))
        except TimeoutError:
            if attempt.used:
                raise
            return Outcome("timeout-first", failure=hub.Failure("timeout", f"no answer within {patience:g} s", 504))

    def _home(self) -> str | None:
        """Who has signed what the client holds: its own provider; None at the gateway, which is nobody's."""
        provider = self._snapshot.providers.get(self.call.provider or "")
        return None if provider is None else provider.signer(self.call.model)

    def _judge(
        self,
        candidate: Candidate,
        outcome: Outcome,
        tries: int,
        *,
        more: bool,
        unsigned: bool = False,
        entry: Entry | None = None,
    ) -> Verdict:
        failure = verdicts.dated(outcome.failure or verdicts.failure_of(outcome), time.time())
        failure = self._standing.dated(candidate, failure, time.time())
        outcome = Outcome(
            outcome.kind,
            outcome.status,
            failure,
            retry_after=failure.retry_after,
            attempts_on_candidate=tries,
            more_candidates=more,
            unsigned=unsigned,
        )
        if candidate.origin and outcome.kind == "status" and outcome.status == 401:
            # The tool refreshes its own login when it sees its provider's 401; another target would hide it.
            self._ending.failed(candidate, failure)
            return Verdict("give-up", "none", 0, "the tool's own login was refused", None)
        verdict = self._resume.instead(candidate, outcome, judge(outcome, self._snapshot.limits))
        again = candidate.place and once_more(verdict, tries, candidate.place.settings, self._snapshot.limits)
        if verdict.scope == "target":
            more = self._elsewhere(candidate)
        if outcome.kind not in PROXY_FAULTS:  # they tell nothing of the provider
            self._standing.failed(entry, candidate, again or verdict, failure, time.time(), more=more)
        self._ending.failed(candidate, failure)
        return again or verdict

    def _elsewhere(self, candidate: Candidate) -> bool:
        """Whether another target can be tried, not only another account of this one."""
        return any(other.target_key != candidate.target_key for other in self._others)

    async def _deliver(self, candidate: Candidate, reading: "Reading", sink: "Recorder") -> Outcome | None:
        """From the commit to the last byte; the outcome when it failed and another is to go on."""
        if not sink.started:
            sink.start(reading.answer.status, reading.response_headers(candidate))
        bridge = reading.bridge
        shaping = self._snapshot.governance.shaping
        for chunk in sanitized(reading, self.call, candidate, shaping):
            await sink.write(chunk)
        self._told = bridge.finished
        failure: hub.Failure | None = None
        try:
            async with aclosing(progress.rest(reading, self.call, shaping)) as rest:
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
        failure = reading.discreet(failure or bridge.failure)
        self.record.usage = self._resume.total(bridge.usage)
        if failure is None or bridge.finished:
            self.record.outcome = "done"
            sink.finish()
            return None
        if failure.message != STOPPED and (outcome := await self._resume.broke_off(bridge, failure, sink)) is not None:
            return outcome
        await self._break(reading, failure, sink)
        return None

    async def _break(self, reading: Reading, failure: hub.Failure, sink: Recorder) -> None:
        """The client's stream ends in an error."""
        self.record.outcome = f"broken after the first byte: {failure.message}"
        if reading.mute:
            sink.abort()
            return
        await sink.write(reading.bridge.fail(failure))
        sink.finish()

    # ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _reserved(self, candidate: Candidate) -> Reservation | BudgetBlock:
        """The most that an attempt may cost, or the budget that has no room for it."""
        body, limit = self.call.wire.body, self.plan.max_tokens
        return self._standing.money.reserve(candidate, self._ask, time.time(), body=body, limit=limit)

    async def _over(self, candidate: Candidate, block: BudgetBlock, sink: Recorder) -> Verdict | None:
        """A budget has no room: it refuses the call, or leaves the candidate out."""
        now = time.time()
        self.record.excluded += (f"{candidate.target}: budget {block.name}: {block.words}",)
        self.record.decision = without_room(self.record.decision or {}, candidate, block)
        if block.on_exceed == "deny" and not self._race.running:
            await self._ending.refuse(sink, verdicts.denied(block, now))
            return None
        self._ending.failed(candidate, verdicts.left_out(block, now))
        return Verdict("next-account", reason=block.words)

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, candidate: Candidate, upstream: str, call: Dial, held: Reservation) -> AttemptRecord:
        number, limit = len(self.record.attempts) + 1, self._snapshot.view.max_body
        attempt = attempt_record(self.call, candidate, upstream, call, number=number, limit=limit, reserved=held.micro)
        self.record.attempts.append(attempt)
        self._tell(self._observer.attempt_started, self.record, attempt, call)
        return attempt

    def _end(self, attempt: AttemptRecord, bridge: Bridge, verdict: Verdict | None, held: Reservation) -> None:
        attempt.ended = time.time()
        attempt.usage, attempt.stop, attempt.losses = bridge.usage, bridge.stop, tuple(bridge.losses)
        if attempt.used:
            self.record.usage = self._resume.total(bridge.usage)
            if self._told and self.record.outcome == "running":
                self.record.outcome = "done"  # e.g. Codex cancels the stream at response.completed
            attempt.outcome = self._resume.outcome(verdict)
        elif verdict is not None:
            attempt.outcome = f"{verdict.reason} → {verdict.action.replace('-', ' ')}"
        else:
            attempt.outcome = OVERTAKEN if self._race.overtaken else CANCELLED
        left = verdict is None and not attempt.used
        self._tell(self._standing.money.settle, held, attempt, self._ask, left=left)
        if verdict is not None and attempt.used:
            self._resume.keep(bridge, attempt)
        self._tell(self._observer.attempt_ended, self.record, attempt)

    @staticmethod
    def _tell[**P](tell: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """An observer that fails must not cost the client its answer."""
        try:
            tell(*args, **kwargs)
        except Exception:
            logger.exception("an exchange could not be shown")
