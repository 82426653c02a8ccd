"""One request or answer as another format says it, and what is lost: as the proxy does it, for commands and pages. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from translators import FORMATS, Profile, WireRequest, bridge, hub


@dataclass(frozen=True, slots=True)
class Translated:
    body: bytes
    facts: dict[str, object]
    """The same for scripts."""
    losses: Sequence[hub.Loss]
    failure: hub.Failure | None = None
    """The answer is an error."""


def request(source: str, target: str, body: bytes, model: str | None = None, path: str = "") -> Translated:
    """Raises TranslationError for what is no request of ``source``."""
    between = bridge(client=source, upstream=target)
    there, _, query = (path or path_of(source, model)).partition("?")
    wire = between.request(WireRequest(path=there, query=query, body=body), model)
    facts = {"path": wire.path, "query": wire.query, "headers": dict(wire.headers), "body": parsed(wire.body)}
    return Translated(wire.body, facts, between.losses)


def answer(source: str, target: str, body: bytes, asked: bytes | None = None, *, stream: bool = False) -> Translated:
    """The answer of a provider of ``source`` for a client of ``target``, which has asked ``asked``."""
    between = bridge(client=target, upstream=source)
    query = "alt=sse" if stream else ""  # as Google's clients ask for a stream
    path = path_of(target, None, stream=stream)
    between.request(
        _nothing(target, stream=stream) if asked is None else WireRequest(path=path, query=query, body=asked)
    )
    asking = len(between.losses)
    shown = between.feed(body, "text/event-stream" if stream else "application/json") + between.close()
    facts: dict[str, object] = (
        {"stream": shown.decode(errors="replace")} if between.streaming else {"body": parsed(shown)}
    )
    return Translated(shown, facts, between.losses[asking:], between.failure)


def path_of(name: str, model: str | None, *, stream: bool = False) -> str:
    """Where such a request is sent; Gemini keeps the model there, which its body does not tell."""
    base = FORMATS[name].base_path
    verb = "streamGenerateContent" if stream else "generateContent"
    match name:
        case "gemini":
            return f"{base}/{model or 'model'}:{verb}"
        case "gemini-cli" | "antigravity":
            return f"{base}:{verb}"
        case _:
            return base


def parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")


def _nothing(target: str, *, stream: bool) -> WireRequest:
    """The request behind an answer that stands alone."""
    asked = hub.Request("model", (hub.Message("user", (hub.Text("-"),)),), stream=stream)
    return FORMATS[target].render_request(asked, Profile(), [])
