"""An answer that broke off, told to its end by another upstream.

A :class:`Resumable` is the bridge of an attempt whose stream may be gone on with. It keeps a failure back (``held``)
instead of telling it, so that the client's stream stays open; ``fail`` tells it when nobody goes on. Whatever the
formats, its answer is read and written anew: only a renderer that has written the beginning knows the numbers and ids
that the rest must have. A request in the upstream's own format keeps its bytes all the same.

With ``after`` it is the bridge of the upstream that goes on. Its request has what the client already holds as the last
assistant turn, which models with a *prefill* continue; others are told to in a user turn behind it. Its events are
written by the renderer of the stream that is open: no second beginning, parts numbered on, its first text in the text
that stands open, the usage of all together. Reasoning of another maker behind text that is out already is left out,
since no validator takes it back there.

Nothing is gone on with behind a tool call, finished or not (the client may have run it), nor behind anything else that
is not plain text or reasoning, nor in the middle of structured output, which the next model would begin anew.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from translators import hub
from translators.bridge import Passthrough, Translation
from translators.errors import FormatError, Unsupported
from translators.format import Format, Profile, StreamRenderer, WireRequest, WireResponse
from translators.formats import FORMATS
from translators.memory import Keeper, Memory, maker_of
from translators.signatures import Reader, Trust, unknown

ORDER = (
    "Your answer broke off. Continue it exactly where it stopped: begin with the very next character, repeat nothing of "
    "it, do not comment on the interruption and do not start anew. What you write is appended to it as it is."
)
"""What a model without prefill is told."""

_TURNS = frozenset(["anthropic-messages", "gemini", "gemini-cli", "antigravity"])
"""Formats in which a model goes on with the last assistant turn."""
_WINDOW = 400
"""Characters at the end of the text that are compared with the beginning of the rest."""
_BLANKS = 64
_LEAST, _WORDS = 12, 3
"""Characters and different words of a repetition that cannot be meant."""
_FRAGMENT = re.compile(r"(?<!\w)[^\W\d_]{3,}\Z")
"""A word that the text ends in, or the beginning of one."""
_BYTES_PER_TOKEN = 4


def resumable(
    client: str,
    upstream: str,
    *,
    profile: Profile,
    memory: Memory | None,
    wire: WireRequest,
    origin: str | None = None,
    home: str | None = None,
    trust: Trust = "told",
    after: "Resumable | None" = None,
    spent: hub.Usage | None = None,
    prefill: bool = True,
) -> "Resumable | None":
    """As :func:`translators.bridge`; None for a request that cannot be read or whose answer must stay as it is.

    ``spent``: what the answer has used before. ``prefill`` false: this upstream has refused to go on with its last turn.
    """
    known = unknown if memory is None else partial(maker_of, memory)
    reader = Reader(client, origin, home, known, profile.unsigned_thinking, trust)
    mine, theirs = FORMATS[client], FORMATS[upstream]
    if after is not None:
        spent = spent or hub.Usage()
        return Continuation(mine, theirs, profile, memory, reader, after=after, spent=spent, prefill=prefill)
    try:
        asked = mine.parse_request(wire)
    except (FormatError, Unsupported):
        return None
    if not asked.stream or (asked.n or 1) > 1:
        return None
    passed = None
    if client == upstream and not profile.alters(wire.body):
        passed = Passthrough(mine, memory, reader)
    return Resumable(mine, theirs, profile, memory, reader, passed=passed)


class Said:
    """What the client holds of an answer."""

    def __init__(self) -> None:
        self.open: dict[int, hub.AnswerPart] = {}
        """The parts without an end, by their number."""
        self.next = 0
        """Number of the next part."""
        self.fixed = False
        """There is something among it that nobody else can go on behind."""
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def note(self, event: hub.Event) -> None:
        match event:
            case hub.PartStarted(index, part):
                self.next = max(self.next, index + 1)
                self.open[index] = part
                if isinstance(part, hub.Text):
                    self._pieces.append(part.text)
                self.fixed = self.fixed or not isinstance(part, hub.Text | hub.Thinking)
            case hub.PartDelta(index, hub.TextDelta(text)) if isinstance(self.open.get(index), hub.Text):
                self._pieces.append(text)
            case hub.PartEnded(index):
                self.open.pop(index, None)
            case _:
                pass


class Resumable(Translation):
    """A bridge whose answer may be gone on with."""

    def __init__(
        self,
        client: Format,
        upstream: Format,
        profile: Profile,
        memory: Memory | None,
        reader: Reader,
        *,
        passed: Passthrough | None = None,
    ) -> None:
        """``passed`` makes the request, where it needs no translation."""
        super().__init__(client, upstream, profile, memory, reader)
        self.said = Said()
        self.held: hub.Failure | None = None
        """Why the answer broke off, not told yet."""
        self._passed = passed
        self._inside = False

    @property
    def untouched(self) -> bool:
        return self._passed is not None

    @property
    def renderer(self) -> StreamRenderer | None:
        """What writes the client's stream."""
        return self._renderer

    @property
    def continuable(self) -> bool:
        """Whether another may go on where this one has stopped."""
        structured = self._asked.output is not None and bool(self.said.text)
        return self.held is not None and not self.said.fixed and not structured

    def request(self, wire: WireRequest, model: str | None = None) -> WireRequest:
        if self._passed is None:
            return super().request(wire, model)
        self._asked = self._client.parse_request(wire)
        self.streaming = self._asked.stream
        if self._memory is not None:
            self._keeper = Keeper(self._memory, self._origin, self._asked)
        request = self._passed.request(wire, model)
        self.losses += self._passed.losses
        return request

    def feed(self, chunk: bytes, content_type: str = "") -> bytes:
        self._inside = True
        try:
            return super().feed(chunk, content_type)
        finally:
            self._inside = False

    def close(self) -> bytes:
        self._inside = True
        try:
            return super().close()
        finally:
            self._inside = False

    def suspend(self, failure: hub.Failure) -> bytes:
        """The upstream is gone: what of its answer was still kept back."""
        self._inside = True
        try:
            return super().fail(failure)
        finally:
            self._inside = False

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> WireResponse:
        if self._passed is None:
            return super().error(status, headers, body)
        said = self._passed.error(status, headers, body)
        self.failure = self._passed.failure
        return said

    def fail(self, failure: hub.Failure) -> bytes:
        if self.held is None or self._inside:
            return super().fail(failure)
        self.held, self._done = None, False
        return self._tell(hub.Failed(failure))

    def _render(self, events: list[hub.Event]) -> bytes:
        return super()._render(_left_open(events))

    def _stream(self, event: hub.Event) -> bytes:
        if isinstance(event, hub.Failed) and self._inside:
            self.held = event.failure
            out = b"".join([self._tell(one) for one in self._kept()])
            self._done = True
            return out
        return b"".join([self._tell(one) for one in self._continued(event)])

    def _tell(self, event: hub.Event) -> bytes:
        self.said.note(event)
        return super()._stream(event)

    def _continued(self, event: hub.Event) -> Iterable[hub.Event]:
        """The event as one of the client's stream."""
        return (event,)

    def _kept(self) -> Iterable[hub.Event]:
        """What waits to be told."""
        return ()


class Continuation(Resumable):
    """Goes on with what another has begun."""

    def __init__(
        self,
        client: Format,
        upstream: Format,
        profile: Profile,
        memory: Memory | None,
        reader: Reader,
        *,
        after: Resumable,
        spent: hub.Usage,
        prefill: bool,
    ) -> None:
        super().__init__(client, upstream, profile, memory, reader)
        self.said = after.said
        self.prefilled = False
        """The upstream was asked to go on with its last turn."""
        self._renderer = after.renderer
        self._spent = spent
        self._prefill = prefill
        self._seam: Seam | None = None
        self._at: int | None = None
        """The part that the first text goes to."""
        self._left = list(self.said.open)
        """Parts of the other's that are open still."""
        self._places: dict[int, int] = {}

    def _amended(self, request: hub.Request) -> hub.Request:
        told = self.said.text
        if not told.strip():
            return request
        marks = self._marks(request) if self._prefill else None
        self.prefilled = marks is not None
        self._seam = Seam(told, whole_words=not self.prefilled)
        turn = hub.Message("assistant", (hub.Text(told.rstrip()),), marks or {})
        order = () if self.prefilled else (hub.Message("user", (hub.Text(ORDER),)),)
        thinks = request.reasoning is not None and (request.reasoning.budget or 0) > 0
        limit = request.max_tokens
        if limit is not None and not thinks:
            limit = max(1, limit - len(told.encode(errors="replace")) // _BYTES_PER_TOKEN)
        return replace(request, messages=(*request.messages, turn, *order), max_tokens=limit)

    def _marks(self, request: hub.Request) -> hub.Extra | None:
        """What the last assistant turn needs to be gone on with; None when this upstream does not do that."""
        match self._profile.prefill:
            case "prefix" | "partial" as word if self._upstream.name == "openai-chat":
                return {self._upstream.name: {word: True}}
            case "turn" if self._upstream.name in _TURNS:
                thinks = request.reasoning is not None and request.reasoning.effort != "none"
                thinks = thinks and request.reasoning is not None and request.reasoning.budget != 0
                refuses = self._upstream.name == "anthropic-messages" and (thinks or not self._profile.thinking_budgets)
                return None if refuses else {}
            case _:
                return None

    def _continued(self, event: hub.Event) -> Iterator[hub.Event]:
        match event:
            case hub.PartStarted() | hub.PartDelta() | hub.PartEnded():
                yield from self._part(event)
            case hub.UsageReported():
                yield hub.UsageReported(together(self._spent, self._reported))
            case hub.Finished():
                self.meaningful = True
                yield from self._kept()
                yield from self._end_left()
                yield hub.UsageReported(together(self._spent, self._reported))
                yield event
            case hub.Failed():
                yield from self._kept()
                yield event
            case _:
                pass

    def _part(self, event: hub.PartStarted | hub.PartDelta | hub.PartEnded) -> Iterator[hub.Event]:
        match event:
            case hub.PartStarted(_, hub.Thinking()) if self._seam is not None:
                pass
            case hub.PartStarted(index, hub.Text() as part) if self._seam is not None and self._at is None:
                yield from self._join(index, part)
            case hub.PartStarted(index, part):
                yield from self._kept()
                yield from self._end_left()
                self._places[index] = self.said.next
                yield hub.PartStarted(self.said.next, part)
            case hub.PartDelta(index, delta) if index in self._places:
                place = self._places[index]
                if place == self._at and self._seam is not None and isinstance(delta, hub.TextDelta):
                    yield from _text(place, self._seam.add(delta.text))
                else:
                    yield hub.PartDelta(place, delta)
            case hub.PartEnded(index) if index in self._places:
                place = self._places.pop(index)
                if place == self._at:
                    yield from self._kept()
                yield hub.PartEnded(place)
            case _:
                pass

    def _join(self, index: int, part: hub.Text) -> Iterator[hub.Event]:
        """The first text goes on with the one that is open, or stands in a part of its own behind one that is ended."""
        assert self._seam is not None
        place = next((one for one in reversed(self._left) if isinstance(self.said.open.get(one), hub.Text)), None)
        if place is not None:
            self._left.remove(place)
        yield from self._end_left()
        if place is None:
            place = self.said.next
            yield hub.PartStarted(place, hub.Text("", (), part.extra))
        self._at = self._places[index] = place
        yield from _text(place, self._seam.add(part.text))
        for citation in part.citations:
            yield hub.PartDelta(place, hub.CitationDelta(citation))

    def _kept(self) -> Iterator[hub.Event]:
        if self._seam is not None and self._at is not None:
            yield from _text(self._at, self._seam.rest())

    def _end_left(self) -> Iterator[hub.Event]:
        left, self._left = self._left, []
        for index in left:
            yield hub.PartEnded(index)


class Seam:
    """Where two texts meet: what the second repeats of the first is left out, when it cannot be meant."""

    def __init__(self, told: str, *, whole_words: bool) -> None:
        """``whole_words``: who goes on may begin a word anew that was broken off in its middle."""
        self._window = told.rstrip()[-_WINDOW:]
        self._blank = told[len(told.rstrip()) :]
        """Who goes on has not seen it, and may say it again."""
        cut = _FRAGMENT.search(self._window) if whole_words and not self._blank else None
        self._fragment = cut[0] if cut else ""
        self._buffer = ""
        self._done = False

    def add(self, text: str) -> str:
        """What may be told now."""
        if self._done:
            return self._unrepeated(text)
        self._buffer += text
        said = self._buffer.lstrip()
        if self._may_repeat(said) if said else len(self._buffer) < _BLANKS:
            return ""
        return self.rest()

    def rest(self) -> str:
        """What was waiting; there is no more to compare."""
        if self._done:
            return ""
        self._done = True
        buffer = self._buffer
        said = buffer.lstrip()
        if repeated := self._repeated(said):
            buffer = said[repeated:]
        elif self._anew(buffer):
            buffer = buffer[len(self._fragment) :]
        return self._unrepeated(buffer)

    def _unrepeated(self, text: str) -> str:
        """Without white space that is out already."""
        while self._blank and text:
            if text[0] != self._blank[0]:
                self._blank = ""
                break
            self._blank, text = self._blank[1:], text[1:]
        return text

    def _may_repeat(self, said: str) -> bool:
        """Whether all that was said is in the middle of the window, so that more could show a repetition."""
        if self._fragment and self._fragment.startswith(said):
            return True
        at = self._window.find(said)
        return at >= 0 and at + len(said) < len(self._window)

    def _repeated(self, said: str) -> int:
        for size in range(min(len(said), len(self._window)), _LEAST - 1, -1):
            if not said.startswith(self._window[-size:]):
                continue
            before = self._window[-size - 1 : -size]
            whole = not (before.isalnum() and said[:1].isalnum())
            if whole and len(set(said[:size].split())) >= _WORDS:
                return size
        return 0

    def _anew(self, buffer: str) -> bool:
        size = len(self._fragment)
        return bool(size) and buffer.startswith(self._fragment) and buffer[size : size + 1].isalnum()


def together(one: hub.Usage, other: hub.Usage) -> hub.Usage:
    """The usage of two upstream calls that make one answer."""

    def both(a: int | None, b: int | None) -> int | None:
        return (a or 0) + (b or 0) if a is not None or b is not None else None

    return hub.Usage(
        input=both(one.input, other.input),
        output=both(one.output, other.output),
        cache_read=both(one.cache_read, other.cache_read),
        cache_write=both(one.cache_write, other.cache_write),
        reasoning=both(one.reasoning, other.reasoning),
        estimated=one.estimated or other.estimated,
    )


def _text(index: int, text: str) -> Iterator[hub.Event]:
    if text:
        yield hub.PartDelta(index, hub.TextDelta(text))


def _left_open(events: Sequence[hub.Event]) -> list[hub.Event]:
    """A parser whose answer has failed ends its parts first; they have not ended."""
    if not events or not isinstance(events[-1], hub.Failed):
        return list(events)
    last = len(events) - 1
    while last and isinstance(events[last - 1], hub.PartEnded | hub.UsageReported):
        last -= 1
    return [one for number, one in enumerate(events) if number < last or not isinstance(one, hub.PartEnded)]
