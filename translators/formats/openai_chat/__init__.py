"""The chat-completions format of OpenAI, and of the many who speak a dialect of it.

Where what lives: ``request_parse`` and ``request_render`` (with ``request_tools``,
``request_output`` and ``request_reasoning``), ``response``, ``stream_parser`` (with
``stream_calls``), ``stream_renderer``, ``errors`` (with ``error_words``); shared by both directions are
``content``, ``reasoning``, ``tool_calls``, ``citations``, ``usage`` and ``values``.

Dialects are told apart by what they send, never by who sends it; what an upstream tolerates is in its ``Profile``.
"""

from collections.abc import Mapping

from translators import hub
from translators.format import Profile, ToolRules, WireRequest, WireResponse
from translators.formats.openai_chat import errors, request_parse, request_render
from translators.formats.openai_chat.disown import disown
from translators.formats.openai_chat.response import parse_response, render_response
from translators.formats.openai_chat.stream_parser import ChatStreamParser
from translators.formats.openai_chat.stream_renderer import ChatStreamRenderer
from translators.formats.openai_chat.values import NAME
from translators.model_in_body import ModelInBody
from translators.signatures import Reader


class OpenAIChat(ModelInBody):
    name = NAME
    base_path = request_render.PATH
    tool_rules = ToolRules(id_pattern=r".{1,40}")
    """No custom tools: OpenAI has them in chat, hardly any dialect does, and a function does the same everywhere.

    OpenAI refuses a longer id of a call."""

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

    def model_of(self, wire: WireRequest) -> str | None:
        return super().model_of(wire) or request_parse.model_in_path(wire.path)

    def disown(self, wire: WireRequest, reader: Reader | None = None) -> WireRequest:
        return disown(wire, reader or Reader(self.name))
