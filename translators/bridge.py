"""Two formats joined for one attempt: the client's on one side, the upstream's on the other.

``bridge`` decides before anything is parsed. Same format on both sides and a profile that alters nothing is a
:class:`Passthrough`: the request keeps every byte but the model's, the answer keeps every byte, and a stream parser
only listens. Its events are handed on whole, so that an error can follow wherever the stream breaks off. Everything
else is a :class:`Translation`:

    request   client.parse_request → model → memory.recall → signatures → tools.lower → upstream.render_request
    answer    upstream parser → signatures → (think_tags) → tools.lift → memory.Keeper → client renderer

A passthrough, too, keeps signatures from those who did not make them: in the request by the format's ``disown``, in the
answer by remembering who made which (see ``signatures``).

Whether the upstream streams is decided by its first bytes, not by what was asked (see ``answer``). Whole
answers are unfolded for a client that streams, streams are folded for one that does not.

Whoever drives a bridge looks at ``failure``, ``meaningful`` and ``finished`` before it commits to the answer, and calls
``close`` and then, when ``failure`` is set, may always call ``fail(failure)``: it says nothing twice.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import assert_never

from translators import hub
from translators.answer import Answer, Kind
from translators.errors import FormatError, Unsupported
from translators.fold import Fold
from translators.format import Format, Profile, StreamRenderer, WireRequest, WireResponse
from translators.formats import FORMATS
from translators.framing.whole_events import WholeEvents, readable
from translators.memory import Keeper, Memory, disprove, maker_of, recall
from translators.ownership import admitted, signed_event
from translators.signatures import Reader, Trust, origin_of, unknown
from translators.think_tags import TagSplitter
from translators.tools import ToolAdapter

_EVENT_STREAM = "text/event-stream"
_JSON = "application/json"
_CONNECTION_HEADERS = frozenset(
    {"connection", "content-encoding", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


def bridge(
    client: str,
    upstream: str,
    *,
    profile: Profile | None = None,
    memory: Memory | None = None,
    wire: WireRequest | None = None,
    origin: str | None = None,
    home: str | None = None,
    trust: Trust = "told",
) -> "Bridge":
    """The bridge for one attempt. Raises Unsupported for the name of a format that does not exist.

    With ``wire``, the request to come, a profile that has nothing to change in it does not stand in a passthrough's way.
    ``origin`` names who answers: signatures go back only to the format *and* the origin that they came from; without
    it the format alone decides. ``home`` is the origin that the client itself talks to, whose signatures it holds.
    ``trust`` is for asking again after signatures were refused.
    """
    for name in (client, upstream):
        if name not in FORMATS:
            raise Unsupported(f"there is no format {name!r}; known are {', '.join(sorted(FORMATS))}")
    return join(
        FORMATS[client], FORMATS[upstream], profile or Profile(), memory, wire, origin=origin, home=home, trust=trust
    )


def join(
    client: Format,
    upstream: Format,
    profile: Profile,
    memory: Memory | None,
    wire: WireRequest | None = None,
    *,
    origin: str | None = None,
    home: str | None = None,
    trust: Trust = "told",
) -> "Bridge":
    """As :func:`bridge`, for formats that need not be registered."""
    known = unknown if memory is None else partial(maker_of, memory)
    reader = Reader(client.name, origin, home, known, profile.unsigned_thinking, trust)
    if client.name == upstream.name and not profile.alters(None if wire is None else wire.body):
        return Passthrough(client, memory, reader)
    return Translation(client, upstream, profile, memory, reader)


class Bridge(ABC):
    """What both kinds share: what has been learned from the answer so far."""

    def __init__(self) -> None:
        self.streaming = False
        """The client asked for a stream."""
        self.usage = hub.Usage()
        """As far as it is known; ``estimated`` until the answer has ended properly."""
        self._reported = hub.Usage()
        self.stop: hub.Stop | None = None
        self.losses: list[hub.Loss] = []
        self.failure: hub.Failure | None = None
        """An error event, a broken answer, or an answer without its end."""
        self.meaningful = False
        """Something that the model said has come: text, reasoning, a tool call, or the like."""
        self.finished = False
        """The upstream has ended the answer properly."""
        self.model: str | None = None
        """As answered."""
        self.echoes_model = False
        """Set it to tell the client the model that it asked for in place of the one that answered, in a translation.

        Claude Code takes the thinking of any other model out of the conversation, so that it could never be given back.
        """

    @property
    def untouched(self) -> bool:
        """The request goes out as the client has written it, but for the model."""
        return False

    @property
    def over(self) -> bool:
        """The answer has failed, and nothing more that comes of it is for the client."""
        return self.failure is not None

    @property
    @abstractmethod
    def content_type(self) -> str:
        """Of what ``feed`` and ``close`` return."""

    @abstractmethod
    def request(self, wire: WireRequest, model: str | None = None) -> WireRequest:
        """The request for the upstream; comes first, once. ``model`` None keeps the client's.

        Raises FormatError for a request that is not of the client's format and Unsupported for one that the upstream's
        format cannot express; a passthrough raises neither.
        """

    @abstractmethod
    def feed(self, chunk: bytes, content_type: str = "") -> bytes:
        """Bytes of the answer, content encoding undone, to what the client gets now. Never raises FormatError."""

    @abstractmethod
    def close(self) -> bytes:
        """The upstream's answer has ended, well or not. May be called again, and then returns nothing."""

    @abstractmethod
    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> WireResponse:
        """The upstream refused: its answer as the client understands it. Sets ``failure``."""

    @abstractmethod
    def fail(self, failure: hub.Failure) -> bytes:
        """Ends the client's answer with an error of its own format; nothing when it has ended already."""

    def _observe(self, event: hub.Event) -> None:
        match event:
            case hub.PartDelta(_, delta):
                self.meaningful = self.meaningful or _says_more(delta)
            case hub.PartStarted(_, part):
                self.meaningful = self.meaningful or _says(part)
            case hub.PartEnded():
                pass
            case hub.Started(model=model):
                self.model = model or self.model
            case hub.UsageReported(usage):
                self._reported = self._reported.merged(usage)
                self.usage = self._reported if self.finished else replace(self._reported, estimated=True)
            case hub.Finished(stop):
                self.stop = stop
                self.finished = True
                self.usage = self._reported
            case hub.Failed(failure):
                self.failure = failure
            case hub.Lost(loss):
                self.losses.append(loss)
            case _:
                assert_never(event)


class Passthrough(Bridge):
    """Same bytes in and out; nothing that the listener does, raising included, changes them.

    But an event of a stream is handed on when it is whole, and one whose data is no JSON, which no client can read, not
    at all: the stream is over there.
    """

    def __init__(self, wire_format: Format, memory: Memory | None = None, reader: Reader | None = None) -> None:
        super().__init__()
        self._format = wire_format
        self._reader = reader or Reader(wire_format.name)
        own = origin_of(wire_format.name, self._reader.maker)
        self._memory = memory
        self._keeper = Keeper(memory, own) if memory is not None else None
        self._wire = WireRequest()
        self._content_type = ""
        self._listener = Answer(wire_format, aside=True)
        self._deafened = False
        self._closed = False
        self._outline: list[hub.Event] = []
        self._events = WholeEvents()
        self._over = False
        self._tail = b""
        self._told = False

    @property
    def untouched(self) -> bool:
        return True

    @property
    def over(self) -> bool:
        return self._over

    @property
    def content_type(self) -> str:
        """The upstream's own."""
        return self._content_type

    def request(self, wire: WireRequest, model: str | None = None) -> WireRequest:
        self._wire = wire
        self.streaming = self._format.asks_stream(wire)
        owned = self._format.disown(wire, self._reader)
        if self._reader.refused:
            self.losses.append(hub.Loss("reasoning", _withheld(len(self._reader.refused))))
        if self._memory is not None and self._reader.disproves:
            disprove(self._memory, self._reader.refused, self._format.name)
        return owned if model is None else self._format.retarget(owned, model)

    def feed(self, chunk: bytes, content_type: str = "") -> bytes:
        if self._over:
            return b""
        self._content_type = self._content_type or content_type
        broken = self._listener.broken is not None
        if not self._deafened:
            try:
                events = self._listener.feed(chunk, content_type)
            except Exception:  # noqa: BLE001  a defect of the listener must not reach the client's bytes
                # What our own defect keeps us from reading is taken for good.
                self._deafened = self.meaningful = True
            else:
                self._hear(events)
        out = self._events.feed(chunk) if self.manner == "events" else chunk
        if self._listener.broken is not None and not broken:
            good = readable(out) if self.manner == "events" else len(out)
            self._over = good < len(out)
            out = out[:good]
        self._tail = out[-2:] if len(out) > 1 else (self._tail + out)[-2:]
        return out

    @property
    def manner(self) -> Kind:
        """How the answer comes."""
        return self._listener.kind

    @property
    def contrary(self) -> bool:
        """The answer is a stream where none was asked for, or the other way round: nothing that the client can read."""
        return self.manner == ("whole" if self.streaming else "events")

    def close(self) -> bytes:
        if self._closed:
            return b""
        self._closed = True
        if not self._deafened:
            try:
                events = self._listener.close()
            except Exception:  # noqa: BLE001  as in feed
                self.meaningful = True
            else:
                told = self._told
                self._hear(events)
                if self._listener.broken is None:
                    self._told = told or self._listener.kind == "whole"
        held = b"" if self._over else self._events.close()
        if not self.finished and not self._deafened:
            held = held[: readable(held)]
        self._tail = (self._tail + held)[-2:]
        return held

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> WireResponse:
        """The upstream's own answer, as far as it is one of the format."""
        failure = self._format.parse_error(status, headers, body)
        self.failure = failure or hub.Failure("server", f"the upstream answered {status}", status)
        if failure is None or failure.raw is None or not body.lstrip().startswith((b"{", b"[")):
            return self._format.render_error(self.failure)
        kept = {name: value for name, value in headers.items() if name.lower() not in _CONNECTION_HEADERS}
        return WireResponse(status, kept, body)

    def fail(self, failure: hub.Failure) -> bytes:
        """An error event after what has been passed on; nothing where the upstream's own end has gone by.

        Nothing can be said inside of a JSON array or a whole answer: break the connection there.
        """
        self.failure = self.failure or failure
        if self.finished or self._told:
            return b""
        self._told = True
        if not self._tail:
            return self._stream_error(failure) if self.streaming else self._format.render_error(failure).body
        if self._listener.kind != "events":
            return b""
        gap = b"" if self._tail in (b"\n\n", b"\r\r") else b"\n\n"
        return gap + self._stream_error(failure)

    def _stream_error(self, failure: hub.Failure) -> bytes:
        try:
            asked = self._format.parse_request(self._wire)
        except (FormatError, Unsupported):
            asked = hub.Request("", (), stream=True)
        renderer = self._format.stream_renderer(asked, [])
        for event in self._outline:
            renderer.render(event)
        renderer.render(hub.UsageReported(hub.Usage()))  # what a renderer would hold back has been passed on
        return renderer.render(hub.Failed(failure)) + renderer.close()

    def _hear(self, events: list[hub.Event]) -> None:
        for event in events:
            self._observe(event)
            if self._keeper is not None:
                self._keeper.note(signed_event(event, self._reader.maker))
            match event:
                case hub.Started() | hub.PartStarted() | hub.PartEnded():
                    self._outline.append(event)
                case hub.Failed():
                    self._told = True
                case _:
                    pass
        self.failure = self.failure or self._listener.broken


class Translation(Bridge):
    """Parses what comes and renders it anew, through the hub."""

    def __init__(
        self, client: Format, upstream: Format, profile: Profile, memory: Memory | None, reader: Reader | None = None
    ) -> None:
        super().__init__()
        self._reader = reader or Reader(client.name)
        self._origin = origin_of(upstream.name, self._reader.maker)
        at_home = client.name == upstream.name and self._reader.maker == self._reader.home
        self._signer = None if at_home else self._reader.maker
        """None where the client gets the signatures as its own provider gives them."""
        self._client = client
        self._upstream = upstream
        self._profile = profile
        self._memory = memory
        self._keeper: Keeper | None = None
        rules = upstream.tool_rules
        if profile.tool_id_pattern is not None:
            rules = replace(rules, id_pattern=profile.tool_id_pattern)
        self._tools = ToolAdapter(rules, profile.max_tools, client.tool_rules)
        self._tags = TagSplitter() if profile.think_tags else None
        self._answer = Answer(upstream)
        self._asked = hub.Request("", ())
        self._renderer: StreamRenderer | None = None
        self._fold = Fold()
        self._framing: str | None = None
        self._done = False

    @property
    def content_type(self) -> str:
        if not self.streaming:
            return _JSON
        if self._framing is None:
            # Only the client's renderer knows its framing, and the first byte of anything it says shows it.
            probe = self._client.stream_renderer(self._asked, []).render(hub.Failed(hub.Failure("server", "")))
            self._framing = _JSON if probe.startswith((b"[", b"{")) else _EVENT_STREAM
        return self._framing

    def request(self, wire: WireRequest, model: str | None = None) -> WireRequest:
        self._asked = asked = self._client.parse_request(wire)
        self.streaming = asked.stream
        if asked.state and self._client.name != self._upstream.name:
            raise Unsupported(
                f"{asked.state}: what it stands for is kept by the provider it came from and cannot be sent"
            )
        match self._profile.stream:
            case "always":
                stream = True
            case "never":
                stream = False
            case "as-asked":
                stream = asked.stream
            case _:
                assert_never(self._profile.stream)
        request = replace(asked, model=asked.model if model is None else model, stream=stream)
        if self._memory is not None:
            self._keeper = Keeper(self._memory, self._origin, asked)
            request = recall(request, self._memory, self._origin)
        request = self._amended(admitted(request, self._reader, self._upstream.name, self.losses))
        if self._memory is not None and self._reader.disproves:
            disprove(self._memory, self._reader.refused, self._client.name)
        request = self._tools.lower(request, self.losses)
        return self._upstream.render_request(request, self._profile, self.losses)

    def _amended(self, request: hub.Request) -> hub.Request:
        """The request with what its answer is to go on with (see ``resume``)."""
        return request

    def feed(self, chunk: bytes, content_type: str = "") -> bytes:
        if self._done:
            return b""
        out = self._render(self._answer.feed(chunk, content_type))
        return out if self._answer.broken is None else out + self.fail(self._answer.broken)

    def close(self) -> bytes:
        if self._done:
            return b""
        out = self._render(self._answer.close())
        cut = hub.Failure("cut", "the upstream's answer stopped before its end", 502)
        return out + self.fail(self._answer.broken or cut)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> WireResponse:
        failure = self._upstream.parse_error(status, headers, body)
        self.failure = failure or hub.Failure("server", f"the upstream answered {status}", status)
        return self._client.render_error(self.failure)

    def fail(self, failure: hub.Failure) -> bytes:
        if self._done:
            return b""
        return self._render([hub.Failed(failure)])

    def _render(self, events: list[hub.Event]) -> bytes:
        out: list[bytes] = []
        events = [signed_event(event, self._signer) for event in events]
        for read in events if self._tags is None else self._tags.split(events):
            for event in self._tools.lift(read):
                if self._done:
                    return b"".join(out)
                self._observe(event)
                if self._keeper is not None:
                    self._keeper.note(signed_event(event, self._reader.maker))
                if self.echoes_model and isinstance(event, hub.Started):
                    event = replace(event, model=self._asked.model)  # noqa: PLW2901  told, not observed
                if not isinstance(event, hub.Lost):
                    out.append(self._stream(event) if self.streaming else self._whole(event))
        return b"".join(out)

    def _stream(self, event: hub.Event) -> bytes:
        if self._renderer is None:
            self._renderer = self._client.stream_renderer(self._asked, self.losses)
        out = self._renderer.render(event)
        if isinstance(event, hub.Finished | hub.Failed):
            self._done = True
            out += self._renderer.close()
        return out

    def _whole(self, event: hub.Event) -> bytes:
        self._fold.add(event)
        match event:
            case hub.Failed(failure):
                self._done = True
                return self._client.render_error(failure).body
            case hub.Finished():
                self._done = True
                return self._client.render_response(self._fold.response(), self._asked, self.losses)
            case _:
                return b""


def _says(part: hub.AnswerPart) -> bool:
    match part:
        case hub.Text(text) | hub.Refusal(text):
            return bool(text)
        case hub.Thinking():
            return bool(part.text or part.redacted)
        case hub.ToolCall() | hub.Media() | hub.Opaque():
            return True
        case _:
            assert_never(part)


def _says_more(delta: hub.Delta) -> bool:
    match delta:
        case hub.TextDelta(text) | hub.ArgumentsDelta(text):
            return bool(text)
        case hub.SignatureDelta() | hub.CitationDelta():
            return True
        case hub.ExtraDelta():
            return False
        case _:
            assert_never(delta)


def _withheld(number: int) -> str:
    return f"{number} signed or sealed part{'s' * (number > 1)} of past answers that the upstream is not known to have made"
