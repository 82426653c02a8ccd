"""Typed reading of JSON, and the name under which this format keeps what only it can say.

Requests are read strictly (a client's mistake is named with its JSON path), answers tolerantly (vendors differ). What
the hub has no word for is kept in ``extra[NAME]``: ``item`` holds the other members of the item a part came from,
``part`` those of its content part. Their presence also says that the value is our own and not another format's.
"""

from collections.abc import Mapping

from translators import hub, jsonvalue
from translators.errors import FormatError
from translators.hub import JSON

NAME = "openai-responses"


def load(body: bytes, what: str) -> dict[str, JSON]:
    """The JSON object in ``body``; FormatError for anything else."""
    return object_at(jsonvalue.read(body, what), what)


def object_at(value: JSON, path: str) -> dict[str, JSON]:
    if not isinstance(value, dict):
        raise FormatError(f"{path}: an object is needed, not {_kind(value)}")
    return value


def list_at(value: JSON, path: str) -> list[JSON]:
    if not isinstance(value, list):
        raise FormatError(f"{path}: a list is needed, not {_kind(value)}")
    return value


def string_at(value: JSON, path: str) -> str:
    if not isinstance(value, str):
        raise FormatError(f"{path}: a string is needed, not {_kind(value)}")
    return value


def optional_string(source: Mapping[str, JSON], name: str, path: str = "") -> str | None:
    value = source.get(name)
    return None if value is None else string_at(value, f"{path}{name}")


def optional_integer(source: Mapping[str, JSON], name: str) -> int | None:
    value = source.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"{name}: a number is needed, not {_kind(value)}")
    return int(value)


def optional_number(source: Mapping[str, JSON], name: str) -> float | None:
    value = source.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"{name}: a number is needed, not {_kind(value)}")
    return value


def optional_flag(source: Mapping[str, JSON], name: str, path: str = "") -> bool | None:
    value = source.get(name)
    if value is not None and not isinstance(value, bool):
        raise FormatError(f"{path}{name}: true or false is needed, not {_kind(value)}")
    return value


def mapping(value: JSON) -> dict[str, JSON]:
    """The object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


def text(value: JSON) -> str:
    return value if isinstance(value, str) else ""


def integer(value: JSON) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def rest(source: Mapping[str, JSON], known: frozenset[str]) -> dict[str, JSON]:
    """The members that the hub has no word for."""
    return {name: value for name, value in source.items() if name not in known}


def own(extra: hub.Extra) -> Mapping[str, JSON]:
    return extra.get(NAME, {})


def mark(name: str, members: Mapping[str, JSON]) -> dict[str, dict[str, JSON]]:
    """An ``extra`` with these members under ``name``; an empty one when there are none."""
    return {NAME: {name: dict(members)}} if members else {}


def _kind(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "an object"
