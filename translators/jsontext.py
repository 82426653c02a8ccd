"""Reads, replaces and edits one member of a JSON object as text, so that every other byte stays as it was.

Values are skipped with the C scanner of the standard library; the walk stops as soon as the rest of the body does not
contain the name any more. A member that stands more than once is read as its last and replaced everywhere, because
servers differ in which one they take. Nothing here raises: what cannot be read is missing.

Of one call several ask one after the other (the model, whether to stream, what its records say of it), so the last body
is kept as it was parsed (``glance``). A plain value comes from there; what somebody might change is read anew.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from json import JSONDecoder
from threading import get_ident
from typing import Final, cast

import orjson

from translators.hub import JSON


class Missing(Enum):
    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""Stands for a member that is not there; ``null`` is None."""

GLANCED: Final = 1 << 20
"""Bytes of the longest body that is kept."""

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = JSONDecoder(strict=False)


_glanced: tuple[bytes, JSON | Missing, int] = (b"", MISSING, 0)
"""The body, its value, and the thread that it is for: what one thread changes is no other's to look at."""


def glance(body: bytes) -> JSON | Missing:
    """All of a body, only to be looked at: others get the same value. MISSING when orjson refuses it.

    Integers beyond 64 bits are numbers of another kind.
    """
    global _glanced  # noqa: PLW0603  one for all, since nobody hands a call's body from one to the other
    known, value, thread = _glanced
    if known is body and thread == get_ident():
        return value
    value = MISSING
    with suppress(orjson.JSONDecodeError):
        value = cast("JSON", orjson.loads(body))
    if len(body) <= GLANCED:
        _glanced = body, value, get_ident()
    return value


def taken(body: bytes) -> JSON | Missing:
    """What ``glance`` has parsed of the body, for the one who may change it from now on; MISSING where it has not."""
    global _glanced  # noqa: PLW0603  as above
    known, value, thread = _glanced
    if known is not body or thread != get_ident():
        return MISSING
    _glanced = b"", MISSING, 0
    return value


def member(body: bytes, name: str) -> JSON | Missing:
    """The value of the top-level member ``name``; MISSING also when the body is no object or broken before it."""
    whole = glance(body) if len(body) <= GLANCED else MISSING
    if isinstance(whole, dict):
        known = whole.get(name, MISSING)
        if not isinstance(known, dict | list | float):
            return known
    value: JSON | Missing = MISSING
    for last, _, _ in _members(_text(body), name):
        value = last
    return value


def replace_member(body: bytes, name: str, value: JSON) -> bytes | None:
    """``body`` with another value of the top-level member ``name``; None when there is no such member to be found."""
    text = _text(body)
    new = _json(value)
    pieces: list[str] = []
    position = 0
    for _, start, end in _members(text, name):
        pieces += text[position:start], new
        position = end
    if not pieces:
        return None
    return "".join((*pieces, text[position:])).encode(errors="surrogateescape")


type Change = Callable[[JSON | Missing], JSON | Missing]
"""The old value of a member to the new one; MISSING is a member that is not there, before and after."""


def edit_member(body: bytes, path: tuple[str, ...], change: Change) -> bytes:
    """``body`` with the member at ``path`` as ``change`` wants it: replaced, added at the end of its object, or taken out.

    Objects on the way are made when they are missing and a value is to be added. Comes back as it is when nothing
    changes, and when it is no object or broken.
    """
    text = _text(body)
    try:
        edited = _edited(text, path, change)
    except (ValueError, RecursionError):
        return body
    return body if edited == text else edited.encode(errors="surrogateescape")


def _edited(text: str, path: tuple[str, ...], change: Change) -> str:
    name, rest = path[0], path[1:]
    pieces: list[str] = []
    position, found, first = 0, False, True
    walk = _Walk(text)
    for member in walk:
        value: JSON | Missing = member.value
        if member.name == name:
            found = True
            new = text[member.start : member.end]
            if rest:
                new = _edited(new, rest, change) if isinstance(value, dict) else new
            elif (value := change(value)) is MISSING:
                begin, end = member.cut(text, first=first)
                pieces.append(text[position : max(begin, position)])
                position = end
                continue
            elif value != member.value:
                new = _json(value)
            pieces += text[position : member.start], new
            position = member.end
        first = False
    if not found and (added := change(MISSING)) is not MISSING:
        nested: JSON = added
        for inner in reversed(rest):
            nested = {inner: nested}
        comma = "" if walk.empty else ","
        pieces += text[position : walk.last], f"{comma}{_json(name)}:{_json(nested)}"
        position = walk.last
    pieces.append(text[position:])
    return "".join(pieces)


class _Member:
    """One member of an object, by the positions of its parts."""

    __slots__ = ("before", "end", "name", "start", "value")

    def __init__(self, name: str, value: JSON, before: int, start: int, end: int) -> None:
        self.name, self.value = name, value
        self.before, self.start, self.end = before, start, end
        """``before``: where its comma is, or for the first member where its object begins."""

    def cut(self, text: str, *, first: bool) -> tuple[int, int]:
        """From where to where to take it out; ``first``: no member before it stays, so the comma after it goes, too."""
        after = _skip(text, self.end)
        if not first:
            return self.before, self.end
        return self.before + 1, after + 1 if text.startswith(",", after) else self.end


class _Walk:
    """The members of the object that a text is. Raises ValueError where it is none."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.empty = True
        self.last = 0
        """After the last member, known at the end."""

    def __iter__(self) -> Iterator[_Member]:
        text = self._text
        position = _skip(text, 1 if text.startswith("\ufeff") else 0)
        if not text.startswith("{", position):
            raise ValueError("not an object")
        self.last = position + 1
        while True:
            before = position
            position = _skip(text, position + 1)
            if self.empty and text.startswith("}", position):
                return
            if not text.startswith('"', position):
                raise ValueError("not a member")
            name, position = _DECODER.raw_decode(text, position)
            position = _skip(text, position)
            if not text.startswith(":", position):
                raise ValueError("no value")
            start = _skip(text, position + 1)
            value, end = _DECODER.raw_decode(text, start)
            self.empty, self.last = False, end
            yield _Member(name, cast("JSON", value), before, start, end)
            position = _skip(text, end)
            if text.startswith("}", position):
                return
            if not text.startswith(",", position):
                raise ValueError("not the end of a member")


def _json(value: JSON) -> str:
    """Also what orjson refuses: lone surrogates, and integers of more than 64 bits."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, separators=(",", ":"))


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
