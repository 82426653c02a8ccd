"""A request's features by the shape of its JSON, whatever its format: for records, where a parse would cost too much.

Rules decide by the parsed request (``ask.BodyFacts.has``). What is written down of a call whose body no rule has read
comes from here; it costs a fifth, and is the same but for oddities that no tool sends.
"""

from collections.abc import Iterator, Mapping
from typing import cast

from translators import WireRequest
from translators.jsontext import glance

type _Object = Mapping[str, object]

_PART_TYPES: Mapping[str, str] = {
    "image": "images",
    "image_url": "images",
    "input_image": "images",
    "document": "documents",
    "file": "documents",
    "input_file": "documents",
    "input_audio": "audio",
    "video_url": "video",
    "tool_result": "tool-results",
    "function_call_output": "tool-results",
    "custom_tool_call_output": "tool-results",
}
_MEDIA_TYPES = (("image/", "images"), ("audio/", "audio"), ("video/", "video"), ("", "documents"))


def features(wire: WireRequest) -> frozenset[str]:
    """By the names of ``config.governance.FEATURES``."""
    whole = glance(wire.body)
    if not isinstance(whole, dict):
        return frozenset()
    inner = whole.get("request")
    body = cast("_Object", inner if isinstance(inner, dict) else whole)
    found = {name for name, there in _settings(body) if there}
    if "streamGenerateContent" in wire.path:
        found.add("stream")
    for name in ("messages", "input", "contents"):
        turns = body.get(name)
        if isinstance(turns, list):
            for turn in cast("list[object]", turns):
                found.update(_turn(turn))
    return frozenset(found)


def _settings(body: _Object) -> Iterator[tuple[str, bool]]:
    options = _object(body.get("generationConfig"))
    text, output = _object(body.get("text")), _object(body.get("output_config"))
    yield "tools", bool(body.get("tools"))
    yield "stream", body.get("stream") is True
    yield "thinking", any(body.get(name) for name in ("thinking", "reasoning", "reasoning_effort", "enable_thinking"))
    yield "thinking", bool(options.get("thinkingConfig") or output.get("effort"))
    kinds = (_object(one).get("type") for one in (text.get("format"), body.get("response_format")))
    yield "structured", any(kind not in (None, "text") for kind in kinds)
    yield "structured", bool(body.get("output_format") or output.get("format"))
    yield "structured", any(options.get(name) for name in ("responseSchema", "responseJsonSchema"))
    yield "structured", options.get("responseMimeType") == "application/json"


def _turn(turn: object) -> Iterator[str]:
    """A message, or what stands beside messages in a Responses input."""
    entry = _object(turn)
    if entry.get("role") == "tool":
        yield "tool-results"
    yield from _part(entry)
    for name in ("content", "parts", "output"):
        parts = entry.get(name)
        if isinstance(parts, list):
            for part in cast("list[object]", parts):
                yield from _turn(part)


def _part(part: _Object) -> Iterator[str]:
    kind = part.get("type")
    if isinstance(kind, str) and kind in _PART_TYPES:
        yield _PART_TYPES[kind]
    if "functionResponse" in part:
        yield "tool-results"
    for name in ("inlineData", "fileData"):
        media = _object(part.get(name)).get("mimeType")
        if isinstance(media, str):
            yield next(feature for begin, feature in _MEDIA_TYPES if media.startswith(begin))


def _object(value: object) -> _Object:
    return cast("_Object", value) if isinstance(value, dict) else {}
