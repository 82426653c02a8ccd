"""The exchange of a call that is answered here: no plan, no attempt, one answer, and a record like any other's."""

import asyncio
import logging
import time

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine import bypass
from omniroute_addon.engine.call import Call, ClientLeftError, Observer, Recorder, Sink
from omniroute_addon.engine.records import exchange_record
from omniroute_addon.ledger.decision import asked
from omniroute_addon.ledger.record import BYPASSED
from omniroute_addon.routing.ask import Ask
from translators import FORMATS, TranslationError, hub

logger = logging.getLogger(__name__)


class Bypassed:
    """Runs once, as an :class:`~omniroute_addon.engine.exchange.Exchange` does."""

    def __init__(self, call: Call, canned: bypass.Canned, snapshot: Snapshot, observer: Observer, ask: Ask) -> None:
        self.call = call
        self._canned = canned
        self._observer = observer
        route = f"bypass.{canned.kind}"
        self.record = exchange_record(
            call, ask, snapshot, {"route": route, "ask": asked(ask)}, route=route, session=ask.facts.glimpse().session
        )

    async def run(self, sink: Sink) -> None:
        """Answer the call."""
        recorder = Recorder(sink, self.record)
        try:
            try:
                response = bypass.answer(self.call, self._canned)
                self.record.outcome = BYPASSED
            except TranslationError as error:
                failure = hub.Failure("invalid_request", str(error), error.status_hint)
                self.record.outcome = f"failed: {error}"
                response = FORMATS[self.call.format].render_error(failure)
            recorder.start(response.status, [*response.headers.items(), ("content-length", f"{len(response.body)}")])
            await recorder.write(response.body)
            recorder.finish()
        except (asyncio.CancelledError, ClientLeftError):
            self.record.outcome = "client left"
            raise
        finally:
            self._ended()

    def abandon(self) -> None:
        """The client left before it was answered."""
        self.record.outcome = "client left"
        self._ended()

    def _ended(self) -> None:
        self.record.ended = time.time()
        try:
            self._observer.exchange_ended(self.record)
        except Exception:
            logger.exception("an exchange could not be shown")
