"""Brings JSON schemas of other formats into what Anthropic accepts.

A tool's ``input_schema`` must be an object at the top and may not be a combination (``anyOf`` …) there. A schema that the
answer is forced into (``strict`` tools, structured output) must also close every object and may not bound numbers,
lengths or counts. Schemas that fit already come back equal.
"""

from collections.abc import Mapping

from translators.formats.anthropic_messages.values import Object, Report
from translators.hub import JSON

_COMBINATIONS = ("anyOf", "oneOf", "allOf")
_BOUNDS = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "minProperties",
        "maxProperties",
        "uniqueItems",
    }
)
_MAPS_OF_SCHEMAS = frozenset({"properties", "$defs", "definitions"})


def tool_schema(schema: Mapping[str, JSON] | None, path: str, report: Report) -> Object:
    made: Object = dict(schema or {"properties": {}})
    if any(word in made for word in _COMBINATIONS):
        report.lose(path, "Anthropic takes no combined schema at the top of a tool; its alternatives are merged")
        made = _merged(made)
    if made.get("type") != "object":
        made = {"type": "object", **{name: value for name, value in made.items() if name != "type"}}
    return made


def closed_schema(schema: Mapping[str, JSON], path: str, report: Report) -> Object:
    """The schema with every object closed and without the bounds that structured output refuses."""
    made: Object = {}
    for name, value in schema.items():
        if name in _BOUNDS or (name == "minItems" and value not in (0, 1)):
            report.lose(path, f"Anthropic's structured output does not enforce `{name}`")
        elif name in _MAPS_OF_SCHEMAS and isinstance(value, dict):
            made[name] = {key: _closed(inner, path, report) for key, inner in value.items()}
        elif name in ("items", *_COMBINATIONS):
            made[name] = _closed(value, path, report)
        else:
            made[name] = value
    kind = made.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in made
    if is_object and made.get("additionalProperties") is not False:
        if "additionalProperties" in made:
            report.lose(path, "Anthropic's structured output allows no additional properties")
        made["additionalProperties"] = False
    return made


def _closed(value: JSON, path: str, report: Report) -> JSON:
    match value:
        case dict():
            return closed_schema(value, path, report)
        case list():
            return [_closed(inner, path, report) for inner in value]
        case _:
            return value


def _merged(schema: Object) -> Object:
    """One object with the properties of all alternatives; required is what all of them require."""
    made = {name: value for name, value in schema.items() if name not in _COMBINATIONS}
    properties: Object = {}
    required: list[set[str]] = []
    always: set[str] = set()
    for word in _COMBINATIONS:
        alternatives = schema.get(word)
        for alternative in alternatives if isinstance(alternatives, list) else ():
            if not isinstance(alternative, dict):
                continue
            inner = _merged(alternative)
            found = inner.get("properties")
            properties |= found if isinstance(found, dict) else {}
            needed = _names(inner.get("required"))
            if word == "allOf":
                always |= needed
            else:
                required.append(needed)
    own = made.get("properties")
    made["properties"] = {**properties, **(own if isinstance(own, dict) else {})}
    shared = {name for name in properties if required and all(name in names for names in required)}
    needed = _names(made.get("required")) | always | shared
    if needed:
        made["required"] = [name for name in made["properties"] if name in needed]
    return made


def _names(value: JSON) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()
