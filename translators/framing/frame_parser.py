"""A stream parser that reads frame by frame, so that a breach of the format costs nothing that came before it.

What can be read of the bytes of one ``feed`` is returned, and the error waits for the next call, be it an empty
``feed`` or ``close``. So the events and the error are the same however the bytes were cut. The decoders of this folder
deal with their frames in the same way.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from translators.errors import FormatError
from translators.hub import Event


class FrameParser[Frame](ABC):
    _breach: FormatError | None = None

    def feed(self, data: bytes) -> list[Event]:
        self._check()
        events: list[Event] = []
        try:
            for frame in self._decode(data):
                self._take(frame, events)
            self._decode(b"")
        except FormatError as error:
            self._breach = error
            if not events:
                raise
        return events

    def close(self) -> list[Event]:
        self._check()
        events: list[Event] = []
        self._end(events)
        return events

    def _check(self) -> None:
        if self._breach is not None:
            raise self._breach

    @abstractmethod
    def _decode(self, data: bytes) -> Sequence[Frame]:
        """The frames that end in ``data``. An empty piece asks for an error that the decoder has kept back."""

    @abstractmethod
    def _take(self, frame: Frame, events: list[Event]) -> None:
        """Adds the events of one frame."""

    @abstractmethod
    def _end(self, events: list[Event]) -> None:
        """Adds what the end of the stream brings."""
