"""Hub messages → ``system`` and ``messages`` as Anthropic accepts them.

Its rules: system text that opens the conversation stands apart; roles alternate; the results of tool calls come first in
the user turn right after the calls; calls come last in the assistant turn; a system message further down follows a user
turn and precedes an assistant turn or the end; no block is empty; the last assistant turn does not end in white space.
Arranging moves and merges, it drops only what :mod:`blocks` cannot render.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from translators import hub
from translators.errors import Unsupported
from translators.format import Profile
from translators.formats.anthropic_messages.blocks import render_part
from translators.formats.anthropic_messages.values import Object, Report, own
from translators.hub import JSON


@dataclass(slots=True)
class _Turn:
    role: Literal["system", "user", "assistant"]
    blocks: list[Object]
    extra: Object = field(default_factory=dict[str, JSON])


def arrange(messages: Sequence[hub.Message], profile: Profile, report: Report) -> tuple[list[JSON], list[JSON]]:
    """The blocks of ``system`` and the elements of ``messages``; raises Unsupported when no message is left."""
    turns = [_render(message, f"messages[{index}]", profile, report) for index, message in enumerate(messages)]
    opening = 0
    while opening < len(turns) and turns[opening].role == "system":
        opening += 1
    system = [block for turn in turns[:opening] for block in _texts_only(turn, report)]
    rest = turns[opening:]
    if system and not any(turn.blocks for turn in rest):
        report.lose("messages", "Anthropic wants a user message; with none there, the system text is sent as one")
        rest, system = [_Turn("user", system)], []
    if system and profile.system_position == "none":
        report.lose("messages[0]", "the model takes no system text; it opens the first user message")
        rest, system = [_Turn("user", system), *rest], []
    if profile.system_position != "any":
        rest = [_as_user(turn, report) if turn.role == "system" else turn for turn in rest]
    arranged = _merged(rest, report)
    _finish(arranged, rest, report)
    return [*system], [{"role": turn.role, "content": [*turn.blocks], **turn.extra} for turn in arranged]


def _render(message: hub.Message, path: str, profile: Profile, report: Report) -> _Turn:
    role = "system" if message.role == "developer" else message.role
    report.foreign(message.extra, path)
    blocks: list[Object] = []
    for index, part in enumerate(message.parts):
        block = render_part(part, f"{path}.parts[{index}]", report, "request", profile)
        if block is not None:
            blocks.append(block)
    return _Turn(role, blocks, own(message.extra))


def _merged(turns: Sequence[_Turn], report: Report) -> list[_Turn]:
    arranged: list[_Turn] = []
    held: list[_Turn] = []
    for turn in turns:
        if not turn.blocks:
            continue
        match turn.role:
            case "system":
                held.append(turn)
            case "assistant":
                _place(held, arranged, report)
                _append(turn, arranged)
            case "user":
                if held and arranged and arranged[-1].role == "user":
                    report.lose("messages", "system text between two user messages is sent after them")
                _append(turn, arranged)
    _place(held, arranged, report)
    for turn in arranged:
        if turn.role == "user":
            turn.blocks.sort(key=_results_first)
        elif turn.role == "assistant" and not any("thinking" in str(block.get("type")) for block in turn.blocks):
            turn.blocks.sort(key=_calls_last)  # a turn with thinking must come back exactly as it was made
    return arranged


def _place(held: list[_Turn], arranged: list[_Turn], report: Report) -> None:
    """Puts the held system turns where one may stand: after a user turn; elsewhere they become user text."""
    for turn in held:
        allowed = bool(arranged) and arranged[-1].role != "assistant"
        _append(turn if allowed else _as_user(turn, report), arranged)
    held.clear()


def _append(turn: _Turn, arranged: list[_Turn]) -> None:
    if arranged and arranged[-1].role == turn.role:
        arranged[-1].blocks += turn.blocks
        arranged[-1].extra |= turn.extra
    else:
        arranged.append(_Turn(turn.role, [*turn.blocks], dict(turn.extra)))


def _finish(arranged: list[_Turn], source: Sequence[_Turn], report: Report) -> None:
    if not arranged:
        raise Unsupported("nothing of the conversation can be sent to an Anthropic model: no message has any content")
    if source[-1].role == "user" and arranged[-1].role == "assistant":
        raise Unsupported("nothing of the last user message can be sent to an Anthropic model")
    last = arranged[-1].blocks[-1]
    text = last.get("text")
    if arranged[-1].role == "assistant" and last.get("type") == "text" and isinstance(text, str):
        last["text"] = text.rstrip()
        if text != last["text"]:
            report.lose("messages", "Anthropic refuses white space at the end of the last assistant message")


def _as_user(turn: _Turn, report: Report) -> _Turn:
    report.lose("messages", "system text further down is sent as user text")
    return _Turn("user", _texts_only(turn, report))


def _texts_only(turn: _Turn, report: Report) -> list[Object]:
    kept = [block for block in turn.blocks if block.get("type") == "text"]
    if len(kept) < len(turn.blocks):
        report.lose("messages", "only text can stand in the system prompt")
    return kept


def _results_first(block: Object) -> bool:
    return block.get("type") != "tool_result"


def _calls_last(block: Object) -> bool:
    return block.get("type") == "tool_use"
