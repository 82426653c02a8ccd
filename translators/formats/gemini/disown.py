"""Takes signatures of other providers out of a request document that goes to Google untranslated."""

from translators.formats.gemini.wire import FAMILY, NO_SIGNATURE, Object
from translators.hub import JSON
from translators.signatures import Reader

_SIGNATURES = ("thoughtSignature", "thought_signature")
SIGNED = tuple(f'"{name}"'.encode() for name in (*_SIGNATURES, "functionCall"))
"""What a body has in it that carries signatures, or should."""


def disown_document(document: Object, reader: Reader, signed_by: frozenset[str] = FAMILY) -> Object:
    """The document without thoughts that another has signed, and without such signatures on other parts."""
    contents = document.get("contents")
    if not isinstance(contents, list):
        return document
    cleaned: list[JSON] = [kept for content in contents if (kept := _content(content, reader, signed_by)) is not None]
    return {**document, "contents": cleaned}


def _content(content: JSON, reader: Reader, signed_by: frozenset[str]) -> JSON:
    """None when nothing is left of a turn: the API refuses turns without parts."""
    if not isinstance(content, dict) or not isinstance(parts := content.get("parts"), list):
        return content
    kept: list[JSON] = [cleaned for part in parts if (cleaned := _part(part, reader, signed_by)) is not None]
    first = next((index for index, part in enumerate(kept) if isinstance(part, dict) and "functionCall" in part), None)
    if first is not None:
        kept[first] = _signed(kept[first], reader)
    return {**content, "parts": kept} if kept or not parts else None


def _signed(part: JSON, reader: Reader) -> JSON:
    """The first call of a step, which Gemini 3 wants signed; another's call gets the word for that."""
    match part:
        case {"functionCall": {"id": str(identity)}} if not any(name in part for name in _SIGNATURES):
            return {**part, "thoughtSignature": NO_SIGNATURE} if reader.made_elsewhere(identity) else part
        case {"functionCall": _} if reader.trust != "told" and not any(name in part for name in _SIGNATURES):
            return {**part, "thoughtSignature": NO_SIGNATURE}
        case _:
            return part


def _part(part: JSON, reader: Reader, signed_by: frozenset[str]) -> JSON:
    if not isinstance(part, dict):
        return part
    owned: Object = {}
    foreign: list[str] = []
    for name in _SIGNATURES:
        if isinstance(value := part.get(name), str) and value:
            signature = reader.read(value)
            if signature is not None and signature.origin in signed_by:
                owned[name] = signature.value
            else:
                foreign.append(name)
    if foreign and part.get("thought") is True:
        return None
    kept = {key: owned.get(key, value) for key, value in part.items() if key not in foreign}
    return {**kept, "thoughtSignature": NO_SIGNATURE} if foreign and "functionCall" in part else kept
