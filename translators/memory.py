"""Reasoning that the client's format cannot carry, kept until the client comes back with the tool results.

Gemini wants the ``thoughtSignature`` of every tool call again, Anthropic the signed thinking before it, DeepSeek and
Kimi their reasoning text; a chat client returns none of them. :class:`Keeper` watches the events that go *to* the
client and stores both by tool-call id; :func:`recall` puts them back where the client's next request lacks them. Both
see the ids as the client sees them. A format's renderer still decides what its upstream may get.

Some upstreams number their calls (``call_0``), so a short id counts only together with the same arguments.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from translators import hub
from translators.fold import Fold

_RANDOM_ID = 16
"""Ids of this length are taken for unique."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What stood before a tool call, and on it."""

    call: hub.ToolCall
    """As the client got it, with its signature."""
    thinking: tuple[hub.Thinking, ...] = ()
    """The reasoning between the tool call before it, or the start of the answer, and this one."""

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        texts = [self.call.id, self.call.name, self.call.arguments, _value(self.call.signature)]
        for thinking in self.thinking:
            texts += thinking.text, _value(thinking.signature)
        return 200 + sum(map(len, texts))


class Memory(Protocol):
    """Where reasoning is kept between two requests; one for each circle of clients that may see each other's ids."""

    def get(self, key: str) -> Remembered | None: ...

    def put(self, key: str, value: Remembered) -> None: ...


class BoundedMemory:
    """Keeps what was used last, within a number of items and of bytes."""

    def __init__(self, max_items: int = 10_000, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: OrderedDict[str, Remembered] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Remembered | None:
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: str, value: Remembered) -> None:
        old = self._items.pop(key, None)
        self._bytes += value.size - (old.size if old else 0)
        self._items[key] = value
        while self._items and (len(self._items) > self._max_items or self._bytes > self._max_bytes):
            _, evicted = self._items.popitem(last=False)
            self._bytes -= evicted.size


class Keeper:
    """Watches one answer and stores each tool call that has reasoning, when it ends."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._open: dict[int, Fold] = {}
        self._thoughts: dict[int, hub.Thinking] = {}
        self._recent: list[int] = []
        self._before: dict[int, list[int]] = {}

    def note(self, event: hub.Event) -> None:
        match event:
            case hub.PartStarted(index, hub.Thinking()):
                self._watch(index, event)
                self._recent.append(index)
            case hub.PartStarted(index, hub.ToolCall()):
                self._watch(index, event)
                self._before[index] = self._recent
                self._recent = []
            case hub.PartDelta(index, _) if index in self._open:
                self._open[index].add(event)
            case hub.PartEnded(index) if index in self._open:
                self._end(index)
            case _:
                pass

    def _watch(self, index: int, event: hub.PartStarted) -> None:
        fold = self._open[index] = Fold()
        fold.add(event)

    def _end(self, index: int) -> None:
        (part,) = self._open.pop(index).response().parts
        match part:
            case hub.Thinking():
                self._thoughts[index] = part
            case hub.ToolCall():
                thinking = tuple(self._thoughts[i] for i in self._before.pop(index) if i in self._thoughts)
                if thinking or part.signature is not None:
                    self._memory.put(part.id, Remembered(part, thinking))
            case _:
                pass


def recall(request: hub.Request, memory: Memory, upstream_format: str) -> hub.Request:
    """The request with the signatures and reasoning that it lacks and ``upstream_format`` can use."""
    messages = tuple(_recalled(message, memory, upstream_format) for message in request.messages)
    changed = any(new is not old for new, old in zip(messages, request.messages, strict=True))
    return replace(request, messages=messages) if changed else request


def _recalled(message: hub.Message, memory: Memory, upstream_format: str) -> hub.Message:
    if message.role != "assistant" or not any(isinstance(part, hub.ToolCall) for part in message.parts):
        return message

    def usable(signature: hub.Signature | None) -> bool:
        return signature is not None and signature.origin == upstream_format

    has_thinking = any(isinstance(part, hub.Thinking) for part in message.parts)
    parts: list[hub.Part] = []
    position = 0  # of the reasoning of the next call: at the start of the message, later right before the call
    changed = False
    for part in message.parts:
        call = part
        if isinstance(part, hub.ToolCall) and (found := memory.get(part.id)) and _same(part, found.call):
            if not has_thinking:
                thinking = [t for t in found.thinking if t.signature is None or usable(t.signature)]
                parts[position:position] = thinking
                changed = changed or bool(thinking)
            if part.signature is None and usable(found.call.signature):
                call = replace(part, signature=found.call.signature)
                changed = True
        parts.append(call)
        if isinstance(part, hub.ToolCall):
            position = len(parts)
    return replace(message, parts=tuple(parts)) if changed else message


def _same(call: hub.ToolCall, kept: hub.ToolCall) -> bool:
    return call.name == kept.name and (len(call.id) >= _RANDOM_ID or _canonical(call) == _canonical(kept))


def _canonical(call: hub.ToolCall) -> str | bytes:
    if call.custom:
        return call.arguments
    try:
        return orjson.dumps(orjson.loads(call.arguments or "{}"), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return call.arguments


def _value(signature: hub.Signature | None) -> str:
    return signature.value if signature else ""
