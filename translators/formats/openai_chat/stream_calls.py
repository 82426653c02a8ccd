"""Puts the tool calls of a chat stream together from their pieces.

A piece belongs to the call with its ``index``; without one to the call with its ``id``; without both to the last call.
Dialects bend every rule: several whole calls all under index 0 (a new id together with a name starts a new call), no
ids, the same id twice, arguments as an object, ``{}`` sent first and the true arguments after it, the whole arguments
repeated at the end. Calls stay open until their arguments are whole and another call starts, or until the answer ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from translators.errors import FormatError
from translators.formats.openai_chat.tool_calls import call_extra, call_signature, is_custom, unique_id
from translators.formats.openai_chat.values import arguments_text, extra, integer, invented_id, object_at, text
from translators.framing.json_array import JSONArrayDecoder
from translators.hub import (
    JSON,
    ArgumentsDelta,
    Event,
    ExtraDelta,
    PartDelta,
    PartEnded,
    PartStarted,
    SignatureDelta,
    ToolCall,
)


@dataclass(slots=True)
class _Call:
    key: int | None
    wire_id: str
    name: str = ""
    custom: bool = False
    part: int | None = None
    """Index of the hub part; None until the name is known."""
    ended: bool = False
    pieces: list[str] = field(default_factory=list[str])
    size: int = 0
    """Length of all pieces."""
    held: str = ""
    """Arguments that may yet turn out to be only a beginning."""
    brackets: JSONArrayDecoder = field(default_factory=JSONArrayDecoder)
    counted: int = 0
    """Pieces whose brackets were counted."""

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    @property
    def whole(self) -> bool:
        """Whether the arguments are one object, as far as their brackets tell."""
        if self.custom:
            return False
        try:
            for piece in self.pieces[self.counted :]:
                self.brackets.feed(piece.encode(errors="surrogatepass"))
            self.brackets.feed(b"")
        except FormatError:
            return False
        self.counted = len(self.pieces)
        return self.brackets.complete


class CallAssembler:
    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_key: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        """The latest call with this index, or id."""
        self._touched: list[_Call] = []
        """Calls that were begun or went on since the last one that began; only these may have become whole."""
        self._ids: dict[str, int] = {}
        self.nameless = False
        """A call came to its end without ever having a name."""

    @property
    def any(self) -> bool:
        return bool(self._calls)

    def add(self, item: Mapping[str, JSON], seed: str, next_part: Callable[[], int]) -> list[Event]:
        """A piece of a call. ``next_part`` numbers a part that begins; not kept, since it holds who holds this."""
        custom = is_custom(item)
        body = object_at(item, "custom" if custom else "function") or object_at(item, "function")
        name, wire_id = text(body, "name"), text(item, "id")
        value = body.get("input") if custom else body.get("arguments")
        arguments = arguments_text(value)
        call = self._find(integer(item, "index"), wire_id, name, arguments)
        events: list[Event] = []
        if call is None:
            if not (wire_id or name or arguments):
                return []
            events += self._end_whole()
            call = _Call(integer(item, "index"), wire_id, custom=custom)
            self._calls.append(call)
            if call.key is not None:
                self._by_key[call.key] = call
        if not call.wire_id:
            call.wire_id = wire_id
        if call.wire_id:
            self._by_id[call.wire_id] = call
        if not self._touched or self._touched[-1] is not call:
            self._touched.append(call)
        events += self._start(call, name, seed, next_part)
        if arguments:
            events += self._append(call, arguments)
        if (signature := call_signature(item)) is not None and call.part is not None:
            events.append(PartDelta(call.part, SignatureDelta(signature)))
        if (beside := call_extra(item)) and call.part is not None:
            events.append(PartDelta(call.part, ExtraDelta(extra(beside))))
        return events

    def end(self) -> list[Event]:
        events: list[Event] = []
        for call in self._calls:
            events += self._end(call)
        return events

    def _find(self, key: int | None, wire_id: str, name: str, arguments: str) -> _Call | None:
        """The call that this piece continues; None when it starts another."""
        if key is not None:
            call = self._by_key.get(key)
            if call is not None and self._differs(call, wire_id, name):
                return None
            return call
        if wire_id and (known := self._by_id.get(wire_id)):
            return None if name and known.whole and arguments else known
        last = self._calls[-1] if self._calls else None
        if last is None or wire_id or (name and (name != last.name or last.whole)):
            return None
        return last

    @staticmethod
    def _differs(call: _Call, wire_id: str, name: str) -> bool:
        return bool(wire_id and call.wire_id and wire_id != call.wire_id and name)

    def _start(self, call: _Call, name: str, seed: str, next_part: Callable[[], int]) -> list[Event]:
        if call.part is not None or not name:
            return []
        call.name, call.part = name, next_part()
        wanted = call.wire_id or invented_id(seed, len(self._ids), name)
        started = ToolCall(unique_id(wanted, self._ids), name, custom=call.custom)
        events: list[Event] = [PartStarted(call.part, started)]
        events += [PartDelta(call.part, ArgumentsDelta(piece)) for piece in call.pieces]
        return events

    def _append(self, call: _Call, piece: str) -> list[Event]:
        if call.ended:
            return []
        if not call.pieces and not call.custom and piece.strip() == "{}":
            call.held = piece
            return []
        call.held = ""
        if len(piece) == call.size and call.arguments == piece and call.whole:
            return []
        call.pieces.append(piece)
        call.size += len(piece)
        return [] if call.part is None else [PartDelta(call.part, ArgumentsDelta(piece))]

    def _end_whole(self) -> list[Event]:
        events: list[Event] = []
        for call in self._touched:
            if not call.ended and call.whole:
                events += self._end(call)
        self._touched.clear()
        return events

    def _end(self, call: _Call) -> list[Event]:
        if call.ended:
            return []
        call.ended = True
        if call.part is None:
            self.nameless = True
            return []
        events: list[Event] = []
        if not call.pieces and not call.custom:
            events.append(PartDelta(call.part, ArgumentsDelta(call.held or "{}")))
        events.append(PartEnded(call.part))
        return events
