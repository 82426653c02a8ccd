"""The bytes of one upstream answer, whether it is a stream or whole, as events.

The first bytes decide, not what was asked: ``{`` opens a whole answer, ``[`` a JSON array stream, ``data:`` or the like
server-sent events; the content type counts where these say nothing.

A parser keeps an error back until what came before it is out, so that a breach of the format costs nothing of that,
however the bytes were cut; an empty piece asks for the error.
"""

from typing import Literal

from translators import hub
from translators.errors import FormatError
from translators.fold import unfold
from translators.format import Format, StreamParser
from translators.listener import MAX_JOINED, Listener

MAX_WHOLE = 64 * 1024 * 1024
"""Bytes of a whole answer."""
MAX_TOLD = 24 * 1024
"""Bytes of events that may reach a client as one: a client that reads by lines bounds how long one may be."""

type Kind = Literal["unknown", "events", "array", "whole"]
"""How an answer comes: server-sent events, a growing JSON array, or one body."""


class Answer:
    """The bytes of one upstream answer → events, whether it is a stream or whole.

    Text deltas that come in one piece are joined. ``aside``: nobody else sees them, so that they may become large.
    """

    def __init__(self, wire_format: Format, *, aside: bool = False) -> None:
        self._format = wire_format
        self._max_joined = MAX_JOINED if aside else MAX_TOLD
        self._parser: StreamParser | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False
        self.kind: Kind = "unknown"
        self.broken: hub.Failure | None = None
        """Why what came cannot be read any further; nothing is read behind that."""

    def feed(self, chunk: bytes, content_type: str) -> list[hub.Event]:
        if self.broken is not None:
            return []
        if self._parser is not None:
            return self._read(self._parser, chunk)
        self._pieces.append(chunk)
        self._size += len(chunk)
        if self._size > MAX_WHOLE:
            self._break(f"it is larger than {MAX_WHOLE} bytes", "server")
            return []
        if self.kind == "unknown":
            self.kind = _kind(chunk, content_type)
        if self.kind in ("unknown", "whole"):
            return []
        self._parser = self._format.stream_parser()
        if self.kind == "events":
            self._parser = Listener(self._parser, self._max_joined)
        data = b"".join(self._pieces)
        self._pieces.clear()
        return self._read(self._parser, data)

    def close(self) -> list[hub.Event]:
        """Ends with ``Finished`` or ``Failed``, unless ``feed`` has returned it or the answer is broken."""
        if self._ended or self.broken is not None:
            return []
        try:
            return self._rest() if self._parser is None else self._until_end(self._parser.close())
        except FormatError as error:
            # A stream whose end cannot be read was cut; a whole answer is none at all.
            self._break(str(error), "server" if self.kind == "whole" else "cut")
            return []

    def _rest(self) -> list[hub.Event]:
        body = b"".join(self._pieces)
        self._pieces.clear()
        if not body.strip():
            return [hub.Failed(hub.Failure("cut", "the upstream sent an empty answer", 502))]
        failure = self._format.parse_error(200, {}, body)
        return [hub.Failed(failure)] if failure else unfold(self._format.parse_response(body))

    def _read(self, parser: StreamParser, data: bytes) -> list[hub.Event]:
        events: list[hub.Event] = []
        try:
            events += parser.feed(data)
            events += parser.feed(b"")
        except FormatError as error:
            events = self._until_end(events)
            if not self._ended:
                self._break(str(error), "server")
            return events
        return self._until_end(events)

    def _break(self, why: str, kind: hub.FailureKind) -> None:
        self.broken = hub.Failure(kind, f"the upstream's answer cannot be read: {why}", 502)

    def _until_end(self, events: list[hub.Event]) -> list[hub.Event]:
        """Nothing that comes after the end counts."""
        if self._ended:
            return []
        for number, event in enumerate(events):
            if isinstance(event, hub.Finished | hub.Failed):
                self._ended = True
                return events[: number + 1]
        return events


def _kind(chunk: bytes, content_type: str) -> Kind:
    start = chunk.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if not start:
        return "unknown"
    if start in (b"{", b"<"):
        return "whole"
    if start == b"[":
        return "array"
    kind = content_type.partition(";")[0].strip()
    return "whole" if kind.endswith(("json", "html")) and start not in b"deir:" else "events"
