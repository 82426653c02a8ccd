"""The chat-completions format of OpenAI, and of the many who speak a dialect of it.

Where what lives: ``request_parse`` and ``request_render`` (with ``request_tools``), ``response``, ``stream_parser`` (with
``stream_calls`` and ``think_tags``), ``stream_renderer``, ``errors`` (with ``error_words``); shared by both directions are
``content``, ``reasoning``, ``tool_calls``, ``citations``, ``usage`` and ``values``.

Dialects are told apart by what they send, never by who sends it; what an upstream tolerates is in its ``Profile``.
"""

from collections.abc import Mapping
from dataclasses import replace

from translators import hub
from translators.format import Profile, ToolRules, WireRequest, WireResponse
from translators.formats.openai_chat import errors, request_parse, request_render
from translators.formats.openai_chat.disown import disown
from translators.formats.openai_chat.response import parse_response, render_response
from translators.formats.openai_chat.stream_parser import ChatStreamParser
from translators.formats.openai_chat.stream_renderer import ChatStreamRenderer
from translators.formats.openai_chat.values import NAME
from translators.jsontext import member, replace_member


class OpenAIChat:
    name = NAME
    base_path = request_render.PATH
    tool_rules = ToolRules()
    """No custom tools: OpenAI has them in chat, hardly any dialect does, and a function does the same everywhere."""

    def parse_request(self, wire: WireRequest) -> hub.Request:
        return request_parse.parse_request(wire)

    def render_request(self, request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
        return request_render.render_request(request, profile, losses)

    def parse_response(self, body: bytes) -> hub.Response:
        return parse_response(body)

    def render_response(self, response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
        return render_response(response, request, losses)

    def stream_parser(self) -> ChatStreamParser:
        return ChatStreamParser()

    def stream_renderer(self, request: hub.Request, losses: list[hub.Loss]) -> ChatStreamRenderer:
        return ChatStreamRenderer(request, losses)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
        return errors.parse_error(status, headers, body)

    def render_error(self, failure: hub.Failure) -> WireResponse:
        return errors.render_error(failure)

    def retarget(self, wire: WireRequest, model: str) -> WireRequest:
        body = replace_member(wire.body, "model", model)
        return wire if body is None else replace(wire, body=body)

    def asks_stream(self, wire: WireRequest) -> bool:
        return member(wire.body, "stream") is True

    def model_of(self, wire: WireRequest) -> str | None:
        model = member(wire.body, "model")
        if isinstance(model, str) and model:
            return model
        return request_parse.model_in_path(wire.path)

    def disown(self, wire: WireRequest) -> WireRequest:
        return disown(wire)
