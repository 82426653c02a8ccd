"""A stream that broke off behind its first byte, gone on with at the next target, where the rules want that.

``on_midstream_failure: resume`` stands in a route, a combo or ``combo_defaults``; the nearest holds. ``translators.resume``
has what that means for requests and events; here is what it means for one exchange: which bridge an attempt gets, what
the answer has used so far, and how the stream ends when nobody goes on. Every upstream call is an attempt of its own,
with its own usage and cost; the client is told the sum.
"""

from collections.abc import Mapping
from dataclasses import replace

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.call import Call, Recorder
from omniroute_addon.engine.verdict import Outcome, OutcomeKind, Verdict
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.record import BROKE_OFF, RESUMED
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.plan import Plan
from translators import WireRequest, hub
from translators import bridge as make_bridge
from translators.bridge import Bridge
from translators.format import Profile
from translators.memory import Memory
from translators.resume import Continuation, Resumable, resumable, together
from translators.signatures import Trust

_KINDS: Mapping[hub.FailureKind, OutcomeKind] = {"cut": "cut", "timeout": "timeout-idle"}


class Resume:
    """Of one exchange."""

    def __init__(self, call: Call, plan: Plan, snapshot: Snapshot) -> None:
        self._call = call
        self._general = snapshot.governance.combo_defaults.on_midstream_failure
        route = next((one for one in snapshot.routes if one.name == plan.route), None)
        self._of_route = None if route is None else route.on_midstream_failure
        self._past: Resumable | None = None
        self._spent = hub.Usage()
        self._last: Bridge | None = None
        self._refuses: set[str] = set()
        """Targets that take no assistant turn as the last one."""

    @property
    def waiting(self) -> bool:
        """The client has a beginning, and nobody is going on with it yet."""
        return self._past is not None

    def _wanted(self, candidate: Candidate) -> bool:
        if not self._call.streaming or self._call.operation != "generate":
            return False
        of_combo = self._general if candidate.place is None else candidate.place.settings.on_midstream_failure
        return (self._of_route or of_combo) == "resume"

    def bridge(
        self,
        candidate: Candidate,
        upstream: str,
        *,
        profile: Profile,
        memory: Memory,
        wire: WireRequest,
        home: str | None,
        trust: Trust,
    ) -> Bridge:
        """The bridge of an attempt, as :func:`translators.bridge`; one that may be gone on with, or goes on, if wanted."""
        client, origin, made = self._call.format, candidate.signer, None
        if self._past is not None or self._wanted(candidate):
            made = resumable(
                client,
                upstream,
                profile=profile,
                memory=memory,
                wire=wire,
                origin=origin,
                home=home,
                trust=trust,
                after=self._past,
                spent=self._spent,
                prefill=candidate.target_key not in self._refuses,
            )
        self._last = made or make_bridge(
            client, upstream, profile=profile, memory=memory, wire=wire, origin=origin, home=home, trust=trust
        )
        return self._last

    async def broke_off(self, bridge: Bridge, failure: hub.Failure, sink: Recorder) -> Outcome | None:
        """The answer has failed behind its first byte: the outcome when another may go on with it."""
        if not isinstance(bridge, Resumable):
            return None
        if tail := bridge.suspend(failure):
            await sink.write(tail)
        if not bridge.continuable:
            return None
        return Outcome(_KINDS.get(failure.kind, "error-event"), failure=failure)

    def instead(self, candidate: Candidate, outcome: Outcome, verdict: Verdict) -> Verdict:
        """What a verdict on an attempt that goes on comes to: nobody is told that the request is at fault."""
        if self._past is None or verdict.action == "retry-unsigned":
            return verdict
        kind = outcome.failure.kind if outcome.failure is not None else None
        if isinstance(self._last, Continuation) and self._last.prefilled and kind == "invalid_request":
            self._refuses.add(candidate.target_key)
            return Verdict("retry", reason=verdict.reason)
        return replace(verdict, action="next-target") if verdict.action == "give-up" else verdict

    def total(self, usage: hub.Usage) -> hub.Usage:
        """The usage of the whole answer, when the running attempt has used so much."""
        return usage if self._past is None else together(self._spent, usage)

    def outcome(self, verdict: Verdict | None) -> str:
        """Of an attempt of whose answer the client has got something."""
        word = RESUMED if self._past is not None else "used"
        return word if verdict is None else f"{word} {BROKE_OFF}: {verdict.reason}"

    def keep(self, bridge: Bridge, attempt: AttemptRecord) -> None:
        """An attempt has ended that another may go on with."""
        if isinstance(bridge, Resumable) and bridge.continuable:
            self._spent = together(self._spent, attempt.usage)
            self._past = bridge

    async def give_up(self, sink: Recorder, record: ExchangeRecord) -> None:
        """Nobody goes on: the client's stream ends in the error that it broke off with."""
        assert self._past is not None
        failure = self._past.held or hub.Failure("cut", "the answer broke off", 502)
        record.outcome = f"broken after the first byte: {failure.message}"
        await sink.write(self._past.fail(failure))
        sink.finish()
