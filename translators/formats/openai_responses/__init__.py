"""OpenAI Responses: ``POST /v1/responses``, items in and items out.

``reading`` types the JSON, ``content`` and ``items`` know the pieces, ``tools`` the definitions, ``history`` the
input; ``request``, ``response``, ``parser``, ``renderer``, ``errors`` and ``retention`` are the contract's methods.
"""

from collections.abc import Mapping

from translators import hub
from translators.format import Profile, StreamParser, StreamRenderer, ToolRules, WireRequest, WireResponse
from translators.formats.openai_responses.errors import parse_error, render_error
from translators.formats.openai_responses.parser import ResponsesStreamParser
from translators.formats.openai_responses.reading import NAME
from translators.formats.openai_responses.renderer import ResponsesStreamRenderer
from translators.formats.openai_responses.request import parse_request, render_request
from translators.formats.openai_responses.response import parse_response, render_response
from translators.formats.openai_responses.retention import disown
from translators.model_in_body import ModelInBody
from translators.signatures import Reader


class OpenAIResponses(ModelInBody):
    """The format of the Responses API, of OpenAI, Codex and those who copy it."""

    name = NAME
    base_path = "/v1/responses"
    tool_rules = ToolRules(id_pattern=r".{1,64}", custom=True, namespaces=True)

    def parse_request(self, wire: WireRequest) -> hub.Request:
        return parse_request(wire)

    def render_request(self, request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
        return render_request(request, profile, losses)

    def parse_response(self, body: bytes) -> hub.Response:
        return parse_response(body)

    def render_response(self, response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
        return render_response(response, request, losses)

    def stream_parser(self) -> StreamParser:
        return ResponsesStreamParser()

    def stream_renderer(self, request: hub.Request, losses: list[hub.Loss]) -> StreamRenderer:
        return ResponsesStreamRenderer(request, losses)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
        return parse_error(status, headers, body)

    def render_error(self, failure: hub.Failure) -> WireResponse:
        return render_error(failure)

    def disown(self, wire: WireRequest, reader: Reader | None = None) -> WireRequest:
        return disown(wire, reader or Reader(self.name))
