"""Code Assist (``cloudcode-pa.googleapis.com/v1internal``), which Gemini CLI speaks after "Login with Google".

The Gemini API in an envelope: requests are ``{model, project, user_prompt_id, request: {…, session_id}}``, answers and
chunks ``{response: {…}, traceId}``, errors are bare. ``project`` names the user's cloud project; a request from another
format has none, and whoever holds the login must put it in.
"""

from collections.abc import Mapping
from dataclasses import replace

from translators import hub
from translators.errors import FormatError
from translators.format import Profile, StreamParser, StreamRenderer, WireRequest, WireResponse
from translators.formats.gemini import STREAM, TOOL_RULES, asks_array, query_extra, query_of, streams
from translators.formats.gemini.disown import disown_document
from translators.formats.gemini.errors import parse_error, render_error
from translators.formats.gemini.render import render_document
from translators.formats.gemini.request import parse_document
from translators.formats.gemini.response import parse_answer, render_answer
from translators.formats.gemini.stream import GeminiStreamParser, GeminiStreamRenderer
from translators.formats.gemini.wire import Object, as_object, dumps, loads
from translators.jsontext import member, replace_member
from translators.signatures import PREFIX

_SESSION = ("session_id", "sessionId")


class GeminiCLI:
    name = "gemini-cli"
    base_path = "/v1internal"
    tool_rules = TOOL_RULES

    def parse_request(self, wire: WireRequest) -> hub.Request:
        envelope = as_object(loads(wire.body, "the body"), "the body")
        inner = as_object(envelope.get("request"), "request")
        # countTokens names its model inside.
        model = envelope.get("model") or inner.get("model")
        if not isinstance(model, str):
            raise FormatError(f"model must be a string, not {model!r}")
        stream = self.asks_stream(wire)
        sessions: Object = {key: inner[key] for key in _SESSION if key in inner}
        document = {key: value for key, value in inner.items() if key not in {*_SESSION, "model"}}
        extra = query_extra(wire.query, stream=stream)
        parsed = parse_document(document, model.removeprefix("models/"), self.name, stream=stream, extra=extra)
        kept: Object = {key: value for key, value in envelope.items() if key not in {"model", "request"}}
        if sessions:
            kept["request"] = sessions
        return replace(parsed, extra={**parsed.extra, self.name: kept}) if kept else parsed

    def render_request(self, request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
        document = render_document(request, profile, self.name, losses)
        kept = dict(request.extra.get(self.name, {}))
        sessions = kept.pop("request", None)
        if isinstance(sessions, dict):
            document |= sessions
        stream = streams(request, profile)
        body: Object = {"model": request.model, **kept, "request": document}
        path = f"{self.base_path}:{STREAM if stream else 'generateContent'}"
        query = query_of(request, stream=stream)
        return WireRequest("POST", path, query, {"content-type": "application/json"}, dumps(body))

    def parse_response(self, body: bytes) -> hub.Response:
        return parse_answer(body, self.name, wrapped=True)

    def render_response(self, response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
        del request
        return dumps({"response": render_answer(response, self.name, losses), "traceId": response.id})

    def stream_parser(self) -> StreamParser:
        return GeminiStreamParser(self.name, wrapped=True)

    def stream_renderer(self, request: hub.Request, losses: list[hub.Loss]) -> StreamRenderer:
        framing = "array" if asks_array(request) else "sse"
        return GeminiStreamRenderer(self.name, losses, framing=framing, wrapped=True)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
        return parse_error(status, headers, body)

    def render_error(self, failure: hub.Failure) -> WireResponse:
        return render_error(failure)

    def retarget(self, wire: WireRequest, model: str) -> WireRequest:
        if self.model_of(wire) == model:
            return wire
        body = replace_member(wire.body, "model", model)
        return wire if body is None else replace(wire, body=body)

    def asks_stream(self, wire: WireRequest) -> bool:
        return wire.path.endswith(f":{STREAM}")

    def model_of(self, wire: WireRequest) -> str | None:
        model = member(wire.body, "model")
        return model if isinstance(model, str) else None

    def disown(self, wire: WireRequest) -> WireRequest:
        if PREFIX.encode() not in wire.body:
            return wire
        try:
            envelope = as_object(loads(wire.body, "the body"), "the body")
            inner = as_object(envelope.get("request"), "request")
        except FormatError:
            return wire
        return replace(wire, body=dumps({**envelope, "request": disown_document(inner)}))
