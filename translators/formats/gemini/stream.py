"""Answer streams: bytes → events and events → bytes, as SSE (``alt=sse``) or as one growing JSON array.

Which of the two an upstream sends is seen from the first byte that is no white space. A client gets only parts that
are whole in themselves: pieces of text, but a function call only when its arguments are complete, and a thought's
signature on the thought's last piece, which is therefore held back until the next one comes. Parts that interleave
wait for the one that was started before them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

from translators import hub
from translators.errors import FormatError
from translators.formats.gemini.answer import TOP_LEVEL, AnswerReader, answer_of, finish_reason, render_usage
from translators.formats.gemini.citations import grounding_of
from translators.formats.gemini.errors import error_document, parse_error_object
from translators.formats.gemini.media import render_media
from translators.formats.gemini.render import call_object
from translators.formats.gemini.wire import NAME, Object, dumps, loads, lose
from translators.framing.frame_parser import FrameParser
from translators.framing.json_array import JSONArrayDecoder
from translators.framing.sse import SSEDecoder, SSEEvent
from translators.framing.sse import encode as encode_sse
from translators.hub import JSON, Loss
from translators.signatures import wrap


class GeminiStreamParser(FrameParser[SSEEvent | bytes]):
    def __init__(self, origin: str, *, wrapped: bool = False) -> None:
        self._reader = AnswerReader(origin)
        self._wrapped = wrapped
        self._framing: SSEDecoder | JSONArrayDecoder | None = None
        self._head = b""
        self._failed = False

    def _decode(self, data: bytes) -> Sequence[SSEEvent | bytes]:
        if self._framing is None:
            self._head += data
            start = self._head.lstrip()
            if not start:
                return []
            self._framing = JSONArrayDecoder() if start[:1] in {b"[", b"{"} else SSEDecoder(bare=True)
            data, self._head = self._head, b""
        return self._framing.feed(data)

    def _take(self, frame: SSEEvent | bytes, events: list[hub.Event]) -> None:
        events += self._chunk(frame if isinstance(frame, bytes) else frame.data)

    def _end(self, events: list[hub.Event]) -> None:
        if isinstance(self._framing, SSEDecoder):
            for data in _whole(self._framing):
                events += self._chunk(data)
        if not self._failed:
            self._failed = True
            events += self._reader.finish()

    def _chunk(self, data: bytes | str) -> list[hub.Event]:
        if self._failed or not data.strip() or data == "[DONE]":
            return []
        document = loads(data, "a chunk of the stream", status_hint=502)
        failure = parse_error_object(document)
        if failure is not None:
            self._failed = True
            return [*self._reader.abort(), hub.Failed(failure)]
        return self._reader.read(answer_of(document, wrapped=self._wrapped))


def _whole(framing: SSEDecoder) -> list[str]:
    """The last event when only its blank line is missing; of one that was cut, the missing finish reason tells."""
    try:
        left = [event.data for event in framing.close()]
        for data in left:
            loads(data, "a chunk of the stream", status_hint=502)
    except FormatError:
        return []
    return left


@dataclass(slots=True)
class _Open:
    part: hub.AnswerPart
    text: list[str] = field(default_factory=list[str])
    """Not yet sent: arguments, or text that waits for the part before it."""
    sent: list[str] = field(default_factory=list[str])
    """Text that was sent, where citations may still count in it."""
    signature: hub.Signature | None = None
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON])
    citations: list[hub.Citation] = field(default_factory=list[hub.Citation])
    marked: bool = False
    """Whether the text's signature is out."""
    ended: bool = False


class GeminiStreamRenderer:
    """``own`` is the format's name; ``wrapped``: Code Assist's ``{"response": …}`` around each chunk."""

    def __init__(
        self, own: str, losses: list[Loss], *, framing: Literal["sse", "array"] = "sse", wrapped: bool = False
    ) -> None:
        self._own = own
        self._losses = losses
        self._framing = framing
        self._wrapped = wrapped
        self._started = hub.Started("", "")
        self._usage = hub.Usage()
        self._open: dict[int, _Open] = {}
        self._cited: list[tuple[hub.Citation, str, int]] = []
        self._bytes_before = 0
        self._malformed = False
        self._begun = False
        """A part has come."""
        self._called = False
        """A call has been said."""
        self._sent = 0
        self._done = False

    @property
    def content_type(self) -> str:
        """Of what ``render`` returns: a JSON array is no event stream."""
        return "text/event-stream" if self._framing == "sse" else "application/json; charset=UTF-8"

    def render(self, event: hub.Event) -> bytes:  # noqa: C901 - one case per event
        if self._done:
            return b""
        match event:
            case hub.Started():
                self._started = event
            case hub.PartStarted(index, part):
                self._begun = True
                text = [part.text] if isinstance(part, hub.Text | hub.Thinking | hub.Refusal) and part.text else []
                if isinstance(part, hub.ToolCall) and part.arguments:
                    text = [part.arguments]
                self._open[index] = _Open(part, text)
                return self._flush()
            case hub.PartDelta(index, delta):
                self._delta(self._open[index], delta)
                return self._flush()
            case hub.PartEnded(index):
                self._open[index].ended = True
                return self._flush()
            case hub.UsageReported(usage):
                self._usage = self._usage.merged(usage)
            case hub.Finished(stop, extra):
                return self._finish(stop, extra)
            case hub.Failed(failure):
                return self._fail(failure)
            case hub.Lost(loss):
                self._losses.append(loss)
            case _:
                assert_never(event)
        return b""

    def close(self) -> bytes:
        if self._done:
            return b""
        return self._fail(hub.Failure("cut", "the answer was cut off", 502))

    def _delta(self, part: _Open, delta: hub.Delta) -> None:
        match delta:
            case hub.TextDelta(text) | hub.ArgumentsDelta(text):
                part.text.append(text)
            case hub.SignatureDelta(signature):
                part.signature = signature
            case hub.CitationDelta(citation):
                part.citations.append(citation)
            case hub.ExtraDelta(extra):
                part.extra |= extra.get(NAME, {})
            case _:
                assert_never(delta)

    def _flush(self) -> bytes:
        """What can be said now of the oldest open part, and of the next ones if it has ended."""
        parts: list[Object] = []
        while self._open:
            index, head = next(iter(self._open.items()))
            parts += self._ready(head)
            if not head.ended:
                break
            del self._open[index]
        return self._chunk(parts) if parts else b""

    def _ready(self, head: _Open) -> list[Object]:
        match head.part:
            case hub.Text() | hub.Refusal():
                return self._text(head)
            case hub.Thinking():
                return self._thought(head)
            case _:
                return self._whole(head) if head.ended else []

    def _text(self, head: _Open) -> list[Object]:
        if is_feedback(head.part):
            return []
        marks: Object = {}
        if not head.marked:
            marks = {**head.part.extra.get(NAME, {}), **head.extra} if isinstance(head.part, hub.Text) else {}
            head.marked = "thoughtSignature" in marks
        text = "".join(head.text)
        head.text.clear()
        if text:
            head.sent.append(text)
        if head.ended:
            everything = "".join(head.sent)
            citations = [*(head.part.citations if isinstance(head.part, hub.Text) else ()), *head.citations]
            self._cited += [(citation, everything, self._bytes_before) for citation in citations]
            self._bytes_before += len(everything.encode(errors="surrogatepass"))
        return [{"text": text, **marks}] if text or "thoughtSignature" in marks else []

    def _thought(self, head: _Open) -> list[Object]:
        if not head.ended:
            ready, head.text = head.text[:-1], head.text[-1:]
            return [{"text": "".join(ready), "thought": True}] if any(ready) else []
        text = "".join(head.text)
        part: Object = {"text": text, "thought": True}
        signature = head.signature or (head.part.signature if isinstance(head.part, hub.Thinking) else None)
        if signature is not None:
            part["thoughtSignature"] = wrap(signature, self._own)
        return [part] if text or signature is not None else []

    def _whole(self, head: _Open) -> list[Object]:
        part = head.part
        if not isinstance(part, hub.ToolCall):
            rendered = render_part(part, self._own, self._losses)
            return [rendered] if rendered else []
        call = hub.ToolCall(
            part.id, part.name, "".join(head.text), part.custom, signature=head.signature or part.signature,
            extra={NAME: {**part.extra.get(NAME, {}), **head.extra}},
        )  # fmt: skip
        rendered = render_part(call, self._own, self._losses)
        self._malformed = self._malformed or rendered is None
        self._called = self._called or rendered is not None
        return [rendered] if rendered else []

    def _finish(self, stop: hub.Stop, extra: hub.Extra) -> bytes:
        for part in self._open.values():
            part.ended = True
        out = self._flush()
        if self._malformed and stop.reason != "max_tokens":
            stop = hub.Stop("other", raw="MALFORMED_FUNCTION_CALL")
        fields = {**self._started.extra.get(NAME, {}), **extra.get(NAME, {})}
        candidate, beside = end_fields(stop, fields, self._cited)
        last: Object = {"content": {"role": "model", "parts": [{"text": ""}]}, "index": 0, **candidate}
        usage = render_usage(self._usage)
        out += self._frame({
            "candidates": [last], **({"usageMetadata": usage} if usage else {}), **beside, **self._names(),
        })  # fmt: skip
        return out + self._end()

    def _fail(self, failure: hub.Failure) -> bytes:
        # Calls that were not finished are not sent, text is.
        for part in self._open.values():
            part.ended = not isinstance(part.part, hub.ToolCall)
        self._open = {index: part for index, part in self._open.items() if part.ended}
        out = self._flush()
        said = error_document(failure)
        if self._framing == "array" or not self._begun or self._called:
            return out + self._frame(said, bare=True) + self._end()
        # Google's JavaScript SDK overlooks an error event, and Gemini CLI then takes the answer for a whole one. Only what
        # is told here makes it ask again. It must not when it has got a call, which would run twice.
        if not self._wrapped:
            return out + dumps(said) + b"\n\n" + self._end()
        unfinished: Object = {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "index": 0}], **self._names()}
        return out + self._frame(unfinished) + self._frame(said, bare=True) + self._end()

    def _end(self) -> bytes:
        self._done = True
        return b"]" if self._framing == "array" else b""

    def _chunk(self, parts: list[Object]) -> bytes:
        candidate: Object = {"content": {"role": "model", "parts": list[JSON](parts)}, "index": 0}
        return self._frame({"candidates": [candidate], **self._names()})

    def _names(self) -> Object:
        names: Object = {"modelVersion": self._started.model, "responseId": self._started.id}
        return {key: value for key, value in names.items() if value}

    def _frame(self, document: Object, *, bare: bool = False) -> bytes:
        if self._wrapped and not bare:
            document = {"response": document, "traceId": self._started.id}
        self._sent += 1
        if self._framing == "sse":
            return encode_sse(dumps(document))
        return (b"[" if self._sent == 1 else b",\r\n") + dumps(document)


def end_fields(
    stop: hub.Stop, extra: Mapping[str, JSON], cited: list[tuple[hub.Citation, str, int]]
) -> tuple[Object, Object]:
    """What the last chunk says in its candidate, and beside it."""
    candidate: Object = {"finishReason": finish_reason(stop)}
    candidate |= {key: value for key, value in extra.items() if key not in TOP_LEVEL}
    if cited and not candidate.keys() & {"groundingMetadata", "citationMetadata"}:
        candidate["groundingMetadata"] = grounding_of(cited)
    return candidate, {key: value for key, value in extra.items() if key in TOP_LEVEL}


def is_feedback(part: hub.AnswerPart) -> bool:
    """Whether the part came from ``promptFeedback``, which is rendered as a whole beside the candidates."""
    return isinstance(part, hub.Refusal) and "blockReason" in part.extra.get(NAME, {})


def render_part(part: hub.AnswerPart, own: str, losses: list[Loss]) -> Object | None:
    """A whole part of an answer; None when there is nothing to say, or no way to say it."""
    match part:
        case hub.Text(text, extra=extra):
            marks = extra.get(NAME, {})
            return {"text": text, **marks} if text or "thoughtSignature" in marks else None
        case hub.Refusal(text):
            return {"text": text} if text and not is_feedback(part) else None
        case hub.Thinking(text, signature):
            signed: Object = {"thoughtSignature": wrap(signature, own)} if signature is not None else {}
            return {"text": text, "thought": True, **signed} if text or signed else None
        case hub.Media():
            rendered = render_media(part)
            if rendered is None:
                lose(losses, "parts", "the file id is another provider's")
            return rendered
        case hub.ToolCall():
            args = call_object(part.arguments)
            if args is None:
                lose(losses, "parts", f"the arguments of the call {part.id!r} are not a JSON object")
                return None
            call: Object = {"id": part.id, "name": part.name, "args": args, **part.extra.get(NAME, {})}
            own_mark: Object = {"thoughtSignature": wrap(part.signature, own)} if part.signature is not None else {}
            return {"functionCall": call, **own_mark}
        case hub.Opaque(format=name, raw=raw):
            if name == NAME and isinstance(raw, dict):
                return raw
            lose(losses, "parts", f"only {name} understands this part")
            return None
        case _:
            assert_never(part)
