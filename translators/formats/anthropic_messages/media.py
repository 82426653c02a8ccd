"""Images and documents: sources of this format ↔ :class:`hub.Media`.

A plain-text document carries its text readable here and base64 in the hub. A document made of text blocks
(``source.type: content``) becomes a plain-text one for the others and keeps its blocks as an extra for this format.
"""

import base64
from dataclasses import replace
from typing import Literal

from translators import hub
from translators.formats.anthropic_messages.values import NAME, Object, Report, as_object, marked, rest, text_or_none
from translators.hub import JSON

IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
DOCUMENT_TYPES = frozenset({"application/pdf"})


def parse_media(block: Object, path: str) -> hub.Media | hub.Opaque:
    """An ``image`` or ``document`` block; Opaque when its source is of a kind the hub cannot hold."""
    source = as_object(block.get("source"), f"{path}.source")
    kind: Literal["image", "document"] = "image" if block.get("type") == "image" else "document"
    media_type = text_or_none(source.get("media_type"))
    name = text_or_none(block.get("title"))
    extra = rest(block, "type", "source", "title")
    match source:
        case {"type": "base64", "data": str(data)}:
            return hub.Media(kind, media_type, data=data, name=name, extra=extra)
        case {"type": "url", "url": str(url)}:
            return hub.Media(kind, media_type, url=url, name=name, extra=extra)
        case {"type": "file", "file_id": str(file_id)}:
            return hub.Media(kind, media_type, file_id=file_id, name=name, extra=extra)
        case {"type": "text", "data": str(text)}:
            return hub.Media(kind, media_type or "text/plain", data=_encoded(text), name=name, extra=extra)
        case {"type": "content", "content": content}:
            text = _plain_text(content)
            if text is not None:
                kept: hub.Extra = {NAME: {**extra.get(NAME, {}), "source": source}}
                return hub.Media(kind, "text/plain", data=_encoded(text), name=name, extra=kept)
        case _:
            pass
    return hub.Opaque(NAME, block)


def render_media(media: hub.Media, path: str, report: Report) -> Object | None:
    """The block, or None with a loss when an Anthropic model cannot be given this."""
    fields = marked(media.extra)
    report.foreign(media.extra, path)
    source = fields.pop("source", None) or _source(media, path, report)
    if source is None:
        return None
    title: Object = {"title": media.name} if media.name is not None and media.kind == "document" else {}
    return {"type": media.kind, "source": source, **title, **fields}


def readable(media: hub.Media) -> str | None:
    """The text of a plain-text document; None for everything else."""
    if media.kind != "document" or media.data is None or not (media.media_type or "").startswith("text/"):
        return None
    try:
        return base64.b64decode(media.data, validate=True).decode()
    except ValueError:
        return None


def _source(media: hub.Media, path: str, report: Report) -> JSON:
    if media.url is not None and media.url.startswith("data:"):
        media = _unpacked(media)
    match media:
        case hub.Media(kind="audio" | "video"):
            problem = f"Anthropic models take no {media.kind}"
        case hub.Media(url=str(url)):
            return {"type": "url", "url": url}
        case hub.Media(file_id=str(file_id)):
            if file_id.startswith("file_"):
                return {"type": "file", "file_id": file_id}
            problem = "a file stored at another provider cannot be read by an Anthropic model"
        case hub.Media(data=str(data)):
            text = readable(media)
            if text is not None:
                return {"type": "text", "media_type": "text/plain", "data": text}
            if media.media_type in (IMAGE_TYPES if media.kind == "image" else DOCUMENT_TYPES):
                return {"type": "base64", "media_type": media.media_type, "data": data}
            problem = f"Anthropic models take no {media.kind} of type {media.media_type}"
        case _:
            problem = f"the {media.kind} has no content that can be read"
    report.lose(path, problem)
    return None


def _unpacked(media: hub.Media) -> hub.Media:
    """The content of a base64 data URI; of any other data URI nothing."""
    head, _, data = (media.url or "").removeprefix("data:").partition(",")
    media_type = head.partition(";")[0] or media.media_type
    return replace(media, url=None, media_type=media_type, data=data if head.endswith(";base64") else None)


def _plain_text(content: JSON) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts: list[str] = []
    for block in content:
        match block:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case _:
                return None
    return "\n".join(texts)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode(errors="replace")).decode()
