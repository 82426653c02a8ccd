"""Structured output said in words, for providers without a field for it."""

import json

from translators import hub
from translators.words import output_in_words


def test_the_schema_is_told_whole() -> None:
    schema: hub.JSON = {"type": "object", "properties": {"ä": {"type": "string"}}}
    said = output_in_words(hub.OutputFormat(schema, "answer", "An answer."))
    _, told, described = said.split("\n")
    assert json.loads(told) == schema
    assert described == "An answer."


def test_json_is_named_without_a_schema_too() -> None:
    assert "JSON" in output_in_words(hub.OutputFormat())
