"""Takes wrapped signatures of other providers out of a request document that goes to Google untranslated."""

from translators.formats.gemini.wire import Object
from translators.hub import JSON
from translators.signatures import is_ours

_SIGNATURES = ("thoughtSignature", "thought_signature")


def disown_document(document: Object) -> Object:
    """The document without the thoughts that carry a signature of ours, and without such signatures on other parts."""
    contents = document.get("contents")
    if not isinstance(contents, list):
        return document
    cleaned: list[JSON] = [kept for content in contents if (kept := _content(content)) is not None]
    return {**document, "contents": cleaned}


def _content(content: JSON) -> JSON:
    """None when nothing is left of a turn: the API refuses turns without parts."""
    if not isinstance(content, dict) or not isinstance(parts := content.get("parts"), list):
        return content
    kept: list[JSON] = [cleaned for part in parts if (cleaned := _part(part)) is not None]
    return {**content, "parts": kept} if kept or not parts else None


def _part(part: JSON) -> JSON:
    if not isinstance(part, dict):
        return part
    ours = [name for name in _SIGNATURES if isinstance(value := part.get(name), str) and is_ours(value)]
    if not ours:
        return part
    if part.get("thought") is True:
        return None
    return {key: value for key, value in part.items() if key not in ours}
