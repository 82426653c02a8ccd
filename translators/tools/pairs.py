"""Puts every tool result directly behind its call, under an id that the upstream takes.

Formats differ in how strict they are: chat and Anthropic refuse a conversation in which a call has no result, a result
has no call, or something stands between the two. Clients produce all three after an interruption, a compaction or a
fallback. A *turn* is what the assistant said in one go (several messages for clients that send items) and everything
until it speaks again.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from translators import hub
from translators.tools.names import Names

NO_RESULT = "No result: the tool call was not completed."


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    turn: int
    custom: bool
    path: str
    result: hub.ToolResult | None = None


@dataclass(slots=True)
class _Turn:
    said: list[hub.Message] = field(default_factory=list[hub.Message])
    """Messages of the assistant."""
    answered: list[hub.Message] = field(default_factory=list[hub.Message])
    """Messages of everyone else, tool results taken out."""
    calls: list[_Call] = field(default_factory=list[_Call])
    results: list[hub.ToolResult] = field(default_factory=list[hub.ToolResult])


def paired(messages: Sequence[hub.Message], ids: Names, losses: list[hub.Loss]) -> tuple[hub.Message, ...]:
    """The same conversation, well-formed for every format."""
    return _Pairing(ids, losses).run(messages)


class _Pairing:
    def __init__(self, ids: Names, losses: list[hub.Loss]) -> None:
        self._ids = ids
        self._losses = losses
        self._turns = [_Turn()]
        self._seen: dict[str, int] = {}
        """How many calls had this id."""
        self._open: dict[str, list[deque[_Call]]] = {}
        """The calls of this id without a result, by turn."""

    def run(self, messages: Sequence[hub.Message]) -> tuple[hub.Message, ...]:
        for number, message in enumerate(messages):
            path = f"messages[{number}]"
            if message.role == "assistant":
                if self._turns[-1].answered:
                    self._turns.append(_Turn())
                self._turns[-1].said.append(self._say(message, path))
            else:
                self._answer(message, path)
        return tuple(message for turn in self._turns for message in self._rebuilt(turn))

    def _say(self, message: hub.Message, path: str) -> hub.Message:
        if not any(isinstance(part, hub.ToolCall) for part in message.parts):
            return message
        parts: list[hub.Part] = []
        for position, part in enumerate(message.parts):
            if isinstance(part, hub.ToolCall):
                parts.append(self._call(part, f"{path}.parts[{position}]"))
            else:
                parts.append(part)
        same = all(new is old for new, old in zip(parts, message.parts, strict=True))
        return message if same else replace(message, parts=tuple(parts))

    def _call(self, call: hub.ToolCall, path: str) -> hub.ToolCall:
        number = self._seen.get(call.id, 0)
        self._seen[call.id] = number + 1
        new = self._ids.make(call.id or "call", f"{call.id}\0{number}")
        known = _Call(new, call.name, len(self._turns) - 1, call.custom, path)
        waiting = self._open.setdefault(call.id, [])
        if not waiting or waiting[-1][0].turn != known.turn:
            waiting.append(deque())
        waiting[-1].append(known)
        self._turns[-1].calls.append(known)
        return call if new == call.id else replace(call, id=new)

    def _answer(self, message: hub.Message, path: str) -> None:
        turn = self._turns[-1]
        if not any(isinstance(part, hub.ToolResult) for part in message.parts):
            turn.answered.append(message)
            return
        others: list[hub.Part] = []
        for position, part in enumerate(message.parts):
            if isinstance(part, hub.ToolResult):
                others += self._result(part, f"{path}.parts[{position}]")
            else:
                others.append(part)
        turn.answered.append(replace(message, parts=tuple(others)))

    def _result(self, result: hub.ToolResult, path: str) -> Iterable[hub.Part]:
        """What stays where the result stood: nothing, or its content when no call wants it."""
        waiting = self._open.get(result.call_id)
        if not waiting:
            self._losses.append(hub.Loss(path, f"no tool call {result.call_id!r} wants this result; sent as text"))
            return [part for part in result.parts if not isinstance(part, hub.ToolReference)]
        call = waiting[-1].popleft()
        if not waiting[-1]:
            waiting.pop()
        if call.turn != len(self._turns) - 1:
            self._losses.append(hub.Loss(path, "a tool result that came late was moved behind its call"))
        call.result = replace(result, call_id=call.id, name=call.name, custom=call.custom)
        self._turns[call.turn].results.append(call.result)
        return ()

    def _rebuilt(self, turn: _Turn) -> Iterable[hub.Message]:
        if not turn.calls:
            return (*turn.said, *(message for message in turn.answered if message.parts))
        results: list[hub.Part] = list(turn.results)
        for call in turn.calls:
            if call.result is None:
                self._losses.append(hub.Loss(call.path, "this tool call has no result; an error result was put in"))
                results.append(hub.ToolResult(call.id, (hub.Text(NO_RESULT),), True, call.name, call.custom))
        first = turn.answered[0] if turn.answered else None
        if first is not None and first.role == "user":
            rest = [replace(first, parts=(*results, *first.parts)), *turn.answered[1:]]
        else:
            rest = [hub.Message("user", tuple(results)), *turn.answered]
        return (_merged(turn.said), *(message for message in rest if message.parts))


def _merged(messages: Sequence[hub.Message]) -> hub.Message:
    if len(messages) == 1:
        return messages[0]
    parts = tuple(part for message in messages for part in message.parts)
    return replace(next((message for message in messages if message.extra), messages[0]), parts=parts)
