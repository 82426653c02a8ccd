"""A call that is answered here, without a plan's attempts: its one run, its end and its record."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from omniroute_addon.engine.call import Call, ClientLeftError, Observer, Recorder, Sink
from omniroute_addon.ledger import ExchangeRecord

logger = logging.getLogger(__name__)


class AnsweredHere(ABC):
    """Runs once, as an :class:`~omniroute_addon.engine.exchange.Exchange` does."""

    def __init__(self, call: Call, record: ExchangeRecord, observer: Observer) -> None:
        self.call = call
        self.record = record
        self._observer = observer

    async def run(self, sink: Sink) -> None:
        """Answer the call."""
        try:
            await self._answer(Recorder(sink, self.record))
        except (asyncio.CancelledError, ClientLeftError):
            if self.record.outcome == "running":
                self.record.outcome = "client left"
            raise
        finally:
            self._ended()

    @abstractmethod
    async def _answer(self, recorder: Recorder) -> None:
        """Write the answer, then set the record's outcome."""

    def abandon(self) -> None:
        """The client left before it was answered."""
        self.record.outcome = "client left"
        self._ended()

    def _ended(self) -> None:
        self.record.ended = time.time()
        self._tell(lambda: self._observer.exchange_ended(self.record))

    def _tell(self, event: Callable[[], None]) -> None:
        """What goes wrong with those who watch is no matter of the client's."""
        try:
            event()
        except Exception:
            logger.exception("an exchange could not be shown")
