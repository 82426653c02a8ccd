"""Answer streams: hub events → server-sent events, the full sequence that the official SDKs and Codex expect.

Every part is an item of its own (a message has one content part), so parts may interleave as they like. Items are kept
as they are finished: the last event repeats them all. A stream never ends without ``response.completed``,
``response.incomplete`` or ``response.failed``.

Codex runs a tool call as soon as its ``output_item.done`` arrives, whatever comes after. A parser whose stream was cut
ends its open parts before it reports the failure; so the end of a call is held back until the next event shows that
the answer goes on, and a call that a failure follows is never announced as done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from translators import hub, jsonvalue
from translators.formats.openai_responses import items as model_items
from translators.formats.openai_responses.content import join, render_citation
from translators.formats.openai_responses.errors import stream_error
from translators.formats.openai_responses.reading import NAME, mapping, own
from translators.formats.openai_responses.response import Echo, finish_head, render_head, render_item
from translators.framing import sse
from translators.hub import JSON


@dataclass(slots=True)
class _Open:
    """An item that has been announced and not finished."""

    part: hub.AnswerPart
    output_index: int
    identity: str
    pieces: list[str] = field(default_factory=list[str])
    annotations: list[JSON] = field(default_factory=list[JSON])
    citations: list[hub.Citation] = field(default_factory=list[hub.Citation])
    """Of the whole text, sent at its end."""
    length: int = 0


class ResponsesStreamRenderer:
    """Hub events → bytes of one answer stream."""

    def __init__(self, request: hub.Request, losses: list[hub.Loss]) -> None:
        self._echo = Echo(request)
        self._asked = request.model
        self._losses = losses
        self._sequence = 0
        self._head: dict[str, JSON] | None = None
        self._ids = model_items.ItemIds("")
        self._open: dict[int, _Open] = {}
        self._held: list[int] = []
        self._called = False
        """A call was sent whole."""
        self._output: list[JSON] = []
        self._usage = hub.Usage()
        self._refused = False
        self._ended = False

    def render(self, event: hub.Event) -> bytes:
        if self._ended:
            return b""
        match event:
            case hub.PartEnded(index=index):
                if index in self._open and isinstance(self._open[index].part, hub.ToolCall):
                    self._held.append(index)
                    return b""
                return self._end_part(index, "completed")
            case hub.Failed(failure=failure):
                return self._fail(failure)
            case _:
                return self._end_held() + self._go_on(event)

    def _end_held(self) -> bytes:
        held, self._held = self._held, []
        return b"".join([self._end_part(index, "completed") for index in held])

    def _go_on(
        self,
        event: hub.Started | hub.PartStarted | hub.PartDelta | hub.UsageReported | hub.Finished | hub.Lost,
    ) -> bytes:
        match event:
            case hub.Started():
                return self._start(event)
            case hub.PartStarted():
                return self._ensure_start() + self._start_part(event.index, event.part)
            case hub.PartDelta():
                return self._add(event.index, event.delta)
            case hub.UsageReported():
                self._usage = self._usage.merged(event.usage)
                return b""
            case hub.Finished():
                return self._finish(event)
            case hub.Lost():
                self._losses.append(event.loss)
                return b""
            case _:
                assert_never(event)

    def close(self) -> bytes:
        if self._ended:
            return b""
        return self._fail(hub.Failure("cut", "the answer of the provider stopped before its end", status=502))

    # ── the answer as a whole

    def _start(self, event: hub.Started) -> bytes:
        if self._head is not None:
            return b""
        head = render_head(event.id, event.model or self._asked, event.created, "in_progress", [])
        self._head = head
        self._ids = model_items.ItemIds(event.id)
        response = self._echo.encode(head)
        created = self._response_event("response.created", response)
        return created + self._response_event("response.in_progress", response)

    def _ensure_start(self) -> bytes:
        return self._start(hub.Started("", "")) if self._head is None else b""

    def _finish(self, event: hub.Finished) -> bytes:
        sent = self._ensure_start() + self._end_all("completed")
        head = self._whole()
        finish_head(head, event.stop, self._usage, refused=self._refused)
        kind = "response.completed" if head["status"] == "completed" else "response.incomplete"
        sent += self._response_event(kind, self._closing(head, own(event.extra)))
        self._ended = True
        return sent

    def _fail(self, failure: hub.Failure) -> bytes:
        for index in [index for index, item in self._open.items() if isinstance(item.part, hub.ToolCall)]:
            del self._open[index]
        sent = self._ensure_start() + self._end_all("incomplete")
        head = self._whole()
        head["status"] = "failed"
        head["error"] = stream_error(failure)
        if self._called and failure.kind in ("cut", "timeout"):
            # After a whole call, opencode would run it once more if it asked again; Codex goes on from there.
            head["error"] = {**stream_error(failure), "code": "answer_cut"}
        sent += self._response_event("response.failed", self._echo.encode(head))
        self._ended = True
        return sent

    def _whole(self) -> dict[str, JSON]:
        return {**(self._head or {}), "output": [item for item in self._output if item is not None]}

    def _closing(self, head: dict[str, JSON], extra: Mapping[str, JSON]) -> bytes:
        if not extra:
            return self._echo.encode(head)
        whole = mapping(jsonvalue.read(self._echo.encode(head), "the answer"))
        return jsonvalue.write({**whole, **extra})

    def _end_all(self, status: str) -> bytes:
        return b"".join([self._end_part(index, status) for index in list(self._open)])

    def _event(self, kind: str, members: Mapping[str, JSON]) -> bytes:
        body = jsonvalue.write({"type": kind, "sequence_number": self._sequence, **members})
        return self._numbered(kind, body)

    def _response_event(self, kind: str, response: bytes) -> bytes:
        head = jsonvalue.write({"type": kind, "sequence_number": self._sequence})
        return self._numbered(kind, head[:-1] + b',"response":' + response + b"}")

    def _numbered(self, kind: str, body: bytes) -> bytes:
        self._sequence += 1
        return sse.encode(body, kind)

    def _item_event(self, kind: str, item: _Open, **members: JSON) -> bytes:
        return self._event(kind, {"item_id": item.identity, "output_index": item.output_index, **members})

    # ── parts

    def _start_part(self, index: int, part: hub.AnswerPart) -> bytes:
        match part:
            case hub.Text() | hub.Refusal():
                self._refused = self._refused or isinstance(part, hub.Refusal)
                item = self._announce(index, part, self._ids.take("msg", model_items.item_id(part)))
                message = model_items.render_message(part, [], item.identity, "in_progress")
                sent = self._added(item, message)
                sent += self._item_event(
                    "response.content_part.added", item, content_index=0, part=_content(part, "", [])
                )
                return sent + self._say(item, part.text)
            case hub.Thinking():
                item = self._announce(index, part, self._ids.take("rs", model_items.item_id(part)))
                sent = self._added(item, {"type": "reasoning", "id": item.identity, "summary": []})
                return sent + self._say(item, part.text)
            case hub.ToolCall():
                identity = self._ids.take("ctc" if part.custom else "fc", model_items.item_id(part))
                item = self._announce(index, part, identity)
                sent = self._added(item, model_items.render_call(part, "", identity, "in_progress"))
                return sent + self._say(item, part.arguments)
            case hub.Media() | hub.Opaque():
                whole = render_item(part, self._ids, f"output[{len(self._output)}]", self._losses)
                if whole is None:
                    return b""
                place = len(self._output)
                self._output.append(whole)
                members: dict[str, JSON] = {"output_index": place, "item": whole}
                added = self._event("response.output_item.added", members)
                return added + self._event("response.output_item.done", members)
            case _:
                assert_never(part)

    def _announce(self, index: int, part: hub.AnswerPart, identity: str) -> _Open:
        item = self._open[index] = _Open(part, len(self._output), identity)
        self._output.append(None)
        return item

    def _added(self, item: _Open, whole: dict[str, JSON]) -> bytes:
        return self._event("response.output_item.added", {"output_index": item.output_index, "item": whole})

    def _add(self, index: int, delta: hub.Delta) -> bytes:
        item = self._open.get(index)
        if item is None:
            return b""
        match delta:
            case hub.TextDelta(text=piece) | hub.ArgumentsDelta(text=piece):
                return self._say(item, piece)
            case hub.SignatureDelta(signature=signature):
                if isinstance(item.part, hub.Thinking | hub.ToolCall):
                    item.part = replace(item.part, signature=signature)
                return b""
            case hub.ExtraDelta(extra=extra):
                if not isinstance(item.part, hub.Opaque):
                    item.part = replace(item.part, extra=join(item.part.extra, extra))
                return b""
            case hub.CitationDelta(citation=citation):
                if citation.end is None and isinstance(item.part, hub.Text):  # it backs the whole text, still to come
                    item.citations.append(citation)
                    return b""
                return self._cite(item, citation)
            case _:
                assert_never(delta)

    def _say(self, item: _Open, piece: str) -> bytes:
        if not piece:
            return b""
        first = not item.pieces
        item.pieces.append(piece)
        item.length += len(piece)
        match item.part:
            case hub.Text():
                return self._item_event("response.output_text.delta", item, content_index=0, delta=piece, logprobs=[])
            case hub.Refusal():
                return self._item_event("response.refusal.delta", item, content_index=0, delta=piece)
            case hub.ToolCall(custom=custom):
                kind = "custom_tool_call_input" if custom else "function_call_arguments"
                return self._item_event(f"response.{kind}.delta", item, delta=piece)
            case hub.Thinking():
                return self._think(item, item.part, piece, first=first)
            case hub.Media() | hub.Opaque():
                return b""
            case _:
                assert_never(item.part)

    def _think(self, item: _Open, part: hub.Thinking, piece: str, *, first: bool) -> bytes:
        opening = b""
        if _is_raw(part):
            if first:
                blank: JSON = {"type": "reasoning_text", "text": ""}
                opening = self._item_event("response.content_part.added", item, content_index=0, part=blank)
            return opening + self._item_event("response.reasoning_text.delta", item, content_index=0, delta=piece)
        if first:
            blank = {"type": "summary_text", "text": ""}
            opening = self._item_event("response.reasoning_summary_part.added", item, summary_index=0, part=blank)
        return opening + self._item_event("response.reasoning_summary_text.delta", item, summary_index=0, delta=piece)

    def _cite(self, item: _Open, citation: hub.Citation) -> bytes:
        annotation = render_citation(citation, item.length, f"output[{item.output_index}]", self._losses)
        if annotation is None or not isinstance(item.part, hub.Text):
            return b""
        item.annotations.append(annotation)
        return self._item_event(
            "response.output_text.annotation.added",
            item,
            content_index=0,
            annotation_index=len(item.annotations) - 1,
            annotation=annotation,
        )

    def _end_part(self, index: int, status: str) -> bytes:
        item = self._open.pop(index, None)
        if item is None:
            return b""
        said = "".join(item.pieces)
        match item.part:
            case hub.Text() | hub.Refusal():
                sent, whole = self._end_message(item, item.part, said, status)
            case hub.ToolCall():
                sent, whole = self._end_call(item, item.part, said, status)
                self._called = True
            case hub.Thinking():
                sent, whole = self._end_reasoning(item, item.part, said)
            case hub.Media() | hub.Opaque():
                return b""
            case _:
                assert_never(item.part)
        self._output[item.output_index] = whole
        return sent + self._event("response.output_item.done", {"output_index": item.output_index, "item": whole})

    def _end_message(
        self, item: _Open, part: hub.Text | hub.Refusal, said: str, status: str
    ) -> tuple[bytes, dict[str, JSON]]:
        if isinstance(part, hub.Text):
            sent = b"".join([self._cite(item, citation) for citation in (*part.citations, *item.citations)])
            sent += self._item_event("response.output_text.done", item, content_index=0, text=said, logprobs=[])
        else:
            sent = self._item_event("response.refusal.done", item, content_index=0, refusal=said)
        content = _content(part, said, item.annotations)
        sent += self._item_event("response.content_part.done", item, content_index=0, part=content)
        return sent, model_items.render_message(part, [content], item.identity, status)

    def _end_call(self, item: _Open, call: hub.ToolCall, said: str, status: str) -> tuple[bytes, dict[str, JSON]]:
        sent = b""
        if call.custom:
            sent += self._item_event("response.custom_tool_call_input.done", item, input=said)
        else:
            if not said and status == "completed":
                sent, said = self._say(item, "{}"), "{}"
            sent += self._item_event("response.function_call_arguments.done", item, name=call.name, arguments=said)
        return sent, model_items.render_call(call, said, item.identity, status)

    def _end_reasoning(self, item: _Open, part: hub.Thinking, said: str) -> tuple[bytes, dict[str, JSON]]:
        sent = b""
        if said and _is_raw(part):
            content: JSON = {"type": "reasoning_text", "text": said}
            sent += self._item_event("response.reasoning_text.done", item, content_index=0, text=said)
            sent += self._item_event("response.content_part.done", item, content_index=0, part=content)
        elif said:
            content = {"type": "summary_text", "text": said}
            sent += self._item_event("response.reasoning_summary_text.done", item, summary_index=0, text=said)
            sent += self._item_event("response.reasoning_summary_part.done", item, summary_index=0, part=content)
        # Several parts of a summary were streamed as one; the finished item must not say otherwise.
        members = {name: value for name, value in own(part.extra).items() if name not in ("summary", "content")}
        streamed = replace(part, text=said, extra={NAME: members} if members else {})
        return sent, model_items.render_reasoning(streamed, item.identity, wrap=True)


def _is_raw(part: hub.Thinking) -> bool:
    return part.extra.get(NAME, {}).get("channel") == "content"


def _content(part: hub.Text | hub.Refusal, said: str, annotations: list[JSON]) -> dict[str, JSON]:
    """The one content part of a message item."""
    if isinstance(part, hub.Refusal):
        return {"type": "refusal", "refusal": said}
    more = own(part.extra).get("part")
    content: dict[str, JSON] = {"type": "output_text", "text": said, "annotations": list(annotations), "logprobs": []}
    return content | more if isinstance(more, dict) else content
