"""Tool calls of a whole message, parsed and rendered; pieces of a stream are the stream files' matter.

Google's chat endpoint proves its reasoning on the call itself, in ``extra_content.google.thought_signature``; that is
where other formats' signatures of a call go for chat clients, too.
"""

from collections.abc import Mapping

from translators.formats.openai_chat.values import (
    NAME,
    arguments_text,
    extra,
    invented_id,
    object_at,
    objects_at,
    own,
    rest,
    text,
)
from translators.hub import JSON, Signature, ToolCall
from translators.signatures import unwrap, wrap

_KNOWN = frozenset({"id", "type", "index", "function", "custom"})


def call_signature(item: Mapping[str, JSON]) -> Signature | None:
    value = text(object_at(object_at(item, "extra_content"), "google"), "thought_signature")
    return unwrap(value, NAME) if value else None


def call_extra(item: Mapping[str, JSON]) -> dict[str, JSON]:
    return {
        name: value
        for name, value in rest(item, _KNOWN).items()
        if name != "extra_content" or call_signature(item) is None
    }


def is_custom(item: Mapping[str, JSON]) -> bool:
    """By type, and by content too: Snowflake sends an empty ``custom`` beside every function."""
    return item.get("type") == "custom" or ("function" not in item and bool(text(object_at(item, "custom"), "name")))


def parse_tool_calls(message: Mapping[str, JSON], seed: str) -> list[ToolCall]:
    """``seed`` makes invented ids differ from answer to answer."""
    calls: list[ToolCall] = []
    taken: dict[str, int] = {}
    for place, item in enumerate(objects_at(message, "tool_calls")):
        custom = is_custom(item)
        body = object_at(item, "custom" if custom else "function")
        name = text(body, "name")
        arguments = text(body, "input") if custom else arguments_text(body.get("arguments")) or "{}"
        call_id = unique_id(text(item, "id") or invented_id(seed, place, name, arguments), taken)
        calls.append(
            ToolCall(
                call_id, name, arguments, custom=custom, signature=call_signature(item), extra=extra(call_extra(item))
            )
        )
    legacy = object_at(message, "function_call")
    if not calls and (name := text(legacy, "name")):
        arguments = arguments_text(legacy.get("arguments")) or "{}"
        calls.append(ToolCall(invented_id(seed, name, arguments), name, arguments))
    return calls


def unique_id(wanted: str, taken: dict[str, int]) -> str:
    """``wanted``, or the first free variation of it; what is returned is taken from then on.

    ``taken`` counts the variations of each, so that a thousand calls of one id are not a million looks.
    """
    found, turn = wanted, taken.get(wanted, 0) + 1
    if turn > 1:
        while (found := f"{wanted}_{turn}") in taken:
            turn += 1
    taken[wanted] = turn
    taken.setdefault(found, 1)
    return found


def render_call(call: ToolCall, *, client: bool) -> dict[str, JSON]:
    """For a client foreign signatures are wrapped, for an upstream left out."""
    item: dict[str, JSON] = {"id": call.id, "type": "custom" if call.custom else "function"}
    if call.custom:
        item["custom"] = {"name": call.name, "input": call.arguments}
    else:
        item["function"] = {"name": call.name, "arguments": call.arguments or "{}"}
    return {**item, **own(call.extra), **render_call_signature(call.signature, client=client)}


def render_call_signature(signature: Signature | None, *, client: bool) -> dict[str, JSON]:
    if signature is None or (signature.origin != NAME and not client):
        return {}
    return {"extra_content": {"google": {"thought_signature": wrap(signature, NAME)}}}
