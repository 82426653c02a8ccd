"""Takes out of a client's request the reasoning that we put into earlier answers for other providers.

Works on the JSON of the body and rewrites ``messages`` alone (``thinking`` too, where the conversation without those blocks
could not be thought on); every other byte stays.
"""

from dataclasses import replace

from translators.format import WireRequest
from translators.formats.anthropic_messages.reasoning import lacks_thinking
from translators.formats.anthropic_messages.values import Object
from translators.hub import JSON
from translators.jsontext import MISSING, member, replace_member
from translators.signatures import PREFIX, is_ours


def disown(wire: WireRequest) -> WireRequest:
    if PREFIX.encode() not in wire.body:
        return wire
    messages = member(wire.body, "messages")
    if not isinstance(messages, list):
        return wire
    kept: list[JSON] = [cleaned for message in messages if (cleaned := _without_ours(message)) is not None]
    body = replace_member(wire.body, "messages", kept)
    if body is None:
        return wire
    thinking = member(body, "thinking")
    if thinking is not MISSING and lacks_thinking({"thinking": thinking, "messages": kept}):
        body = replace_member(body, "thinking", {"type": "disabled"}) or body
    return replace(wire, body=body)


def _without_ours(message: JSON) -> JSON:
    """The message, or None when nothing is left of it."""
    match message:
        case {"role": "assistant", "content": [*blocks]}:
            kept: list[JSON] = [_without_citations(block) for block in blocks if not _is_ours(block)]
            return {**message, "content": kept} if kept else None
        case _:
            return message


def _is_ours(block: JSON) -> bool:
    match block:
        case {"type": "thinking", "signature": str(value)} | {"type": "redacted_thinking", "data": str(value)}:
            return is_ours(value)
        case _:
            return False


def _without_citations(block: JSON) -> JSON:
    match block:
        case {"type": "text", "citations": [*citations]}:
            kept: list[JSON] = [citation for citation in citations if not _is_made_up(citation)]
            if len(kept) == len(citations):
                return block
            rest: Object = {name: value for name, value in block.items() if name != "citations"}
            return {**rest, "citations": kept} if kept else rest
        case _:
            return block


def _is_made_up(citation: JSON) -> bool:
    match citation:
        case {"encrypted_index": str(value)}:
            return is_ours(value)
        case _:
            return False
