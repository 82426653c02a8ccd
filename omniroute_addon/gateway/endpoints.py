"""Which paths the gateway serves, in which format, and the answers that need no upstream. Pure."""

import re
from dataclasses import dataclass

import orjson

from omniroute_addon.config.models import Operation, Snapshot
from omniroute_addon.routing.names import listed
from translators import FORMATS, WireResponse, hub


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A gateway call that is routed like an intercepted one."""

    format: str
    operation: Operation
    prefix: str = ""
    """A provider that the path names: it goes before the model unless the model already has it."""


_FIXED = {
    "/v1/chat/completions": Endpoint("openai-chat", "generate"),
    "/v1/messages": Endpoint("anthropic-messages", "generate"),
    "/v1/messages/count_tokens": Endpoint("anthropic-messages", "count"),
    "/v1/responses": Endpoint("openai-responses", "generate"),
}
_GEMINI = re.compile(
    r"/v1(?:beta)?/models/(?P<model>.+):(?P<method>generateContent|streamGenerateContent|countTokens)$"
)
_PROVIDER = re.compile(r"/v1/providers/(?P<provider>[^/]+)/chat/completions$")


def endpoint(method: str, path: str) -> Endpoint | None:
    """The endpoint of a POST; None for anything else. ``path`` may carry a query."""
    if method != "POST":
        return None
    path = path.partition("?")[0]
    if found := _FIXED.get(path):
        return found
    if match := _GEMINI.fullmatch(path):
        return Endpoint("gemini", "count" if match["method"] == "countTokens" else "generate")
    if match := _PROVIDER.fullmatch(path):
        return Endpoint("openai-chat", "generate", prefix=match["provider"])
    return None


def listing(method: str, path: str, snapshot: Snapshot) -> WireResponse | None:
    """The model lists, and a 404 in the nearest format for a path that nobody serves."""
    path = path.partition("?")[0]
    if method == "GET" and path == "/v1/models":
        data = [
            {"id": entry.id, "object": "model", "created": 0, "owned_by": entry.owner} for entry in listed(snapshot)
        ]
        return _json(200, {"object": "list", "data": data})
    if method == "GET" and path == "/v1beta/models":
        gemini = [
            {
                "name": f"models/{entry.id}",
                "displayName": entry.id,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
            for entry in listed(snapshot)
        ]
        return _json(200, {"models": gemini})
    return None


def format_of(path: str) -> str:
    """The format that a path most likely speaks, for errors where nothing else is known."""
    if "/messages" in path:
        return "anthropic-messages"
    if "/responses" in path:
        return "openai-responses"
    named = path.startswith("/v1beta") or "GenerateContent" in path or "generateContent" in path
    return "gemini" if named else "openai-chat"


def not_found(method: str, path: str) -> WireResponse:
    name = "gemini" if path.startswith("/v1beta") else "openai-chat"
    known = ", ".join([*_FIXED, "/v1/models", "/v1beta/models/{model}:generateContent"])
    failure = hub.Failure(
        "not_found", f"the gateway does not serve {method} {path.partition('?')[0]}; it serves {known}", 404
    )
    return FORMATS[name].render_error(failure)


def _json(status: int, body: object) -> WireResponse:
    return WireResponse(status, {"content-type": "application/json"}, orjson.dumps(body))
