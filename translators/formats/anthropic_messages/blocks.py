"""Content blocks ↔ hub parts, for the blocks that requests and answers share.

Thinking is tagged with its origin in its ``signature`` (see ``signatures.py``). In a request to an upstream only this
format's own signatures are sent, everything else is dropped; in an answer to a client every thinking block gets one,
wrapped where it is foreign, so that we know it again. A citation that we made up for a client is marked the same way,
in ``encrypted_index``, the one field of it that its maker alone can read.
"""

from typing import Literal, assert_never

from translators import hub, signatures
from translators.dropped import word_of
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.anthropic_messages.media import parse_media, readable, render_media
from translators.formats.anthropic_messages.values import (
    NAME,
    Object,
    Report,
    as_array,
    as_object,
    as_string,
    dumps,
    loads,
    marked,
    own,
    rest,
    text_or_none,
)
from translators.hub import JSON

type Side = Literal["request", "answer"]


# ── parse ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_content(value: JSON, path: str, status_hint: int = 400) -> tuple[hub.Part, ...]:
    """The ``content`` of a message: a string or an array of blocks."""
    if isinstance(value, str):
        return (hub.Text(value),)
    blocks = as_array(value, path, status_hint)
    return tuple(parse_block(block, f"{path}[{index}]", status_hint) for index, block in enumerate(blocks))


def parse_block(value: JSON, path: str, status_hint: int = 400) -> hub.Part:
    block = as_object(value, path, status_hint)
    match block.get("type"):
        case "text":
            return parse_text(block, path, status_hint)
        case "thinking" | "redacted_thinking":
            return parse_thinking(block, path, status_hint)
        case "tool_use":
            return parse_tool_use(block, path, status_hint)
        case "tool_result":
            return _parse_tool_result(block, path, status_hint)
        case "image" | "document":
            return parse_media(block, path)
        case str():
            return hub.Opaque(NAME, block)
        case other:
            raise FormatError(f"{path}.type: expected a string, not {other!r}", status_hint=status_hint)


def parse_answer_block(value: JSON, path: str) -> hub.AnswerPart:
    part = parse_block(value, path, 502)
    if isinstance(part, hub.ToolResult):
        raise FormatError(f"{path}: a tool_result cannot stand in an answer", status_hint=502)
    return part


def parse_text(block: Object, path: str, status_hint: int = 400) -> hub.Text:
    text = as_string(block.get("text"), f"{path}.text", status_hint)
    citations = as_array(block.get("citations") or [], f"{path}.citations", status_hint)
    raws = (as_object(citation, f"{path}.citations", status_hint) for citation in citations)
    return hub.Text(
        text,
        tuple(parse_citation(raw, len(text)) for raw in raws),
        rest(block, "type", "text", "citations"),
    )


def parse_thinking(block: Object, path: str, status_hint: int = 400) -> hub.Thinking:
    if block.get("type") == "redacted_thinking":
        data = as_string(block.get("data"), f"{path}.data", status_hint)
        signature = signatures.unwrap(data, NAME)
        return hub.Thinking(signature=signature, redacted=True, extra=rest(block, "type", "data"))
    text = as_string(block.get("thinking", ""), f"{path}.thinking", status_hint)
    signature = signatures.unwrap(text_or_none(block.get("signature")) or "", NAME)
    return hub.Thinking(text, signature, extra=rest(block, "type", "thinking", "signature"))


def parse_tool_use(block: Object, path: str, status_hint: int = 400) -> hub.ToolCall:
    arguments = as_object(block.get("input") or {}, f"{path}.input", status_hint)
    return hub.ToolCall(
        as_string(block.get("id"), f"{path}.id", status_hint),
        as_string(block.get("name"), f"{path}.name", status_hint),
        dumps(arguments).decode(),
        extra=rest(block, "type", "id", "name", "input"),
    )


def parse_citation(raw: Object, length: int) -> hub.Citation:
    """A citation of a text of this length, all of which it backs: Anthropic begins a new block where the sources change."""
    url = text_or_none(raw.get("url"))
    title = text_or_none(raw.get("title")) or text_or_none(raw.get("document_title"))
    quote = text_or_none(raw.get("cited_text"))
    invented = signatures.is_ours(text_or_none(raw.get("encrypted_index")) or "")
    return hub.Citation(url, title, quote, 0, length, extra={} if invented else {NAME: raw})


def _parse_tool_result(block: Object, path: str, status_hint: int) -> hub.ToolResult:
    parts: list[hub.Text | hub.Media | hub.ToolReference | hub.Opaque] = []
    content = block.get("content")
    if isinstance(content, str):
        parts.append(hub.Text(content))
    elif content is not None:
        for index, value in enumerate(as_array(content, f"{path}.content", status_hint)):
            parts.append(_parse_result_block(value, f"{path}.content[{index}]", status_hint))
    return hub.ToolResult(
        as_string(block.get("tool_use_id"), f"{path}.tool_use_id", status_hint),
        tuple(parts),
        error=block.get("is_error") is True,
        extra=rest(block, "type", "tool_use_id", "content", "is_error"),
    )


def _parse_result_block(
    value: JSON, path: str, status_hint: int
) -> hub.Text | hub.Media | hub.ToolReference | hub.Opaque:
    block = as_object(value, path, status_hint)
    match block:
        case {"type": "text"}:
            return parse_text(block, path, status_hint)
        case {"type": "image" | "document"}:
            return parse_media(block, path)
        case {"type": "tool_reference", "tool_name": str(name)}:
            return hub.ToolReference(name)
        case {"type": str()}:
            return hub.Opaque(NAME, block)
        case _:
            raise FormatError(f"{path}.type: expected a string, not {block.get('type')!r}", status_hint=status_hint)


# ── render ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def render_part(part: hub.Part, path: str, report: Report, side: Side, profile: Profile) -> Object | None:
    """The block of a part; None when there is nothing to say or nothing that may be said (then with a loss)."""
    match part:
        case hub.Text():
            block = _render_text(part, path, report, side)
        case hub.Refusal():
            block = _render_text(hub.Text(part.text, extra=part.extra), path, report, side)
        case hub.Thinking():
            block = _render_thinking(part, path, report, side, profile)
        case hub.Media():
            block = _render_media(part, path, report, side, profile)
        case hub.ToolCall():
            block = _render_tool_use(part, path, report)
        case hub.ToolResult():
            block = _render_tool_result(part, path, report, profile)
        case hub.Opaque():
            block = render_opaque(part, path, report)
        case _:
            assert_never(part)
    return block


def render_opaque(part: hub.Opaque, path: str, report: Report) -> Object | None:
    if part.format == NAME and isinstance(part.raw, dict):
        return part.raw
    report.lose(path, f"`{word_of(part)}` is understood by {part.format} alone")
    return None


def render_citation(citation: hub.Citation, path: str, report: Report, side: Side) -> Object | None:
    """In a request a citation of another provider cannot stand: Anthropic checks what it has encrypted itself."""
    report.foreign(citation.extra, path)
    if NAME in citation.extra:
        return own(citation.extra)
    if side == "request":
        report.lose(path, "a citation that Anthropic has not made cannot be sent to it")
        return None
    if citation.url is None:
        report.lose(path, "a citation without a URL has no form in an Anthropic answer")
        return None
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote or "",
        "encrypted_index": signatures.wrap(None, NAME),
    }


def _render_text(text: hub.Text, path: str, report: Report, side: Side) -> Object | None:
    report.foreign(text.extra, path)
    if not text.text:
        return None
    if side == "request" and not text.text.strip():
        report.lose(path, "Anthropic refuses a text block of nothing but white space")
        return None
    block: Object = {"type": "text", "text": text.text}
    citations = [
        made for citation in text.citations if (made := render_citation(citation, path, report, side)) is not None
    ]
    if citations:
        block["citations"] = [*citations]
    return {**block, **marked(text.extra)}


def _render_thinking(thinking: hub.Thinking, path: str, report: Report, side: Side, profile: Profile) -> Object | None:
    signature = thinking.signature
    report.foreign(thinking.extra, path)
    if side == "request" and (signature is None or signature.origin != NAME):
        if profile.unsigned_thinking and thinking.text:
            if signature is not None:
                report.lose(path, "the signature of this reasoning is another provider's")
            return {"type": "thinking", "thinking": thinking.text, "signature": ""}
        report.lose(path, "reasoning without a signature of Anthropic's own cannot be sent to it")
        return None
    if thinking.redacted:
        if signature is None:
            return None
        return {"type": "redacted_thinking", "data": signatures.wrap(signature, NAME), **own(thinking.extra)}
    if not thinking.text and signature is None:
        return None
    return {
        "type": "thinking",
        "thinking": thinking.text,
        "signature": signatures.wrap(signature, NAME),
        **own(thinking.extra),
    }


def _render_media(media: hub.Media, path: str, report: Report, side: Side, profile: Profile) -> Object | None:
    if side == "answer":
        report.lose(path, f"an Anthropic answer cannot hold an {media.kind}")
        return None
    if media.kind == "image" and not profile.images:
        report.lose(path, "the model takes no images")
        return None
    if media.kind == "document" and not profile.documents:
        text = readable(media)
        if text is None:
            report.lose(path, "the model takes no documents")
            return None
        report.lose(path, "the model takes no documents; a text document is sent as text")
        return {"type": "text", "text": text} if text.strip() else None
    return render_media(media, path, report)


def _render_tool_use(call: hub.ToolCall, path: str, report: Report) -> Object:
    report.foreign(call.extra, path)
    if call.signature is not None:
        report.lose(
            f"{path}.signature", f"a tool call of {call.signature.origin} has a signature; Anthropic's have none"
        )
    arguments = _arguments(call, path, report)
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments, **marked(call.extra)}


def _render_tool_result(result: hub.ToolResult, path: str, report: Report, profile: Profile) -> Object:
    report.foreign(result.extra, path)
    block: Object = {"type": "tool_result", "tool_use_id": result.call_id}
    match result.parts:
        case ():
            pass
        case (hub.Text(text=text, citations=(), extra=extra),) if NAME not in extra:
            report.foreign(extra, path)
            block["content"] = text
        case parts:
            content: list[JSON] = []
            for index, part in enumerate(parts):
                made: Object | None
                if isinstance(part, hub.ToolReference):
                    made = {"type": "tool_reference", "tool_name": part.name}
                else:
                    made = render_part(part, f"{path}.parts[{index}]", report, "request", profile)
                if made is not None:
                    content.append(made)
            block["content"] = content
    if result.error:
        block["is_error"] = True
    return {**block, **marked(result.extra)}


def _arguments(call: hub.ToolCall, path: str, report: Report) -> Object:
    """The arguments as the object that this format wants; text that is none travels whole under ``input``."""
    if not call.arguments.strip():
        return {}
    if not call.custom:
        try:
            value = loads(call.arguments, "arguments")
        except FormatError:
            value = None
        if isinstance(value, dict):
            return value
        report.lose(path, "tool arguments that are no JSON object are sent as text in `input`")
    return {"input": call.arguments}
