"""A body as people read it: turns of a conversation, each in pieces; through the same translators as the proxy."""

from typing import Literal

from omniroute_addon.addons.contentview import json_lines, media_words, read_answer, reasoning_words
from omniroute_addon.web.resource import Answer
from translators import FORMATS, WireRequest, hub

LONGEST, LONGEST_PIECE, MOST_PIECES = 300_000, 50_000, 400
"""Characters of a conversation and of one piece, and pieces, that a page shows."""

type Kind = Literal["text", "thinking", "call", "result", "media", "opaque", "error"]


class Piece(Answer):
    kind: Kind
    text: str
    name: str = ""
    """Of a tool, or the id of the call that a result belongs to."""


class Turn(Answer):
    role: str
    pieces: tuple[Piece, ...]


class Talk(Answer):
    """A request or an answer."""

    facts: dict[str, str]
    """Model, settings, tools; or stop reason and tokens."""
    turns: tuple[Turn, ...]
    left_out: int = 0
    """Earlier pieces that are not here."""


def of_request(form: str, path: str, body: bytes) -> Talk:
    """Raises ValueError for bytes that are no request of this format."""
    path, _, query = path.partition("?")
    request = FORMATS[form].parse_request(WireRequest("POST", path, query, {}, body))
    tools = [tool.name if isinstance(tool, hub.Tool) else f"{tool.kind} (server)" for tool in request.tools]
    facts = {
        "model": request.model,
        "stream": "yes" if request.stream else "",
        "max_tokens": str(request.max_tokens or ""),
        "temperature": "" if request.temperature is None else str(request.temperature),
        "reasoning": reasoning_words(request.reasoning),
        "tools": ", ".join(tools),
    }
    turns = tuple(Turn(role=one.role, pieces=tuple(_piece(part) for part in one.parts)) for one in request.messages)
    return Talk(facts={name: value for name, value in facts.items() if value}, turns=turns)


def of_answer(form: str, status: int, content_type: str, body: bytes) -> Talk:
    """Raises ValueError for bytes that are no answer of this format."""
    response, failure = read_answer(form, status, content_type, body)
    pieces: list[Piece] = []
    facts: dict[str, str] = {}
    if response is not None:
        usage = response.usage
        facts = {
            "model": response.model,
            "stop": response.stop.reason,
            "input": str(usage.input or ""),
            "output": str(usage.output or ""),
            "cached": str(usage.cache_read or ""),
            "reasoning": str(usage.reasoning or ""),
        }
        pieces += [_piece(part) for part in response.parts]
    if failure is not None:
        pieces.append(Piece(kind="error", text=failure.message, name=failure.kind))
    return Talk(facts={n: v for n, v in facts.items() if v}, turns=(Turn(role="assistant", pieces=tuple(pieces)),))


def shortened(talk: Talk) -> Talk:
    """The end of a conversation, as much as a page can show; a piece that is too long is cut."""
    turns: list[Turn] = []
    characters, pieces, left_out = 0, 0, 0
    for turn in reversed(talk.turns):
        kept: list[Piece] = []
        for piece in reversed(turn.pieces):
            text = piece.text if len(piece.text) <= LONGEST_PIECE else piece.text[:LONGEST_PIECE] + "…"
            characters += len(text)
            pieces += 1
            if left_out or ((kept or turns) and (characters > LONGEST or pieces > MOST_PIECES)):
                left_out += 1
            else:
                kept.insert(0, piece.model_copy(update={"text": text}))
        if kept or (not turn.pieces and not left_out):
            turns.insert(0, turn.model_copy(update={"pieces": tuple(kept)}))
    return talk.model_copy(update={"turns": tuple(turns), "left_out": left_out})


def plain_text(talk: Talk) -> str:
    """What was said, to be compared."""
    return "\n".join(
        f"→ {piece.name} {piece.text}" if piece.kind == "call" else piece.text
        for turn in talk.turns
        for piece in turn.pieces
        if piece.kind != "thinking"
    )


def _piece(part: hub.Part) -> Piece:
    match part:
        case hub.Text() | hub.Refusal():
            return Piece(kind="text", text=part.text)
        case hub.Thinking():
            return Piece(kind="thinking", text=part.text or "…")
        case hub.ToolCall():
            name = f"{part.namespace}.{part.name}" if part.namespace else part.name
            return Piece(kind="call", name=name, text="\n".join(json_lines(part.arguments)))
        case hub.ToolResult():
            text = "\n".join(
                f"(tool {inner.name})" if isinstance(inner, hub.ToolReference) else _piece(inner).text
                for inner in part.parts
            )
            return Piece(kind="error" if part.error else "result", name=part.call_id, text=text)
        case hub.Media():
            return Piece(kind="media", text=media_words(part))
        case hub.Opaque():
            return Piece(kind="opaque", name=part.format, text=str(part.raw)[:2000])
