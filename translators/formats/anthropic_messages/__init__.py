"""The Anthropic Messages API (``POST /v1/messages``), as Claude Code and the Anthropic SDKs speak it.

Also what Z.ai, MiniMax, Kimi and others imitate; what one of them tolerates is data of its profile.
"""

from collections.abc import Mapping
from dataclasses import replace

from translators import hub
from translators.estimate import expected
from translators.format import Profile, StreamParser, StreamRenderer, ToolRules, WireRequest, WireResponse
from translators.formats.anthropic_messages.errors import parse_error, render_error
from translators.formats.anthropic_messages.ownership import disown
from translators.formats.anthropic_messages.request import parse_request, render_request
from translators.formats.anthropic_messages.response import parse_response, render_response
from translators.formats.anthropic_messages.stream_parser import AnthropicStreamParser
from translators.formats.anthropic_messages.stream_renderer import AnthropicStreamRenderer
from translators.formats.anthropic_messages.values import NAME
from translators.model_in_body import ModelInBody
from translators.signatures import Reader


class AnthropicMessages(ModelInBody):
    name = NAME
    base_path = "/v1/messages"
    tool_rules = ToolRules(name_pattern=r"[a-zA-Z0-9_-]{1,128}", id_pattern=r"[a-zA-Z0-9_-]+", deferred=True)

    def parse_request(self, wire: WireRequest) -> hub.Request:
        return parse_request(wire)

    def render_request(self, request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
        return render_request(request, profile, losses)

    def parse_response(self, body: bytes) -> hub.Response:
        return parse_response(body)

    def render_response(self, response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
        usage = expected(request).merged(response.usage) if response.usage.input is None else response.usage
        return render_response(replace(response, usage=usage), request, losses)

    def stream_parser(self) -> StreamParser:
        return AnthropicStreamParser()

    def stream_renderer(self, request: hub.Request, losses: list[hub.Loss]) -> StreamRenderer:
        return AnthropicStreamRenderer(request, losses, expected(request))

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
        return parse_error(status, headers, body)

    def render_error(self, failure: hub.Failure) -> WireResponse:
        return render_error(failure)

    def disown(self, wire: WireRequest, reader: Reader | None = None) -> WireRequest:
        return disown(wire, reader or Reader(self.name))
