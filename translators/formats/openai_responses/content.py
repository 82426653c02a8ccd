"""Content parts of messages and tool outputs: ``input_text``, ``output_text``, ``refusal``, images, files and sound."""

from typing import assert_never

from translators import hub
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.openai_responses.reading import (
    NAME,
    integer,
    mapping,
    mark,
    object_at,
    own,
    rest,
    sequence,
    string_at,
    text,
)
from translators.hub import JSON

_TEXT = frozenset({"type", "text", "annotations"})
_REFUSAL = frozenset({"type", "refusal"})
_IMAGE = frozenset({"type", "image_url", "file_id"})
_FILE = frozenset({"type", "file_data", "file_url", "file_id", "filename"})
_AUDIO = frozenset({"type", "input_audio"})
_CITATION = frozenset({"url", "title", "start_index", "end_index"})

_FILE_NAMES = {"application/pdf": "document.pdf", "text/plain": "document.txt", "text/markdown": "document.md"}
_AUDIO_FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}


def parse_input_part(value: JSON, path: str) -> "hub.Text | hub.Refusal | hub.Media | hub.Opaque":
    """A content part that a client wrote; kinds we do not know stay opaque."""
    part = object_at(value, path)
    kind = string_at(part.get("type"), f"{path}.type")
    match kind:
        case "input_text" | "output_text" | "text":
            string_at(part.get("text"), f"{path}.text")
            return parse_text(part)
        case "refusal":
            return hub.Refusal(string_at(part.get("refusal"), f"{path}.refusal"), mark("part", rest(part, _REFUSAL)))
        case "input_image":
            return _parse_image(part, path)
        case "input_file":
            return _parse_file(part, path)
        case "input_audio":
            audio = object_at(part.get("input_audio"), f"{path}.input_audio")
            return hub.Media(
                "audio",
                media_type=f"audio/{text(audio.get('format')) or 'wav'}",
                data=string_at(audio.get("data"), f"{path}.input_audio.data"),
                extra={NAME: {"part": rest(part, _AUDIO)}},
            )
        case _:
            return hub.Opaque(NAME, part)


def parse_text(part: dict[str, JSON], extra: dict[str, dict[str, JSON]] | None = None) -> hub.Text:
    """A text part of a question or an answer; ``extra`` is what its item adds."""
    more = rest(part, _TEXT)
    if more.get("logprobs") == []:
        del more["logprobs"]
    citations = tuple(parse_citation(mapping(one)) for one in sequence(part.get("annotations")))
    return hub.Text(text(part.get("text")), citations, join(extra or {}, mark("part", more)))


def join(first: hub.Extra, second: hub.Extra) -> dict[str, dict[str, JSON]]:
    members = {**own(first), **own(second)}
    return {NAME: members} if members else {}


def parse_citation(annotation: dict[str, JSON]) -> hub.Citation:
    return hub.Citation(
        url=text(annotation.get("url")) or None,
        title=text(annotation.get("title")) or None,
        start=integer(annotation.get("start_index")),
        end=integer(annotation.get("end_index")),
        extra={NAME: rest(annotation, _CITATION)},
    )


def render_citation(citation: hub.Citation, length: int, path: str, losses: list[hub.Loss]) -> dict[str, JSON] | None:
    """An annotation; ``length`` is how long the text is, for sources that do not say what they back."""
    members: dict[str, JSON] = {}
    if citation.url is not None:
        members["url"] = citation.url
    if citation.title is not None:
        members["title"] = citation.title
    if citation.start is not None:
        members["start_index"] = citation.start
    if citation.end is not None:
        members["end_index"] = citation.end
    if NAME in citation.extra:
        return {**own(citation.extra), **members}
    if citation.url is None:
        losses.append(hub.Loss(path, "a citation without an address has no place in a Responses answer"))
        return None
    required: dict[str, JSON] = {"type": "url_citation", "title": "", "start_index": 0, "end_index": length}
    return {**required, **members}


def render_output_text(part: hub.Text, path: str, losses: list[hub.Loss]) -> dict[str, JSON]:
    rendered = (
        render_citation(one, len(part.text), f"{path}.citations[{number}]", losses)
        for number, one in enumerate(part.citations)
    )
    annotations: list[JSON] = [one for one in rendered if one is not None]
    content: dict[str, JSON] = {"type": "output_text", "text": part.text, "annotations": annotations, "logprobs": []}
    return {**content, **mapping(own(part.extra).get("part"))}


def render_refusal(part: hub.Refusal) -> dict[str, JSON]:
    return {"type": "refusal", "refusal": part.text, **mapping(own(part.extra).get("part"))}


def render_input_part(
    part: hub.Text | hub.Refusal | hub.Media, path: str, profile: Profile, losses: list[hub.Loss]
) -> dict[str, JSON] | None:
    """A content part of a user, system or tool turn; None when it cannot be said."""
    match part:
        case hub.Text():
            if part.citations:
                losses.append(hub.Loss(f"{path}.citations", "only text of the assistant can carry citations"))
            return {"type": "input_text", "text": part.text, **mapping(own(part.extra).get("part"))}
        case hub.Refusal():
            return {"type": "input_text", "text": part.text}
        case hub.Media():
            content = _render_media(part, path, profile, losses)
            return None if content is None else {**content, **mapping(own(part.extra).get("part"))}
        case _:
            assert_never(part)


def _parse_image(part: dict[str, JSON], path: str) -> hub.Media:
    extra = mark("part", rest(part, _IMAGE))
    if (address := text(part.get("image_url"))) != "":
        media_type, data = _data_uri(address)
        if data is not None:
            return hub.Media("image", media_type=media_type, data=data, extra=extra)
        return hub.Media("image", url=address, extra=extra)
    if (file_id := text(part.get("file_id"))) != "":
        return hub.Media("image", file_id=file_id, extra=extra)
    raise FormatError(f"{path}: an input_image needs image_url or file_id")


def _parse_file(part: dict[str, JSON], path: str) -> hub.Media:
    extra = mark("part", rest(part, _FILE))
    name = text(part.get("filename")) or None
    if (content := text(part.get("file_data"))) != "":
        media_type, data = _data_uri(content)
        return hub.Media("document", media_type=media_type, data=data or content, name=name, extra=extra)
    if (address := text(part.get("file_url"))) != "":
        return hub.Media("document", url=address, name=name, extra=extra)
    if (file_id := text(part.get("file_id"))) != "":
        return hub.Media("document", file_id=file_id, name=name, extra=extra)
    raise FormatError(f"{path}: an input_file needs file_data, file_url or file_id")


def _data_uri(address: str) -> tuple[str | None, str | None]:
    """MIME type and base64 of a data URI; (None, None) for any other address."""
    head, comma, data = address.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None, None
    return head[len("data:") : -len(";base64")] or None, data


def _render_media(part: hub.Media, path: str, profile: Profile, losses: list[hub.Loss]) -> dict[str, JSON] | None:
    if (part.kind == "image" and not profile.images) or (part.kind == "document" and not profile.documents):
        losses.append(hub.Loss(path, f"the model takes no {part.kind}s"))
        return None
    match part:
        case hub.Media(kind="image", file_id=str(file_id)):
            return {"type": "input_image", "file_id": file_id, "detail": "auto"}
        case hub.Media(kind="image"):
            address = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data or ''}"
            return {"type": "input_image", "image_url": address, "detail": "auto"}
        case hub.Media(kind="document"):
            return _render_file(part)
        case hub.Media(kind="audio", data=str(data)) if NAME in part.extra:
            media_type = part.media_type or "audio/wav"
            kind = _AUDIO_FORMATS.get(media_type, media_type.partition("/")[2])
            return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}
        case _:
            losses.append(hub.Loss(path, f"a Responses request has no place for {part.kind} of this kind"))
            return None


def _render_file(part: hub.Media) -> dict[str, JSON]:
    content: dict[str, JSON] = {"type": "input_file"}
    if part.file_id is not None:
        content["file_id"] = part.file_id
    elif part.url is not None:
        content["file_url"] = part.url
    else:
        media_type = part.media_type or "application/pdf"
        content["filename"] = part.name or _FILE_NAMES.get(media_type, "document")
        content["file_data"] = f"data:{media_type};base64,{part.data or ''}"
        return content
    if part.name is not None:
        content["filename"] = part.name
    return content
