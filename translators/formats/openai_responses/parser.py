"""Answer streams: server-sent events → hub events.

Theory of operation. Vendors differ in which events they send: arguments may come as deltas, in the ``done`` event or
only in the finished item; items may come only in ``response.completed``; item ids may change between events. So every
item has a record of what was already handed on, each later and more complete report of it (``…done``,
``content_part.done``, ``output_item.done``, ``response.completed``) is *reconciled* against the record, and only what
is new is emitted. A report that contradicts what was already said changes nothing.

An item is found by its id, else by its ``output_index``. Opaque items are emitted when they are finished. A reasoning
item becomes a part with its first text (which says whether the text is summary or raw reasoning) or, without any, when
done.
"""

from contextlib import suppress
from dataclasses import dataclass, field, replace

from translators import hub, jsonvalue
from translators.errors import FormatError
from translators.formats.openai_responses import items as model_items
from translators.formats.openai_responses.content import parse_citation
from translators.formats.openai_responses.errors import failure_of
from translators.formats.openai_responses.reading import NAME, integer, mapping, own, sequence, text
from translators.formats.openai_responses.response import parse_stop, parse_usage, response_extra
from translators.framing.frame_parser import FrameParser
from translators.framing.sse import SSEDecoder, SSEEvent
from translators.hub import JSON


@dataclass(slots=True)
class _Said:
    """A text that was handed on in pieces."""

    pieces: list[str] = field(default_factory=list[str])
    length: int = 0

    def add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.length += len(piece)

    def missing(self, whole: str) -> str:
        """What of the whole text was not handed on yet; nothing when the two contradict."""
        if len(whole) <= self.length:
            return ""
        return whole[self.length :] if whole.startswith("".join(self.pieces)) else ""


@dataclass(slots=True)
class _Part:
    """A part that was started, and what of it was handed on."""

    index: int
    started: hub.AnswerPart
    said: _Said = field(default_factory=_Said)
    citations: int = 0
    ended: bool = False


@dataclass(slots=True)
class _Item:
    raw: dict[str, JSON]
    """The item as it was first seen."""
    contents: dict[int, _Part] = field(default_factory=dict[int, _Part])
    """The content parts of a message."""
    part: _Part | None = None
    """The one part of a reasoning item or a tool call."""
    held: list[str] = field(default_factory=list[str])
    """Arguments that came before the name of the tool."""
    channel: str = ""
    """Where the text of a reasoning item comes from: ``summary`` or ``content``."""
    texts: dict[int, _Said] = field(default_factory=dict[int, _Said])
    """The text of a reasoning item by summary or content index."""
    latest: int = 0
    """The highest of these."""
    done: bool = False

    @property
    def kind(self) -> str:
        return text(self.raw.get("type"))


class ResponsesStreamParser(FrameParser[SSEEvent]):
    """Bytes of one answer stream → hub events."""

    def __init__(self) -> None:
        self._decoder = SSEDecoder()
        self._events: list[hub.Event] = []
        self._items: list[_Item] = []
        self._by_id: dict[str, _Item] = {}
        self._by_index: dict[int, _Item] = {}
        self._next = 0
        self._started = False
        self._finished = False
        self._calls = False
        self._refused = False

    def _decode(self, data: bytes) -> list[SSEEvent]:
        return self._decoder.feed(data)

    def _end(self, events: list[hub.Event]) -> None:
        with suppress(FormatError):  # the stream was cut inside its last event
            for frame in self._decoder.close():
                self._take(frame, events)
        if not self._finished:
            message = "the stream ended without response.completed"
            self._fail(hub.Failure("cut", message, status=502))
        self._drain(events)

    def _drain(self, events: list[hub.Event]) -> None:
        events += self._events
        self._events.clear()

    def _take(self, frame: SSEEvent, events: list[hub.Event]) -> None:
        if self._finished or not frame.data or frame.data == "[DONE]":
            return
        event = jsonvalue.read(frame.data, "an event of the stream", 502)
        if not isinstance(event, dict):
            raise FormatError("an event of the stream is no JSON object", status_hint=502)
        self._dispatch(text(event.get("type")) or frame.event or "", event)
        self._drain(events)

    def _dispatch(self, kind: str, event: dict[str, JSON]) -> None:
        match kind:
            case "response.output_text.delta" | "response.refusal.delta":
                self._say(self._content(event, refusal=kind == "response.refusal.delta"), text(event.get("delta")))
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                self._add_arguments(self._item_of(event, _call_type(kind)), text(event.get("delta")))
            case "response.reasoning_summary_text.delta":
                self._think(event, "summary", text(event.get("delta")))
            case "response.reasoning_text.delta":
                self._think(event, "content", text(event.get("delta")))
            case _:
                self._dispatch_other(kind, event)

    def _dispatch_other(self, kind: str, event: dict[str, JSON]) -> None:
        match kind:
            case "response.created" | "response.queued" | "response.in_progress":
                self._start(mapping(event.get("response")))
            case "response.output_item.added":
                self._add_item(mapping(event.get("item")), integer(event.get("output_index")))
            case "response.content_part.added":
                self._add_content(event)
            case "response.output_text.annotation.added":
                self._cite(self._content(event, refusal=False), mapping(event.get("annotation")))
            case "response.completed" | "response.incomplete" | "response.done":
                self._finish(mapping(event.get("response")))
            case "response.failed" | "response.cancelled":
                self._fail_response(mapping(event.get("response")))
            case "error":
                self._fail(failure_of(mapping(event.get("error")) or event, integer(event.get("status")), {}))
            case "" if isinstance(event.get("error"), dict):
                self._fail(failure_of(mapping(event.get("error")), None, {}))
            case _:
                self._dispatch_done(kind, event)

    def _dispatch_done(self, kind: str, event: dict[str, JSON]) -> None:
        match kind:
            case "response.output_text.done" | "response.refusal.done":
                refusal = kind == "response.refusal.done"
                part = self._content(event, refusal=refusal)
                self._say(part, part.said.missing(text(event.get("refusal" if refusal else "text"))))
            case "response.content_part.done":
                self._end_content(event)
            case "response.reasoning_summary_text.done":
                self._rethink(event, "summary", text(event.get("text")))
            case "response.reasoning_text.done":
                self._rethink(event, "content", text(event.get("text")))
            case "response.function_call_arguments.done":
                self._complete_arguments(self._item_of(event, "function_call"), text(event.get("arguments")))
            case "response.custom_tool_call_input.done":
                self._complete_arguments(self._item_of(event, "custom_tool_call"), text(event.get("input")))
            case "response.output_item.done":
                raw = mapping(event.get("item"))
                item = self._known(raw, integer(event.get("output_index")))
                self._end_item(item or self._remember(raw, integer(event.get("output_index"))), raw)
            case _:
                pass

    # ── the answer as a whole

    def _start(self, response: dict[str, JSON]) -> None:
        if not self._started:
            self._started = True
            created = integer(response.get("created_at"))
            self._events.append(hub.Started(text(response.get("id")), text(response.get("model")), created))

    def _finish(self, response: dict[str, JSON]) -> None:
        if response.get("status") in ("failed", "cancelled"):
            self._fail_response(response)
            return
        self._start(response)
        for number, one in enumerate(sequence(response.get("output"))):
            raw = mapping(one)
            item = self._known(raw, number)
            if item is None or not item.done:
                self._end_item(item or self._remember(raw, number), raw)
        self._end_all()
        if (usage := parse_usage(response.get("usage"))) is not None:
            self._events.append(hub.UsageReported(usage))
        stop = parse_stop(response, calls=self._calls, refused=self._refused)
        self._events.append(hub.Finished(stop, response_extra(response)))
        self._finished = True

    def _fail_response(self, response: dict[str, JSON]) -> None:
        self._start(response)
        if (usage := parse_usage(response.get("usage"))) is not None:
            self._events.append(hub.UsageReported(usage))
        message = f"the response has the status {response.get('status')}"
        unknown: dict[str, JSON] = {"code": "server_error", "message": message}
        self._fail(failure_of(mapping(response.get("error")) or unknown, None, {}))

    def _fail(self, failure: hub.Failure) -> None:
        self._end_all()
        self._events.append(hub.Failed(failure))
        self._finished = True

    def _end_all(self) -> None:
        for item in self._items:
            for part in (*item.contents.values(), item.part):
                if part is not None:
                    self._end_part(part)

    # ── items

    def _known(self, raw: dict[str, JSON], output_index: int | None) -> _Item | None:
        """The item that a later report speaks of."""
        item = self._by_id.get(text(raw.get("id")))
        if item is None and output_index is not None:
            item = self._by_index.get(output_index)
        return item if item is not None and item.kind in ("", raw.get("type")) and _same_call(item.raw, raw) else None

    def _remember(self, raw: dict[str, JSON], output_index: int | None) -> _Item:
        item = _Item(raw)
        self._items.append(item)
        if identity := text(raw.get("id")):
            self._by_id[identity] = item
        if output_index is not None:
            self._by_index[output_index] = item
        return item

    def _item_of(self, event: dict[str, JSON], kind: str) -> _Item:
        """The item that a delta belongs to, also when nobody announced it."""
        item = self._by_id.get(text(event.get("item_id")))
        output_index = integer(event.get("output_index"))
        if item is None and output_index is not None:
            item = self._by_index.get(output_index)
        if item is None:
            item = self._remember({"type": kind, "id": event.get("item_id")}, output_index)
        return item

    def _add_item(self, raw: dict[str, JSON], output_index: int | None) -> None:
        self._start({})
        item = self._remember(raw, output_index)
        if item.kind in ("function_call", "custom_tool_call"):
            self._open_call(item, raw)

    def _end_item(self, item: _Item, raw: dict[str, JSON]) -> None:
        self._start({})
        if item.done:
            return
        item.done = True
        match raw.get("type"):
            case "message":
                self._end_message(item, raw)
            case "reasoning":
                self._end_reasoning(item, raw)
            case "function_call" | "custom_tool_call":
                self._open_call(item, raw)
                whole = text(raw.get("arguments" if raw.get("type") == "function_call" else "input"))
                self._complete_arguments(item, whole or text(item.raw.get("arguments")))
                if item.part is not None:
                    if not item.part.said.length and raw.get("type") == "function_call":
                        self._arguments(item.part, "{}")
                    self._end_part(item.part)
            case _:
                part = self._open(hub.Opaque(NAME, raw))
                self._end_part(part)

    def _open(self, part: hub.AnswerPart) -> _Part:
        opened = _Part(self._next, part)
        self._next += 1
        self._events.append(hub.PartStarted(opened.index, part))
        return opened

    def _end_part(self, part: _Part) -> None:
        if not part.ended:
            part.ended = True
            self._events.append(hub.PartEnded(part.index))

    def _delta(self, part: _Part, delta: hub.Delta) -> None:
        if not part.ended:
            self._events.append(hub.PartDelta(part.index, delta))

    # ── messages

    def _content(self, event: dict[str, JSON], *, refusal: bool) -> _Part:
        """The content part that an event speaks of, opened if need be."""
        item = self._item_of(event, "message")
        number = integer(event.get("content_index")) or 0
        part = item.contents.get(number)
        if part is None:
            part = self._open_content(item, number, {"type": "refusal" if refusal else "output_text"})
        return part

    def _open_content(self, item: _Item, number: int, content: dict[str, JSON]) -> _Part:
        self._start({})
        blank: dict[str, JSON] = {"type": content.get("type")}
        empty = model_items.parse_content(blank, model_items.message_extra(item.raw, answer=True))
        if isinstance(empty, hub.Opaque):
            empty = hub.Opaque(NAME, content)
        self._refused = self._refused or isinstance(empty, hub.Refusal)
        part = item.contents[number] = self._open(empty)
        return part

    def _add_content(self, event: dict[str, JSON]) -> None:
        item = self._item_of(event, "message")
        content = mapping(event.get("part"))
        number = integer(event.get("content_index")) or 0
        if item.kind == "message" and number not in item.contents and content.get("type") in ("output_text", "refusal"):
            self._open_content(item, number, content)

    def _end_content(self, event: dict[str, JSON]) -> None:
        item = self._item_of(event, "message")
        if item.kind == "message":
            self._complete_content(item, integer(event.get("content_index")) or 0, mapping(event.get("part")))

    def _complete_content(self, item: _Item, number: int, content: dict[str, JSON]) -> None:
        part = item.contents.get(number) or self._open_content(item, number, content)
        whole = model_items.parse_content(content, {})
        if not isinstance(whole, hub.Opaque):
            self._say(part, part.said.missing(whole.text))
            for annotation in sequence(content.get("annotations"))[part.citations :]:
                self._cite(part, mapping(annotation))
            if "part" in own(whole.extra):
                self._delta(part, hub.ExtraDelta(whole.extra))
        self._end_part(part)

    def _end_message(self, item: _Item, raw: dict[str, JSON]) -> None:
        for number, content in enumerate(sequence(raw.get("content"))):
            part = item.contents.get(number)
            if part is None or not part.ended:
                self._complete_content(item if part is not None else _adopt(item, raw), number, mapping(content))
        for part in item.contents.values():
            self._end_part(part)

    def _say(self, part: _Part, piece: str) -> None:
        if piece and not part.ended:
            part.said.add(piece)
            self._delta(part, hub.TextDelta(piece))

    def _cite(self, part: _Part, annotation: dict[str, JSON]) -> None:
        part.citations += 1
        self._delta(part, hub.CitationDelta(parse_citation(annotation)))

    # ── tool calls

    def _open_call(self, item: _Item, raw: dict[str, JSON]) -> None:
        if item.part is not None or not raw.get("name") or not (raw.get("call_id") or raw.get("id")):
            return
        self._calls = True
        item.part = self._open(model_items.parse_call(raw, "", answer=True))
        held, item.held = item.held, []
        for piece in held:
            self._arguments(item.part, piece)

    def _add_arguments(self, item: _Item, piece: str) -> None:
        if item.part is not None:
            self._arguments(item.part, piece)
        elif piece:
            item.held.append(piece)

    def _arguments(self, part: _Part, piece: str) -> None:
        if piece and not part.ended:
            part.said.add(piece)
            self._delta(part, hub.ArgumentsDelta(piece))

    def _complete_arguments(self, item: _Item, whole: str) -> None:
        if item.part is not None:
            self._arguments(item.part, item.part.said.missing(whole))
        elif not item.held and whole:
            item.held.append(whole)

    # ── reasoning

    def _think(self, event: dict[str, JSON], channel: str, piece: str) -> None:
        item = self._item_of(event, "reasoning")
        number = integer(event.get(f"{channel}_index")) or 0
        if not piece or item.channel not in ("", channel):
            return
        if item.part is None:
            self._start({})
            item.channel = channel
            item.part = self._open(_thinking(item.raw, channel))
        if number not in item.texts and item.texts:
            self._say(item.part, model_items.PARAGRAPH)
        item.texts.setdefault(number, _Said()).add(piece)
        item.latest = max(item.latest, number)
        self._say(item.part, piece)

    def _rethink(self, event: dict[str, JSON], channel: str, whole: str) -> None:
        item = self._item_of(event, "reasoning")
        number = integer(event.get(f"{channel}_index")) or 0
        latest = not item.texts or number >= item.latest
        if latest and item.channel in ("", channel):
            self._think(event, channel, item.texts.get(number, _Said()).missing(whole))

    def _end_reasoning(self, item: _Item, raw: dict[str, JSON]) -> None:
        whole = model_items.parse_reasoning(raw, answer=True)
        if item.part is None:
            part = self._open(replace(whole, text="", signature=None))
            if whole.text:
                self._delta(part, hub.TextDelta(whole.text))
        else:
            part = item.part
            self._say(part, part.said.missing(whole.text))
            if whole.extra and whole.extra != getattr(part.started, "extra", None):
                self._delta(part, hub.ExtraDelta(whole.extra))
        if whole.signature is None and (sealed := text(item.raw.get("encrypted_content"))):
            whole = model_items.parse_reasoning({**raw, "encrypted_content": sealed}, answer=True)
        if whole.signature is not None:
            self._delta(part, hub.SignatureDelta(whole.signature))
        self._end_part(part)


def _call_type(kind: str) -> str:
    return "function_call" if kind.startswith("response.function_call") else "custom_tool_call"


def _same_call(first: dict[str, JSON], second: dict[str, JSON]) -> bool:
    """False when both name a call and not the same one."""
    one, other = first.get("call_id"), second.get("call_id")
    return not one or not other or one == other


def _adopt(item: _Item, raw: dict[str, JSON]) -> _Item:
    """An unannounced message takes over what its finished item says of it."""
    if not item.contents:
        item.raw = raw
    return item


def _thinking(raw: dict[str, JSON], channel: str) -> hub.Thinking:
    """The start of a Thinking, before anything of it is known but the item."""
    entry: JSON = [{"text": ""}]
    seen: dict[str, JSON] = {**raw, "encrypted_content": None}
    seen |= {"summary": [], "content": entry} if channel == "content" else {"summary": entry}
    return model_items.parse_reasoning(seen, answer=True)
