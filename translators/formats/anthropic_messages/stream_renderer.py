"""Hub events → an answer stream of this format.

Theory of operation. This wire has one open block at a time, in order; hub parts may interleave. So the oldest part that
has not ended is the *open* one: its pieces go out as they come. Pieces of younger parts wait in their part, and go out
when it becomes the open one. A block is started by its first content, never before: a part without any would become an
empty block, which Anthropic refuses when the client sends the conversation back.

``message_start`` goes out with the first event, so its input count is an estimate; ``message_delta`` has the true one.
Every thinking block ends with a signature (ours, when the model gave none), because clients send it back.
"""

from dataclasses import dataclass, field
from typing import assert_never

from translators import hub, signatures
from translators.formats.anthropic_messages.blocks import render_citation, render_opaque
from translators.formats.anthropic_messages.errors import error_object, stream_error
from translators.formats.anthropic_messages.response import message_id
from translators.formats.anthropic_messages.usage import render_stop, render_usage, with_own
from translators.formats.anthropic_messages.values import NAME, Object, Report, dumps, own
from translators.framing.sse import encode
from translators.hub import JSON


@dataclass(slots=True)
class _Part:
    start: hub.AnswerPart
    path: str
    waiting: list[hub.Delta] = field(default_factory=list[hub.Delta])
    signature: hub.Signature | None = None
    extra: Object = field(default_factory=dict[str, JSON])
    started: bool = False
    ended: bool = False


class AnthropicStreamRenderer:
    def __init__(self, request: hub.Request, losses: list[hub.Loss], expected: hub.Usage) -> None:
        self._request = request
        self._report = Report(losses)
        self._parts: dict[int, _Part] = {}
        """The parts that are not out yet, oldest first; the first is the open one."""
        self._index = 0
        self._usage = expected
        self._calls = False
        self._unclosed = False
        """The end of a call is held back until something follows it: tools run a call at its end, once more if they have
        to ask again."""
        self._called = False
        """A call was sent whole."""
        self._started = False
        self._ended = False
        self._out: list[bytes] = []

    def render(self, event: hub.Event) -> bytes:  # noqa: C901 - one case per event
        if self._ended:
            return b""
        if not isinstance(event, hub.Failed):
            self._close_call()
        match event:
            case hub.Started():
                self._start(event)
            case hub.PartStarted(index, part):
                self._start(None)
                self._part_started(index, part)
            case hub.PartDelta(index, delta):
                self._part_delta(index, delta)
            case hub.PartEnded(index):
                self._part_ended(index)
            case hub.UsageReported(usage):
                self._usage = self._usage.merged(usage)
            case hub.Finished():
                self._finish(event)
            case hub.Failed(failure):
                self._fail(failure)
            case hub.Lost():
                pass
            case _:
                assert_never(event)
        return self._taken()

    def close(self) -> bytes:
        if not self._ended:
            self._fail(hub.Failure("cut", "the provider's answer stopped before its end", status=502))
        return self._taken()

    def _taken(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _send(self, kind: str, fields: Object) -> None:
        self._out.append(encode(dumps({"type": kind, **fields}), kind))

    # ── the message ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, event: hub.Started | None) -> None:
        if self._started:
            return
        self._started = True
        extra: hub.Extra = event.extra if event else {}
        self._report.foreign(extra, "response")
        message: Object = {
            "id": message_id(event.id if event else "", self._request),
            "type": "message",
            "role": "assistant",
            "model": (event.model if event else "") or self._request.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": render_usage(self._usage.merged(hub.Usage(cache_read=0, cache_write=0))),
        }
        self._send("message_start", {"message": with_own(message, extra)})

    def _finish(self, event: hub.Finished) -> None:
        self._start(None)
        self._end_parts()
        self._close_call()
        self._report.foreign(event.extra, "response")
        more = own(event.extra)
        delta: Object = render_stop(event.stop, self._calls)
        for name in ("stop_details", "container"):
            if name in more:
                delta[name] = more.pop(name)
        usage = render_usage(self._usage)
        self._send("message_delta", {"delta": delta, "usage": usage, **more})
        self._send("message_stop", {})
        self._ended = True

    def _fail(self, failure: hub.Failure) -> None:
        # Claude Code runs a call at its `content_block_stop`: one that was cut off stays open.
        for index, part in [*self._parts.items()]:
            if part.ended or not isinstance(part.start, hub.ToolCall):
                part.ended = True
            elif part.started:
                self._parts.clear()
                break
            else:
                del self._parts[index]
        self._advance()
        # After a whole call, opencode would run it once more if it asked again.
        fields = error_object(failure) if self._called else stream_error(failure)
        self._out.append(encode(dumps(fields), "error"))
        self._ended = True

    def _end_parts(self) -> None:
        for part in self._parts.values():
            part.ended = True
        self._advance()

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _part_started(self, index: int, start: hub.AnswerPart) -> None:
        part = _Part(start, f"parts[{index}]")
        self._parts[index] = part
        match start:
            case hub.Text(text, citations, extra):
                part.extra = own(extra)
                part.waiting += [hub.TextDelta(text), *map(hub.CitationDelta, citations)]
                self._report.foreign(extra, part.path)
            case hub.Refusal(text, extra):
                part.waiting.append(hub.TextDelta(text))
                self._report.foreign(extra, part.path)
            case hub.Thinking(text, signature, _, extra):
                part.extra, part.signature = own(extra), signature
                part.waiting.append(hub.TextDelta(text))
                self._report.foreign(extra, part.path)
            case hub.ToolCall():
                self._calls = True
                part.extra = own(start.extra)
                part.waiting.append(hub.ArgumentsDelta(start.arguments))
                self._report.foreign(start.extra, part.path)
            case hub.Media() | hub.Opaque():
                pass
            case _:
                assert_never(start)
        self._advance()

    def _part_delta(self, index: int, delta: hub.Delta) -> None:
        part = self._parts.get(index)
        if part is None:
            return
        if part is next(iter(self._parts.values())):
            self._send_delta(part, delta)
        else:
            part.waiting.append(delta)

    def _part_ended(self, index: int) -> None:
        if index in self._parts:
            self._parts[index].ended = True
            self._advance()

    def _advance(self) -> None:
        """Sends what waits in the open part; when that has ended, the next becomes the open one."""
        while self._parts:
            index, part = next(iter(self._parts.items()))
            if isinstance(part.start, hub.ToolCall):
                self._open(part)
            for delta in part.waiting:
                self._send_delta(part, delta)
            part.waiting.clear()
            if not part.ended:
                return
            self._end(part)
            del self._parts[index]

    def _open(self, part: _Part) -> None:
        if part.started:
            return
        part.started = True
        block: Object
        match part.start:
            case hub.Text(_, citations):
                block = {"type": "text", "text": "", **({"citations": []} if citations else {})}
            case hub.Refusal():
                block = {"type": "text", "text": ""}
            case hub.Thinking():
                block = {"type": "thinking", "thinking": "", "signature": ""}
            case hub.ToolCall() as call:
                block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            case hub.Media() | hub.Opaque():
                return
            case _:
                assert_never(part.start)
        self._close_call()
        self._send("content_block_start", {"index": self._index, "content_block": {**block, **part.extra}})

    def _send_delta(self, part: _Part, delta: hub.Delta) -> None:
        match delta:
            case hub.TextDelta(text):
                self._send_text(part, text)
            case hub.ArgumentsDelta(text):
                if text:
                    self._content(part, {"type": "input_json_delta", "partial_json": text})
            case hub.SignatureDelta(signature):
                part.signature = signature
            case hub.CitationDelta(citation):
                made = render_citation(citation, part.path, self._report, "answer")
                if made is not None:
                    self._content(part, {"type": "citations_delta", "citation": made})
            case hub.ExtraDelta(extra):
                self._report.foreign(extra, part.path)
                part.extra |= own(extra)
            case _:
                assert_never(delta)

    def _send_text(self, part: _Part, text: str) -> None:
        match part.start:
            case hub.Thinking(redacted=False) if text:
                self._content(part, {"type": "thinking_delta", "thinking": text})
            case hub.Text() | hub.Refusal() if text:
                self._content(part, {"type": "text_delta", "text": text})
            case _:
                pass

    def _content(self, part: _Part, delta: JSON) -> None:
        self._open(part)
        self._send("content_block_delta", {"index": self._index, "delta": delta})

    def _end(self, part: _Part) -> None:
        match part.start:
            case hub.Thinking(redacted=True):
                if part.signature is not None:
                    data = signatures.wrap(part.signature, NAME)
                    self._whole(part, {"type": "redacted_thinking", "data": data, **part.extra})
            case hub.Thinking():
                if part.started or part.signature is not None:
                    signature = signatures.wrap(part.signature, NAME)
                    self._content(part, {"type": "signature_delta", "signature": signature})
            case hub.Opaque() as opaque:
                self._opaque(part, opaque)
            case hub.Media() as media:
                self._report.lose(part.path, f"an Anthropic answer cannot hold an {media.kind}")
            case hub.Text() | hub.Refusal() | hub.ToolCall():
                pass
            case _:
                assert_never(part.start)
        if part.started and isinstance(part.start, hub.ToolCall):
            self._unclosed = True
        elif part.started:
            self._stop_block()

    def _close_call(self) -> None:
        if self._unclosed:
            self._unclosed, self._called = False, True
            self._stop_block()

    def _stop_block(self) -> None:
        self._send("content_block_stop", {"index": self._index})
        self._index += 1

    def _opaque(self, part: _Part, opaque: hub.Opaque) -> None:
        block = render_opaque(opaque, part.path, self._report)
        if block is None:
            return
        arguments = block.get("input")
        if not isinstance(arguments, dict):
            self._whole(part, block)
            return
        self._whole(part, {**block, "input": {}})
        self._content(part, {"type": "input_json_delta", "partial_json": dumps(arguments).decode()})

    def _whole(self, part: _Part, block: Object) -> None:
        part.started = True
        self._close_call()
        self._send("content_block_start", {"index": self._index, "content_block": block})
