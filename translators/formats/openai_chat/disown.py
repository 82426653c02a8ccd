"""Takes the reasoning of other providers out of a chat request that goes on unparsed (see ``translators.signatures``)."""

from dataclasses import replace

from translators.errors import FormatError
from translators.format import WireRequest
from translators.formats.openai_chat.reasoning import proof
from translators.formats.openai_chat.values import NAME, dump, load_object, object_at, objects_at, text
from translators.hub import JSON
from translators.signatures import Reader, is_ours


def disown(wire: WireRequest, reader: Reader) -> WireRequest:
    if not reader.concerns(wire.body, b'"reasoning_details"', b'"thought_signature"'):
        return wire
    try:
        body = load_object(wire.body, "request body")
    except FormatError:
        return wire
    found = [_disown_message(message, reader) for message in objects_at(body, "messages")]
    return replace(wire, body=dump(body)) if any(found) else wire


def _disown_message(message: dict[str, JSON], reader: Reader) -> bool:
    details = objects_at(message, "reasoning_details")
    kept: list[JSON] = [detail for detail in details if not is_ours(text(detail, "data"))]
    found = len(kept) < len(details)
    if found:
        message.pop("reasoning_details")
        message.pop("reasoning_content", None)
        if kept:
            message["reasoning_details"] = kept
    if (
        kept
        and (signature := proof(objects_at(message, "reasoning_details")))
        and reader.admit(signature).origin != NAME
    ):
        del message["reasoning_details"]
        found = True
    for call in objects_at(message, "tool_calls"):
        value = text(object_at(object_at(call, "extra_content"), "google"), "thought_signature")
        if not value:
            continue
        signature = reader.read(value)
        if signature is None or signature.origin != NAME:
            del call["extra_content"]
            found = True
        elif signature.value != value:
            call["extra_content"] = {"google": {"thought_signature": signature.value}}
            found = True
    return found
