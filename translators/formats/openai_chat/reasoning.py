"""Past and present reasoning in chat messages: ``reasoning_content``, ``reasoning`` and ``reasoning_details``.

OpenRouter's ``reasoning_details`` carry signatures and ciphertext. A list that holds any becomes the part's
:class:`Signature`, its value being the list as JSON: so it survives clients of every format and returns unchanged.
A list of plain text only rides in ``extra``. Another format's signature goes to a chat client as one encrypted detail.
"""

from collections.abc import Iterable, Mapping, Sequence

import orjson

from translators.formats.openai_chat.values import NAME, dump, extra, objects_at, own, text
from translators.hub import JSON, Extra, Signature, Thinking
from translators.signatures import is_ours, unwrap, wrap

FIELDS = frozenset({"reasoning_content", "reasoning", "reasoning_details"})


def spoken(source: Mapping[str, JSON]) -> str:
    """The readable reasoning of a message or delta; vendors that send it under two names say it once."""
    return field_text(source) or details_text(source)


def field_text(source: Mapping[str, JSON]) -> str:
    return text(source, "reasoning_content") or text(source, "reasoning")


def details_text(source: Mapping[str, JSON]) -> str:
    details = objects_at(source, "reasoning_details")
    return "".join(text(detail, "text") or text(detail, "summary") for detail in details)


def proof(details: Sequence[Mapping[str, JSON]]) -> Signature | None:
    for detail in details:
        if is_ours(data := text(detail, "data")):
            return unwrap(data, NAME)
    if any(detail.get("signature") or detail.get("data") for detail in details):
        return Signature(dump([dict(detail) for detail in details]).decode(), NAME)
    return None


def plain_details(details: Sequence[Mapping[str, JSON]]) -> Extra:
    """The ``extra`` of a part whose details prove nothing."""
    return extra({"reasoning_details": [dict(detail) for detail in details]}) if details else {}


def parse_thinking(source: Mapping[str, JSON]) -> Thinking | None:
    said, details = spoken(source), objects_at(source, "reasoning_details")
    signature = proof(details)
    if not said and signature is None:
        return None
    kept = plain_details(() if signature else details)
    return Thinking(said, signature, redacted=not said, extra=kept)


def merged_details(known: list[dict[str, JSON]], more: Iterable[dict[str, JSON]]) -> list[dict[str, JSON]]:
    """Details of a stream put together: pieces of the same type and index are one, their texts joined."""
    for piece in more:
        whole = next((d for d in known if all(d.get(key) == piece.get(key) for key in ("type", "index"))), None)
        if whole is None or piece.get("index") is None:
            known.append(dict(piece))
            continue
        for key, value in piece.items():
            before = whole.get(key)
            joins = key in ("text", "summary", "data", "signature") and isinstance(before, str)
            if joins and isinstance(before, str) and isinstance(value, str):
                whole[key] = before + value
            elif value is not None:
                whole[key] = value
    return known


def joined_text(parts: Sequence[Thinking]) -> str:
    return "\n\n".join(part.text for part in parts if part.text)


def upstream_details(parts: Sequence[Thinking]) -> list[JSON]:
    """What an upstream of this format gets back: its own details only."""
    found: list[JSON] = []
    for part in parts:
        if part.signature is not None and part.signature.origin == NAME:
            found += _details(part.signature)
        elif part.signature is None:
            kept = own(part.extra).get("reasoning_details")
            found += kept if isinstance(kept, list) else []
    return found


def client_details(parts: Sequence[Thinking]) -> list[JSON]:
    """What a client gets to keep: own details as they came, other formats' signatures wrapped."""
    found: list[JSON] = []
    for part in parts:
        if part.signature is not None and part.signature.origin != NAME:
            found.append({"type": "reasoning.encrypted", "data": wrap(part.signature, NAME), "index": len(found)})
        else:
            found += upstream_details((part,))
    return found


def _details(signature: Signature) -> list[JSON]:
    try:
        value: JSON = orjson.loads(signature.value)
    except orjson.JSONDecodeError:
        return []
    return value if isinstance(value, list) else []
