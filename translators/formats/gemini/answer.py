"""Chunks of an answer (``GenerateContentResponse``) → hub events; a whole answer is a stream of one chunk.

Text and thoughts come in pieces and are joined to one part until something else comes. Calls, media and server tools
come whole. A part stays open as long as it can, because grounding and late signatures concern text already sent.
``Finished`` waits for the end of the stream: usage and grounding may follow the finish reason.
"""

import hashlib
from datetime import datetime
from typing import Final

from translators import hub
from translators.errors import FormatError
from translators.formats.gemini.citations import citations_of
from translators.formats.gemini.partial_calls import PartialCall
from translators.formats.gemini.request import invented_id, parse_call, parse_part
from translators.formats.gemini.wire import NAME, Object, as_list, as_object, dumps, opt_int, opt_text, spelled
from translators.hub import JSON

REASONS: Final[dict[str, hub.StopReason]] = {
    "STOP": "end",
    "MAX_TOKENS": "max_tokens",
    "SAFETY": "refusal",
    "RECITATION": "refusal",
    "LANGUAGE": "refusal",
    "BLOCKLIST": "refusal",
    "PROHIBITED_CONTENT": "refusal",
    "SPII": "refusal",
    "MODEL_ARMOR": "refusal",
    "IMAGE_SAFETY": "refusal",
    "IMAGE_PROHIBITED_CONTENT": "refusal",
    "IMAGE_RECITATION": "refusal",
    "CONTINUATION": "pause",
}
"""Everything else (MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, OTHER, …) is ``other``."""
TOP_LEVEL: Final = frozenset({"promptFeedback", "modelStatus"})
"""Fields that stand beside ``candidates``; other extras of an answer stand in the candidate."""
_COUNTS: Final = frozenset(
    {"promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount", "totalTokenCount"}
)


class AnswerReader:
    """``origin`` is the format's name, for signatures."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._id: str | None = None
        self._next = 0
        self._open: int | None = None
        self._open_part: hub.Text | hub.Thinking | None = None
        self._text: list[str] = []
        self._bytes_before = 0
        self._signature: str | None = None
        self._calls = 0
        self._partial: PartialCall | None = None
        self._reason: str | None = None
        self._blocked: str | None = None
        self._extra: Object = {}
        self._cited: list[hub.Citation] = []
        self._several = False

    @property
    def complete(self) -> bool:
        """Whether the answer's own end has been seen."""
        return self._reason is not None or self._blocked is not None

    def read(self, chunk: Object) -> list[hub.Event]:
        events: list[hub.Event] = []
        if self._id is None:
            events.append(self._start(chunk))
        candidates = as_list(chunk.get("candidates"), "candidates")
        if len(candidates) > 1 and not self._several:
            self._several = True
            events.append(hub.Lost(hub.Loss("candidates[1]", "only the first candidate is kept")))
        if candidates:
            self._candidate(as_object(candidates[0], "candidates[0]"), events)
        self._extra |= {key: chunk[key] for key in TOP_LEVEL if key in chunk}
        self._feedback(chunk.get("promptFeedback"), events)
        if isinstance(usage := chunk.get("usageMetadata"), dict):
            events.append(hub.UsageReported(parse_usage(usage)))
        return events

    def finish(self, *, whole: bool = False) -> list[hub.Event]:
        """The end of the bytes; ``whole``: an answer that needs no end of its own, because nothing can be missing."""
        events: list[hub.Event] = []
        if not (self.complete or whole):
            self._end(events)
            events.append(hub.Failed(hub.Failure("cut", "the answer ended without a finish reason", 502)))
            return events
        self._last_call(events)
        self._cite(events)
        self._end(events)
        extra: hub.Extra = {NAME: self._extra} if self._extra else {}
        events.append(hub.Finished(self._stop(), extra))
        return events

    def abort(self) -> list[hub.Event]:
        """Ends the open part, for a failure that follows."""
        events: list[hub.Event] = []
        self._end(events)
        return events

    def _start(self, chunk: Object) -> hub.Started:
        given = opt_text(chunk.get("responseId"))
        self._id = given or "gemini-" + hashlib.sha256(dumps(chunk)).hexdigest()[:20]
        created = _unix(opt_text(chunk.get("createTime")))
        return hub.Started(self._id, opt_text(chunk.get("modelVersion")) or "", created)

    def _candidate(self, candidate: Object, events: list[hub.Event]) -> None:
        content = candidate.get("content")
        if isinstance(content, dict):
            for index, item in enumerate(as_list(content.get("parts"), "candidates[0].content.parts")):
                path = f"candidates[0].content.parts[{index}]"
                self._part(spelled(as_object(item, path)), path, events)
        if isinstance(reason := candidate.get("finishReason"), str):
            self._reason = reason
        for key, value in candidate.items():
            if key not in {"content", "finishReason", "index"}:
                self._extra[key] = value

    def _part(self, part: Object, path: str, events: list[hub.Event]) -> None:
        if isinstance(raw := part.get("functionCall"), dict):
            self._call_piece(part, spelled(raw), events)
            return
        if part.get("text") != "":
            self._whole_call(events)
        match parse_part(part, path, self._origin):
            case hub.Text(text, extra=extra):
                self._piece(hub.Text("", extra=extra), text, part, events)
            case hub.Thinking(text) as thinking:
                self._piece(hub.Thinking("", thinking.signature), text, part, events)
            case hub.Media() | hub.Opaque() as whole:
                self._end(events)
                index = self._new()
                events += [hub.PartStarted(index, whole), hub.PartEnded(index)]
            case None:
                pass

    def _call_piece(self, part: Object, call: Object, events: list[hub.Event]) -> None:
        """A call, or a part of one: a piece without a name, or with the same id, belongs to the call before it."""
        partial = self._partial
        if partial is None or not partial.continued_by(call):
            self._whole_call(events)
            partial = self._partial = PartialCall(part, call)
        partial.add(part, call)
        if call.get("willContinue") is not True:
            self._whole_call(events)

    def _last_call(self, events: list[hub.Event]) -> None:
        """A call whose last piece never came: half of its arguments must not be run."""
        if self._partial is not None and self._reason not in {None, "STOP"}:
            self._partial = None
            events.append(hub.Lost(hub.Loss("candidates[0].content.parts", "a tool call was cut off and left out")))
        self._whole_call(events)

    def _whole_call(self, events: list[hub.Event]) -> None:
        if self._partial is None:
            return
        part, call = self._partial.whole()
        self._partial = None
        self._calls += 1
        name = opt_text(call.get("name")) or ""
        identity = opt_text(call.get("id")) or invented_id(self._id or "", str(self._calls), name)
        parsed = parse_call(part, call, identity, self._origin)
        self._end(events)
        index = self._new()
        started = hub.ToolCall(parsed.id, parsed.name, "", signature=parsed.signature, extra=parsed.extra)
        events.append(hub.PartStarted(index, started))
        events.append(hub.PartDelta(index, hub.ArgumentsDelta(parsed.arguments)))
        events.append(hub.PartEnded(index))

    def _piece(self, start: hub.Text | hub.Thinking, text: str, raw: Object, events: list[hub.Event]) -> None:
        signature = opt_text(raw.get("thoughtSignature"))
        if not text and not signature:
            return
        index = self._open
        clash = signature is not None and self._signature is not None
        if index is None or type(self._open_part) is not type(start) or clash:
            self._end(events)
            self._open = index = self._new()
            self._open_part, self._signature = start, signature
            events.append(hub.PartStarted(index, start))
        elif signature is not None:
            self._signature = signature
            if isinstance(start, hub.Text):
                events.append(hub.PartDelta(index, hub.ExtraDelta(start.extra)))
            elif start.signature is not None:
                events.append(hub.PartDelta(index, hub.SignatureDelta(start.signature)))
        if text:
            self._text.append(text)
            events.append(hub.PartDelta(index, hub.TextDelta(text)))

    def _feedback(self, feedback: JSON, events: list[hub.Event]) -> None:
        if not isinstance(feedback, dict) or not isinstance(reason := feedback.get("blockReason"), str):
            return
        if self._blocked is None and (message := opt_text(feedback.get("blockReasonMessage"))):
            self._end(events)
            index = self._new()
            events += [
                hub.PartStarted(index, hub.Refusal("", {NAME: {"blockReason": reason}})),
                hub.PartDelta(index, hub.TextDelta(message)),
                hub.PartEnded(index),
            ]
        self._blocked = reason

    def _cite(self, events: list[hub.Event]) -> None:
        """Grounding names places in the text by bytes; it is said of the text part that is still open."""
        if self._open is None or not isinstance(self._open_part, hub.Text):
            if citations_of(self._extra, "", 0):
                events.append(hub.Lost(hub.Loss("candidates[0].groundingMetadata", "its text has ended before it")))
            return
        citations = citations_of(self._extra, "".join(self._text), self._bytes_before)
        events.extend(hub.PartDelta(self._open, hub.CitationDelta(citation)) for citation in citations)

    def _new(self) -> int:
        self._next += 1
        return self._next - 1

    def _end(self, events: list[hub.Event]) -> None:
        if self._open is not None:
            events.append(hub.PartEnded(self._open))
        if isinstance(self._open_part, hub.Text):
            self._bytes_before += len("".join(self._text).encode(errors="surrogatepass"))
        self._open = self._open_part = self._signature = None
        self._text.clear()

    def _stop(self) -> hub.Stop:
        if self._reason is None:
            return hub.Stop("refusal", raw=self._blocked) if self._blocked else hub.Stop("end")
        reason = REASONS.get(self._reason, "other")
        if reason == "end" and self._calls:
            reason = "tool_calls"
        return hub.Stop(reason, raw=self._reason)


def parse_usage(raw: Object) -> hub.Usage:
    def count(name: str) -> int | None:
        return opt_int(raw.get(name), f"usageMetadata.{name}")

    def total(*names: str) -> int | None:
        counts = [value for name in names if (value := count(name)) is not None]
        return sum(counts) if counts else None

    kept = {key: value for key, value in raw.items() if key not in _COUNTS}
    return hub.Usage(
        input=total("promptTokenCount", "toolUsePromptTokenCount"),
        output=total("candidatesTokenCount", "thoughtsTokenCount"),
        cache_read=count("cachedContentTokenCount"),
        reasoning=count("thoughtsTokenCount"),
        extra={NAME: kept} if kept else {},
    )


def render_usage(usage: hub.Usage) -> Object:
    """``usageMetadata``; empty when nothing is known."""
    kept = dict(usage.extra.get(NAME, {}))
    tool_use = kept.get("toolUsePromptTokenCount")
    rendered: Object = {}
    if usage.input is not None:
        rendered["promptTokenCount"] = usage.input - (tool_use if isinstance(tool_use, int) else 0)
    if usage.output is not None:
        rendered["candidatesTokenCount"] = usage.output - (usage.reasoning or 0)
    if usage.reasoning is not None:
        rendered["thoughtsTokenCount"] = usage.reasoning
    if usage.cache_read is not None:
        rendered["cachedContentTokenCount"] = usage.cache_read
    if rendered:
        rendered["totalTokenCount"] = (usage.input or 0) + (usage.output or 0)
    return {**rendered, **kept}


def finish_reason(stop: hub.Stop) -> str:
    """Google's word for why an answer ended; calls end with STOP."""
    if stop.raw is not None and REASONS.get(stop.raw) == stop.reason:
        return stop.raw
    match stop.reason:
        case "end" | "tool_calls" | "stop_sequence" | "pause":
            return "STOP"
        case "max_tokens" | "context_overflow":
            return "MAX_TOKENS"
        case "refusal":
            return "SAFETY"
        case "other":
            return stop.raw if stop.raw in _OTHER_REASONS else "OTHER"


_OTHER_REASONS: Final = frozenset(
    {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
     "MALFORMED_RESPONSE", "ESCALATION", "NO_IMAGE", "IMAGE_OTHER", "FINISH_REASON_UNSPECIFIED"}
)  # fmt: skip


def _unix(text: str | None) -> int | None:
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text else None
    except ValueError:
        return None


def answer_of(document: JSON, *, wrapped: bool) -> Object:
    """The answer in a chunk: the chunk itself, or what Code Assist wraps into ``response``."""
    chunk = as_object(document, "the answer")
    inner = chunk.get("response")
    if not wrapped or not isinstance(inner, dict):
        return chunk
    trace = chunk.get("traceId")
    if isinstance(trace, str) and not isinstance(inner.get("responseId"), str):
        return {**inner, "responseId": trace}
    return inner


def check_answer(chunk: Object) -> None:
    """Raises FormatError for an object that is no part of an answer at all."""
    if not chunk.keys() & {"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId"}:
        raise FormatError(f"not an answer of Gemini: {str(chunk)[:120]}", status_hint=502)
