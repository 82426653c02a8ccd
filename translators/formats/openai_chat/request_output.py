"""Structured output of a chat request, as far as the provider takes it.

Providers that only know JSON mode, or nothing, are shown the schema in words: the model can follow it, nobody enforces
it. JSON mode itself demands that the conversation says "JSON" somewhere, which those words do, too.
"""

from dataclasses import dataclass, field
from typing import assert_never

from translators.format import Profile
from translators.hub import JSON, Loss, Message, OutputFormat, Text
from translators.words import output_in_words


@dataclass(frozen=True, slots=True)
class Output:
    fields: dict[str, JSON] = field(default_factory=dict[str, JSON])
    instructions: tuple[Message, ...] = ()
    """What must be said because it cannot be set."""


def render_output(output: OutputFormat | None, profile: Profile, losses: list[Loss]) -> Output:
    if output is None:
        return Output()
    match profile.structured:
        case "json_schema":
            return Output({"response_format": _schema(output) if output.schema is not None else _OBJECT})
        case "json_object":
            if output.schema is None:
                return Output({"response_format": _OBJECT})
            losses.append(Loss("output.schema", "The provider enforces no schema; the model is shown it as text."))
            return Output({"response_format": _OBJECT}, _instructions(output))
        case "none":
            losses.append(Loss("output", "The provider has no structured output; the model is asked for it in words."))
            return Output({}, _instructions(output))
        case _:
            assert_never(profile.structured)


_OBJECT: JSON = {"type": "json_object"}


def _schema(output: OutputFormat) -> dict[str, JSON]:
    schema: dict[str, JSON] = {"name": output.name or "response", "schema": dict(output.schema or {})}
    if output.description is not None:
        schema["description"] = output.description
    if output.strict is not None:
        schema["strict"] = output.strict
    return {"type": "json_schema", "json_schema": schema}


def _instructions(output: OutputFormat) -> tuple[Message, ...]:
    return (Message("system", (Text(output_in_words(output)),)),)
