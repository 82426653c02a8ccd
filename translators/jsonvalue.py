"""JSON text ↔ values, for every format alike.

orjson does the work. The standard library stands in where orjson would change a value or refuses one that the wire may
carry: integers beyond 64 bits, and text that a client cut inside an emoji, which leaves half a surrogate pair. What is
no JSON number (``NaN``, ``Infinity``, ``1e999``) and what is nested beyond any sense is refused: what is read here can
be written again.
"""

import json
import re
from typing import Final, NoReturn, cast

import orjson

from translators.errors import FormatError
from translators.hub import JSON
from translators.jsontext import MISSING, taken

DEPTH: Final = 254
"""Levels of nesting, as many as orjson writes. Whoever walks a value by recursion stays far from the end of the stack."""

_DIGITS_TO_ZERO: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_RUN: Final = b"0" * 19
_BEFORE_NUMBER: Final = b" \t\n\r\x0b\x0c:,[-"
"""Not a letter or a quote, as in an id."""
_NESTING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{}]', re.DOTALL)


def read(data: bytes | str, what: str, status_hint: int = 400) -> JSON:
    """Raises FormatError; ``what`` names the document in its message."""
    raw = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    value: JSON
    try:
        if not _has_long_integer(raw):
            try:
                seen = taken(raw)
                value = cast("JSON", orjson.loads(raw)) if seen is MISSING else seen
                if raw.count(b"{") + raw.count(b"[") > DEPTH:
                    orjson.dumps(value)  # the quickest way to learn of too many levels: a TypeError
            except (orjson.JSONDecodeError, TypeError):
                pass
            else:
                return value
        _check_depth(raw, what, status_hint)
        return cast("JSON", json.loads(raw, parse_constant=_no_constant, parse_float=_finite))
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(
            f"{what} is not JSON: {error}; it starts with {raw[:80]!r}", status_hint=status_hint
        ) from error


def write(value: JSON) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # half an emoji, an integer beyond 64 bits, more than 254 levels
        return json.dumps(value, separators=(",", ":")).encode()


def _has_long_integer(raw: bytes) -> bool:
    zeros = raw.translate(_DIGITS_TO_ZERO)
    place = zeros.find(_LONG_RUN)
    while place >= 0:
        if place == 0 or raw[place - 1] in _BEFORE_NUMBER:
            return True
        place = zeros.find(_LONG_RUN, place + len(_LONG_RUN))
    return False


def _check_depth(raw: bytes, what: str, status_hint: int) -> None:
    """Counts levels in the text, since reading it could end the stack."""
    level = 0
    for bracket in _NESTING.finditer(raw):
        match bracket[0]:
            case b"{" | b"[":
                level += 1
                if level > DEPTH:
                    place = bracket.start()
                    message = (
                        f"{what} is nested more than {DEPTH} levels deep at byte {place}, behind "
                        f"{raw[max(place - 60, 0) : place]!r}; leave that part out or send it as a string"
                    )
                    raise FormatError(message, status_hint=status_hint)
            case b"}" | b"]":
                level -= 1
            case _:  # a string
                pass


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large a number")
    return number
