"""Whole chat answers ↔ hub.

Only the first choice is read. What the hub has no word for is kept: fields of the answer under their own names, those
of the choice and the message under ``choices[0]`` and ``choices[0].message``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from translators.errors import FormatError
from translators.formats.openai_chat.citations import parse_annotations, parse_search_results, render_annotation
from translators.formats.openai_chat.content import media_url, parse_content
from translators.formats.openai_chat.reasoning import FIELDS, client_details, joined_text, parse_thinking
from translators.formats.openai_chat.request_parse import LEGACY
from translators.formats.openai_chat.tool_calls import parse_tool_calls, render_call
from translators.formats.openai_chat.usage import BROKEN, finish_reason, parse_usage, render_usage, stop
from translators.formats.openai_chat.values import (
    CHOICE,
    MESSAGE,
    NAME,
    dump,
    extra,
    integer,
    load_object,
    object_at,
    objects_at,
    own,
    rest,
    text,
)
from translators.hub import (
    JSON,
    AnswerPart,
    Loss,
    Media,
    Opaque,
    Refusal,
    Request,
    Response,
    Stop,
    Text,
    Thinking,
    ToolCall,
)

ANSWER_FIELDS = frozenset({"id", "object", "created", "model", "choices", "usage", "error", "obfuscation"})
CHOICE_FIELDS = frozenset({
    "index", "message", "delta", "finish_reason", "stop_reason", "logprobs", "usage", "error",
})  # fmt: skip
MESSAGE_FIELDS = (
    frozenset({"role", "content", "refusal", "tool_calls", "function_call", "annotations", "images", "audio"}) | FIELDS
)
_AUDIO_EXTRA = frozenset({"id", "expires_at", "transcript"})


# ── parse ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_response(body: bytes) -> Response:
    answer = load_object(body, "answer")
    choices = objects_at(answer, "choices")
    choice = next((item for item in choices if item.get("index") in (0, None)), choices[0] if choices else None)
    if choice is None:
        raise FormatError(f"choices: the answer has none; it starts with {body[:80]!r}", status_hint=502)
    if text(choice, "finish_reason") in BROKEN:
        raise FormatError(f"choices[0].finish_reason: {BROKEN[text(choice, 'finish_reason')]}", status_hint=502)
    message = object_at(choice, "message")
    calls = parse_tool_calls(message, f"{text(answer, 'id')}/{integer(answer, 'created')}")
    parts, others = _parse_parts(answer, message)
    kept = rest(answer, ANSWER_FIELDS)
    beside = rest(choice, CHOICE_FIELDS)
    logprobs: dict[str, JSON] = {
        name: value for name, value in object_at(choice, "logprobs").items() if value is not None
    }
    if logprobs:
        beside["logprobs"] = logprobs
    within = rest(message, MESSAGE_FIELDS)
    if others:
        within["annotations"] = others
    kept |= {key: fields for key, fields in ((CHOICE, beside), (MESSAGE, within)) if fields}
    return Response(
        id=text(answer, "id"),
        model=text(answer, "model"),
        parts=(*parts, *calls),
        stop=stop(choice, bool(calls), refused=any(isinstance(part, Refusal) for part in parts)),
        usage=parse_usage(_usage_of(answer, choice)),
        created=integer(answer, "created") or None,
        extra=extra(kept),
    )


def _usage_of(answer: Mapping[str, JSON], choice: Mapping[str, JSON]) -> dict[str, JSON]:
    return object_at(answer, "usage") or object_at(object_at(answer, "x_groq"), "usage") or object_at(choice, "usage")


def _parse_parts(answer: Mapping[str, JSON], message: Mapping[str, JSON]) -> tuple[list[AnswerPart], list[JSON]]:
    """Everything but the tool calls, and the annotations that are no citations."""
    thinking = parse_thinking(message)
    parts: list[AnswerPart] = [thinking] if thinking is not None else []
    for part in parse_content(message.get("content")):
        match part:
            case Thinking():
                parts.append(Thinking(part.text))
            case _:
                parts.append(part)
    if refusal := text(message, "refusal"):
        parts.append(Refusal(refusal))
    parts += parse_images(message)
    if (sound := parse_audio(object_at(message, "audio"))) is not None:
        parts.append(sound)
    citations, others = parse_annotations(message)
    cited = tuple(citations or parse_search_results(answer))
    for place, part in enumerate(parts):
        if cited and isinstance(part, Text):
            parts[place] = replace(part, citations=cited)
            break
    return parts, others


def parse_images(message: Mapping[str, JSON]) -> list[AnswerPart]:
    """OpenRouter's generated images."""
    return [part for part in parse_content(message.get("images")) if isinstance(part, Media)]


def parse_audio(audio: Mapping[str, JSON]) -> Media | None:
    data = text(audio, "data")
    return Media("audio", data=data, extra=extra(rest(audio, frozenset({"data"})))) if data else None


# ── render ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def render_response(response: Response, request: Request, losses: list[Loss]) -> bytes:
    more = dict(own(response.extra))
    beside, within = object_at(more, CHOICE), object_at(more, MESSAGE)
    legacy = speaks_legacy(request)
    message = _render_message(response.parts, within, losses, legacy=legacy)
    choice: dict[str, JSON] = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": render_stop(response.stop, losses, legacy=legacy),
        **met_sequence(response.stop),
        **beside,
    }
    body: dict[str, JSON] = {
        "id": response.id,
        "object": "chat.completion",
        "created": response.created or 0,
        "model": response.model,
        "choices": [choice],
        "usage": render_usage(response.usage),
    }
    return dump(body | {name: value for name, value in more.items() if name not in (CHOICE, MESSAGE)})


def speaks_legacy(request: Request) -> bool:
    return own(request.extra).get(LEGACY) is True


def met_sequence(stopped: Stop) -> dict[str, JSON]:
    """Which stop sequence was met, where it is known; OpenAI has no word for it, vLLM has this."""
    return {} if stopped.sequence is None else {"stop_reason": stopped.sequence}


def render_stop(stopped: Stop, losses: list[Loss], *, legacy: bool) -> str:
    if stopped.reason == "pause":
        losses.append(Loss("stop", "Chat completions cannot pause; the answer looks ended."))
    if stopped.reason == "refusal" and stopped.raw == "stop":
        return "stop"  # beside a ``refusal``
    return "function_call" if legacy and stopped.reason == "tool_calls" else finish_reason(stopped.reason)


def _render_message(
    parts: tuple[AnswerPart, ...], within: dict[str, JSON], losses: list[Loss], *, legacy: bool
) -> dict[str, JSON]:
    images: list[JSON] = []
    raw: list[JSON] = []
    more: dict[str, JSON] = {}
    for place, part in enumerate(parts):
        match part:
            case Media():
                more |= render_answer_media(part, f"parts[{place}]", losses, images)
            case Opaque() if part.format == NAME:
                raw.append(part.raw)
            case Opaque():
                losses.append(Loss(f"parts[{place}]", "A part that only its own vendor can read."))
            case Text() | Thinking() | Refusal() | ToolCall():
                pass  # below, each kind at once
            case _:
                assert_never(part)
    texts = [part for part in parts if isinstance(part, Text)]
    content: JSON = "".join(part.text for part in texts) if texts else None
    if raw:
        content = [*({"type": "text", "text": part.text} for part in texts), *raw]
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
    message: dict[str, JSON] = {"role": "assistant", "content": content, "refusal": refusal or None}
    message |= _render_thoughts([part for part in parts if isinstance(part, Thinking)])
    if images:
        message["images"] = images
    message |= _render_calls([part for part in parts if isinstance(part, ToolCall)], losses, legacy=legacy)
    message |= more | within
    annotations: list[JSON] = []
    before = 0
    for part in texts:
        cited = [render_annotation(citation, before) for citation in part.citations]
        annotations += [item for item in cited if item is not None]
        before += len(part.text)
    if annotations:
        others = within.get("annotations")
        message["annotations"] = annotations + (others if isinstance(others, list) else [])
    return message


def _render_thoughts(thoughts: list[Thinking]) -> dict[str, JSON]:
    message: dict[str, JSON] = {}
    if said := joined_text(thoughts):
        message["reasoning_content"] = said
    if details := client_details(thoughts):
        message["reasoning_details"] = details
    return message


def _render_calls(calls: list[ToolCall], losses: list[Loss], *, legacy: bool) -> dict[str, JSON]:
    if not calls:
        return {}
    if not legacy:
        return {"tool_calls": [render_call(call, client=True) for call in calls]}
    if len(calls) > 1:
        losses.append(Loss("parts", "The legacy function interface has room for one call."))
    return {"function_call": {"name": calls[0].name, "arguments": calls[0].arguments or "{}"}}


def render_answer_media(media: Media, path: str, losses: list[Loss], images: list[JSON]) -> dict[str, JSON]:
    """Adds an image to ``images``; returns the message's ``audio`` for sound."""
    if media.file_id is None and media.kind == "image":
        images.append({"type": "image_url", "image_url": {"url": media_url(media)}, "index": len(images)})
    elif media.data is not None and media.kind == "audio":
        sound = {name: value for name, value in own(media.extra).items() if name in _AUDIO_EXTRA}
        return {"audio": {"id": "audio", "expires_at": 0, "transcript": "", **sound, "data": media.data}}
    else:
        losses.append(Loss(path, f"Chat completions have no place for a {media.kind} in the answer."))
    return {}
