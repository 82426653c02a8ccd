"""Reads an answer stream at a fraction of what parsing costs, and learns the same.

Nearly all bytes of a stream are events that say a little more of one text, and differ in that text alone. So the first
such event that the parser understands is kept as a :class:`_Shape`: its bytes, with holes for the text and for the few
numbers that change every time (running token counts, sequence numbers). The events behind it that fit the shape byte by
byte are joined: the last of them, with all their texts in its hole, goes to the parser in place of them all. What fits
no shape, for whatever reason (another order, white space, a broken string), goes to the parser as it came.

After each ``feed`` the parser has seen every event, so usage, stop, failure and the outline of the parts are exactly
those of a parser that got the stream itself; only the cuts between text deltas differ. Nothing waits for what has not
come: texts are joined that one ``feed`` has brought, and no others.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from translators import hub
from translators.errors import FormatError
from translators.format import StreamParser

MAX_KEPT = 4096
"""Bytes of an unfinished event that may wait for its end; a longer one goes to the parser in pieces."""
MAX_JOINED = 1 << 20
"""Bytes of events that are joined into one, where nobody else sees it."""
_FUTILE = 32
"""How many more shapes may be learned than events were joined: a stream in which no event is like another costs more."""

_BLANK = re.compile(rb"\n\r?\n")
"""The end of an event. Lone carriage returns end events, too; there, several events are taken for one."""
_ESCAPE = (
    rb'\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    rb"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_TEXT = re.compile(rb'(?!\{)[^"\\\x00-\x1f]*+(?:' + _ESCAPE + rb'[^"\\\x00-\x1f]*+)*+')
"""Sound on its own, so that joining cannot repair what is broken. Not from ``{`` on: some chat servers repeat all
arguments of a tool call in one piece, which is to be seen alone."""
_COUNT = re.compile(rb"[1-9][0-9]{0,14}")
"""A zero stays a literal, because it may mean that nothing is reported."""
_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:\s*)?')
_COUNTED = re.compile(rb"created|sequence_number|\w*[tT]oken\w*")
"""Members whose numbers may change: the latest holds, or nobody reads it."""
_PADDING = b"obfuscation"

type _Find = Callable[[bytes, int], re.Match[bytes] | None]


@dataclass(frozen=True, slots=True)
class _Shape:
    head: bytes
    """Up to the first hole."""
    holes: tuple[tuple[_Find, bytes], ...]
    """What fits into a hole, and the literal behind it."""
    text: int
    """Which of the holes has the text."""

    def fit(self, data: bytes, at: int) -> tuple[int, int, int] | None:
        """Start and end of the text and the end of the event that begins at ``at``; None when it does not fit."""
        if not data.startswith(self.head, at):
            return None
        at += len(self.head)
        begin = end = 0
        for number, (find, literal) in enumerate(self.holes):
            found = find(data, at)
            stop = found.end() if found else -1
            if stop < 0 or not data.startswith(literal, stop):
                return None
            if number == self.text:
                begin, end = at, stop
            at = stop + len(literal)
        return begin, end, at


class Listener:
    def __init__(self, parser: StreamParser, max_joined: int = MAX_JOINED) -> None:
        self._parser = parser
        self._max_joined = max_joined
        self._shape: _Shape | None = None
        self._kept = b""
        self._inside = False
        """The parser has the beginning of an event, whose end has not come yet."""
        self._carry = b""
        """The last bytes of that beginning."""
        self.shapes = 0
        """How many were learned."""
        self._joined = 0
        self._error: FormatError | None = None

    def feed(self, data: bytes) -> list[hub.Event]:
        """Raises what the parser raises, in the next call where events came before the error."""
        if self._error is not None:
            raise self._error
        events: list[hub.Event] = []
        try:
            self._read(data, events)
        except FormatError as error:
            if not events:
                raise
            self._error = error
        return events

    def _read(self, data: bytes, events: list[hub.Event]) -> None:
        if self._inside:
            size = self._rest(data)
            events += self._parser.feed(data[:size])
            data = data[size:]
        if self._kept:
            data, self._kept = self._kept + data, b""
        at = 0
        while at < len(data):
            if self._shape is not None:
                at = self._skip(self._shape, data, at, events)
            blank = _BLANK.search(data, at)
            if blank is None:
                break
            event = data[at : blank.end()]
            at = blank.end()
            said = self._parser.feed(event)
            self._shape = self._learn(event, said)
            events += said
        self._keep(data[at:], events)
        events += self._parser.feed(b"")  # asks for the error that it may have kept back

    def close(self) -> list[hub.Event]:
        if self._error is not None:
            raise self._error
        kept, self._kept = self._kept, b""
        return (self._parser.feed(kept) if kept else []) + self._parser.close()

    def _rest(self, data: bytes) -> int:
        """How many bytes of ``data`` belong to the event that the parser has begun."""
        seen = self._carry + data
        blank = _BLANK.search(seen)
        if blank is None:
            self._carry = seen[-2:]
            return len(data)
        self._inside = False
        return blank.end() - len(self._carry)

    def _keep(self, tail: bytes, events: list[hub.Event]) -> None:
        """A beginning that may turn out to fit the shape waits; any other goes to the parser at once."""
        shape = self._shape
        if not tail:
            return
        if shape is not None and len(tail) <= MAX_KEPT and (tail.startswith(shape.head) or shape.head.startswith(tail)):
            self._kept = tail
            return
        events += self._parser.feed(tail)
        self._inside, self._carry, self._shape = True, tail[-2:], None

    def _skip(self, shape: _Shape, data: bytes, at: int, events: list[hub.Event]) -> int:
        """Joins the events from ``at`` on that fit; where the first other one begins."""
        first = start = at
        begin = end = 0
        pieces: list[bytes] = []
        while at - first < self._max_joined and (fits := shape.fit(data, at)):
            start, (begin, end, at) = at, fits
            pieces.append(data[begin:end])
        if not pieces:
            return at
        if len(pieces) > 1 and _sound(text := b"".join(pieces), pieces):
            said = self._parser.feed(b"".join((data[start:begin], text, data[end:at])))
        elif len(pieces) > 1:
            self._shape = None
            for line in data[first:at].splitlines(keepends=True):
                events += self._parser.feed(line)
            return at
        else:
            said = self._parser.feed(data[first:at])
        self._joined += len(pieces)
        if _said(said) is None:
            self._shape = None
        events += said
        return at

    def _learn(self, event: bytes, said: Sequence[hub.Event]) -> _Shape | None:
        """The shape of an event that only says more of a text; None for any other."""
        text = _said(said)
        if not text or self.shapes > self._joined + _FUTILE:
            return None
        self.shapes += 1
        return _shape(event, text)


def _said(events: Sequence[hub.Event]) -> str | None:
    """The text of events that only say more of one; None when they say anything else."""
    text: str | None = None
    for event in events:
        match event:
            case hub.PartDelta(_, hub.TextDelta(piece) | hub.ArgumentsDelta(piece)) if text is None:
                text = piece
            case hub.UsageReported():
                pass
            case _:
                return None
    return text


def _sound(text: bytes, pieces: Sequence[bytes]) -> bool:
    """Whether each piece is UTF-8 by itself."""
    if text.isascii():
        return True
    try:
        for piece in pieces:
            piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shape(event: bytes, text: str) -> _Shape | None:
    """None when the text does not stand in the event as one string, or as more than one."""
    holes: list[tuple[int, int, _Find]] = []
    text_hole: int | None = None
    key = b""
    for token in _TOKEN.finditer(event):
        string, colon = token.groups()
        if _value(string) == text:
            if colon or text_hole is not None:
                return None
            text_hole = len(holes)
            holes.append((*token.span(1), _TEXT.match))
        elif not colon and key == _PADDING:
            holes.append((*token.span(1), _TEXT.match))
        key = string if colon else b""
        if colon and _COUNTED.fullmatch(string) and (count := _COUNT.match(event, token.end())):
            holes.append((*count.span(), _COUNT.match))
    if text_hole is None:
        return None
    ends = [start for start, _, _ in holes[1:]] + [len(event)]
    literals = tuple((find, event[end:until]) for (_, end, find), until in zip(holes, ends, strict=True))
    return _Shape(event[: holes[0][0]], literals, text_hole)


def _value(string: bytes) -> str | None:
    try:
        return string.decode() if b"\\" not in string else str(orjson.loads(b'"' + string + b'"'))
    except (UnicodeDecodeError, orjson.JSONDecodeError):
        return None
