"""Reads and replaces one top-level member of a JSON object as text, so that every other byte stays as it was.

Values are skipped with the C scanner of the standard library; the walk stops as soon as the rest of the body does not
contain the name any more. A member that stands more than once is read as its last and replaced everywhere, because
servers differ in which one they take. Nothing here raises: what cannot be read is missing.
"""

import re
from collections.abc import Iterator
from enum import Enum
from json import JSONDecoder
from typing import Final, cast

import orjson

from translators.hub import JSON


class Missing(Enum):
    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""Stands for a member that is not there; ``null`` is None."""

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = JSONDecoder(strict=False)


def member(body: bytes, name: str) -> JSON | Missing:
    """The value of the top-level member ``name``; MISSING also when the body is no object or broken before it."""
    value: JSON | Missing = MISSING
    for last, _, _ in _members(_text(body), name):
        value = last
    return value


def replace_member(body: bytes, name: str, value: JSON) -> bytes | None:
    """``body`` with another value of the top-level member ``name``; None when there is no such member to be found."""
    text = _text(body)
    new = orjson.dumps(value).decode()
    pieces: list[str] = []
    position = 0
    for _, start, end in _members(text, name):
        pieces += text[position:start], new
        position = end
    if not pieces:
        return None
    return "".join((*pieces, text[position:])).encode(errors="surrogateescape")


def _text(body: bytes) -> str:
    """Any bytes as text from which the same bytes come back."""
    return body.decode(errors="surrogateescape")


def _members(text: str, name: str) -> Iterator[tuple[JSON, int, int]]:
    """Value, start and end of each top-level member of this name."""
    quoted = orjson.dumps(name).decode()
    position = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if not text.startswith("{", position):
        return
    try:
        mentioned = text.find(quoted, position)
        while mentioned >= 0:
            position = _skip(text, position + 1)
            if not text.startswith('"', position):
                return
            key, position = _DECODER.raw_decode(text, position)
            position = _skip(text, position)
            if not text.startswith(":", position):
                return
            start = _skip(text, position + 1)
            value, end = _DECODER.raw_decode(text, start)
            if key == name:
                yield cast("JSON", value), start, end
            position = _skip(text, end)
            if not text.startswith(",", position):
                return
            if mentioned < position:
                mentioned = text.find(quoted, position)
    except (ValueError, RecursionError):
        return


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
