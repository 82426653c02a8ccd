"""Google's Gemini API (``generativelanguage.googleapis.com``, Vertex AI): ``generateContent`` and its stream.

The model and whether to stream stand in the path, not in the body. ``request`` and ``render`` are the two directions
of a request, ``answer`` reads and ``stream``/``response`` write answers, ``schema`` brings tool schemas into Gemini's
subset. Code Assist (``formats/gemini_cli.py``) puts an envelope around all of it.
"""

from collections.abc import Mapping
from dataclasses import replace

from translators import hub
from translators.errors import FormatError
from translators.format import Profile, StreamParser, StreamRenderer, ToolRules, WireRequest, WireResponse
from translators.formats.gemini.disown import SIGNED, disown_document
from translators.formats.gemini.errors import parse_error, render_error
from translators.formats.gemini.render import render_document
from translators.formats.gemini.request import parse_document
from translators.formats.gemini.response import parse_answer, render_answer
from translators.formats.gemini.stream import GeminiStreamParser, GeminiStreamRenderer
from translators.formats.gemini.wire import (
    BASE_PATH,
    NAME,
    Object,
    as_object,
    dumps,
    loads,
    path_of,
    quoted,
    split_query,
    target_of,
)
from translators.signatures import Reader

TOOL_RULES = ToolRules(name_pattern=r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}", id_pattern=r".{1,512}")
STREAM = "streamGenerateContent"


class Gemini:
    name = NAME
    base_path = BASE_PATH
    tool_rules = TOOL_RULES

    def parse_request(self, wire: WireRequest) -> hub.Request:
        target = target_of(wire.path)
        document = as_object(loads(wire.body, "the body"), "the body")
        nested = document.get("generateContentRequest")
        if isinstance(nested, dict):  # countTokens
            document = {key: value for key, value in nested.items() if key != "model"}
        if target is None:
            raise FormatError(f"the path {wire.path!r} names no model")
        stream = target.operation == STREAM
        extra = query_extra(wire.query, stream=stream)
        return parse_document(document, target.model, self.name, stream=stream, extra=extra)

    def render_request(self, request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
        document = render_document(request, profile, losses)
        stream = streams(request, profile)
        path = path_of(request.model, STREAM if stream else "generateContent")
        return WireRequest(
            "POST", path, query_of(request, stream=stream), {"content-type": "application/json"}, dumps(document)
        )

    def parse_response(self, body: bytes) -> hub.Response:
        return parse_answer(body, self.name)

    def render_response(self, response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
        del request
        return dumps(render_answer(response, self.name, losses))

    def stream_parser(self) -> StreamParser:
        return GeminiStreamParser(self.name)

    def stream_renderer(self, request: hub.Request, losses: list[hub.Loss]) -> StreamRenderer:
        return GeminiStreamRenderer(self.name, losses, framing="array" if asks_array(request) else "sse")

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
        return parse_error(status, headers, body)

    def render_error(self, failure: hub.Failure) -> WireResponse:
        return render_error(failure)

    def retarget(self, wire: WireRequest, model: str) -> WireRequest:
        target = target_of(wire.path)
        if target is None or target.model == model:
            return wire
        new = quoted(model.removeprefix("models/"))
        return replace(wire, path=wire.path[: target.start] + new + wire.path[target.end :])

    def asks_stream(self, wire: WireRequest) -> bool:
        target = target_of(wire.path)
        return target is not None and target.operation == STREAM

    def model_of(self, wire: WireRequest) -> str | None:
        target = target_of(wire.path)
        return target.model if target else None

    def disown(self, wire: WireRequest, reader: Reader | None = None) -> WireRequest:
        reader = reader or Reader(self.name)
        if not reader.concerns(wire.body, *SIGNED):
            return wire
        try:
            document = as_object(loads(wire.body, "the body"), "the body")
        except FormatError:
            return wire
        disowned = disown_document(document, reader)
        return wire if disowned == document else replace(wire, body=dumps(disowned))


def query_extra(query: str, *, stream: bool) -> Object:
    """What of the query is kept with the request: other parameters, and that the stream is to be a JSON array."""
    alt, others = split_query(query)
    extra: Object = {"query": others} if others else {}
    return {**extra, "alt": "json"} if stream and alt != "sse" else extra


def asks_array(request: hub.Request) -> bool:
    return request.extra.get(NAME, {}).get("alt") == "json"


def streams(request: hub.Request, profile: Profile) -> bool:
    return profile.stream == "always" or (request.stream and profile.stream != "never")


def query_of(request: hub.Request, *, stream: bool) -> str:
    kept = request.extra.get(NAME, {}).get("query")
    return "&".join(part for part in ("alt=sse" if stream else "", kept) if isinstance(part, str) and part)
