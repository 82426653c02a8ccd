"""The exchange of a call that is answered here: no plan, no attempt, one answer, and a record like any other's."""

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine import bypass
from omniroute_addon.engine.answered import AnsweredHere
from omniroute_addon.engine.call import Call, Observer, Recorder
from omniroute_addon.engine.records import exchange_record
from omniroute_addon.ledger.decision import asked
from omniroute_addon.ledger.record import BYPASSED
from omniroute_addon.routing.ask import Ask
from translators import FORMATS, TranslationError, hub


class Bypassed(AnsweredHere):
    def __init__(self, call: Call, canned: bypass.Canned, snapshot: Snapshot, observer: Observer, ask: Ask) -> None:
        self._canned = canned
        route = f"bypass.{canned.kind}"
        record = exchange_record(
            call, ask, snapshot, {"route": route, "ask": asked(ask)}, route=route, session=ask.facts.glimpse().session
        )
        super().__init__(call, record, observer)

    async def _answer(self, recorder: Recorder) -> None:
        outcome = BYPASSED
        try:
            response = bypass.answer(self.call, self._canned)
        except TranslationError as error:
            failure = hub.Failure("invalid_request", str(error), error.status_hint)
            outcome = f"failed: {error}"
            response = FORMATS[self.call.format].render_error(failure)
        recorder.start(response.status, [*response.headers.items(), ("content-length", f"{len(response.body)}")])
        await recorder.write(response.body)
        recorder.finish()
        self.record.outcome = outcome
