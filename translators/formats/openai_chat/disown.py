"""Takes our marked reasoning out of a chat request that goes on unparsed (see ``translators.signatures``)."""

from dataclasses import replace

from translators.errors import FormatError
from translators.format import WireRequest
from translators.formats.openai_chat.values import dump, load_object, object_at, objects_at, text
from translators.hub import JSON
from translators.signatures import PREFIX, is_ours

_MARK = PREFIX.encode()


def disown(wire: WireRequest) -> WireRequest:
    if _MARK not in wire.body:
        return wire
    try:
        body = load_object(wire.body, "request body")
    except FormatError:
        return wire
    found = [_disown_message(message) for message in objects_at(body, "messages")]
    return replace(wire, body=dump(body)) if any(found) else wire


def _disown_message(message: dict[str, JSON]) -> bool:
    details = objects_at(message, "reasoning_details")
    kept: list[JSON] = [detail for detail in details if not is_ours(text(detail, "data"))]
    found = len(kept) < len(details)
    if found:
        message.pop("reasoning_details")
        message.pop("reasoning_content", None)
        if kept:
            message["reasoning_details"] = kept
    for call in objects_at(message, "tool_calls"):
        if is_ours(text(object_at(object_at(call, "extra_content"), "google"), "thought_signature")):
            del call["extra_content"]
            found = True
    return found
