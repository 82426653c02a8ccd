"""Every member of the official request types arrives in every other format, or is listed as a loss."""

import json
import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from anthropic.types import message_create_params
from google.genai import types as google
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params

from tests.matrix.request_fields import FIELDS, GENERATION, Body, body_of
from tests.matrix.request_parts import PARTS
from tests.matrix.request_types import Document, problems
from tests.matrix.requests import TARGETS, Asked, verdict
from translators import WireRequest

PATHS = {
    "anthropic-messages": "/v1/messages",
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "gemini": "/v1beta/models/gemini-3-flash:generateContent",
}
DOCUMENTED: dict[str, set[str]] = {
    "anthropic-messages": set(get_type_hints(message_create_params.MessageCreateParamsBase)),
    "openai-chat": set(get_type_hints(completion_create_params.CompletionCreateParamsBase)),
    "openai-responses": set(get_type_hints(response_create_params.ResponseCreateParamsBase)),
    "gemini": set(Document.model_fields),
}
NEWER_SIBLINGS = frozenset({"response_format", "translation_config", "audio_transcription_config"})
"""Members of Google's type that its SDK never sends with ``generateContent``."""


def _samples() -> Iterator[tuple[str, str, Body]]:
    for name, fields in FIELDS.items():
        yield from ((name, field, body_of(name, sample)) for field, sample in fields.items())
    for field, value in GENERATION.items():
        head, *more = field.split("_")
        member = head + "".join(word.capitalize() for word in more)
        config: Body = {member: value}
        if field in ("response_schema", "response_json_schema"):
            config["responseMimeType"] = "application/json"
        yield "gemini", f"generation_config.{field}", body_of("gemini", {"generationConfig": config})
    for name, parts in PARTS.items():
        yield from ((name, part, body_of(name, sample)) for part, sample in parts.items())


def _named(samples: Iterator[tuple[Any, ...]]) -> list[Any]:
    return [pytest.param(*sample, id=re.sub(r"\W+", "-", " ".join(map(str, sample[:2])))) for sample in samples]


@pytest.mark.parametrize("name", FIELDS)
def test_no_member_of_the_type_is_left_out(name: str) -> None:
    assert FIELDS[name].keys() == DOCUMENTED[name]


def test_no_member_of_the_generation_config_is_left_out() -> None:
    assert GENERATION.keys() == google.GenerationConfig.model_fields.keys() - NEWER_SIBLINGS


@pytest.mark.parametrize("name, what, body", _named(_samples()))
def test_the_sample_is_what_the_sdk_would_send(name: str, what: str, body: Body) -> None:
    assert problems(name, body, {"anthropic-version": "2023-06-01"}) == [], what


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name, what, body", _named(_samples()))
def test_it_arrives_or_is_a_loss(name: str, what: str, body: Body, target: str) -> None:
    if name != target:
        wire = WireRequest(path=PATHS[name], body=json.dumps(body).encode())
        assert verdict(Asked(what, name, wire), target) == []
