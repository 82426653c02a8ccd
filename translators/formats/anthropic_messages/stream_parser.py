"""An answer stream of this format → hub events.

Blocks become parts under indexes of our own, because imitators reuse theirs. Text, thinking and tool calls are passed on
as they come, citations at the end of the text that they back. Any other block (``server_tool_use``, …) is gathered and
read at its end as in a whole answer, since what is opaque has no deltas. Usage is cumulative, so each report is read
together with the earlier ones.
The stream has its end with ``message_stop``, or with a ``stop_reason`` when the peer leaves ``message_stop`` out.
"""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from translators import hub
from translators.errors import FormatError
from translators.formats.anthropic_messages.blocks import (
    parse_answer_block,
    parse_citation,
    parse_text,
    parse_thinking,
    parse_tool_use,
)
from translators.formats.anthropic_messages.errors import parse_error_object
from translators.formats.anthropic_messages.usage import newer_usage, parse_stop, parse_usage
from translators.formats.anthropic_messages.values import (
    MESSAGE,
    NAME,
    Object,
    as_object,
    dumps,
    loads,
    own,
    rest,
    shown,
    text_or_none,
)
from translators.framing.frame_parser import FrameParser
from translators.framing.sse import SSEDecoder, SSEEvent
from translators.hub import JSON
from translators.signatures import unwrap

_BAD_GATEWAY = 502


@dataclass(slots=True)
class _Block:
    index: int
    """The part's index in the hub."""
    kind: Literal["plain", "call", "opaque"]
    raw: Object
    """The block as it started; an opaque one grows."""
    arguments: list[str] = field(default_factory=list[str])
    """Pieces of an opaque block's input."""
    texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Pieces of its other members."""
    filled: bool = False
    """Whether arguments of a call have come."""
    length: int = 0
    """Characters of text."""
    citations: list[Object] = field(default_factory=list[Object])


class AnthropicStreamParser(FrameParser[SSEEvent]):
    def __init__(self) -> None:
        self._decoder = SSEDecoder()
        self._blocks: dict[int, _Block] = {}
        self._next = 0
        self._started = False
        self._called = False
        self._usage: Object = {}
        self._stop: hub.Stop | None = None
        self._stop_extra: hub.Extra = {}
        self._ended = False

    def _decode(self, data: bytes) -> list[SSEEvent]:
        return self._decoder.feed(data)

    def _end(self, events: list[hub.Event]) -> None:
        if self._ended:
            return
        with suppress(FormatError):  # the stream was cut inside its last event
            for frame in self._decoder.close():
                self._take(frame, events)
        if self._ended:
            return
        if self._stop is not None:
            self._finish(events)
        else:
            message = "the provider's answer stopped before its end"
            self._fail(hub.Failure("cut", message, status=_BAD_GATEWAY), events)

    def _take(self, frame: SSEEvent, events: list[hub.Event]) -> None:
        if self._ended or not frame.data or frame.data == "[DONE]":
            return
        value = as_object(loads(frame.data, "an event of the stream", _BAD_GATEWAY), "an event", _BAD_GATEWAY)
        kind = value.get("type", frame.event)
        match kind:
            case "message_start":
                self._message_start(as_object(value.get("message") or {}, "message", _BAD_GATEWAY), events)
            case "content_block_start":
                block = as_object(value.get("content_block"), "content_block", _BAD_GATEWAY)
                self._block_start(_key(value), block, events)
            case "content_block_delta":
                delta = as_object(value.get("delta"), "delta", _BAD_GATEWAY)
                self._block_delta(_key(value), delta, events)
            case "content_block_stop":
                self._block_stop(_key(value), events)
            case "message_delta":
                self._message_delta(value, events)
            case "message_stop":
                self._finish(events)
            case _ if kind == "error" or value.get("error"):
                self._fail(parse_error_object(200, {}, value), events)
            case _:  # ping, and whatever Anthropic adds
                pass

    def _message_start(self, message: Object, events: list[hub.Event]) -> None:
        if self._started:
            return
        self._started = True
        extra = rest(message, *MESSAGE)
        model = text_or_none(message.get("model")) or ""
        events.append(hub.Started(text_or_none(message.get("id")) or "", model, extra=extra))
        self._report_usage(message.get("usage"), events)

    def _ensure_started(self, events: list[hub.Event]) -> None:
        self._message_start({}, events)

    def _report_usage(self, value: JSON, events: list[hub.Event]) -> None:
        if isinstance(value, dict) and value:
            self._usage = newer_usage(self._usage, value)
            events.append(hub.UsageReported(parse_usage(self._usage)))

    def _block_start(self, wire_index: int, raw: Object, events: list[hub.Event]) -> None:
        self._ensure_started(events)
        if wire_index in self._blocks:
            self._block_stop(wire_index, events)
        index, self._next = self._next, self._next + 1
        path = f"content_block[{index}]"
        part: hub.AnswerPart
        match raw.get("type"):
            case "text":
                part = parse_text({"text": "", **raw}, path, _BAD_GATEWAY)
            case "thinking" | "redacted_thinking":
                part = parse_thinking(raw, path, _BAD_GATEWAY)
            case "tool_use":
                call = parse_tool_use(raw, path, _BAD_GATEWAY)
                part = hub.ToolCall(call.id, call.name, extra=call.extra)
                self._called = True
                self._blocks[wire_index] = _Block(index, "call", raw)
                events.append(hub.PartStarted(index, part))
                return
            case str():
                self._blocks[wire_index] = _Block(index, "opaque", dict(raw))
                return
            case other:
                raise FormatError(f"{path}.type: expected a string, not {other!r}", status_hint=_BAD_GATEWAY)
        block = self._blocks[wire_index] = _Block(index, "plain", raw)
        if isinstance(part, hub.Text):
            block.length = len(part.text)
            given = raw.get("citations")
            block.citations += (
                [citation for citation in given if isinstance(citation, dict)] if isinstance(given, list) else []
            )
            part = replace(part, citations=())
        events.append(hub.PartStarted(index, part))

    def _block_delta(self, wire_index: int, delta: Object, events: list[hub.Event]) -> None:
        block = self._open_block(wire_index, delta.get("type"), events)
        if block.kind == "opaque":
            _grow(block, delta)
            return
        if delta.get("type") == "citations_delta":
            if isinstance(citation := delta.get("citation"), dict):
                block.citations.append(citation)
            return
        made = _delta(delta)
        if made is not None:
            block.length += len(made.text) if isinstance(made, hub.TextDelta) else 0
            block.filled = block.filled or isinstance(made, hub.ArgumentsDelta)
            events.append(hub.PartDelta(block.index, made))

    def _open_block(self, wire_index: int, delta: JSON, events: list[hub.Event]) -> _Block:
        """The block that a delta is for; imitators leave out the start of a text or thinking block."""
        if wire_index not in self._blocks:
            match delta:
                case "text_delta":
                    self._block_start(wire_index, {"type": "text"}, events)
                case "thinking_delta" | "signature_delta":
                    self._block_start(wire_index, {"type": "thinking"}, events)
                case _:
                    message = f"a {shown(delta)} came for block {shown(wire_index)}, which is not open"
                    raise FormatError(message, status_hint=_BAD_GATEWAY)
        return self._blocks[wire_index]

    def _block_stop(self, wire_index: int, events: list[hub.Event]) -> None:
        block = self._blocks.pop(wire_index, None)
        if block is None:
            return
        match block.kind:
            case "plain":
                made = [hub.CitationDelta(parse_citation(raw, block.length)) for raw in block.citations]
                events += [hub.PartDelta(block.index, citation) for citation in made]
            case "call":
                if not block.filled:  # imitators give all arguments at the start
                    arguments = dumps(block.raw.get("input") or {}).decode()
                    events.append(hub.PartDelta(block.index, hub.ArgumentsDelta(arguments)))
            case "opaque":
                if block.arguments:
                    block.raw["input"] = _input("".join(block.arguments))
                block.raw |= {name: "".join(pieces) for name, pieces in block.texts.items()}
                part = parse_answer_block(block.raw, f"content_block[{block.index}]")
                events.append(hub.PartStarted(block.index, part))
        events.append(hub.PartEnded(block.index))

    def _message_delta(self, value: Object, events: list[hub.Event]) -> None:
        self._ensure_started(events)
        delta = value.get("delta")
        if isinstance(delta, dict):
            if delta.get("stop_reason") is not None:
                self._stop = parse_stop(delta.get("stop_reason"), delta.get("stop_sequence"))
            extra = {**own(rest(delta, *MESSAGE)), **own(rest(value, *MESSAGE, "delta"))}
            if extra:
                self._stop_extra = {NAME: extra}
        self._report_usage(value.get("usage"), events)

    def _finish(self, events: list[hub.Event]) -> None:
        self._ensure_started(events)
        self._end_blocks(events)
        self._ended = True
        stop = self._stop or hub.Stop("tool_calls" if self._called else "end")
        events.append(hub.Finished(stop, self._stop_extra))

    def _fail(self, failure: hub.Failure, events: list[hub.Event]) -> None:
        events += [hub.PartEnded(block.index) for block in self._blocks.values() if block.kind != "opaque"]
        self._blocks.clear()
        self._ended = True
        events.append(hub.Failed(failure))

    def _end_blocks(self, events: list[hub.Event]) -> None:
        for wire_index in list(self._blocks):
            self._block_stop(wire_index, events)


def _key(event: Object) -> int:
    index = event.get("index")
    if isinstance(index, int):
        return index
    raise FormatError(
        f"{event.get('type')}: expected an integer as index, not {shown(index)}", status_hint=_BAD_GATEWAY
    )


def _delta(delta: Object) -> hub.Delta | None:
    match delta:
        case {"type": "text_delta", "text": str(text)} | {"type": "thinking_delta", "thinking": str(text)}:
            return hub.TextDelta(text) if text else None
        case {"type": "input_json_delta", "partial_json": str(text)}:
            return hub.ArgumentsDelta(text) if text else None
        case {"type": "signature_delta", "signature": str(value)}:
            signature = unwrap(value, NAME)
            return None if signature is None else hub.SignatureDelta(signature)
        case _:
            return None


def _grow(block: _Block, delta: Object) -> None:
    """Adds a delta to a block that we do not understand, by the words that deltas are known to use."""
    match delta:
        case {"type": "input_json_delta", "partial_json": str(text)}:
            block.arguments.append(text)
        case {"type": str(kind)}:
            for name, value in delta.items():
                if name == "type" or kind == "signature_delta":
                    continue
                before = block.raw.get(name)
                if isinstance(before, str) and isinstance(value, str):
                    block.texts.setdefault(name, [before]).append(value)
                else:
                    block.raw[name] = value
                    block.texts.pop(name, None)
        case _:
            pass


def _input(text: str) -> JSON:
    if not text.strip():
        return {}
    return loads(text, "the input of a server tool", _BAD_GATEWAY)
