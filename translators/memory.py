"""Reasoning that the client's format cannot carry, kept until the client comes back with its history.

Gemini wants the ``thoughtSignature`` of every tool call again, Anthropic the signed thinking before it, OpenAI its
encrypted items, DeepSeek and Kimi their reasoning text; a chat client returns none of them. :class:`Keeper` watches the
events that go *to* the client; :func:`recall` puts back what the client's next request lacks. Both see the ids as the
client sees them. A format's renderer still decides what its upstream may get. Three things are kept:

*Calls* (:class:`Remembered`), by tool-call id. Some upstreams number their calls (``call_0``), so a short id counts
only together with the same arguments. *Turns* without a call (:class:`Turn`), by a hash of what was said first in the
conversation and of the turn's own text, white space aside: the same words in another conversation are another turn.
*Makers* (:class:`Made`) of signatures and of calls, by a hash of the value or the id, see ``signatures``.

Signatures are kept with their maker in the origin. What only the maker's own format understands of a part (item ids,
details) comes back for that maker alone.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from translators import hub
from translators.fold import Fold, merged_extra
from translators.signatures import NOBODY, is_signature, origin_of, reaches, standard

_RANDOM_ID = 16
"""Ids of this length are taken for unique."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What stood before a tool call, and on it."""

    call: hub.ToolCall
    """As the client got it, with its signature."""
    thinking: tuple[hub.Thinking, ...] = ()
    """The reasoning between the tool call before it, or the start of the answer, and this one."""
    origin: str = ""
    """The format and maker of the answer."""

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        texts = [self.call.id, self.call.name, self.call.arguments, _value(self.call.signature)]
        return 200 + sum(map(len, texts)) + _size(self.thinking)


@dataclass(frozen=True, slots=True)
class Turn:
    """What an answer without tool calls had beside its text."""

    thinking: tuple[hub.Thinking, ...]
    extra: hub.Extra
    """Of its last text."""
    origin: str

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return 200 + _size(self.thinking) + len(str(self.extra))


@dataclass(frozen=True, slots=True)
class Made:
    """Where a signature or a call comes from."""

    origin: str

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return 200


type Kept = Remembered | Turn | Made


class Memory(Protocol):
    """Where reasoning is kept between two requests; one for each circle of clients that may see each other's ids."""

    def get(self, key: str) -> Kept | None: ...

    def put(self, key: str, value: Kept) -> None: ...


class BoundedMemory:
    """Keeps what was used last, within a number of items and of bytes."""

    def __init__(self, max_items: int = 10_000, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def size(self) -> int:
        """Bytes of what is kept, roughly."""
        return self._bytes

    def get(self, key: str) -> Kept | None:
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: str, value: Kept) -> None:
        old = self._items.pop(key, None)
        self._bytes += value.size - (old.size if old else 0)
        self._items[key] = value
        while self._items and (len(self._items) > self._max_items or self._bytes > self._max_bytes):
            _, evicted = self._items.popitem(last=False)
            self._bytes -= evicted.size


class Keeper:
    """Watches one answer, whose signatures have their origin, and stores what the client may not be able to return."""

    def __init__(self, memory: Memory, origin: str = "", asked: hub.Request | None = None) -> None:
        """``asked``: what the client said; without it the turn is not kept, only calls and signatures."""
        self._memory = memory
        self._origin = origin
        self._asked = asked
        self._open: dict[int, Fold] = {}
        self._thoughts: dict[int, hub.Thinking] = {}
        self._texts: dict[int, hub.Text] = {}
        self._recent: list[int] = []
        self._before: dict[int, list[int]] = {}
        self._called = False

    def note(self, event: hub.Event) -> None:
        match event:
            case hub.PartStarted(index, hub.Thinking()):
                self._watch(index, event)
                self._recent.append(index)
            case hub.PartStarted(index, hub.ToolCall()):
                self._watch(index, event)
                self._before[index] = self._recent
                self._recent = []
                self._called = True
            case hub.PartStarted(index, hub.Text()):
                self._watch(index, event)
            case hub.PartStarted(_, hub.Opaque(raw=dict() as raw)):
                for name, value in raw.items():
                    if isinstance(value, str) and is_signature(name):
                        self._memory.put(_made_key(value), Made(self._origin))
            case hub.PartDelta(index, _) if index in self._open:
                self._open[index].add(event)
            case hub.PartEnded(index) if index in self._open:
                self._end(index)
            case hub.Finished() if not self._called:
                self._end_turn()
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
                self._sign(part.signature)
                self._name(part)
            case hub.ToolCall():
                thinking = tuple(self._thoughts[i] for i in self._before.pop(index) if i in self._thoughts)
                self._sign(part.signature)
                if self._origin:
                    self._memory.put(_made_key(part.id), Made(self._origin))
                self._name(part)
                if thinking or part.signature is not None:
                    self._memory.put(_call_key(part.id), Remembered(part, thinking, self._origin))
            case hub.Text():
                self._texts[index] = part
                for value in proofs(part):
                    self._memory.put(_made_key(value), Made(self._origin))
                self._name(part)
            case _:
                pass

    def _sign(self, signature: hub.Signature | None) -> None:
        if signature is not None and self._origin:
            self._memory.put(_made_key(signature.value), Made(signature.origin))

    def _name(self, part: hub.Thinking | hub.ToolCall | hub.Text) -> None:
        """The ids that a server has given the items of its answer."""
        for fields in part.extra.values():
            match fields.get("item"):
                case {"id": str(name)} if name and self._origin:
                    self._memory.put(_made_key(name), Made(self._origin))
                case _:
                    pass

    def _end_turn(self) -> None:
        thinking = tuple(self._thoughts.values())
        extras = [text.extra for text in self._texts.values() if text.extra]
        extra: hub.Extra = extras[-1] if extras else {}
        if self._asked is not None and (thinking or extra):
            key = _turn_key(_opening(self._asked), self._texts.values())
            if key is not None:
                self._memory.put(key, Turn(thinking, extra, self._origin))


def maker_of(memory: Memory, value: str) -> str | None:
    """The origin of a signature, or of the call with this id, that has gone to a client."""
    found = memory.get(_made_key(value))
    return found.origin if isinstance(found, Made) else None


def disprove(memory: Memory, values: Iterable[str], form: str) -> None:
    """Nobody gets these signatures again, where nothing is known of their maker."""
    for value in values:
        if maker_of(memory, value) is None:
            memory.put(_made_key(value), Made(origin_of(form, NOBODY)))


def proofs(text: hub.Text) -> Iterable[str]:
    """What a vendor has put on a text; it may be a signature."""
    return (value for fields in text.extra.values() for value in fields.values() if isinstance(value, str))


def recall(request: hub.Request, memory: Memory, upstream: str) -> hub.Request:
    """The request with the signatures and reasoning that it lacks and that the origin ``upstream`` can use."""
    opening = _opening(request)
    messages = tuple(_recalled(message, memory, upstream, opening) for message in request.messages)
    changed = any(new is not old for new, old in zip(messages, request.messages, strict=True))
    return replace(request, messages=messages) if changed else request


def _recalled(message: hub.Message, memory: Memory, upstream: str, opening: str) -> hub.Message:
    if message.role != "assistant":
        return message
    if not any(isinstance(part, hub.ToolCall) for part in message.parts):
        return _recalled_turn(message, memory, upstream, opening)
    has_thinking = any(isinstance(part, hub.Thinking) for part in message.parts)
    parts: list[hub.Part] = []
    position = 0  # of the reasoning of the next call: at the start of the message, later right before the call
    changed = False
    for part in message.parts:
        call = part
        if isinstance(part, hub.ToolCall) and (found := _call(memory, part)):
            if not has_thinking:
                thinking = _usable(found.thinking, found.origin, upstream)
                parts[position:position] = thinking
                changed = changed or bool(thinking)
            signature = found.call.signature
            if part.signature is None and signature is not None and reaches(signature.origin, upstream):
                call = replace(part, signature=signature)
                changed = True
        parts.append(call)
        if isinstance(part, hub.ToolCall):
            position = len(parts)
    return replace(message, parts=tuple(parts)) if changed else message


def _recalled_turn(message: hub.Message, memory: Memory, upstream: str, opening: str) -> hub.Message:
    texts = [part for part in message.parts if isinstance(part, hub.Text)]
    key = _turn_key(opening, texts)
    found = memory.get(key) if key else None
    if not isinstance(found, Turn):
        return message
    parts = message.parts
    if found.extra and reaches(found.origin, upstream):
        last = max(index for index, part in enumerate(parts) if isinstance(part, hub.Text))
        parts = (
            *parts[:last],
            replace(texts[-1], extra=merged_extra(found.extra, texts[-1].extra)),
            *parts[last + 1 :],
        )
    if not any(isinstance(part, hub.Thinking) for part in parts):
        parts = (*_usable(found.thinking, found.origin, upstream), *parts)
    return message if parts == message.parts else replace(message, parts=parts)


def _call(memory: Memory, call: hub.ToolCall) -> Remembered | None:
    found = memory.get(_call_key(call.id))
    return found if isinstance(found, Remembered) and _same(call, found.call) else None


def _usable(thinking: Iterable[hub.Thinking], origin: str, upstream: str) -> list[hub.Thinking]:
    """Signed reasoning for its maker alone; the readable for anybody, without what only its maker understands."""
    found = [part for part in thinking if part.signature is None or reaches(part.signature.origin, upstream)]
    return found if origin == upstream else [replace(part, extra={}) for part in found]


def _call_key(call_id: str) -> str:
    return f"call:{call_id}"


def _made_key(value: str) -> str:
    return f"made:{_digest(standard(value))}"


def _turn_key(opening: str, texts: Iterable[hub.Text]) -> str | None:
    said = " ".join("".join(text.text for text in texts).split())
    return f"turn:{_digest(opening, said)}" if said else None


def _opening(request: hub.Request) -> str:
    """What the user said first."""
    for message in request.messages:
        if message.role == "user" and (said := [part.text for part in message.parts if isinstance(part, hub.Text)]):
            return " ".join("".join(said).split())
    return ""


def _digest(*texts: str) -> str:
    return hashlib.blake2b("\0".join(texts).encode(errors="replace"), digest_size=16).hexdigest()


def _size(thinking: Iterable[hub.Thinking]) -> int:
    return sum(len(part.text) + len(_value(part.signature)) + len(str(part.extra)) for part in thinking)


def _same(call: hub.ToolCall, kept: hub.ToolCall) -> bool:
    return call.name == kept.name and (len(call.id) >= _RANDOM_ID or _canonical(call) == _canonical(kept))


def _canonical(call: hub.ToolCall) -> str | bytes:
    if call.custom:
        return call.arguments
    try:
        return orjson.dumps(orjson.loads(call.arguments or "{}"), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, TypeError):  # no JSON, or nested deeper than orjson writes
        return call.arguments


def _value(signature: hub.Signature | None) -> str:
    return signature.value if signature else ""
