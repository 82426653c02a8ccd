"""Code Assist's envelope around the Gemini API, in which Gemini CLI and Antigravity speak to Google.

Requests are ``{model, project, …, request: {…}}`` with the session inside ``request``, answers and chunks
``{response: {…}, traceId}``, errors are bare. ``project`` names the cloud project of whoever has logged in, so a
request from another format has none: ``Profile.envelope`` brings it, and what else only the caller knows.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from translators import hub
from translators.errors import FormatError
from translators.format import Profile, StreamParser, StreamRenderer, WireRequest, WireResponse
from translators.formats.gemini import STREAM, TOOL_RULES, asks_array, query_extra, query_of, streams
from translators.formats.gemini.disown import SIGNED, disown_document
from translators.formats.gemini.errors import parse_error, render_error
from translators.formats.gemini.render import PLAIN, Dialect, render_document
from translators.formats.gemini.request import parse_document
from translators.formats.gemini.response import parse_answer, render_answer
from translators.formats.gemini.stream import GeminiStreamParser, GeminiStreamRenderer
from translators.formats.gemini.wire import ENVELOPES, Object, as_object, dumps, loads
from translators.jsontext import member, replace_member
from translators.signatures import Reader

_SESSION: Final = ("session_id", "sessionId")


class Envelope:
    """What the formats of the envelope share; each says its name and what else is its own."""

    name: str
    session: str
    """The word for the session inside of ``request``."""
    dialect: Dialect = PLAIN
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
        kept, extra = self._kept(request.extra)
        document = render_document(replace(request, extra=extra), profile, losses, self.dialect)
        sessions = kept.pop("request", None)
        if isinstance(sessions, dict):
            document |= sessions
        stream = streams(request, profile)
        body: Object = {"model": request.model, **kept, **profile.envelope, "request": document}
        path = f"{self.base_path}:{STREAM if stream else 'generateContent'}"
        query = query_of(request, stream=stream)
        return WireRequest("POST", path, query, {"content-type": "application/json"}, dumps(body))

    def _kept(self, extra: hub.Extra) -> tuple[Object, hub.Extra]:
        """The client's own envelope, or of another one what both know; and the extras that are left to report."""
        others = dict(extra)
        if self.name in others:
            return dict(others.pop(self.name)), others
        foreign = next((name for name in ENVELOPES if name in others), None)
        if foreign is None:
            return {}, others
        fields = dict(others.pop(foreign))
        kept: Object = {"project": fields.pop("project")} if "project" in fields else {}
        sessions = fields.pop("request", None)
        if isinstance(sessions, dict) and sessions:
            kept["request"] = {self.session: next(iter(sessions.values()))}
        return kept, {**others, foreign: fields}

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

    def disown(self, wire: WireRequest, reader: Reader | None = None) -> WireRequest:
        reader = reader or Reader(self.name)
        if not reader.concerns(wire.body, *SIGNED):
            return wire
        try:
            envelope = as_object(loads(wire.body, "the body"), "the body")
            inner = as_object(envelope.get("request"), "request")
        except FormatError:
            return wire
        disowned = disown_document(inner, reader, self.dialect.signed_by)
        return wire if disowned == inner else replace(wire, body=dumps({**envelope, "request": disowned}))
