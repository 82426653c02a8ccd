"""What the client of one exchange is told when no target has answered it: always an answer of its own format.

That is the upstream's own error where another target would not help, else the most hopeful of all failures. Where a
stream has begun and nobody goes on with it, it is the error that it broke off with, whatever was tried since.
"""

import time

from omniroute_addon.accounts.health import Health
from omniroute_addon.engine import verdicts
from omniroute_addon.engine.call import Call, Recorder
from omniroute_addon.engine.resume import Resume
from omniroute_addon.ledger import ExchangeRecord
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.plan import Plan
from translators import FORMATS, TranslationError, WireResponse, hub


class Ending:
    """Of one exchange."""

    def __init__(self, call: Call, record: ExchangeRecord, resume: Resume) -> None:
        self.failures: list[tuple[Candidate, hub.Failure]] = []
        """Why each candidate has not answered, in order."""
        self._call = call
        self._format = FORMATS[call.format]
        self._record = record
        self._resume = resume
        self._answers: list[tuple[Candidate, WireResponse]] = []

    def anew(self) -> None:
        """Somebody else is asked: errors of those before are no longer the last word."""
        self._answers.clear()

    def answered(self, candidate: Candidate, error: WireResponse) -> None:
        """A candidate has answered with an error, here in the client's format."""
        self._answers.append((candidate, error))

    def failed(self, candidate: Candidate, failure: hub.Failure) -> None:
        self.failures.append((candidate, failure))

    async def give_up(self, sink: Recorder, candidate: Candidate) -> None:
        """The error of the candidate, after which nobody else is asked."""
        if self._resume.waiting:
            await self._resume.give_up(sink, self._record)
            return
        failure = next(failure for one, failure in reversed(self.failures) if one is candidate)
        error = next((error for one, error in self._answers if one is candidate), None)
        await send(sink, error or self._format.render_error(failure))
        self._record.outcome = f"failed: {failure.message}"

    async def exhausted(self, sink: Recorder, plan: Plan, health: Health) -> None:
        """Nobody is left to be asked."""
        if self._call.operation == "count":
            await self.estimate(sink)
            return
        own = all(candidate.origin for candidate, _ in self.failures) and not plan.excluded
        if own and self._answers:
            await self.give_up(sink, self._answers[-1][0])
            return
        await self.refuse(sink, verdicts.exhausted(plan, self.failures, health, time.time()))

    async def estimate(self, sink: Recorder) -> None:
        """Token counting for a target that has no such call: an estimate in the client's format."""
        try:
            request = self._format.parse_request(self._call.wire)
        except TranslationError as error:
            await self.refuse(sink, hub.Failure("invalid_request", str(error), error.status_hint))
            return
        await send(sink, verdicts.estimate(self._call.format, request))
        self._record.outcome = "done"

    async def refuse(self, sink: Recorder, failure: hub.Failure) -> None:
        """An error of our own, in the client's format."""
        if self._resume.waiting:
            await self._resume.give_up(sink, self._record)
            return
        self._record.outcome = f"failed: {failure.message}"
        await send(sink, self._format.render_error(failure))


async def send(sink: Recorder, response: WireResponse) -> None:
    sink.start(response.status, [*response.headers.items(), ("content-length", str(len(response.body)))])
    await sink.write(response.body)
    sink.finish()
