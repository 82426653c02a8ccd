"""JSON schema ↔ the OpenAPI subset that Gemini takes as ``parameters`` and ``responseSchema``.

``standard`` reads Gemini's dialect (``"STRING"``, ``nullable``, ``any_of``) as JSON schema. ``normalise`` goes the
other way and must be accepted whatever an MCP server wrote: only keywords of the list below come out, references are
written out, alternatives are folded into one, arrays have items, ``required`` names only what there is. It always
ends: a reference inside itself, too deep a nest and too large a result become a plain object.

``portable`` tells which schemas may go out as real JSON schema (``responseJsonSchema``): those that use nothing but
the keywords that the API took in recorded calls.
"""

from collections.abc import Iterator, Mapping
from typing import Final, cast
from urllib.parse import unquote

from translators.formats.gemini.wire import Object, opt_text
from translators.hub import JSON

_MAX_DEPTH: Final = 40
_MAX_NODES: Final = 5000

_ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "$anchor", "title", "default", "examples", "deprecated",
                          "readOnly", "writeOnly", "enumDescriptions", "$defs", "definitions", "example",
                          "propertyOrdering"})  # fmt: skip
_HANDLED = frozenset({"type", "description", "enum", "const", "properties", "required", "items", "prefixItems",
                      "nullable", "minimum", "maximum", "anyOf", "oneOf", "allOf", "$ref"})  # fmt: skip
_PORTABLE = frozenset({"$defs", "$ref", "additionalProperties", "anyOf", "default", "description", "enum", "items",
                       "maxItems", "maximum", "maxLength", "minItems", "minimum", "minLength", "oneOf", "pattern",
                       "prefixItems", "properties", "required", "title", "type", "uniqueItems"})  # fmt: skip
_WHOLE_ONLY = frozenset({"allOf", "definitions", "nullable", "$anchor"})
_EXCLUSIVE: Final = {"exclusiveMinimum": ("minimum", 1), "exclusiveMaximum": ("maximum", -1)}
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_COMBINING = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_SNAKE = {
    "any_of": "anyOf", "one_of": "oneOf", "all_of": "allOf", "min_items": "minItems", "max_items": "maxItems",
    "min_length": "minLength", "max_length": "maxLength", "min_properties": "minProperties",
    "max_properties": "maxProperties", "property_ordering": "propertyOrdering", "prefix_items": "prefixItems",
    "additional_properties": "additionalProperties",
}  # fmt: skip
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_PREFERENCE = ("object", "array", "string", "number", "integer", "boolean")


def standard(schema: JSON, depth: int = 0) -> JSON:
    """Gemini's dialect as JSON schema; what is JSON schema already comes back equal."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return schema
    result: Object = {}
    for raw_key, value in schema.items():
        key = _SNAKE.get(raw_key, raw_key)
        if key in _MAPS and isinstance(value, dict):
            result[key] = {name: standard(inner, depth + 1) for name, inner in value.items()}
        elif key in _LISTS and isinstance(value, list):
            result[key] = [standard(inner, depth + 1) for inner in value]
        elif key in _SINGLE:
            result[key] = standard(value, depth + 1)
        elif key == "type":
            result[key] = _standard_type(value)
        else:
            result[key] = value
    if result.get("type") == "type_unspecified":
        del result["type"]
    if result.get("nullable") is True:
        del result["nullable"]
        return _nullable(result)
    if result.get("nullable") is False:
        del result["nullable"]
    return result


def _standard_type(value: JSON) -> JSON:
    if isinstance(value, str) and value.isupper():
        return value.lower()
    if isinstance(value, list):
        return [_standard_type(item) for item in value]
    return value


def _nullable(schema: Object) -> Object:
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
        choices = schema.get("enum")
        if isinstance(choices, list) and None not in choices:
            schema["enum"] = [*choices, None]
    elif isinstance(alternatives := schema.get("anyOf"), list):
        schema["anyOf"] = [*alternatives, {"type": "null"}]
    return schema


def plain(schema: Mapping[str, JSON]) -> Object:
    """The schema without the name of its JSON schema version, which says nothing about the value."""
    return {key: value for key, value in schema.items() if key != "$schema"}


def portable(schema: Mapping[str, JSON]) -> bool:
    """Whether recorded calls show that the API takes such a schema as it is; references must come to an end."""
    nodes = list(_nodes(dict(schema), 0))
    if not all(set(node) <= _PORTABLE for node in nodes):
        return False
    return not any("$ref" in node for node in nodes) or not normalise(schema)[1] & {"$ref", "recursive $ref"}


def trimmed(schema: Mapping[str, JSON]) -> tuple[Object, frozenset[str]] | None:
    """The schema as JSON schema with no other keywords than :func:`portable` knows, and those given up that meant something.

    None where the rest would not stand without them: the subset says more of such a schema.
    """
    nodes = list(_nodes(dict(schema), 0))
    if any(_WHOLE_ONLY & node.keys() for node in nodes):
        return None
    given_up: set[str] = set()
    result = _trim(dict(schema), given_up, 0)
    if not isinstance(result, dict) or not portable(result):
        return None
    return result, frozenset(given_up)


def _trim(schema: JSON, given_up: set[str], depth: int) -> JSON:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return schema
    result: Object = {}
    for key, value in _inclusive(schema).items():
        if key == "const":
            result["enum"] = [value]
        elif key not in _PORTABLE:
            if key not in _ANNOTATIONS and not key.startswith("x-"):
                given_up.add(key)
        elif key in _MAPS and isinstance(value, dict):
            result[key] = {name: _trim(inner, given_up, depth + 1) for name, inner in value.items()}
        elif key in _LISTS and isinstance(value, list):
            result[key] = [_trim(inner, given_up, depth + 1) for inner in value]
        else:
            result[key] = _trim(value, given_up, depth + 1) if key in _SINGLE else value
    return result


def _nodes(schema: JSON, depth: int) -> Iterator[Object]:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return
    yield schema
    for key in _MAPS:
        if isinstance(inner := schema.get(key), dict):
            for value in inner.values():
                yield from _nodes(value, depth + 1)
    for key in _LISTS:
        if isinstance(listed := schema.get(key), list):
            for value in listed:
                yield from _nodes(value, depth + 1)
    for key in _SINGLE:
        yield from _nodes(schema.get(key), depth + 1)


def normalise(schema: Mapping[str, JSON]) -> tuple[Object, frozenset[str]]:
    """The schema in Gemini's subset, and the keywords with a meaning that were given up for it."""
    normaliser = _Normaliser(dict(schema))
    return normaliser.node(dict(schema), 0), frozenset(normaliser.dropped)


class _Normaliser:
    def __init__(self, root: Object) -> None:
        self._root = root
        self._left = _MAX_NODES
        self._refs: dict[str, None] = {}
        """The references that the current node stands in, outermost first."""
        self.dropped: set[str] = set()

    def node(self, schema: JSON, depth: int) -> Object:
        self._left -= 1
        if depth > _MAX_DEPTH or self._left < 0:
            self.dropped.add("deep nesting")
            return {"type": "object"}
        if not isinstance(schema, dict):
            return {"type": "string"}
        outside = len(self._refs)
        flat = self._flatten(schema, depth)
        written = _described({"type": "object"}, schema) if flat is None else self._write(flat, depth)
        while len(self._refs) > outside:
            self._refs.popitem()
        return written

    def _flatten(self, schema: Object, depth: int) -> Object | None:
        """One object without references and alternatives; None for a reference that contains itself."""
        if _COMBINING.isdisjoint(schema):
            return schema
        flat = dict(schema)
        while isinstance(ref := flat.pop("$ref", None), str):
            self._left -= 1
            if ref in self._refs or self._left < 0:
                self.dropped.add("recursive $ref")
                return None
            self._refs[ref] = None
            resolved = self._resolve(ref)
            if resolved is None:
                self.dropped.add("$ref")
            else:
                flat = {**resolved, **flat}
        parts = _dicts(flat.pop("allOf", None))
        inner = [self._flatten(part, depth + 1) if depth < _MAX_DEPTH else None for part in parts]
        flat = _merged(flat, *(part or {"type": "object"} for part in inner))
        for key in ("anyOf", "oneOf"):
            alternatives = _dicts(flat.pop(key, None))
            if alternatives and depth < _MAX_DEPTH:
                flat = self._fold(flat, alternatives, key, depth)
        return flat

    def _fold(self, base: Object, alternatives: list[Object], key: str, depth: int) -> Object:
        """``base`` with its alternatives folded into the most telling one."""
        read = [self._flatten(alternative, depth + 1) for alternative in alternatives]
        flats: list[Object] = [{"type": "object"} if flat is None else flat for flat in read]
        solid = [flat for flat in flats if not _is_null(flat)]
        if len(solid) < len(flats):
            base = {**base, "nullable": True}
        if len(solid) > 1:
            solid = self._alike(solid, key)
        return _merged(base, *solid[:1])

    def _alike(self, alternatives: list[Object], key: str) -> list[Object]:
        kinds = [_kind(flat) for flat in alternatives]
        best = next((kind for kind in _PREFERENCE if kind in kinds), kinds[0])
        chosen = [flat for flat, kind in zip(alternatives, kinds, strict=True) if kind == best]
        values = [_choices(flat) for flat in alternatives]
        if all(value is not None for value in values):
            return [{"type": best, "enum": [item for value in values for item in value or ()]}]
        self.dropped.add(key)
        if best != "object":
            return chosen
        union = _merged({"type": "object"}, *({**flat, "required": []} for flat in chosen))
        common = set[str].intersection(*(set(_strings(flat.get("required"))) for flat in chosen))
        return [{**union, "required": cast("list[JSON]", sorted(common))}]

    def _write(self, flat: Object, depth: int) -> Object:
        flat = _inclusive(flat)
        given_up = {key for key in flat if key not in _HANDLED and key not in _ANNOTATIONS and not key.startswith("x-")}
        if flat.get("additionalProperties") is False:
            given_up.discard("additionalProperties")
        self.dropped |= given_up
        kind = _kind(flat)
        result: Object = {"type": kind}
        if flat.get("nullable") is True or _has_null(flat):
            result["nullable"] = True
        _described(result, flat)
        self._write_choices(result, flat)
        for key in ("minimum", "maximum"):
            bound = flat.get(key)
            if kind in {"number", "integer"} and isinstance(bound, int | float) and not isinstance(bound, bool):
                result[key] = bound
        if kind == "array":
            result["items"] = self._items(flat, depth)
        properties = flat.get("properties")
        if kind == "object" and isinstance(properties, dict) and properties:
            result["properties"] = {name: self.node(inner, depth + 1) for name, inner in properties.items()}
            required = [name for name in dict.fromkeys(_strings(flat.get("required"))) if name in properties]
            if required:
                result["required"] = cast("list[JSON]", required)
        return result

    def _write_choices(self, result: Object, flat: Object) -> None:
        choices = _choices(flat)
        if choices is None:
            return
        if None in choices:
            result["nullable"] = True
        named: list[JSON] = [choice for choice in choices if isinstance(choice, str) and choice]
        others: list[JSON] = [choice for choice in choices if choice is not None and not isinstance(choice, str)]
        if named and not others and result["type"] == "string":
            result["enum"] = list(dict.fromkeys(cast("list[str]", named)))
        elif others:
            self.dropped.add("enum of other than strings")

    def _items(self, flat: Object, depth: int) -> Object:
        items = flat.get("items")
        positions = _dicts(flat.get("prefixItems")) or (_dicts(items) if isinstance(items, list) else [])
        if positions:
            self.dropped.add("prefixItems")
            return self.node(
                {"anyOf": cast("list[JSON]", positions)} if len(positions) > 1 else positions[0], depth + 1
            )
        return self.node(items, depth + 1)

    def _resolve(self, ref: str) -> Object | None:
        if not ref.startswith("#"):
            return None
        found: JSON = self._root
        for step in filter(None, ref[1:].split("/")):
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return None
        return found if isinstance(found, dict) else None


def _inclusive(schema: Object) -> Object:
    """Exclusive bounds of whole numbers in the words that are taken."""
    if schema.get("type") != "integer" or _EXCLUSIVE.keys().isdisjoint(schema):
        return schema
    result = dict(schema)
    for word, (bound, step) in _EXCLUSIVE.items():
        value = schema.get(word)
        if type(value) is int and bound not in schema:
            del result[word]
            result[bound] = value + step
    return result


def _dicts(value: JSON) -> list[Object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _strings(value: JSON) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _described(result: Object, flat: Object) -> Object:
    if (text := opt_text(flat.get("description"))) is not None:
        result["description"] = text
    return result


def _choices(flat: Object) -> list[JSON] | None:
    if "const" in flat:
        return [flat["const"]]
    choices = flat.get("enum")
    return choices if isinstance(choices, list) else None


def _types(flat: Object) -> list[str]:
    kind = flat.get("type")
    if isinstance(kind, str):
        name = kind.lower()
        return [name] if name in _TYPES else []
    return [name.lower() for name in _strings(kind) if name.lower() in _TYPES]


def _has_null(flat: Object) -> bool:
    return "null" in _types(flat)


def _is_null(flat: Object) -> bool:
    return _types(flat) == ["null"] or ("type" not in flat and _choices(flat) == [None])


def _kind(flat: Object) -> str:
    """The one type that a schema stands for; guessed from its keywords when it names none."""
    solid = [name for name in _types(flat) if name != "null"]
    if solid:
        return next(name for name in _PREFERENCE if name in solid) if len(solid) > 1 else solid[0]
    if "properties" in flat or "additionalProperties" in flat:
        return "object"
    if "items" in flat or "prefixItems" in flat:
        return "array"
    sample = next((choice for choice in _choices(flat) or [] if choice is not None), None)
    match sample:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case _:
            return "string"


def _merged(base: Object, *more: Object) -> Object:
    """All at once, as ``allOf`` means it; what an earlier one says itself stays."""
    if not more:
        return base
    result: Object = {}
    properties: Object = {}
    for one in (*reversed(more), base):
        result |= one
        named = one.get("properties")
        properties |= named if isinstance(named, dict) else {}
    if isinstance(result.get("properties"), dict):
        result["properties"] = properties
    required = dict.fromkeys(name for one in (base, *more) for name in _strings(one.get("required")))
    if required:
        result["required"] = cast("list[JSON]", list(required))
    return result
