"""Whatever schema a tool has, Gemini gets one that it takes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translators.formats.gemini.schema import normalise, portable, standard, trimmed

REFUSED = frozenset(
    [
        "minLength",
        "maxLength",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "pattern",
        "minItems",
        "maxItems",
        "format",
        "default",
        "examples",
        "$schema",
        "$defs",
        "definitions",
        "const",
        "$ref",
        "$comment",
        "additionalProperties",
        "propertyNames",
        "patternProperties",
        "enumDescriptions",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "dependencies",
        "dependentSchemas",
        "dependentRequired",
        "title",
        "if",
        "then",
        "else",
        "contentMediaType",
        "contentEncoding",
    ]
)


def violations(schema: Any) -> list[str]:
    """What Gemini would refuse of a rendered schema."""
    found = [f"keyword {key}" for key in schema if key in REFUSED or key.startswith("x-")]
    if not isinstance(schema.get("type"), str):
        found.append("no single type")
    if schema["type"] == "array" and "items" not in schema:
        found.append("array without items")
    properties = schema.get("properties", {})
    found += [f"required {name}" for name in schema.get("required", []) if name not in properties]
    found += [f"enum {value!r}" for value in schema.get("enum", []) if not isinstance(value, str) or not value]
    for inner in (*properties.values(), *([schema["items"]] if "items" in schema else [])):
        found += violations(inner)
    return found


names = st.sampled_from(["a", "b", "title", "$ref", "type", "properties", "x-y"])
leaves = st.one_of(
    st.booleans(),
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "null", "array", "object", "integer", ["string", "null"], [], "any", 3]),
            "enum": st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
            "const": st.one_of(st.none(), st.text(max_size=3), st.integers()),
            "$ref": st.sampled_from(["#", "#/properties/a", "#/$defs/a", "#/anyOf/0", "http://x", "#/nowhere", 5]),
            "format": st.just("uri"),
            "pattern": st.just("^x"),
            "required": st.lists(names, max_size=3),
            "nullable": st.booleans(),
            "minimum": st.one_of(st.integers(), st.text(max_size=1)),
            "x-hint": st.just(1),
        },
    ),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", ["object", "array"]]),
            "properties": st.dictionaries(names, inner, max_size=3),
            "$defs": st.dictionaries(names, inner, max_size=2),
            "items": st.one_of(inner, st.lists(inner, max_size=2)),
            "prefixItems": st.lists(inner, max_size=2),
            "anyOf": st.lists(inner, max_size=3),
            "oneOf": st.lists(inner, max_size=3),
            "allOf": st.lists(inner, max_size=3),
            "$ref": st.sampled_from(["#", "#/properties/a", "#/$defs/a"]),
            "additionalProperties": inner,
            "required": st.lists(names, max_size=3),
            "not": inner,
        },
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(schemas.filter(lambda schema: isinstance(schema, dict)))
def test_any_schema_becomes_one_that_gemini_takes(schema: dict[str, Any]) -> None:
    assert violations(normalise(schema)[0]) == []


@settings(max_examples=150, deadline=None)
@given(schemas.filter(lambda schema: isinstance(schema, dict)))
def test_normalising_twice_changes_nothing(schema: dict[str, Any]) -> None:
    once, _ = normalise(schema)

    assert normalise(once) == (once, frozenset())


@pytest.mark.parametrize(
    "schema, expected",
    [
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "integer", "nullable": True}),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        (
            {"anyOf": [{"const": "a", "type": "string"}, {"enum": ["b"]}]},
            {"type": "string", "enum": ["a", "b"]},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        ),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "integer"}}},
                ]
            },
            {
                "type": "object",
                "properties": {"b": {"type": "integer"}, "a": {"type": "string"}},
                "required": ["a"],
            },
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "boolean"}}},
            {"type": "object", "properties": {"a": {"type": "boolean"}}},
        ),
        (
            {"properties": {"title": {"type": "string", "title": "Title"}}, "title": "T"},
            {"type": "object", "properties": {"title": {"type": "string"}}},
        ),
    ],
)
def test_keywords_are_brought_into_the_subset(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert normalise(schema)[0] == expected


def test_a_recursive_reference_ends_as_a_plain_object() -> None:
    node = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}

    schema, dropped = normalise({"$ref": "#/$defs/Node", "$defs": {"Node": node}})

    assert schema["properties"] == {"children": {"type": "array", "items": {"type": "object"}}}
    assert dropped == {"recursive $ref"}


def test_references_that_multiply_stay_bounded() -> None:
    definitions = {
        f"D{n}": {"type": "object", "properties": {key: {"$ref": f"#/$defs/D{n + 1}"} for key in "abcd"}}
        for n in range(20)
    }

    _, dropped = normalise({"$ref": "#/$defs/D0", "$defs": {**definitions, "D20": {"type": "string"}}})

    assert "deep nesting" in dropped


def test_annotations_are_no_loss() -> None:
    _, dropped = normalise({"$schema": "x", "type": "object", "title": "T", "additionalProperties": False})

    assert dropped == frozenset()


def test_constraints_that_are_given_up_are_named() -> None:
    _, dropped = normalise({"type": "string", "minLength": 1, "pattern": "^a"})

    assert dropped == {"minLength", "pattern"}


def test_the_openapi_dialect_is_read_as_json_schema() -> None:
    dialect = {
        "type": "OBJECT",
        "properties": {"any_of": {"type": "STRING", "nullable": True}, "b": {"any_of": [{"type": "NUMBER"}]}},
        "property_ordering": ["b"],
    }

    assert standard(dialect) == {
        "type": "object",
        "properties": {"any_of": {"type": ["string", "null"]}, "b": {"anyOf": [{"type": "number"}]}},
        "propertyOrdering": ["b"],
    }


def test_only_recorded_keywords_are_portable() -> None:
    assert portable({"type": "object", "properties": {"if": {"type": "string"}}, "additionalProperties": False})
    assert not portable({"type": "object", "properties": {"a": {"not": {"type": "string"}}}})


@pytest.mark.parametrize(
    "given, kept, given_up",
    [
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}, set()),
        ({"type": "number", "exclusiveMinimum": 0}, {"type": "number"}, {"exclusiveMinimum"}),
        ({"const": "a"}, {"enum": ["a"]}, set()),
        ({"$schema": "x", "$comment": "y", "x-z": 1}, {}, set()),
        ({"properties": {"not": {"not": {}, "type": "string"}}}, {"properties": {"not": {"type": "string"}}}, {"not"}),
        ({"items": {"format": "uri", "minLength": 1}}, {"items": {"minLength": 1}}, {"format"}),
    ],
)
def test_json_schema_is_trimmed_to_what_the_api_is_known_to_take(
    given: dict[str, Any], kept: dict[str, Any], given_up: set[str]
) -> None:
    assert trimmed(given) == (kept, given_up)


@pytest.mark.parametrize(
    "given", [{"allOf": [{"type": "object"}]}, {"properties": {"a": {"$ref": "#"}}}, {"items": {"nullable": True}}]
)
def test_a_schema_that_does_not_stand_without_its_keywords_is_not_trimmed(given: dict[str, Any]) -> None:
    assert trimmed(given) is None


@pytest.mark.parametrize(
    "given, expected, dropped",
    [
        ({"type": "integer", "exclusiveMaximum": 9}, {"type": "integer", "maximum": 8}, set()),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, {"type": "integer", "minimum": 1}, {"exclusiveMinimum"}),
        ({"type": "number", "exclusiveMaximum": 9}, {"type": "number"}, {"exclusiveMaximum"}),
    ],
)  # fmt: skip
def test_exclusive_bounds_of_whole_numbers_are_said_as_inclusive_ones(
    given: dict[str, Any], expected: dict[str, Any], dropped: set[str]
) -> None:
    assert normalise(given) == (expected, dropped)


def test_a_chain_of_references_is_followed_to_its_end_however_long() -> None:
    links = {f"D{n}": {"$ref": f"#/$defs/D{n + 1}"} for n in range(3000)}
    schema, dropped = normalise({"$ref": "#/$defs/D0", "$defs": {**links, "D3000": {"type": "integer"}}})
    assert schema == {"type": "integer"}
    assert not dropped


def test_an_alternative_without_words_is_no_object() -> None:
    assert normalise({"type": "object", "properties": {"a": {"anyOf": [{}, {"type": "null"}]}}})[0]["properties"] == {
        "a": {"type": "string", "nullable": True}
    }


def test_alternatives_of_one_definition_are_no_recursion() -> None:
    listed = {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}
    schema = {"type": "object", "properties": {"a": listed, "b": listed}, "$defs": {"A": {"type": "integer"}}}
    assert normalise(schema)[0]["properties"] == {key: {"type": "integer", "nullable": True} for key in "ab"}
