"""JSON of chat completions: bytes ↔ values, and reads that give the wanted type or nothing.

Dialects put null, "" and wrong types where the schema allows none of them, so readers are forgiving; what a request
cannot do without is checked by its parser.
"""

import hashlib
from collections.abc import Mapping

from translators import jsonvalue
from translators.errors import FormatError
from translators.hub import JSON, SPELLING, Extra

NAME = "openai-chat"
STRICT = SPELLING + "strict"
"""Marks in a tool's ``extra`` that a chat client made it strict, whatever its schema: the client's provider takes it so."""

CHOICE = "choices[0]"
"""Key in ``extra`` for what the vendor put beside ``message`` in the choice."""
MESSAGE = "choices[0].message"
"""Key in ``extra`` for fields of the message that the hub has no word for."""


def load(body: bytes | str, place: str) -> JSON:
    return jsonvalue.read(body, place)


def load_object(body: bytes | str, place: str) -> dict[str, JSON]:
    value = load(body, place)
    if not isinstance(value, dict):
        raise FormatError(f"{place} must be a JSON object, not {type(value).__name__}")
    return value


def dump(value: JSON) -> bytes:
    return jsonvalue.write(value)


def text(source: Mapping[str, JSON], name: str) -> str:
    value = source.get(name)
    return value if isinstance(value, str) else ""


def integer(source: Mapping[str, JSON], name: str) -> int | None:
    value = source.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(source: Mapping[str, JSON], name: str) -> float | None:
    value = source.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def flag(source: Mapping[str, JSON], name: str) -> bool | None:
    value = source.get(name)
    return value if isinstance(value, bool) else None


def object_at(source: Mapping[str, JSON], name: str) -> dict[str, JSON]:
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def objects_at(source: Mapping[str, JSON], name: str) -> list[dict[str, JSON]]:
    value = source.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def rest(source: Mapping[str, JSON], known: frozenset[str]) -> dict[str, JSON]:
    """The fields that the hub has no word for; null says nothing and is left out."""
    return {name: value for name, value in source.items() if name not in known and value is not None}


def extra(fields: Mapping[str, JSON]) -> Extra:
    return {NAME: fields} if fields else {}


def own(extras: Extra) -> Mapping[str, JSON]:
    return extras.get(NAME, {})


def invented_id(*seed: object) -> str:
    """A tool-call id for vendors that give none: the same bytes always make the same id."""
    return "call_" + hashlib.sha256(repr(seed).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def arguments_text(value: JSON) -> str:
    """A function call's arguments as JSON text; some dialects send the object itself."""
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return dump(value).decode()
