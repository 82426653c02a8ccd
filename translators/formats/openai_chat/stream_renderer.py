"""Hub events → a chat stream.

Every chunk repeats the answer's head, so the bytes before and after the delta are made once. Chat has no parts: text
of several parts simply follows; tool calls are numbered in the order in which they start, and may interleave. A client
that did not ask for usage gets no usage chunk. Reasoning details are sent only where they prove something, at the end of
their part: plain ones would say again what ``reasoning_content`` has said.

Clients add the deltas up. OpenAI's SDK does so for lists by the ``index`` of their items, and breaks where one has none:
so details and images are numbered through the whole answer, and annotations come all at once before the end.
"""

from collections.abc import Mapping
from typing import assert_never

from translators.formats.openai_chat.citations import render_annotation
from translators.formats.openai_chat.errors import error_object
from translators.formats.openai_chat.reasoning import client_details
from translators.formats.openai_chat.response import met_sequence, render_answer_media, render_stop, speaks_legacy
from translators.formats.openai_chat.tool_calls import render_call_signature
from translators.formats.openai_chat.usage import render_usage
from translators.formats.openai_chat.values import CHOICE, MESSAGE, NAME, dump, object_at, own
from translators.framing.sse import encode
from translators.hub import (
    JSON,
    AnswerPart,
    ArgumentsDelta,
    Citation,
    CitationDelta,
    Delta,
    Event,
    Extra,
    ExtraDelta,
    Failed,
    Failure,
    FailureKind,
    Finished,
    Loss,
    Lost,
    Media,
    Opaque,
    PartDelta,
    PartEnded,
    PartStarted,
    Refusal,
    Request,
    Signature,
    SignatureDelta,
    Started,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Usage,
    UsageReported,
)

_BROKEN: Mapping[FailureKind, Mapping[str, JSON]] = {"cut": {"code": "ECONNRESET"}, "timeout": {"code": "ETIMEDOUT"}}
"""How an answer that broke is told. Qwen Code goes on after a network's own word; after any other it gives up."""


class _Open:
    """A part on its way out."""

    __slots__ = ("before", "call", "empty", "part", "signature")

    def __init__(self, part: AnswerPart, before: int) -> None:
        self.part = part
        self.before = before
        """Characters of content before it."""
        self.call = 0
        """Number of the tool call among those of this answer."""
        self.empty = True
        self.signature: Signature | None = None


class ChatStreamRenderer:
    def __init__(self, request: Request, losses: list[Loss]) -> None:
        self._losses = losses
        self._with_usage = request.stream_usage
        self._legacy = speaks_legacy(request)
        self._model = request.model
        self._usage = Usage()
        self._open: dict[int, _Open] = {}
        self._calls = 0
        self._thoughts = 0
        self._details = 0
        self._images: list[JSON] = []
        self._annotations: list[JSON] = []
        self._length = 0
        """Characters of content so far."""
        self._fields: dict[str, JSON] = {}
        """What every chunk repeats."""
        self._head = b""
        """The same as JSON without its closing brace; empty before the first chunk."""
        self._over = False
        self._choice_extra: dict[str, JSON] = {}
        self._message_extra: dict[str, JSON] = {}

    def render(self, event: Event) -> bytes:
        return b"" if self._over else self._render(event)

    def _render(self, event: Event) -> bytes:
        out = b""
        match event:
            case Started():
                out = self._start(event)
            case PartStarted(index, part):
                out = self._begin() + self._start_part(index, part)
            case PartDelta(index, delta):
                out = self._delta(self._open[index], delta)
            case PartEnded(index):
                out = self._end_part(self._open.pop(index))
            case UsageReported(usage):
                self._usage = self._usage.merged(usage)
            case Finished():
                out = self._finish(event)
            case Failed(failure):
                out = self._fail(failure)
            case Lost(loss):
                self._losses.append(loss)
            case _:
                assert_never(event)
        return out

    def close(self) -> bytes:
        return b"" if self._over else self._fail(Failure("cut", "The answer stopped before its end.", 502))

    # ── chunks ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, event: Started) -> bytes:
        if self._head:
            return b""
        more = dict(own(event.extra))
        self._keep(more)
        self._fields = {
            "id": event.id,
            "object": "chat.completion.chunk",
            "created": event.created or 0,
            "model": event.model or self._model,
            **more,
        }
        self._head = dump(self._fields)[:-1] + b","
        return self._chunk({"role": "assistant", "content": ""})

    def _begin(self) -> bytes:
        return b"" if self._head else self._start(Started("", self._model))

    def _keep(self, more: dict[str, JSON]) -> None:
        """Moves what belongs to the choice and the message out of the answer's own fields, for the end."""
        self._choice_extra |= object_at(more, CHOICE)
        self._message_extra |= object_at(more, MESSAGE)
        more.pop(CHOICE, None)
        more.pop(MESSAGE, None)

    def _chunk(self, delta: dict[str, JSON]) -> bytes:
        tail = b'"choices":[{"index":0,"delta":' + dump(delta) + b',"logprobs":null,"finish_reason":null}]}'
        return encode(self._head + tail)

    def _last_chunk(self, fields: Mapping[str, JSON]) -> bytes:
        return encode(dump({**self._fields, **fields}))

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_part(self, index: int, part: AnswerPart) -> bytes:
        state = _Open(part, self._length)
        self._open[index] = state
        out = b""
        match part:
            case Text():
                out = self._say(state, part.text) if part.text else b""
                for citation in part.citations:
                    self._cite(state, citation)
            case Thinking():
                state.signature = part.signature
                out = self._think(state, part.text) if part.text else b""
            case Refusal():
                out = self._chunk({"refusal": part.text}) if part.text else b""
            case ToolCall():
                out = self._start_call(state, part)
            case Media():
                out = self._media(part, index)
            case Opaque(format=origin, raw=raw) if origin == NAME:
                out = self._chunk({"content": [raw]})
            case Opaque():
                self._losses.append(Loss(f"parts[{index}]", "A part that only its own vendor can read."))
            case _:
                assert_never(part)
        return out

    def _media(self, part: Media, index: int) -> bytes:
        before = len(self._images)
        more = render_answer_media(part, f"parts[{index}]", self._losses, self._images)
        if images := self._images[before:]:
            more["images"] = images
        return self._chunk(more) if more else b""

    def _start_call(self, state: _Open, call: ToolCall) -> bytes:
        state.call, state.signature, state.empty = self._calls, call.signature, not call.arguments
        self._calls += 1
        if self._legacy:
            if state.call:
                self._losses.append(Loss("parts", "The legacy function interface has room for one call."))
                return b""
            return self._chunk({"function_call": {"name": call.name, "arguments": call.arguments}})
        kind, body = ("custom", "input") if call.custom else ("function", "arguments")
        item: dict[str, JSON] = {
            "index": state.call,
            "id": call.id,
            "type": kind,
            kind: {"name": call.name, body: call.arguments},
            **own(call.extra),
        }
        return self._chunk({"tool_calls": [item]})

    def _delta(self, state: _Open, delta: Delta) -> bytes:
        out = b""
        match delta:
            case TextDelta(piece) if piece:
                out = self._say(state, piece)
            case ArgumentsDelta(piece) if piece:
                state.empty = False
                out = self._arguments(state, piece)
            case TextDelta() | ArgumentsDelta():
                pass
            case SignatureDelta(signature):
                state.signature = signature
            case CitationDelta(citation):
                self._cite(state, citation)
            case ExtraDelta(extra):
                out = self._add_extra(state, extra)
            case _:
                assert_never(delta)
        return out

    def _say(self, state: _Open, piece: str) -> bytes:
        if isinstance(state.part, Thinking):
            return self._think(state, piece)
        if isinstance(state.part, Refusal):
            return self._chunk({"refusal": piece})
        self._length += len(piece)
        return self._chunk({"content": piece})

    def _add_extra(self, state: _Open, extra: Extra) -> bytes:
        if isinstance(state.part, ToolCall) and (fields := own(extra)) and not self._legacy:
            return self._call_fields(state, state.part, fields)
        return b""

    def _call_fields(self, state: _Open, call: ToolCall, fields: Mapping[str, JSON]) -> bytes:
        """Fields beside the arguments; OpenAI's SDK breaks on a piece of a call that has no arguments at all."""
        body: dict[str, JSON] = {"custom": {"input": ""}} if call.custom else {"function": {"arguments": ""}}
        return self._chunk({"tool_calls": [{"index": state.call, **body, **fields}]})

    def _think(self, state: _Open, piece: str) -> bytes:
        if state.empty:
            state.empty = False
            self._thoughts += 1
            if self._thoughts > 1:
                piece = "\n\n" + piece
        return self._chunk({"reasoning_content": piece})

    def _arguments(self, state: _Open, piece: str) -> bytes:
        if self._legacy:
            return b"" if state.call else self._chunk({"function_call": {"arguments": piece}})
        custom = isinstance(state.part, ToolCall) and state.part.custom
        body: dict[str, JSON] = {"custom": {"input": piece}} if custom else {"function": {"arguments": piece}}
        return self._chunk({"tool_calls": [{"index": state.call, **body}]})

    def _cite(self, state: _Open, citation: Citation) -> None:
        item = render_annotation(citation, state.before)
        if item is not None:
            self._annotations.append(item)

    def _end_part(self, state: _Open) -> bytes:
        match state.part:
            case Thinking():
                details = client_details((Thinking("", state.signature),), self._details)
                self._details += len(details)
                return self._chunk({"reasoning_details": details}) if details else b""
            case ToolCall() as call:
                said = self._arguments(state, "{}") if state.empty and not call.custom else b""
                signature = render_call_signature(state.signature, client=True)
                if signature and not self._legacy:
                    said += self._call_fields(state, call, signature)
                return said
            case _:
                return b""

    def _end_parts(self) -> bytes:
        states, self._open = list(self._open.values()), {}
        return b"".join(self._end_part(state) for state in states)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _finish(self, event: Finished) -> bytes:
        out = self._begin() + self._end_parts()
        more = dict(own(event.extra))
        self._keep(more)
        if self._annotations:
            others = self._message_extra.get("annotations")
            self._message_extra["annotations"] = self._annotations + (others if isinstance(others, list) else [])
        if self._message_extra:
            out += self._chunk(self._message_extra)
        reason = render_stop(event.stop, self._losses, legacy=self._legacy)
        choice: dict[str, JSON] = {
            "index": 0, "delta": {}, "logprobs": None, "finish_reason": reason, **met_sequence(event.stop), **self._choice_extra,
        }  # fmt: skip
        out += self._last_chunk({"choices": [choice], **more})
        if self._with_usage:
            out += self._last_chunk({"choices": [], "usage": render_usage(self._usage)})
        self._over = True
        return out + encode("[DONE]")

    def _fail(self, failure: Failure) -> bytes:
        # What has come of a call is no call: nothing makes valid arguments of it.
        self._open = {index: state for index, state in self._open.items() if not isinstance(state.part, ToolCall)}
        out = self._end_parts() if self._head else b""
        self._over = True
        return out + encode(dump({"error": {**error_object(failure), **_BROKEN.get(failure.kind, {})}}))
