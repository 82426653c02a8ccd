"""Whether a request body is what the official SDK of its format would let a user send.

The SDKs' own request types decide: TypedDicts of ``anthropic`` and ``openai``, pydantic models of ``google-genai``.
They are read strictly: a key that the type does not know is a failure, an iterable must be a list whose every element is
checked, and no value is converted to fit.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any

from anthropic.types import message_create_params
from google.genai import types as google
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import SchemaValidator


class Document(BaseModel):
    """The body of ``generateContent``, which the SDK puts together out of these types."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    contents: list[google.Content]
    system_instruction: google.Content | None = None
    generation_config: google.GenerationConfig | None = None
    tools: list[google.Tool] | None = None
    tool_config: google.ToolConfig | None = None
    safety_settings: list[google.SafetySetting] | None = None
    cached_content: str | None = None
    labels: dict[str, str] | None = None
    service_tier: google.ServiceTier | None = None
    model_armor_config: google.ModelArmorConfig | None = None


class Envelope(BaseModel):
    """The body of Code Assist's ``generateContent``, as Gemini CLI types it."""

    model_config = ConfigDict(extra="forbid")

    model: str
    project: str | None = None
    user_prompt_id: str | None = None
    enabled_credit_types: list[str] | None = None
    request: dict[str, Any]


SAMPLING = frozenset({"temperature", "top_p", "top_k"})
"""Taken by Anthropic's API version 2023-06-01, which we speak; SDKs of the next version have no such members."""


def problems(name: str, body: dict[str, Any], headers: Mapping[str, str]) -> list[str]:
    """What the SDK's types have against ``body``, a few words for each; empty when nothing."""
    if name == "antigravity":
        inner = {key: value for key, value in body["request"].items() if key != "sessionId"}
        return problems("gemini", inner, headers)
    if name == "gemini-cli":
        found = _said(lambda: Envelope.model_validate(body))
        inner = {key: value for key, value in body.get("request", {}).items() if key != "session_id"}
        return found + problems("gemini", inner, headers)
    if headers.get("anthropic-version") == "2023-06-01":
        body = {key: value for key, value in body.items() if key not in SAMPLING}
    if name == "gemini":
        return _said(lambda: Document.model_validate_json(json.dumps(body), strict=False))
    streaming = body.get("stream") is True
    validator = _validator(name, streaming=streaming)
    return _said(lambda: validator.validate_json(json.dumps(body), strict=True))


def _said(check: Any) -> list[str]:
    try:
        check()
    except ValidationError as error:
        return _nearest(error)
    return []


def _nearest(error: ValidationError) -> list[str]:
    """What is wrong with the variant of a union that fits best; all others complain as well."""
    variants: dict[tuple[str, ...], list[str]] = {}
    for one in error.errors(include_url=False):
        names = [str(step) for step in one["loc"]]
        variant = tuple(name for name in names if name[:1].isupper())
        path = ".".join(name for name in names if name[:1].islower() or name.isdecimal())
        variants.setdefault(variant, []).append(f"{path}: {one['msg']}"[:200])
    return min(variants.values(), key=len)


@functools.cache
def _validator(name: str, *, streaming: bool) -> SchemaValidator:
    kinds: dict[tuple[str, bool], Any] = {
        ("anthropic-messages", False): message_create_params.MessageCreateParamsNonStreaming,
        ("anthropic-messages", True): message_create_params.MessageCreateParamsStreaming,
        ("openai-chat", False): completion_create_params.CompletionCreateParamsNonStreaming,
        ("openai-chat", True): completion_create_params.CompletionCreateParamsStreaming,
        ("openai-responses", False): response_create_params.ResponseCreateParamsNonStreaming,
        ("openai-responses", True): response_create_params.ResponseCreateParamsStreaming,
    }
    return SchemaValidator(_strict(TypeAdapter(kinds[name, streaming]).core_schema))


def _strict(schema: Any) -> Any:
    """The same schema, closed, with lists for the iterables that pydantic would look into only when they are used."""
    match schema:
        case {"type": "generator", **rest}:
            return {"type": "list", **{key: _strict(value) for key, value in rest.items() if key == "items_schema"}}
        case {"type": "typed-dict", **rest}:
            return {
                **{key: _strict(value) for key, value in rest.items()},
                "type": "typed-dict",
                "extra_behavior": "forbid",
            }
        case dict():
            return {key: _strict(value) for key, value in schema.items()}
        case list():
            return [_strict(value) for value in schema]
        case tuple():
            return tuple(_strict(value) for value in schema)
        case _:
            return schema
