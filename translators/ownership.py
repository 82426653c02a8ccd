"""Signatures of hub values: whose they are, on the way from one provider to another (see ``signatures``)."""

from collections.abc import Mapping
from dataclasses import replace

from translators import hub
from translators.signatures import Reader, has_maker, is_signature, signed_by


def signed_event(event: hub.Event, maker: str | None) -> hub.Event:
    """An event of an answer, its signature with the maker in its origin."""
    if maker is None:
        return event
    match event:
        case hub.PartDelta(index, hub.SignatureDelta(signature)):
            return hub.PartDelta(index, hub.SignatureDelta(signed_by(signature, maker)))
        case hub.PartStarted(index, hub.Thinking(signature=hub.Signature() as signature) as part):
            return hub.PartStarted(index, replace(part, signature=signed_by(signature, maker)))
        case hub.PartStarted(index, hub.ToolCall(signature=hub.Signature() as signature) as part):
            return hub.PartStarted(index, replace(part, signature=signed_by(signature, maker)))
        case _:
            return event


def admitted(request: hub.Request, reader: Reader, upstream: str, losses: list[hub.Loss]) -> hub.Request:
    """The request with the bare format for the origin of what the upstream may have, and of nothing else.

    Signatures are reported by the upstream's format, which sees their origin; others' words, which are gone, here.
    """
    messages: list[hub.Message] = []
    for number, message in enumerate(request.messages):
        if message.role != "assistant":
            messages.append(message)
            continue
        parts = tuple(_part(part, reader, upstream) for part in message.parts)
        if all(kept is part for kept, part in zip(parts, message.parts, strict=True)):
            messages.append(message)
            continue
        for place, (part, kept) in enumerate(zip(message.parts, parts, strict=True)):
            if _marks(part) != _marks(kept):
                path = f"messages[{number}].parts[{place}].signature"
                losses.append(hub.Loss(path, "another provider's, to whom alone it means something"))
        messages.append(replace(message, parts=parts))
    changed = any(kept is not message for kept, message in zip(messages, request.messages, strict=True))
    return replace(request, messages=tuple(messages)) if changed else request


def _part(part: hub.Part, reader: Reader, upstream: str) -> hub.Part:
    match part:
        case hub.Thinking(signature=hub.Signature() as signature):
            read = reader.admit(signature)
            # An item id or the like of another maker would say that the reasoning is the upstream's own.
            kept = _without(part.extra, upstream) if has_maker(read.origin) else part.extra
            return replace(part, signature=read, extra=kept)
        case hub.Thinking():
            return replace(part, extra=_without(part.extra, upstream)) if _is_anothers(part, upstream, reader) else part
        case hub.ToolCall():
            kept = _without_item(part.extra, upstream) if _is_anothers(part, upstream, reader) else part.extra
            signature = None if part.signature is None else reader.admit(part.signature)
            return replace(part, signature=signature, extra=kept)
        case hub.Text() if part.extra and (reader.maker is not None or reader.trust != "told"):
            kept = _without_item(part.extra, upstream) if _is_anothers(part, upstream, reader) else part.extra
            return replace(part, extra={name: _proven(fields, reader) for name, fields in kept.items()})
        case hub.Opaque(raw=dict() as raw) if reader.maker is not None or reader.trust != "told":
            kept = {name: value for name, value in raw.items() if not _is_foreign(name, value, reader)}
            return part if len(kept) == len(raw) else replace(part, raw=kept)
        case _:
            return part


def _is_anothers(part: hub.Thinking | hub.ToolCall | hub.Text, upstream: str, reader: Reader) -> bool:
    """Whether the item that the part came in has its id from another server."""
    match part.extra.get(upstream, {}).get("item"):
        case {"id": str(name)}:
            return reader.is_foreign(name)
        case _:
            return False


def _without_item(extra: hub.Extra, upstream: str) -> hub.Extra:
    return {**extra, upstream: {name: value for name, value in extra[upstream].items() if name != "item"}}


def _marks(part: hub.Part) -> int:
    """How many words of its vendor stand on a part, of those that may go."""
    match part:
        case hub.Text():
            return sum(isinstance(value, str) for fields in part.extra.values() for value in fields.values())
        case hub.Opaque(raw=dict() as raw):
            return len(raw)
        case _:
            return 0


def _is_foreign(name: str, value: hub.JSON, reader: Reader) -> bool:
    return isinstance(value, str) and is_signature(name) and reader.made_elsewhere(value)


def _without(extra: hub.Extra, name: str) -> hub.Extra:
    return {key: fields for key, fields in extra.items() if key != name}


def _proven(fields: Mapping[str, hub.JSON], reader: Reader) -> Mapping[str, hub.JSON]:
    """Without what is known to be another maker's word on the text."""
    return {
        name: value for name, value in fields.items() if not (isinstance(value, str) and reader.made_elsewhere(value))
    }
