"""Damage to bodies and streams, by the dice of one :class:`random.Random`; the same dice do the same damage.

A JSON document is damaged as a tree, so that most results are still documents: what breaks translators is rarely a
syntax error and mostly a member of the wrong type. What no tree can say (``NaN``, numbers without end, lone surrogates,
a member that stands twice) is written as a marked string and unmarked in the text.
"""

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

_RAW = "\x02raw:"
_RAW_STRING = re.compile(r'"\\u0002raw:((?:[^"\\]|\\.)*)"')
_TWICE = "\x02twice:"
_TWICE_STRING = re.compile(r"\\u0002twice:\d+:")

RAW_VALUES = (
    "NaN", "Infinity", "-Infinity", "1e999", "-0", "-0.0", "1" * 400, "-" + "9" * 19, "18446744073709551616", "1.5e-320",
    '"\\ud800"', '"a\\udc00b"', '"\\u0000"', "[" * 2000 + "]" * 2000, '{"a":' * 1200 + "1" + "}" * 1200, "tru", "",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 0.5, 1e300, "", " ", "\x00", "\ud800", "x" * 20_000, "🕰", "é" * 70,
    "[]", "{}", "{", '{"a":1}', "null", "data:", "data:image/png;base64,", "data:;base64,####", "http://[", "<think>",
    "</think>", "user", "system", "assistant", "tool", "developer", "text", "function", "tool_use", "image", "message",
    [], {}, [None], [[]], [{}], {"": None}, {"type": "text"}, {"type": "function"}, {"type": None}, {"text": 1}, [1, "a", {}],
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}},
    {"$ref": "#"}, {"anyOf": []}, {"type": ["string", "null"]}, {"enum": [None, 1, "x"]},
)  # fmt: skip
STATUSES = (200, 204, 301, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529, 599)
HEADERS: tuple[dict[str, str], ...] = (
    {}, {"retry-after": "7"}, {"retry-after": "-1"}, {"retry-after": "1e999"}, {"retry-after": "nan"}, {"retry-after": "soon"},
    {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, {"retry-after-ms": "x"}, {"retry-after-ms": "9" * 400},
    {"x-ratelimit-reset-requests": "1m3s", "x-ratelimit-reset-tokens": "ms"}, {"x-ratelimit-reset": "99999999999999999999"},
    {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "later"},
    {"content-type": "text/html"}, {"x-should-retry": "maybe"},
)  # fmt: skip


def text_of(tree: Any) -> bytes:
    """The document, marked strings unmarked."""
    text = json.dumps(tree)
    text = _RAW_STRING.sub(lambda found: json.loads(f'"{found[1]}"'), text)
    return _TWICE_STRING.sub("", text).encode(errors="surrogatepass")


def tree(dice: Random, body: bytes, others: Sequence[bytes] = ()) -> bytes:
    """A document with one to four wounds; bytes that are no document are damaged as bytes."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return raw(dice, body)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 4))):
        document = _wounded(dice, document, others)
    return text_of(document)


def _wounded(dice: Random, document: Any, others: Sequence[bytes]) -> Any:
    places = list(_places(document))
    if not places:
        return _value(dice, others)
    holder, key = dice.choice(places)
    match dice.randrange(9):
        case 0 if isinstance(holder, dict):
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[f"{_TWICE}{dice.randrange(10**6)}:{key}"] = _value(dice, others)
        case 2 if isinstance(holder, dict):
            holder[dice.choice(("", "type", "text", "\ud800", str(key).upper(), f"{key}_"))] = holder.pop(key)
        case 3 if isinstance(holder, list):
            holder.insert(key, holder[dice.randrange(len(holder))])
        case 4 if isinstance(holder, list):
            del holder[key]
        case 5:
            other_holder, other_key = dice.choice(places)
            holder[key] = json.loads(
                json.dumps(other_holder.get(other_key) if isinstance(other_holder, dict) else None)
            )
        case 6 if isinstance(holder[key], str) and holder[key]:
            text = holder[key]
            at = dice.randrange(len(text))
            holder[key] = (
                text[:at] + dice.choice(("", "\ud83d", '"', "\\", "\x7f", "</think>", "é", text)) + text[at + 1 :]
            )
        case 7:
            holder[key] = [holder[key]] if dice.random() < 0.5 else {"type": holder[key]}
        case _:
            holder[key] = _value(dice, others)
    return document


def _places(document: Any) -> Sequence[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [document] if isinstance(document, dict | list) else []
    while waiting:
        holder = waiting.pop()
        pairs = list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))
        for key, value in pairs:
            found.append((holder, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    return found


def _value(dice: Random, others: Sequence[bytes]) -> Any:
    throw = dice.random()
    if throw < 0.25:
        return _RAW + dice.choice(RAW_VALUES)
    if throw < 0.35 and others:
        try:
            document = json.loads(dice.choice(others))
        except (ValueError, RecursionError):
            return None
        if places := _places(document):
            holder, key = dice.choice(places)
            return holder[key]
    return json.loads(json.dumps(dice.choice(VALUES)))


def raw(dice: Random, body: bytes) -> bytes:
    """Damage that knows nothing of JSON."""
    data = bytearray(body or b"{}")
    for _ in range(dice.choice((1, 1, 2, 8))):
        if not data:
            break
        at = dice.randrange(len(data))
        match dice.randrange(6):
            case 0:
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at : at + dice.randrange(1, 60)]
            case 3:
                data[at:at] = data[at : at + dice.randrange(1, 200)]
            case 4:
                data[at:at] = dice.choice(
                    (b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00", b"\r", b"\n", b"\xf0\x9f", b'"', b"}")
                )
            case _:
                data[at] = dice.randrange(256)
    return bytes(data)


def stream(dice: Random, body: bytes, others: Sequence[bytes] = ()) -> bytes:
    """A stream of server-sent events with damaged events, order, framing or bytes."""
    events = [event for event in body.replace(b"\r\n", b"\n").split(b"\n\n") if event.strip()]
    if not events:
        return raw(dice, body)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        if events:
            events = _EVENT_DAMAGE[dice.randrange(len(_EVENT_DAMAGE))](dice, events, others)
    gap = dice.choice((b"\n\n", b"\n\n", b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n", b"\n\n\n\n", b"\n \n"))
    end = dice.choice((gap, gap, gap, b"", b"\n", b"\n\ndata: [DONE]\n\n", b"\n\n: bye\n\n"))
    whole = gap.join(events) + end
    return raw(dice, whole) if dice.random() < 0.1 else whole


type _Events = list[bytes]


def _wound_event(dice: Random, events: _Events, others: Sequence[bytes]) -> _Events:
    at = dice.randrange(len(events))
    lines = events[at].split(b"\n")
    inner = [
        line.partition(b"data:")[2] for other in others for line in other.split(b"\n")[:40] if line[:5] == b"data:"
    ]
    for number, line in enumerate(lines):
        if line.startswith(b"data:"):
            lines[number] = b"data: " + tree(dice, line[5:].strip(), inner)
    return [*events[:at], b"\n".join(lines), *events[at + 1 :]]


def _drop(dice: Random, events: _Events, _: Sequence[bytes]) -> _Events:
    at = dice.randrange(len(events))
    return [*events[:at], *events[at + dice.choice((1, 1, 3)) :]]


def _repeat(dice: Random, events: _Events, _: Sequence[bytes]) -> _Events:
    at = dice.randrange(len(events))
    again = events[at : at + dice.choice((1, 1, 4))]
    to = dice.randrange(len(events) + 1)
    return [*events[:to], *again, *events[to:]]


def _swap(dice: Random, events: _Events, _: Sequence[bytes]) -> _Events:
    one, two = dice.randrange(len(events)), dice.randrange(len(events))
    events = list(events)
    events[one], events[two] = events[two], events[one]
    return events


def _cut(dice: Random, events: _Events, _: Sequence[bytes]) -> _Events:
    return events[: dice.randrange(len(events)) + 1]


def _insert(dice: Random, events: _Events, others: Sequence[bytes]) -> _Events:
    foreign = [event for other in others for event in other.split(b"\n\n")[:20] if event] or [b"data: {}"]
    junk = (
        b"data: [DONE]", b"data:", b": comment", b"event: error\ndata: {}", b"data: null", b"data: []", b'data: "x"', b"data: 1",
        b"event: message_stop", b"id: 1\nretry: x", b"data: {", b'data: {"error":"broken"}', b'data: {"error":{"message":"m"}}',
        b'data: {\ndata: "a":1}', b"event:\ndata: {}", b"<html>", b'{"error":{"message":"bare"}}', dice.choice(foreign),
    )  # fmt: skip
    at = dice.randrange(len(events) + 1)
    return [*events[:at], dice.choice(junk), *events[at:]]


def _rename(dice: Random, events: _Events, _: Sequence[bytes]) -> _Events:
    at = dice.randrange(len(events))
    new = dice.choice((b"event: ", b"event: other\n", b"event: ping\n", b"event: error\n", b"id: 5\n"))
    rest = events[at].partition(b"data:")
    return [*events[:at], new + rest[1] + rest[2], *events[at + 1 :]]


_EVENT_DAMAGE: tuple[Callable[[Random, _Events, Sequence[bytes]], _Events], ...] = (
    _wound_event, _wound_event, _wound_event, _wound_event, _drop, _repeat, _swap, _cut, _insert, _rename,
)  # fmt: skip


def pieces(dice: Random, data: bytes) -> list[bytes]:
    """The bytes as a network might bring them."""
    match dice.randrange(4):
        case 0:
            return [data]
        case 1 if len(data) < 4000:
            return [data[at : at + 1] for at in range(len(data))]
        case 2:
            size = dice.choice((7, 100, 1400))
            return [data[at : at + size] for at in range(0, len(data), size)]
        case _:
            edges = sorted(dice.randrange(len(data) + 1) for _ in range(3))
            return [data[a:b] for a, b in zip([0, *edges], [*edges, len(data)], strict=True)]
