"""Whole answers: the ``response`` object ↔ hub.Response; the stream's last event repeats the same object.

An answer repeats what was asked (tools, instructions, sampling). When parsing, these echoes are left out; when
rendering they are made from the client's own request, encoded once, because a stream says them three times.
"""

from translators import hub, jsonvalue
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.openai_responses import items as model_items
from translators.formats.openai_responses.reading import (
    NAME,
    integer,
    load,
    mapping,
    own,
    rest,
    sequence,
    text,
)
from translators.formats.openai_responses.request import render_options
from translators.hub import JSON

_ECHOES = frozenset(
    {
        "instructions", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p", "top_logprobs", "text",
        "reasoning", "max_output_tokens", "max_tool_calls", "metadata", "truncation", "store", "user", "background",
        "previous_response_id", "prompt_cache_key", "safety_identifier", "presence_penalty", "frequency_penalty",
        "include", "input", "conversation",
    }
)  # fmt: skip
_KNOWN = _ECHOES | {
    "id", "object", "created_at", "status", "model", "output", "output_text", "usage", "error", "incomplete_details",
}  # fmt: skip
_USAGE = frozenset({"input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "output_tokens_details"})
_REQUEST_ECHOES = ("metadata", "truncation", "background", "previous_response_id", "prompt_cache_retention")


def parse_response(body: bytes) -> hub.Response:
    response = load(body, "the answer")
    status = response.get("status")
    if response.get("error") is not None or status in ("failed", "cancelled"):
        raise FormatError("the answer is an error", status_hint=502)
    if not isinstance(response.get("output"), list):
        raise FormatError("the answer has no list 'output'", status_hint=502)
    parts: list[hub.AnswerPart] = []
    for item in sequence(response.get("output")):
        parts += model_items.parse_item(mapping(item), answer=True)
    calls = any(isinstance(part, hub.ToolCall) for part in parts)
    refused = any(isinstance(part, hub.Refusal) for part in parts)
    return hub.Response(
        id=text(response.get("id")),
        model=text(response.get("model")),
        parts=tuple(parts),
        stop=parse_stop(response, calls=calls, refused=refused),
        usage=parse_usage(response.get("usage")) or hub.Usage(),
        created=integer(response.get("created_at")),
        extra=response_extra(response),
    )


def response_extra(response: dict[str, JSON]) -> hub.Extra:
    return {NAME: rest(response, _KNOWN)}


def parse_stop(response: dict[str, JSON], *, calls: bool, refused: bool) -> hub.Stop:
    status = text(response.get("status")) or "completed"
    if status == "incomplete":
        reason = text(mapping(response.get("incomplete_details")).get("reason"))
        match reason:
            case "max_output_tokens" | "max_tokens":
                return hub.Stop("max_tokens", raw=reason)
            case "content_filter":
                return hub.Stop("refusal", raw=reason)
            case _:
                return hub.Stop("other", raw=reason or status)
    if status in ("queued", "in_progress"):
        return hub.Stop("other", raw=status)
    if calls:
        return hub.Stop("tool_calls", raw=status)
    return hub.Stop("refusal" if refused else "end", raw=status)


def parse_usage(value: JSON) -> hub.Usage | None:
    if not isinstance(value, dict):
        return None
    asked, said = mapping(value.get("input_tokens_details")), mapping(value.get("output_tokens_details"))
    more = rest(value, _USAGE)
    return hub.Usage(
        input=integer(value.get("input_tokens")),
        output=integer(value.get("output_tokens")),
        cache_read=integer(asked.get("cached_tokens")),
        cache_write=integer(asked.get("cache_write_tokens")),
        reasoning=integer(said.get("reasoning_tokens")),
        extra={NAME: more} if more else {},
    )


def render_usage(usage: hub.Usage) -> JSON:
    if usage.input is None and usage.output is None:
        return None
    asked, said = usage.input or 0, usage.output or 0
    return {
        "input_tokens": asked,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read or 0,
            "cache_write_tokens": usage.cache_write or 0,
        },
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": asked + said,
        **own(usage.extra),
    }


def response_id(identity: str) -> str:
    """An id that the official clients accept."""
    return identity if identity.startswith("resp") else f"resp_{identity}"


def incomplete_reason(stop: hub.Stop, *, refused: bool) -> str | None:
    """Why a response that ended this way is ``incomplete``; None when it is ``completed``."""
    match stop.reason:
        case "max_tokens" | "context_overflow":
            return "max_output_tokens"
        case "refusal":
            return None if refused else "content_filter"
        case "other":
            return stop.raw if stop.raw == "max_tool_calls" else None
        case _:
            return None


class Echo:
    """The members of a response that repeat the request, encoded once."""

    def __init__(self, request: hub.Request) -> None:
        kept = own(request.extra)
        options = render_options(request, Profile(), [])
        members: dict[str, JSON] = {
            "background": False,
            "instructions": _instructions(request),
            "max_output_tokens": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": kept.get("store", True),
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "user": None,
        }
        members |= {name: value for name, value in options.items() if name not in ("text", "reasoning")}
        members |= {name: kept[name] for name in _REQUEST_ECHOES if kept.get(name) is not None}
        members["text"] = {**mapping(members["text"]), **mapping(options.get("text"))}
        members["reasoning"] = {**mapping(members["reasoning"]), **mapping(options.get("reasoning"))}
        self._tail = jsonvalue.write(members)[1:]

    def encode(self, head: dict[str, JSON]) -> bytes:
        """A whole response object as JSON: ``head`` and what it repeats."""
        return jsonvalue.write(head)[:-1] + b"," + self._tail


def _instructions(request: hub.Request) -> JSON:
    first = request.messages[0] if request.messages else None
    if first is None or first.role != "system" or NAME in first.extra:
        return None
    return "\n\n".join(part.text for part in first.parts if isinstance(part, hub.Text))


def render_head(identity: str, model: str, created: int | None, status: str, output: list[JSON]) -> dict[str, JSON]:
    """What every response object of one answer begins with."""
    return {
        "id": response_id(identity),
        "object": "response",
        "created_at": created or 0,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": output,
        "usage": None,
    }


def finish_head(head: dict[str, JSON], stop: hub.Stop, usage: hub.Usage, *, refused: bool) -> None:
    """Brings a head to its end: status, reason and usage."""
    reason = incomplete_reason(stop, refused=refused)
    head["status"] = "completed" if reason is None else "incomplete"
    if reason is not None:
        head["incomplete_details"] = {"reason": reason}
    head["usage"] = render_usage(usage)


def render_response(response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
    output = _render_output(response, losses)
    head = render_head(response.id, response.model, response.created, "completed", output)
    refused = any(isinstance(part, hub.Refusal) for part in response.parts)
    finish_head(head, response.stop, response.usage, refused=refused)
    whole = mapping(jsonvalue.read(Echo(request).encode(head), "the answer"))
    return jsonvalue.write({**whole, **own(response.extra)})


def _render_output(response: hub.Response, losses: list[hub.Loss]) -> list[JSON]:
    ids = model_items.ItemIds(response.id)
    output: list[JSON] = []
    said: list[hub.Text | hub.Refusal] = []

    def flush() -> None:
        if said:
            contents = model_items.render_contents(said, f"output[{len(output)}]", losses)
            identity = ids.take("msg", model_items.item_id(said[0]))
            output.append(model_items.render_message(said[0], contents, identity, "completed"))
            said.clear()

    for part in response.parts:
        if isinstance(part, hub.Text | hub.Refusal):
            if said and not (NAME in part.extra and model_items.same_item(said[-1], part)):
                flush()
            said.append(part)
            continue
        flush()
        item = render_item(part, ids, f"output[{len(output)}]", losses)
        if item is not None:
            output.append(item)
    flush()
    return output


def render_item(
    part: hub.Thinking | hub.ToolCall | hub.Media | hub.Opaque,
    ids: model_items.ItemIds,
    path: str,
    losses: list[hub.Loss],
) -> dict[str, JSON] | None:
    """A finished item that is no message; None when an answer has no item for it."""
    match part:
        case hub.Thinking():
            return model_items.render_reasoning(part, ids.take("rs", model_items.item_id(part)), wrap=True)
        case hub.ToolCall():
            identity = ids.take("ctc" if part.custom else "fc", model_items.item_id(part))
            arguments = part.arguments if part.custom else part.arguments or "{}"
            return model_items.render_call(part, arguments, identity, "completed")
        case hub.Media(kind="image", data=str()):
            return model_items.render_image(part, ids.take("ig"))
        case hub.Opaque(format=name, raw=dict() as raw) if name == NAME:
            ids.take("item", raw.get("id"))
            return raw
        case hub.Opaque(format=name):
            losses.append(hub.Loss(path, f"a part that only {name} understands"))
            return None
        case hub.Media():
            losses.append(hub.Loss(path, f"a Responses answer has no item for {part.kind}"))
            return None
