"""Pictures, sound, film and documents: ``inlineData`` and ``fileData`` ↔ hub.Media.

A ``fileUri`` of Google's own stores is a file id (nobody else can fetch it), any other one is an address.
"""

import base64
import mimetypes
import re
from typing import Literal
from urllib.parse import unquote_to_bytes

from translators.errors import FormatError
from translators.formats.gemini.wire import NAME, Object, as_object, as_text, opt_text, spelled
from translators.hub import Media

_OWN_STORE = re.compile(r"gs://|https://generativelanguage\.googleapis\.com/|files/")
_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<options>(?:;[^;,]*)*),(?P<data>.*)", re.DOTALL)
_KINDS: dict[str, Literal["image", "audio", "video"]] = {"image": "image", "audio": "audio", "video": "video"}


def kind_of(media_type: str | None) -> Literal["image", "audio", "video", "document"]:
    return _KINDS.get((media_type or "").partition("/")[0], "document")


def parse_media(part: Object, path: str) -> Media:
    field = "inlineData" if "inlineData" in part else "fileData"
    data = spelled(as_object(part[field], f"{path}.{field}"))
    media_type = opt_text(data.get("mimeType"))
    kept: Object = {key: item for key, item in part.items() if key != field and (key, item) != ("thought", False)}
    extra = {NAME: kept} if kept else {}
    name = opt_text(data.get("displayName"))
    if field == "inlineData":
        content = as_text(data.get("data") or "", f"{path}.inlineData.data")
        # The Python SDK writes the URL-safe alphabet, which no other vendor takes.
        content = content.replace("-", "+").replace("_", "/")
        return Media(kind_of(media_type), media_type, data=content, name=name, extra=extra)
    uri = as_text(data.get("fileUri") or "", f"{path}.fileData.fileUri")
    if not uri:
        raise FormatError(f"{path}.fileData has no fileUri")
    kind = kind_of(media_type or _guessed(uri))
    if _OWN_STORE.match(uri):
        return Media(kind, media_type, file_id=uri, name=name, extra=extra)
    return Media(kind, media_type, url=uri, name=name, extra=extra)


def render_media(media: Media) -> Object | None:
    """The part; None for a file id of another vendor."""
    named: Object = {"displayName": media.name} if media.name else {}
    part: Object = {}
    if media.data is not None:
        part["inlineData"] = {"mimeType": media.media_type or _DEFAULT_TYPES[media.kind], "data": media.data, **named}
    elif media.url is not None and (match := _DATA_URL.fullmatch(media.url)):
        part["inlineData"] = {
            "mimeType": match["type"] or media.media_type or _DEFAULT_TYPES[media.kind],
            "data": match["data"] if ";base64" in match["options"] else _base64(match["data"]),
            **named,
        }
    elif media.url is not None:
        guessed = media.media_type or _guessed(media.url)
        part["fileData"] = {"fileUri": media.url, **({"mimeType": guessed} if guessed else {}), **named}
    elif media.file_id is not None and _OWN_STORE.match(media.file_id):
        known: Object = {"mimeType": media.media_type} if media.media_type else {}
        part["fileData"] = {"fileUri": media.file_id, **known, **named}
    else:
        return None
    return {**part, **media.extra.get(NAME, {})}


_DEFAULT_TYPES = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4", "document": "application/pdf"}


def _base64(text: str) -> str:
    return base64.b64encode(unquote_to_bytes(text)).decode()


def _guessed(url: str) -> str | None:
    """By the ending of its path; the address itself may be nonsense."""
    path = re.split("[?#]", url, maxsplit=1)[0]
    return mimetypes.guess_type(path.rpartition("/")[2])[0]
