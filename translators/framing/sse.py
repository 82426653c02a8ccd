"""Server-sent events: bytes in any split → events, and events → bytes.

Follows the WHATWG event-stream grammar (CR, LF and CRLF end a line, a blank line ends an event, comments are skipped,
one byte-order mark is allowed), with one difference: an event that the end of the stream cuts off is still handed out
by :meth:`SSEDecoder.close`, because several providers leave out the last blank line. And where a format wants it, an
object that stands bare between events is one: Google's SDKs know errors in the middle of a stream in no other form.

Lines are consumed as they come, so only an unfinished line is ever kept, as the chunks it came in: no byte is scanned
or copied more than twice, however the stream is cut.
"""

from dataclasses import dataclass

from translators.errors import FormatError

MAX_EVENT = 32 * 1024 * 1024
"""Bytes of one event; more is an attack or a broken peer."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SSEEvent:
    event: str | None
    """The value of the ``event`` field; None when the event has none."""
    data: str
    """The ``data`` lines, joined with line feeds."""


class SSEDecoder:
    """Raises FormatError for bytes that are not UTF-8 and for events beyond ``max_event``.

    The events before such a breach are returned, and the next call raises.
    """

    def __init__(self, max_event: int = MAX_EVENT, *, bare: bool = False) -> None:
        """``bare``: lines from one that begins with a brace to the next blank one are the data of an event."""
        self._breach: FormatError | None = None
        self._max_event = max_event
        self._bare = bare
        self._inside = False
        """A bare object has begun."""
        self._line: list[bytes] = []
        self._size = 0
        self._event: str | None = None
        self._data: list[bytes] = []
        self._data_size = 0
        self._at_start = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[SSEEvent]:
        if self._breach is not None:
            raise self._breach
        events: list[SSEEvent] = []
        try:
            lines = self._lines(data)
            may_be_large = self._size > self._max_event
            for line in lines:
                if may_be_large:
                    self._size = self._data_size + len(line)
                    self._check_size()
                self._take(line, events)
            if lines:
                self._size = self._data_size + sum(map(len, self._line))
            self._check_size()
        except FormatError as error:
            self._breach = error
            if not events:
                raise
        return events

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that end in ``data``; what stands behind them is kept."""
        if self._at_start:
            data = self._skip_mark(data)
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return []
        self._size += len(data)
        if b"\n" not in data and b"\r" not in data:
            self._line.append(data)
            return []
        if self._line:
            self._line.append(data)
            data = b"".join(self._line)
            self._line.clear()
        lines = data.splitlines()
        self._after_cr = data.endswith(b"\r")
        if not self._after_cr and not data.endswith(b"\n"):
            self._line.append(lines.pop())
        return lines

    def close(self) -> list[SSEEvent]:
        """What the end of the stream cut off: an event without its blank line, its last line perhaps not whole."""
        if self._breach is not None:
            raise self._breach
        events: list[SSEEvent] = []
        line = b"".join(self._line)
        self._line.clear()
        if line:
            self._take(line, events)
        self._take(b"", events)
        return events

    def _skip_mark(self, data: bytes) -> bytes:
        data = b"".join((*self._line, data))
        self._line.clear()
        self._size = 0
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._line.append(data)
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)

    def _take(self, line: bytes, events: list[SSEEvent]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            self._data_size += len(line)
        elif not line:
            if self._data:
                events.append(SSEEvent(self._event, _decode(b"\n".join(self._data))))
                self._data.clear()
                self._data_size = 0
            self._event = None
            self._inside = False
        elif self._inside or (self._bare and line.startswith(b"{")):
            self._inside = True
            self._data.append(line)
            self._data_size += len(line)
        elif line.startswith(b"event:"):
            self._event = _decode(line[7:] if line.startswith(b"event: ") else line[6:])
        elif line == b"data":
            self._data.append(b"")

    def _check_size(self) -> None:
        if self._size > self._max_event:
            raise FormatError(f"an event of the stream is larger than {self._max_event} bytes", status_hint=502)


def encode(data: bytes | str, event: str | None = None) -> bytes:
    """One event; ``data`` may have several lines."""
    if isinstance(data, str):
        data = data.encode()
    head = b"event: " + event.encode() + b"\n" if event is not None else b""
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(data.splitlines() or [b""])
    return head + b"data: " + data + b"\n\n"


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"the event {data[:80]!r} is not UTF-8: {error.reason}", status_hint=502) from error
