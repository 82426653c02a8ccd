"""Events of one answer → the whole answer, and back.

``fold(unfold(response)) == response``, and folding the events of a captured stream gives what the same provider sends
without streaming. Text is collected in pieces and joined once. Parts stand in the order in which they were started.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from translators import hub


@dataclass(slots=True)
class _Open:
    """A part with the deltas that have come for it."""

    part: hub.AnswerPart
    text: list[str] = field(default_factory=list[str])
    signature: hub.Signature | None = None
    citations: list[hub.Citation] = field(default_factory=list[hub.Citation])
    extras: list[hub.Extra] = field(default_factory=list[hub.Extra])

    def add(self, delta: hub.Delta) -> None:
        match delta:
            case hub.TextDelta(text) | hub.ArgumentsDelta(text):
                self.text.append(text)
            case hub.SignatureDelta(signature):
                self.signature = signature
            case hub.CitationDelta(citation):
                self.citations.append(citation)
            case hub.ExtraDelta(extra):
                self.extras.append(extra)
            case _:
                assert_never(delta)

    def whole(self) -> hub.AnswerPart:
        part = self.part
        match part:
            case hub.Text():
                citations = (*part.citations, *self.citations)
                return replace(part, text=self._joined(part.text), citations=citations, extra=self._extra(part.extra))
            case hub.Thinking():
                signature = self.signature or part.signature
                return replace(part, text=self._joined(part.text), signature=signature, extra=self._extra(part.extra))
            case hub.Refusal():
                return replace(part, text=self._joined(part.text), extra=self._extra(part.extra))
            case hub.ToolCall():
                arguments = self._joined(part.arguments) or ("" if part.custom else "{}")
                signature = self.signature or part.signature
                return replace(part, arguments=arguments, signature=signature, extra=self._extra(part.extra))
            case hub.Media():
                return replace(part, extra=self._extra(part.extra))
            case hub.Opaque():
                return part
            case _:
                assert_never(part)

    def _joined(self, start: str) -> str:
        return "".join((start, *self.text))

    def _extra(self, start: hub.Extra) -> hub.Extra:
        for extra in self.extras:
            start = merged_extra(start, extra)
        return start


class Fold:
    """Collects the events of one answer. Losses are not its matter."""

    def __init__(self) -> None:
        self._started = hub.Started("", "")
        self._parts: dict[int, _Open] = {}
        self._usage = hub.Usage()
        self._finished: hub.Finished | None = None
        self._failure: hub.Failure | None = None

    @property
    def failure(self) -> hub.Failure | None:
        """Why there is no whole answer; None while all is well."""
        return self._failure

    def add(self, event: hub.Event) -> None:
        match event:
            case hub.Started():
                self._started = event
            case hub.PartStarted(index, part):
                self._parts[index] = _Open(part)
            case hub.PartDelta(index, delta):
                self._parts[index].add(delta)
            case hub.PartEnded() | hub.Lost():
                pass
            case hub.UsageReported(usage):
                self._usage = self._usage.merged(usage)
            case hub.Finished():
                self._finished = event
            case hub.Failed(failure):
                self._failure = failure
            case _:
                assert_never(event)

    def response(self) -> hub.Response:
        """The answer as far as it has come; complete after ``Finished``."""
        finished = self._finished or hub.Finished(hub.Stop("other"))
        return hub.Response(
            id=self._started.id,
            model=self._started.model,
            parts=tuple(part.whole() for part in self._parts.values()),
            stop=finished.stop,
            usage=self._usage,
            created=self._started.created,
            extra=merged_extra(self._started.extra, finished.extra),
        )


def unfold(response: hub.Response) -> list[hub.Event]:
    """The events with which this answer would have been streamed, one delta per text."""
    events: list[hub.Event] = [hub.Started(response.id, response.model, response.created, response.extra)]
    for index, part in enumerate(response.parts):
        start, deltas = _split(part)
        events.append(hub.PartStarted(index, start))
        events += [hub.PartDelta(index, delta) for delta in deltas]
        events.append(hub.PartEnded(index))
    if response.usage != hub.Usage():
        events.append(hub.UsageReported(response.usage))
    events.append(hub.Finished(response.stop))
    return events


def merged_extra(old: hub.Extra, new: hub.Extra) -> hub.Extra:
    """Both extras; where they name the same field of the same format, the new one holds."""
    if not (old and new):
        return new or old
    merged: dict[str, Mapping[str, hub.JSON]] = dict(old)
    for name, fields in new.items():
        merged[name] = {**merged.get(name, {}), **fields}
    return merged


def _split(part: hub.AnswerPart) -> tuple[hub.AnswerPart, list[hub.Delta]]:
    match part:
        case hub.Text():
            deltas: list[hub.Delta] = [hub.TextDelta(part.text)] if part.text else []
            deltas += [hub.CitationDelta(citation) for citation in part.citations]
            return replace(part, text="", citations=()), deltas
        case hub.Thinking():
            if part.redacted:
                return part, []
            deltas = [hub.TextDelta(part.text)] if part.text else []
            if part.signature is not None:
                deltas.append(hub.SignatureDelta(part.signature))
            return replace(part, text="", signature=None), deltas
        case hub.Refusal():
            return replace(part, text=""), [hub.TextDelta(part.text)] if part.text else []
        case hub.ToolCall():
            return replace(part, arguments=""), [hub.ArgumentsDelta(part.arguments)] if part.arguments else []
        case hub.Media() | hub.Opaque():
            return part, []
        case _:
            assert_never(part)
