"""Whole answers: the Messages API response ↔ :class:`hub.Response`."""

from hashlib import blake2b

from translators import hub
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.anthropic_messages.blocks import parse_answer_block, render_part
from translators.formats.anthropic_messages.usage import parse_stop, parse_usage, render_stop, render_usage, with_own
from translators.formats.anthropic_messages.values import (
    MESSAGE,
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
_UNIQUE = 16
"""An id of this length is taken for unique."""
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
        parts=tuple(parse_answer_block(block, f"content[{index}]") for index, block in enumerate(blocks)),
        stop=parse_stop(raw.get("stop_reason"), raw.get("stop_sequence")),
        usage=parse_usage(usage),
        extra=rest(raw, *MESSAGE),
    )


def render_response(response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
    report = Report(losses)
    report.foreign(response.extra, "response")
    content: list[JSON] = []
    for index, part in enumerate(response.parts):
        block = render_part(part, f"parts[{index}]", report, "answer", _EVERYTHING)
        if block is not None:
            content.append(block)
    calls = any(isinstance(part, hub.ToolCall) for part in response.parts)
    message: Object = {
        "id": message_id(response.id, request),
        "type": "message",
        "role": "assistant",
        "model": response.model or request.model,
        "content": content,
        **render_stop(response.stop, calls),
        "usage": render_usage(response.usage),
    }
    return dumps(with_own(message, response.extra))


def message_id(given: str, request: hub.Request) -> str:
    """An id that no other answer of the conversation has, which Claude Code needs: it takes two messages of one id for
    one and loses tool results. Some servers give none, or draw them from a thousand (``chatcmpl-123``)."""
    if len(given) >= _UNIQUE:
        return given
    last = repr((given, len(request.messages), request.messages[-1:]))
    return "msg_" + blake2b(last.encode(errors="replace"), digest_size=12).hexdigest()
