"""JSON in and out of this format, read with types and with the place of what is wrong."""

from translators import hub, jsonvalue
from translators.dropped import dropped
from translators.errors import FormatError
from translators.hub import JSON
from translators.kin import cache_control

NAME = "anthropic-messages"

MESSAGE = ("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")
"""Fields of an answer that the hub has fields for; no extra may bear their names."""

type Object = dict[str, JSON]


def loads(data: bytes | str, what: str, status_hint: int = 400) -> JSON:
    """Raises FormatError; ``what`` names the document in its message."""
    return jsonvalue.read(data, what, status_hint)


def dumps(value: JSON) -> bytes:
    return jsonvalue.write(value)


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


def marked(extra: hub.Extra) -> Object:
    """As ``own``, with the breakpoint of the prompt cache that a client of another format set (OpenRouter's do)."""
    mark = cache_control(extra)
    return {"cache_control": mark, **own(extra)} if mark is not None else own(extra)


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
        for name, field in dropped(extra, NAME):
            if field == "cache_control":
                continue
            self.lose(f"{path}.{field}".lstrip("."), f"`{field}` of {name} has no place in an Anthropic message")
