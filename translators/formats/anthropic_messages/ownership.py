"""Takes out of a client's request the reasoning of other providers, whoever put it into earlier answers.

Works on the JSON of the body and rewrites ``messages`` alone (``thinking`` too, where the conversation without those blocks
could not be thought on); every other byte stays.
"""

from dataclasses import replace

from translators.format import WireRequest
from translators.formats.anthropic_messages.reasoning import lacks_thinking
from translators.formats.anthropic_messages.values import NAME, Object
from translators.hub import JSON
from translators.jsontext import MISSING, member, replace_member
from translators.signatures import Reader, is_ours


def disown(wire: WireRequest, reader: Reader) -> WireRequest:
    if not reader.concerns(wire.body, b'"signature"', b'"redacted_thinking"'):
        return wire
    messages = member(wire.body, "messages")
    if not isinstance(messages, list):
        return wire
    kept: list[JSON] = [cleaned for message in messages if (cleaned := _cleaned(message, reader)) is not None]
    if kept == messages:
        return wire
    body = replace_member(wire.body, "messages", kept)
    if body is None:
        return wire
    thinking = member(body, "thinking")
    if thinking is not MISSING and lacks_thinking({"thinking": thinking, "messages": kept}):
        body = replace_member(body, "thinking", {"type": "disabled"}) or body
    return replace(wire, body=body)


def _cleaned(message: JSON, reader: Reader) -> JSON:
    """The message, or None when nothing is left of it."""
    match message:
        case {"role": "assistant", "content": [*blocks]}:
            read = [_owned(block, reader) for block in blocks]
            kept: list[JSON] = [_without_citations(block, reader) for block in read if block is not None]
            return {**message, "content": kept} if kept else None
        case _:
            return message


def _owned(block: JSON, reader: Reader) -> JSON:
    """The block as the upstream may have it; None when it may not."""
    match block:
        case {"type": "thinking", "signature": str(value), "thinking": str(said)} if value or reader.trust != "told":
            own = _value(value, reader)
            if own is None and reader.bare and said:
                return {**block, "signature": ""}
            return None if own is None else {**block, "signature": own}
        case {"type": "thinking", "signature": str(value)} if value and _value(value, reader) is None:
            return None
        case {"type": "redacted_thinking", "data": str(value)}:
            own = _value(value, reader)
            return None if own is None else {**block, "data": own}
        case _:
            return block


def _value(value: str, reader: Reader) -> str | None:
    signature = reader.read(value)
    return signature.value if signature is not None and signature.origin == NAME else None


def _without_citations(block: JSON, reader: Reader) -> JSON:
    match block:
        case {"type": "text", "citations": [*citations]}:
            kept: list[JSON] = [citation for citation in citations if not _is_made_up(citation, reader)]
            if len(kept) == len(citations):
                return block
            rest: Object = {name: value for name, value in block.items() if name != "citations"}
            return {**rest, "citations": kept} if kept else rest
        case _:
            return block


def _is_made_up(citation: JSON, reader: Reader) -> bool:
    match citation:
        case {"encrypted_index": str(value)} if is_ours(value):
            reader.refused.append(value)
            return True
        case _:
            return False
