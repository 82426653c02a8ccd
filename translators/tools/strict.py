"""What OpenAI's strict mode asks of a schema: every object closed, every property required."""

from collections.abc import Mapping

from translators.hub import JSON

_INSIDE = ("items", "anyOf", "allOf", "oneOf", "prefixItems")
_NAMED = ("properties", "$defs", "definitions")


def is_closed(schema: Mapping[str, JSON] | None) -> bool:
    """Whether a tool with this schema may be strict; a tool without one may."""
    return schema is None or _closed(dict(schema))


def _closed(schema: JSON) -> bool:
    match schema:
        case list():
            return all(_closed(one) for one in schema)
        case dict():
            pass
        case _:
            return True
    properties = schema.get("properties")
    if isinstance(properties, dict) or schema.get("type") == "object":
        required = schema.get("required")
        names = set(properties) if isinstance(properties, dict) else set[str]()
        needed = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set[str]()
        if schema.get("additionalProperties") is not False or not names <= needed:
            return False
    named = (schema.get(word) for word in _NAMED)
    within = [*(one for one in named if isinstance(one, dict)), {word: schema.get(word) for word in _INSIDE}]
    return all(_closed(inner) for group in within for inner in group.values())
