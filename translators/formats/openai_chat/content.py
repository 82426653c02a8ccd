"""Content of chat messages: a string, or a list of parts of many types, in both directions.

A part type that nobody else knows becomes ``Opaque`` and goes back as it came. Fields beside the known ones
(``cache_control``, ``detail``, ``prompt_cache_breakpoint``) ride in the part's ``extra``.
"""

import base64
from collections.abc import Mapping
from typing import Literal

from translators.format import Profile
from translators.formats.openai_chat.values import NAME, extra, object_at, own, rest, text
from translators.hub import JSON, Loss, Media, Opaque, Refusal, Text, Thinking

type ContentPart = Text | Thinking | Refusal | Media | Opaque

_AUDIO = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_AUDIO_FORMATS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}
_KINDS: dict[str, Literal["image", "video", "document"]] = {
    "image_url": "image",
    "video_url": "video",
    "document_url": "document",
}


def parse_content(value: JSON) -> tuple[ContentPart, ...]:
    """Parts of a message's ``content``; null and "" are no part at all."""
    match value:
        case str():
            return (Text(value),) if value else ()
        case list():
            return tuple(part for item in value if (part := _parse_part(item)) is not None)
        case None:
            return ()
        case _:
            return (Text(str(value)),)


def _parse_part(item: JSON) -> ContentPart | None:
    if isinstance(item, str):
        return Text(item) if item else None
    if not isinstance(item, dict):
        return None
    part: ContentPart | None
    match text(item, "type"):
        case "text" | "input_text" | "output_text" | "":
            said = text(item, "text")
            part = Text(said, extra=extra(rest(item, frozenset({"type", "text", *_EMPTY})))) if said else None
        case "refusal":
            part = Refusal(text(item, "refusal"))
        case "thinking" | "reasoning":
            part = Thinking(_spoken(item.get("thinking") or item.get("text")), extra=extra({"type": "thinking"}))
        case "input_audio":
            part = _parse_sound(item)
        case "file":
            part = _parse_file(item)
        case "image_url" | "video_url" | "document_url" as kind:
            part = _parse_link(item, kind)
        case _:
            part = Opaque(NAME, item)
    return part


def _parse_sound(item: Mapping[str, JSON]) -> Media:
    sound = object_at(item, "input_audio")
    form, data = text(sound, "format"), text(sound, "data")
    media_type = _AUDIO.get(form, f"audio/{form}") if form else None
    if data.startswith(("http://", "https://")):
        return Media("audio", media_type, url=data, extra=_beside(item))
    return Media("audio", media_type, data=data, extra=_beside(item))


_EMPTY = ("image_url", "input_audio", "file", "refusal")
"""Clients that dump every field of their part type send these as null beside a text."""


def _beside(item: Mapping[str, JSON], *, also: Mapping[str, JSON] | None = None) -> Mapping[str, Mapping[str, JSON]]:
    return extra(rest(item, frozenset({"type", "text", *_EMPTY, "video_url", "document_url"})) | dict(also or {}))


def _spoken(value: JSON) -> str:
    if isinstance(value, list):
        return "".join(text(piece, "text") for piece in value if isinstance(piece, dict))
    return value if isinstance(value, str) else ""


def _parse_link(item: Mapping[str, JSON], kind: str) -> Media | None:
    target = item.get(kind)
    link = target if isinstance(target, dict) else {"url": target}
    url = text(link, "url")
    if not url:
        return None
    also = rest(link, frozenset({"url"}))
    if kind in ("document_url", "video_url"):
        also["type"] = kind
    return _located(_KINDS[kind], url, None, _beside(item, also=also))


def _parse_file(item: Mapping[str, JSON]) -> Media | Opaque:
    file = object_at(item, "file")
    name = text(file, "filename") or None
    beside = _beside(item, also=rest(file, frozenset({"filename", "file_data", "file_id"})))
    if file_id := text(file, "file_id"):
        return Media("document", file_id=file_id, name=name, extra=beside)
    if data := text(file, "file_data"):
        if data.startswith(("data:", "http://", "https://")):
            return _located("document", data, name, beside)
        return Media("document", "application/pdf", data=data, name=name, extra=beside)
    return Opaque(NAME, dict(item))


def _located(
    kind: Literal["image", "video", "document"], url: str, name: str | None, beside: Mapping[str, Mapping[str, JSON]]
) -> Media:
    """A link, or the data that a ``data:`` URI holds."""
    head, comma, data = url.partition(",")
    if head.startswith("data:") and comma and head.endswith(";base64"):
        return Media(kind, head[5:-7].partition(";")[0] or None, data=data, name=name, extra=beside)
    return Media(kind, url=url, name=name, extra=beside)


def render_media(media: Media, profile: Profile, path: str, losses: list[Loss]) -> dict[str, JSON] | None:
    """The part for an upstream; None when it has no place there, which is then a loss."""
    beside = dict(own(media.extra))
    if media.kind == "document":
        return _render_document(media, beside, profile, path, losses)
    if media.kind == "image" and not profile.images:
        losses.append(Loss(path, "The model cannot see images."))
        return None
    if media.kind == "video" and not (profile.video or NAME in media.extra):
        losses.append(Loss(path, "The model cannot watch a video."))
        return None
    if media.kind == "audio":
        if not profile.audio:
            losses.append(Loss(path, "The model cannot hear."))
            return None
        if media.file_id is not None:
            losses.append(Loss(path, "Chat completions cannot name an uploaded sound."))
            return None
        form = _AUDIO_FORMATS.get(media.media_type or "", (media.media_type or "audio/wav").partition("/")[2])
        return {"type": "input_audio", "input_audio": {"data": media.data or media.url, "format": form}, **beside}
    if media.file_id is not None:
        losses.append(Loss(path, f"Chat completions cannot name an uploaded {media.kind}."))
        return None
    link: dict[str, JSON] = {"url": media_url(media)}
    if (detail := beside.pop("detail", None)) is not None:
        link["detail"] = detail
    wire = f"{media.kind}_url"
    return {"type": wire, wire: link, **beside}


def media_url(media: Media) -> str:
    return media.url or f"data:{media.media_type or 'application/octet-stream'};base64,{media.data}"


def _render_document(
    media: Media, beside: dict[str, JSON], profile: Profile, path: str, losses: list[Loss]
) -> dict[str, JSON] | None:
    if beside.get("type") == "document_url":
        return {"document_url": media_url(media), **beside}
    if not profile.documents:
        if (plain := _plain_text(media)) is not None:
            return {"type": "text", "text": plain}
        losses.append(Loss(path, "The model cannot read documents."))
        return None
    file: dict[str, JSON] = {"filename": media.name} if media.name else {}
    if media.file_id is not None:
        file["file_id"] = media.file_id
    else:
        file["file_data"] = media_url(media)
        if media.data is not None:
            file.setdefault("filename", "document.pdf" if media.media_type == "application/pdf" else "document")
    return {"type": "file", "file": file, **beside}


def _plain_text(media: Media) -> str | None:
    if media.data is None or not (media.media_type or "").startswith("text/"):
        return None
    try:
        return base64.b64decode(media.data).decode()
    except ValueError:
        return None
