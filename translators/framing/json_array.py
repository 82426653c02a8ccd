"""A JSON array that grows over time (Gemini without ``alt=sse``): bytes in any split → the bytes of each element.

Only objects and arrays are elements. A stream that is one lone object counts as an array of it: errors come that way.
Nothing is parsed: brackets are counted outside of strings, one search per bracket or quote. What stands inside an
element is for its reader to judge; anything but white space and commas between elements is a FormatError, which waits
for the next call where elements came before it.
"""

import re

from translators.errors import FormatError

MAX_ELEMENT = 32 * 1024 * 1024
"""Bytes of one element; more is an attack or a broken peer."""

_STRUCTURE = re.compile(rb'["{}\[\]]')
_STRING_END = re.compile(rb'["\\]')
_BETWEEN = re.compile(rb"[\s,]*")


class JSONArrayDecoder:
    def __init__(self, max_element: int = MAX_ELEMENT) -> None:
        self._max_element = max_element
        self._element: list[bytes] = []
        self._size = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._opened = False
        self._complete = False
        self._breach: FormatError | None = None

    @property
    def complete(self) -> bool:
        """Whether the array has been closed by its bracket (or the lone object has ended)."""
        return self._complete

    def feed(self, data: bytes) -> list[bytes]:
        if self._breach is not None:
            raise self._breach
        elements: list[bytes] = []
        position = 0
        try:
            while position < len(data):
                position = self._advance(data, position, elements) if self._depth else self._enter(data, position)
        except FormatError as error:
            self._breach = error
            if not elements:
                raise
        return elements

    def close(self) -> list[bytes]:
        """Nothing: an element that was cut off is useless. Look at :attr:`complete`."""
        if self._breach is not None:
            raise self._breach
        self._element.clear()
        return []

    def _enter(self, data: bytes, position: int) -> int:
        """Between elements: go to where the next one starts."""
        between = _BETWEEN.match(data, position)
        position = between.end() if between else position
        if position == len(data):
            return position
        match data[position : position + 1]:
            case b"[" if not self._opened and not self._complete:
                self._opened = True
                return position + 1
            case b"]" if self._opened and not self._complete:
                self._complete = True
                return position + 1
            case b"{" | b"[" if not self._complete:
                self._depth = 1
                self._append(data[position : position + 1])
                return position + 1
            case _:
                raise FormatError(f"not a JSON array of objects at {data[position : position + 40]!r}", status_hint=502)

    def _advance(self, data: bytes, start: int, elements: list[bytes]) -> int:
        """Inside an element: go to its end, or to the end of ``data``."""
        position = start
        while position < len(data):
            if self._escaped:
                self._escaped = False
                position += 1
                continue
            found = (_STRING_END if self._in_string else _STRUCTURE).search(data, position)
            if found is None:
                break
            position = found.end()
            match found.group():
                case b'"':
                    self._in_string = not self._in_string
                case b"\\":
                    self._escaped = True
                case b"{" | b"[":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    if self._depth == 0:
                        self._append(data[start:position])
                        elements.append(b"".join(self._element))
                        self._element.clear()
                        self._size = 0
                        self._complete = not self._opened
                        return position
        self._append(data[start:])
        return len(data)

    def _append(self, piece: bytes) -> None:
        self._element.append(piece)
        self._size += len(piece)
        if self._size > self._max_element:
            raise FormatError(f"an element of the stream is larger than {self._max_element} bytes", status_hint=502)
