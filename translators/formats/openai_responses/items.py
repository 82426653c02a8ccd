"""Items that a model makes (messages, reasoning, tool calls) ↔ parts of the hub, the same in history and in answers.

One ``message`` item becomes one part per content part; the parts know by equal ``item`` extras with an ``id`` that
they belong together. A ``reasoning`` item becomes one Thinking: its text is the summary, or the raw reasoning where
there is no summary (``channel``). All items of tools that the provider runs itself stay opaque.

A Thinking that another provider made goes to clients with its signature wrapped in ``encrypted_content``; whether it
was redacted there is written behind the origin, because an empty text alone does not tell.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from translators import hub, signatures
from translators.formats.openai_responses.content import join, parse_text, render_output_text, render_refusal
from translators.formats.openai_responses.reading import (
    NAME,
    mapping,
    mark,
    own,
    rest,
    sequence,
    text,
)
from translators.hub import JSON

_MESSAGE = frozenset({"type", "role", "content"})
_CALL = frozenset({"type", "call_id", "name", "arguments", "input", "namespace"})
_REASONING = frozenset({"type", "summary", "encrypted_content"})
_RAW_REASONING = _REASONING | {"content"}
_REDACTED = "#redacted"
_SETTLED = ("completed", "in_progress")

PARAGRAPH = "\n\n"
"""Stands between the parts of a summary when they become one text."""


def item_extra(item: dict[str, JSON], known: frozenset[str], *, answer: bool) -> dict[str, JSON]:
    """What the hub does not model of an item; in answers without the status that every finished item has."""
    more = rest(item, known)
    if answer and more.get("status") in _SETTLED:
        del more["status"]
    return more


def parse_item(item: dict[str, JSON], *, answer: bool) -> list[hub.AnswerPart]:
    """The parts of one item that a model made."""
    match item.get("type"):
        case "message":
            return list(_parse_message(item, answer=answer))
        case "reasoning":
            return [parse_reasoning(item, answer=answer)]
        case "function_call":
            return [parse_call(item, text(item.get("arguments")) or "{}", answer=answer)]
        case "custom_tool_call":
            return [parse_call(item, text(item.get("input")), answer=answer)]
        case _:
            return [hub.Opaque(NAME, item)]


def message_extra(item: dict[str, JSON], *, answer: bool) -> dict[str, dict[str, JSON]]:
    return {NAME: {"item": item_extra(item, _MESSAGE, answer=answer)}}


def parse_content(content: dict[str, JSON], extra: dict[str, dict[str, JSON]]) -> hub.Text | hub.Refusal | hub.Opaque:
    """One content part of an assistant message, whose item adds ``extra``."""
    match content.get("type"):
        case "output_text" | "input_text" | "text":
            return parse_text(content, extra)
        case "refusal":
            more = mark("part", rest(content, frozenset({"type", "refusal"})))
            return hub.Refusal(text(content.get("refusal")), join(extra, more))
        case _:
            return hub.Opaque(NAME, content)


def parse_call(item: dict[str, JSON], arguments: str, *, answer: bool) -> hub.ToolCall:
    return hub.ToolCall(
        id=text(item.get("call_id")) or text(item.get("id")),
        name=text(item.get("name")),
        arguments=arguments,
        custom=item.get("type") == "custom_tool_call",
        namespace=text(item.get("namespace")) or None,
        extra={NAME: {"item": item_extra(item, _CALL, answer=answer)}},
    )


def parse_reasoning(item: dict[str, JSON], *, answer: bool) -> hub.Thinking:
    """One Thinking of a whole reasoning item."""
    summary = [text(mapping(part).get("text")) for part in sequence(item.get("summary"))]
    content = [text(mapping(part).get("text")) for part in sequence(item.get("content"))]
    raw = bool(content) and not summary
    said = PARAGRAPH.join(content if raw else summary)
    sealed = text(item.get("encrypted_content"))
    if signatures.is_ours(sealed):
        signature = signatures.unwrap(sealed, NAME)
        if signature is None:
            return hub.Thinking(said)
        origin = signature.origin.removesuffix(_REDACTED)
        redacted = origin != signature.origin
        return hub.Thinking(said, replace(signature, origin=origin), redacted=redacted)
    more = item_extra(item, _RAW_REASONING if raw else _REASONING, answer=answer)
    if "encrypted_content" in item and not sealed and not answer:
        more["encrypted_content"] = None
    members: dict[str, JSON] = {"item": more}
    if raw:
        members["channel"] = "content"
        if len(content) > 1:
            members["content"] = item.get("content")
    elif len(summary) > 1:
        members["summary"] = item.get("summary")
    signature = signatures.unwrap(sealed, NAME)
    return hub.Thinking(said, signature, redacted=signature is not None and not said, extra={NAME: members})


@dataclass(slots=True)
class ItemIds:
    """Item ids for items that have none: the same for the same place in the same answer, never one twice."""

    seed: str
    _used: set[str] = field(default_factory=set[str])

    def take(self, prefix: str, wanted: JSON = None) -> str:
        """The id the item already has, if it is free, else a new one."""
        if isinstance(wanted, str) and wanted and wanted not in self._used:
            self._used.add(wanted)
            return wanted
        digest = hashlib.blake2b(
            f"{self.seed}:{prefix}:{len(self._used)}".encode(errors="surrogatepass"), digest_size=16
        )
        made = f"{prefix}_{digest.hexdigest()}"
        self._used.add(made)
        return made


def item_id(part: hub.AnswerPart) -> JSON:
    """The id of the item that a part of our own came in."""
    match part:
        case hub.Opaque():
            return mapping(part.raw).get("id")
        case _:
            return mapping(own(part.extra).get("item")).get("id")


def same_item(left: hub.Text | hub.Refusal, right: hub.Text | hub.Refusal) -> bool:
    """Whether two neighbouring parts are content of one message item: both of one known item, or neither of any."""
    first, second = own(left.extra).get("item"), own(right.extra).get("item")
    return first == second and (first is None or "id" in mapping(first))


def render_contents(parts: Sequence[hub.Text | hub.Refusal], path: str, losses: list[hub.Loss]) -> list[JSON]:
    contents: list[JSON] = []
    for part in parts:
        if isinstance(part, hub.Text):
            contents.append(render_output_text(part, path, losses))
        else:
            contents.append(render_refusal(part))
    return contents


def render_message(part: hub.Text | hub.Refusal, contents: list[JSON], identity: str, status: str) -> dict[str, JSON]:
    """A message item of the assistant that is valid for the official SDK; ``part`` is its first content part."""
    return {
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": contents,
        **mapping(own(part.extra).get("item")),
        "id": identity,
    }


def render_call(call: hub.ToolCall, arguments: str, identity: str | None, status: str | None) -> dict[str, JSON]:
    item: dict[str, JSON] = {"type": "custom_tool_call" if call.custom else "function_call"}
    if status is not None:
        item["status"] = status
    item |= {"call_id": call.id, "name": call.name, "input" if call.custom else "arguments": arguments}
    if call.namespace is not None:
        item["namespace"] = call.namespace
    item |= mapping(own(call.extra).get("item"))
    if identity is not None:
        item["id"] = identity
    return item


def render_reasoning(part: hub.Thinking, identity: str | None, *, wrap: bool) -> dict[str, JSON]:
    """A reasoning item; ``wrap``: for a client, so that the signature of any provider finds its way back."""
    kept = own(part.extra)
    raw = kept.get("channel") == "content"
    summary: JSON = [] if raw or not part.text else [{"type": "summary_text", "text": part.text}]
    item: dict[str, JSON] = {"type": "reasoning", "summary": kept.get("summary", summary)}
    if raw:
        item["content"] = kept.get("content", [{"type": "reasoning_text", "text": part.text}])
    item |= mapping(kept.get("item"))
    if identity is not None:
        item["id"] = identity
    if part.signature is not None and part.signature.origin == NAME:
        item["encrypted_content"] = part.signature.value
    elif wrap and (part.signature is not None or "item" not in kept):
        item["encrypted_content"] = _wrapped(part)
    return item


def _wrapped(part: hub.Thinking) -> str:
    signature = part.signature
    if signature is not None and part.redacted:
        signature = replace(signature, origin=signature.origin + _REDACTED)
    return signatures.wrap(signature, NAME)


def render_image(part: hub.Media, identity: str) -> dict[str, JSON]:
    """A picture that the model made; the only medium an answer has an item for."""
    return {"type": "image_generation_call", "id": identity, "status": "completed", "result": part.data}


def _parse_message(item: dict[str, JSON], *, answer: bool) -> Sequence[hub.Text | hub.Refusal | hub.Opaque]:
    extra = message_extra(item, answer=answer)
    content = item.get("content")
    if isinstance(content, str):
        extra[NAME]["plain"] = True
        return [hub.Text(content, extra=extra)]
    return [parse_content(mapping(one), extra) for one in sequence(content)]
