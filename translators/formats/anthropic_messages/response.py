"""Whole answers: the Messages API response ↔ :class:`hub.Response`."""

from hashlib import blake2b

from translators import hub
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.anthropic_messages.blocks import parse_block, render_part
from translators.formats.anthropic_messages.usage import parse_stop, parse_usage, render_stop, render_usage, with_own
from translators.formats.anthropic_messages.values import (
    Object,
    Report,
    as_array,
    as_object,
    dumps,
    loads,
    rest,
    shown,
    text_or_none,
)
from translators.hub import JSON

_BAD_GATEWAY = 502
_EVERYTHING = Profile()


def parse_response(body: bytes) -> hub.Response:
    raw = as_object(loads(body, "the answer", _BAD_GATEWAY), "the answer", _BAD_GATEWAY)
    if raw.get("type", "message") != "message" or "content" not in raw:
        raise FormatError(f"the answer is no message, its type is {shown(raw.get('type'))}", status_hint=_BAD_GATEWAY)
    blocks = as_array(raw.get("content") or [], "content", _BAD_GATEWAY)
    usage = as_object(raw.get("usage") or {}, "usage", _BAD_GATEWAY)
    return hub.Response(
        id=text_or_none(raw.get("id")) or "",
        model=text_or_none(raw.get("model")) or "",
        parts=tuple(_parse_part(block, f"content[{index}]") for index, block in enumerate(blocks)),
        stop=parse_stop(raw.get("stop_reason"), raw.get("stop_sequence")),
        usage=parse_usage(usage),
        extra=rest(raw, "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"),
    )


def render_response(
    response: hub.Response, request: hub.Request, losses: list[hub.Loss], estimated_input: int
) -> bytes:
    report = Report(losses)
    report.foreign(response.extra, "response")
    content: list[JSON] = []
    for index, part in enumerate(response.parts):
        block = render_part(part, f"parts[{index}]", report, "answer", _EVERYTHING)
        if block is not None:
            content.append(block)
    calls = any(isinstance(part, hub.ToolCall) for part in response.parts)
    message: Object = {
        "id": response.id or message_id(request),
        "type": "message",
        "role": "assistant",
        "model": response.model or request.model,
        "content": content,
        **render_stop(response.stop, calls),
        "usage": render_usage(response.usage, estimated_input),
    }
    return dumps(with_own(message, response.extra))


def message_id(request: hub.Request) -> str:
    """An id for an answer that came without one; clients tell the answers of a conversation apart by it."""
    last = repr((len(request.messages), request.messages[-1:]))
    return "msg_" + blake2b(last.encode(errors="replace"), digest_size=12).hexdigest()


def _parse_part(value: JSON, path: str) -> hub.AnswerPart:
    part = parse_block(value, path, _BAD_GATEWAY)
    if isinstance(part, hub.ToolResult):
        raise FormatError(f"{path}: a tool_result cannot stand in an answer", status_hint=_BAD_GATEWAY)
    return part
