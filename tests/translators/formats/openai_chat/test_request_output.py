"""Structured output in the four dialects of chat providers: schema, JSON mode, nothing."""

import json

from translators import hub
from translators.format import Profile
from translators.formats.openai_chat.request_output import render_output

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMAT = hub.OutputFormat(SCHEMA, "answer", strict=True)


def test_a_schema_is_sent_as_one() -> None:
    fields = render_output(FORMAT, Profile(), []).fields
    assert fields == {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        }
    }


def test_a_provider_with_json_mode_alone_is_shown_the_schema() -> None:
    losses: list[hub.Loss] = []
    output = render_output(FORMAT, Profile(structured="json_object"), losses)
    assert output.fields == {"response_format": {"type": "json_object"}}
    (message,) = output.instructions
    (said,) = message.parts
    assert isinstance(said, hub.Text)
    assert json.loads(said.text.partition("\n")[2]) == SCHEMA
    assert "JSON" in said.text
    assert [loss.path for loss in losses] == ["output.schema"]


def test_json_mode_itself_needs_no_words_of_ours() -> None:
    assert render_output(hub.OutputFormat(), Profile(structured="json_object"), []).instructions == ()


def test_a_provider_without_structured_output_is_asked_in_words() -> None:
    losses: list[hub.Loss] = []
    output = render_output(hub.OutputFormat(), Profile(structured="none"), losses)
    assert output.fields == {}
    assert len(output.instructions) == 1
    assert [loss.path for loss in losses] == ["output"]
