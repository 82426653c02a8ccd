"""A chat stream → hub events.

Chat names no parts: a part starts with its first content and ends when content of another kind comes, or with the
answer. Usage may come before, with or after the finish reason, in a chunk without choices, in the choice (Kimi) or
under ``x_groq``; so ``Finished`` waits for ``[DONE]``, for that chunk, or for the end of the bytes. An end without
finish reason is an end only if ``[DONE]`` came. Reasoning details are collected until their part ends, because their
signature comes last; details without readable text become a redacted part.
"""

from collections.abc import Mapping
from contextlib import suppress

from translators.errors import FormatError
from translators.formats.openai_chat.citations import parse_annotations, parse_search_results
from translators.formats.openai_chat.content import parse_content
from translators.formats.openai_chat.errors import parse_failure
from translators.formats.openai_chat.reasoning import Details, details_text, field_text, plain_details, proof
from translators.formats.openai_chat.response import (
    ANSWER_FIELDS,
    CHOICE_FIELDS,
    MESSAGE_FIELDS,
    parse_audio,
    parse_images,
)
from translators.formats.openai_chat.stream_calls import CallAssembler
from translators.formats.openai_chat.usage import BROKEN, parse_usage, stop
from translators.formats.openai_chat.values import (
    CHOICE,
    MESSAGE,
    extra,
    integer,
    load,
    object_at,
    objects_at,
    rest,
    text,
)
from translators.framing.frame_parser import FrameParser
from translators.framing.sse import SSEDecoder, SSEEvent
from translators.hub import (
    JSON,
    AnswerPart,
    Citation,
    CitationDelta,
    Event,
    ExtraDelta,
    Failed,
    Failure,
    Finished,
    Media,
    Opaque,
    PartDelta,
    PartEnded,
    PartStarted,
    Refusal,
    SignatureDelta,
    Started,
    Text,
    TextDelta,
    Thinking,
    Usage,
    UsageReported,
)


class ChatStreamParser(FrameParser[SSEEvent]):
    def __init__(self) -> None:
        self._decoder = SSEDecoder()
        self._started = False
        self._over = False
        self._parts = 0
        self._open: tuple[int, type[Text | Thinking | Refusal]] | None = None
        self._refused = False
        self._calls = CallAssembler()
        self._by_field = False
        """Reasoning comes in a field of its own, not only in the details."""
        self._details = Details()
        self._citations: list[Citation] = []
        self._choice: dict[str, JSON] | None = None
        """The choice that held the finish reason."""
        self._usage = Usage()
        self._seed = ""
        self._head: dict[str, JSON] = {}
        self._answer_extra: dict[str, JSON] = {}
        self._choice_extra: dict[str, JSON] = {}
        self._message_extra: dict[str, JSON] = {}
        self._audio: dict[str, JSON] = {}
        self._sound: dict[str, list[str]] = {}
        """Pieces of the audio's data and of its transcript."""
        self._logprobs: dict[str, JSON] = {}

    def _decode(self, data: bytes) -> list[SSEEvent]:
        return self._decoder.feed(data)

    def _take(self, frame: SSEEvent, events: list[Event]) -> None:
        events += self._read(frame.event, frame.data)

    def _end(self, events: list[Event]) -> None:
        with suppress(FormatError):  # half an event is a cut, not a breach of the format
            for frame in self._decoder.close():
                self._take(frame, events)
        if self._over:
            return
        if self._choice is not None:
            events += self._finish()
        else:
            message = "The answer stopped before its end." if self._started else "The answer ended before it began."
            events += self._fail(Failure("cut", message, 502))

    # ── chunks ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, name: str | None, data: str) -> list[Event]:
        if self._over or not (data := data.strip()):
            return []
        if data == "[DONE]":
            if self._choice is not None or self._parts or self._head:
                return self._finish()
            return self._fail(Failure("server", "The provider sent an empty answer.", 502))
        chunk = load(data, "stream event")
        if isinstance(chunk, list):  # Google wraps errors in a list
            chunk = next((item for item in chunk if isinstance(item, dict)), None)
        if not isinstance(chunk, dict):
            return []
        usage = self._report(chunk)
        if (failure := parse_failure(200, {}, {"error": chunk} if name == "error" else chunk)) is not None:
            return usage + self._fail(failure)
        if not (self._seed or object_at(chunk, "error")):
            self._seed = data
        choices = objects_at(chunk, "choices")
        choice = next((item for item in choices if item.get("index") in (0, None)), None)
        events = self._start(chunk) if choice is not None or text(chunk, "id") else []
        self._answer_extra |= {
            key: value for key, value in rest(chunk, ANSWER_FIELDS).items() if self._head.get(key) != value
        }
        if choice is not None:
            events += self._said(choice)
        events += usage
        if not choices and usage and self._choice is not None:
            events += self._finish()
        return events

    def _report(self, chunk: Mapping[str, JSON]) -> list[Event]:
        events: list[Event] = []
        places = [chunk, object_at(chunk, "x_groq"), *objects_at(chunk, "choices")[:1]]
        for place in places:
            if (source := object_at(place, "usage")) and (usage := parse_usage(source)) != self._usage:
                self._usage = usage
                events.append(UsageReported(usage))
        return events

    def _start(self, chunk: Mapping[str, JSON]) -> list[Event]:
        if self._started:
            return []
        self._started = True
        self._head = rest(chunk, ANSWER_FIELDS) | {"id": text(chunk, "id")}
        created = integer(chunk, "created") or None
        return [Started(text(chunk, "id"), text(chunk, "model"), created, extra(rest(chunk, ANSWER_FIELDS)))]

    def _said(self, choice: dict[str, JSON]) -> list[Event]:
        delta = object_at(choice, "delta")
        if not delta and not self._parts:  # a whole message where a delta should be
            delta = object_at(choice, "message")
        events: list[Event] = []
        if details := objects_at(delta, "reasoning_details"):
            self._details.add(details)
        if said := self._thought(delta):
            events += self._say(Thinking, said)
        citations, others = parse_annotations(delta)
        self._citations += citations
        if others:
            self._message_extra["annotations"] = others
        events += self._content(delta)
        if refusal := text(delta, "refusal"):
            self._refused = True
            events += self._say(Refusal, refusal)
        for image in parse_images(delta):
            events += self._whole(image)
        for item in objects_at(delta, "tool_calls"):
            events += self._end_open() + self._calls.add(item, self._seed, self._next_part)
        if (legacy := object_at(delta, "function_call")) and (text(legacy, "name") or text(legacy, "arguments")):
            events += self._end_open() + self._calls.add({"index": 0, "function": legacy}, self._seed, self._next_part)
        self._note(choice, delta)
        if text(choice, "finish_reason"):
            self._choice = choice
        return events

    def _thought(self, delta: Mapping[str, JSON]) -> str:
        """Details repeat what a field says, in the same chunk or all at once later."""
        said = field_text(delta)
        self._by_field = self._by_field or bool(said)
        return said or ("" if self._by_field else details_text(delta))

    def _note(self, choice: Mapping[str, JSON], delta: Mapping[str, JSON]) -> None:
        """Keeps what the hub has no word for until the end."""
        for key, value in object_at(delta, "audio").items():
            if key in ("data", "transcript") and isinstance(value, str):
                self._sound.setdefault(key, []).append(value)
            else:
                self._audio[key] = value
        for name, value in object_at(choice, "logprobs").items():
            before = self._logprobs.get(name)
            if isinstance(value, list) and isinstance(before, list):
                before += value
            elif value is not None:
                self._logprobs[name] = value
        self._choice_extra |= rest(choice, CHOICE_FIELDS)
        self._message_extra |= rest(delta, MESSAGE_FIELDS)

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _next_part(self) -> int:
        self._parts += 1
        return self._parts - 1

    def _content(self, delta: Mapping[str, JSON]) -> list[Event]:
        content = delta.get("content")
        if isinstance(content, str):
            return self._say(Text, content) if content else []
        events: list[Event] = []
        for part in parse_content(content):
            match part:
                case Text():
                    events += self._say(Text, part.text)
                case Thinking():
                    events += self._say(Thinking, part.text)
                case Refusal():
                    self._refused = True
                    events += self._say(Refusal, part.text)
                case Media() | Opaque():
                    events += self._whole(part)
        return events

    def _say(self, kind: type[Text | Thinking | Refusal], piece: str) -> list[Event]:
        events: list[Event] = []
        if self._open is None or self._open[1] is not kind:
            events += self._end_open(starting=kind)
            index = self._next_part()
            self._open = (index, kind)
            events.append(PartStarted(index, kind("")))
        index = self._open[0] if self._open else 0
        if piece:
            events.append(PartDelta(index, TextDelta(piece)))
        if kind is Text:
            events += self._cite(index)
        return events

    def _cite(self, index: int) -> list[Event]:
        citations, self._citations = self._citations, []
        return [PartDelta(index, CitationDelta(citation)) for citation in citations]

    def _whole(self, part: AnswerPart) -> list[Event]:
        events = self._end_open()
        index = self._next_part()
        return [*events, PartStarted(index, part), PartEnded(index)]

    def _end_open(self, *, starting: type[AnswerPart] | None = None) -> list[Event]:
        events: list[Event] = []
        if self._open is None:
            if self._details and starting is not Thinking:
                events += self._redacted()
            return events
        index, kind = self._open
        self._open = None
        if kind is Thinking:
            details = self._details.take()
            if (signature := proof(details)) is not None:
                events.append(PartDelta(index, SignatureDelta(signature)))
            elif plain := plain_details(details):
                events.append(PartDelta(index, ExtraDelta(plain)))
        elif kind is Text:
            events += self._cite(index)
        events.append(PartEnded(index))
        if kind is not Thinking and self._details and starting is not Thinking:
            events += self._redacted()
        return events

    def _redacted(self) -> list[Event]:
        """Reasoning that can only be given back, not read."""
        signature = proof(self._details.take())
        if signature is None:
            return []
        index = self._next_part()
        return [PartStarted(index, Thinking("", signature, redacted=True)), PartEnded(index)]

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _end_parts(self) -> list[Event]:
        events: list[Event] = [] if self._started else self._start({})
        if self._open is not None and self._open[1] is Text and not self._citations:
            self._citations = parse_search_results(self._head | self._answer_extra)
        events += self._end_open()
        said: dict[str, JSON] = {key: "".join(pieces) for key, pieces in self._sound.items()}
        if (sound := parse_audio(self._audio | said)) is not None:
            self._audio, self._sound = {}, {}
            events += self._whole(sound)
        return events + self._calls.end()

    def _finish(self) -> list[Event]:
        choice = self._choice or {}
        if (broken := BROKEN.get(text(choice, "finish_reason"))) is not None:
            return self._fail(Failure("server", broken, 502, text(choice, "finish_reason")))
        events = self._end_parts()
        if self._calls.nameless:
            return events + self._fail(Failure("server", "The provider sent a tool call without a name.", 502))
        kept = dict(self._answer_extra)
        if self._logprobs:
            self._choice_extra["logprobs"] = self._logprobs
        if self._choice_extra:
            kept[CHOICE] = self._choice_extra
        if self._message_extra:
            kept[MESSAGE] = self._message_extra
        self._over = True
        return [*events, Finished(stop(choice, self._calls.any, refused=self._refused), extra(kept))]

    def _fail(self, failure: Failure) -> list[Event]:
        events = self._end_parts() if self._started else []
        self._over = True
        return [*events, Failed(failure)]
