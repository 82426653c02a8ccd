"""JSON in and out of this format, read with types and with the place of what is wrong.

orjson does the work. The standard library stands in where orjson would change a value or refuses one: integers beyond
64 bits, and lone surrogates (JavaScript clients cut emoji in half).
"""

import json
import re
from typing import NoReturn, cast

import orjson

from translators import hub
from translators.errors import FormatError
from translators.hub import JSON

NAME = "anthropic-messages"

type Object = dict[str, JSON]

_LONG_INTEGER = re.compile(rb"[0-9]{19}")


def loads(data: bytes | str, what: str, status_hint: int = 400) -> JSON:
    """Raises FormatError; ``what`` names the document in its message."""
    raw = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    try:
        if _LONG_INTEGER.search(raw) is None:
            try:
                return cast("JSON", orjson.loads(raw))
            except orjson.JSONDecodeError:
                pass
        return cast("JSON", json.loads(raw, parse_constant=_no_constant))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} is not JSON: {error}", status_hint=status_hint) from error


def dumps(value: JSON) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def as_object(value: JSON, path: str, status_hint: int = 400) -> Object:
    if isinstance(value, dict):
        return value
    raise FormatError(f"{path}: expected an object, not {shown(value)}", status_hint=status_hint)


def as_array(value: JSON, path: str, status_hint: int = 400) -> list[JSON]:
    if isinstance(value, list):
        return value
    raise FormatError(f"{path}: expected an array, not {shown(value)}", status_hint=status_hint)


def as_string(value: JSON, path: str, status_hint: int = 400) -> str:
    if isinstance(value, str):
        return value
    raise FormatError(f"{path}: expected a string, not {shown(value)}", status_hint=status_hint)


def as_integer(value: JSON, path: str) -> int | None:
    """None for null and absent."""
    match value:
        case None:
            return None
        case int() if not isinstance(value, bool):
            return value
        case float() if value.is_integer():
            return int(value)
        case _:
            raise FormatError(f"{path}: expected an integer, not {shown(value)}")


def as_number(value: JSON, path: str) -> float | None:
    """None for null and absent."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise FormatError(f"{path}: expected a number, not {shown(value)}")


def text_or_none(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None


def shown(value: JSON) -> str:
    """The value in an error message, never more of it than helps."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def rest(block: Object, *known: str) -> hub.Extra:
    """What the hub has no field for, as this format's extras."""
    left: Object = {name: value for name, value in block.items() if name not in known}
    return {NAME: left} if left else {}


def own(extra: hub.Extra) -> Object:
    return dict(extra.get(NAME, {}))


class Report:
    """Collects losses, one per kind of thing: the first place is named, the others would only repeat it."""

    def __init__(self, losses: list[hub.Loss]) -> None:
        self._losses = losses
        self._seen: set[str] = set()

    def lose(self, path: str, reason: str) -> None:
        if reason not in self._seen:
            self._seen.add(reason)
            self._losses.append(hub.Loss(path, reason))

    def foreign(self, extra: hub.Extra, path: str) -> None:
        """Extras of other formats have no place here."""
        for name, fields in extra.items():
            if name != NAME:
                for field in fields:
                    self.lose(f"{path}.{field}", f"`{field}` of {name} has no place in an Anthropic message")
