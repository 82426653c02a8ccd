"""Which schemas OpenAI's strict mode takes."""

import pytest

from translators.hub import JSON
from translators.tools.strict import is_closed

CITY: dict[str, JSON] = {"city": {"type": "string"}}
CLOSED: dict[str, JSON] = {
    "type": "object",
    "properties": CITY,
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "schema",
    [
        None,
        CLOSED,
        {**CLOSED, "properties": {"at": CLOSED}, "required": ["at"]},
        {"type": "object", "properties": {}, "additionalProperties": False},
    ],
)
def test_closed_objects_may_be_strict(schema: dict[str, JSON] | None) -> None:
    assert is_closed(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {**CLOSED, "additionalProperties": True},
        {"type": "object", "properties": CITY, "required": ["city"]},
        {**CLOSED, "required": []},
        {**CLOSED, "properties": {"at": {"type": "object", "properties": CITY}}, "required": ["at"]},
        {**CLOSED, "$defs": {"At": {"type": "object", "properties": CITY}}},
        {"anyOf": [CLOSED, {"type": "object"}]},
    ],
)
def test_an_open_object_anywhere_may_not(schema: dict[str, JSON]) -> None:
    assert not is_closed(schema)
