"""Past and present reasoning in chat messages: ``reasoning_content``, ``reasoning`` and ``reasoning_details``.

OpenRouter's ``reasoning_details`` carry signatures and ciphertext. A list that holds any becomes the part's
:class:`Signature`, its value being the list as JSON: so it survives clients of every format and returns unchanged.
A list of plain text only rides in ``extra``. Another format's signature goes to a chat client as one encrypted detail.
"""

from collections.abc import Iterable, Mapping, Sequence

import orjson

from translators.formats.openai_chat.values import NAME, dump, extra, integer, objects_at, own, text
from translators.hub import JSON, Extra, Signature, Thinking
from translators.signatures import is_ours, unwrap, wrap

_JOINED = frozenset({"text", "summary", "data", "signature"})
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


class Details:
    """Details of a stream put together: pieces of the same type and index are one, their texts joined."""

    def __init__(self) -> None:
        self._found: list[dict[str, JSON]] = []
        self._places: dict[tuple[str, int], int] = {}
        self._texts: dict[tuple[int, str], list[str]] = {}
        """The pieces of a field of one detail."""

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, pieces: Iterable[dict[str, JSON]]) -> None:
        for piece in pieces:
            index = integer(piece, "index")
            place = len(self._found)
            if index is not None:
                place = self._places.setdefault((text(piece, "type"), index), place)
            if place == len(self._found):
                self._found.append({})
            self._merge(place, piece)

    def take(self) -> list[dict[str, JSON]]:
        """What has come since the last time."""
        for (place, key), pieces in self._texts.items():
            self._found[place][key] = "".join(pieces)
        found = self._found
        self._found, self._places, self._texts = [], {}, {}
        return found

    def _merge(self, place: int, piece: dict[str, JSON]) -> None:
        whole = self._found[place]
        for key, value in piece.items():
            if key in _JOINED and isinstance(value, str):
                whole.setdefault(key, value)
                self._texts.setdefault((place, key), []).append(value)
            elif value is not None or key not in whole:
                whole[key] = value


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


def client_details(parts: Sequence[Thinking], before: int = 0) -> list[JSON]:
    """What a client gets to keep: own details as they came, other formats' signatures wrapped.

    ``before``: how many details the answer has already; a second one of the same number would be added to the first.
    """
    found: list[JSON] = []
    for part in parts:
        if part.signature is not None and part.signature.origin != NAME:
            found.append(
                {"type": "reasoning.encrypted", "data": wrap(part.signature, NAME), "index": before + len(found)}
            )
        else:
            found += upstream_details((part,))
    return found


def _details(signature: Signature) -> list[JSON]:
    try:
        value: JSON = orjson.loads(signature.value)
    except orjson.JSONDecodeError:
        return []
    return value if isinstance(value, list) else []
