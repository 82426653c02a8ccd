"""Two formats joined for one attempt: the client's on one side, the upstream's on the other.

``bridge`` decides before anything is parsed. Same format on both sides and a profile that alters nothing is a
:class:`Passthrough`: the request keeps every byte but the model's, the answer keeps every byte, and a stream parser
only listens. Everything else is a :class:`Translation`:

    request   client.parse_request → model → memory.recall → tools.lower → upstream.render_request
    answer    upstream parser → tools.lift → memory.Keeper → client renderer

Whether the upstream streams is decided by its first bytes, not by what was asked: ``{`` opens a whole answer, ``[`` a
JSON array stream, ``data:`` or the like server-sent events; the content type counts where these say nothing. Whole
answers are unfolded for a client that streams, streams are folded for one that does not.

Whoever drives a bridge looks at ``failure``, ``meaningful`` and ``finished`` before it commits to the answer, and calls
``close`` and then, when ``failure`` is set, may always call ``fail(failure)``: it says nothing twice.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, assert_never

from translators import hub
from translators.errors import FormatError, Unsupported
from translators.fold import Fold, unfold
from translators.format import Format, Profile, StreamParser, StreamRenderer, WireRequest, WireResponse
from translators.formats import FORMATS
from translators.memory import Keeper, Memory, recall
from translators.tools import ToolAdapter

MAX_WHOLE = 64 * 1024 * 1024
"""Bytes of a whole answer."""

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
) -> "Bridge":
    """The bridge for one attempt. Raises Unsupported for the name of a format that does not exist.

    With ``wire``, the request to come, a profile that has nothing to change in it does not stand in a passthrough's way.
    """
    for name in (client, upstream):
        if name not in FORMATS:
            raise Unsupported(f"there is no format {name!r}; known are {', '.join(sorted(FORMATS))}")
    return join(FORMATS[client], FORMATS[upstream], profile or Profile(), memory, wire)


def join(
    client: Format, upstream: Format, profile: Profile, memory: Memory | None, wire: WireRequest | None = None
) -> "Bridge":
    """As :func:`bridge`, for formats that need not be registered."""
    if client.name == upstream.name and not profile.alters(None if wire is None else wire.body):
        return Passthrough(client)
    return Translation(client, upstream, profile, memory)


type _Kind = Literal["unknown", "events", "array", "whole"]
"""How an answer comes: server-sent events, a growing JSON array, or one body."""


class Bridge(ABC):
    """What both kinds share: what has been learned from the answer so far."""

    def __init__(self) -> None:
        self.streaming = False
        """The client asked for a stream."""
        self.usage = hub.Usage()
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
                self.usage = self.usage.merged(usage)
            case hub.Finished(stop):
                self.stop = stop
                self.finished = True
            case hub.Failed(failure):
                self.failure = failure
            case hub.Lost(loss):
                self.losses.append(loss)
            case _:
                assert_never(event)


class Answer:
    """The bytes of one upstream answer → events, whether it is a stream or whole."""

    def __init__(self, wire_format: Format) -> None:
        self._format = wire_format
        self._parser: StreamParser | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False
        self.kind: _Kind = "unknown"

    def feed(self, chunk: bytes, content_type: str) -> list[hub.Event]:
        """Raises FormatError."""
        if self._parser is not None:
            return self._until_end(self._parser.feed(chunk))
        self._pieces.append(chunk)
        self._size += len(chunk)
        if self._size > MAX_WHOLE:
            raise FormatError(f"the answer is larger than {MAX_WHOLE} bytes", status_hint=502)
        if self.kind == "unknown":
            self.kind = _kind(chunk, content_type)
        if self.kind in ("unknown", "whole"):
            return []
        self._parser = self._format.stream_parser()
        data = b"".join(self._pieces)
        self._pieces.clear()
        return self._until_end(self._parser.feed(data))

    def close(self) -> list[hub.Event]:
        """Raises FormatError. Ends with ``Finished`` or ``Failed``, unless ``feed`` has returned it."""
        if self._ended:
            return []
        if self._parser is not None:
            return self._until_end(self._parser.close())
        body = b"".join(self._pieces)
        self._pieces.clear()
        if not body.strip():
            return [hub.Failed(hub.Failure("cut", "the upstream sent an empty answer", 502))]
        failure = self._format.parse_error(200, {}, body)
        return [hub.Failed(failure)] if failure else unfold(self._format.parse_response(body))

    def _until_end(self, events: list[hub.Event]) -> list[hub.Event]:
        """Nothing that comes after the end counts."""
        if self._ended:
            return []
        for number, event in enumerate(events):
            if isinstance(event, hub.Finished | hub.Failed):
                self._ended = True
                return events[: number + 1]
        return events


class Passthrough(Bridge):
    """Same bytes in and out; nothing that the listener does, raising included, changes them."""

    def __init__(self, wire_format: Format) -> None:
        super().__init__()
        self._format = wire_format
        self._wire = WireRequest()
        self._content_type = ""
        self._listener = Answer(wire_format)
        self._deafened = False
        self._closed = False
        self._outline: list[hub.Event] = []
        self._tail = b""
        self._told = False

    @property
    def content_type(self) -> str:
        """The upstream's own."""
        return self._content_type

    def request(self, wire: WireRequest, model: str | None = None) -> WireRequest:
        self._wire = wire
        self.streaming = self._format.asks_stream(wire)
        owned = self._format.disown(wire)
        return owned if model is None else self._format.retarget(owned, model)

    def feed(self, chunk: bytes, content_type: str = "") -> bytes:
        self.listen(chunk, content_type)
        return chunk

    def listen(self, chunk: bytes, content_type: str = "") -> None:
        """Learn from bytes that reach the client on another way (content-encoded)."""
        self._content_type = self._content_type or content_type
        self._tail = chunk[-2:] if len(chunk) > 1 else (self._tail + chunk)[-2:]
        if self._deafened:
            return
        try:
            events = self._listener.feed(chunk, content_type)
        except FormatError as error:
            self._deaf(error)
        except Exception:  # noqa: BLE001  a defect of the listener must not reach the client's bytes
            self._deaf(None)
        else:
            self._hear(events)

    def close(self) -> bytes:
        if self._closed or self._deafened:
            return b""
        self._closed = True
        listener = self._listener
        try:
            events = listener.close()
        except FormatError as error:
            self.failure = self.failure or _broken(error, _ending(listener))
        except Exception:  # noqa: BLE001  as in listen
            self.meaningful = True
        else:
            told = self._told
            self._hear(events)
            self._told = told or listener.kind == "whole"
        return b""

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

        Nothing can be said inside of content-encoded bytes, a JSON array or a whole answer: break the connection there.
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
        return renderer.render(hub.Failed(failure)) + renderer.close()

    def _hear(self, events: list[hub.Event]) -> None:
        for event in events:
            self._observe(event)
            match event:
                case hub.Started() | hub.PartStarted() | hub.PartEnded():
                    self._outline.append(event)
                case hub.Failed():
                    self._told = True
                case _:
                    pass

    def _deaf(self, error: FormatError | None) -> None:
        """Stop listening; what cannot be read is either broken or, by our own defect, taken for good."""
        self._deafened = True
        if error is not None:
            self.failure = self.failure or _broken(error, "server")
        else:
            self.meaningful = True


class Translation(Bridge):
    """Parses what comes and renders it anew, through the hub."""

    def __init__(self, client: Format, upstream: Format, profile: Profile, memory: Memory | None) -> None:
        super().__init__()
        self._client = client
        self._upstream = upstream
        self._profile = profile
        self._memory = memory
        self._keeper = Keeper(memory) if memory is not None else None
        self._tools = ToolAdapter(upstream.tool_rules, profile.max_tools, client.tool_rules)
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
            request = recall(request, self._memory, self._upstream.name)
        request = self._tools.lower(request, self.losses)
        return self._upstream.render_request(request, self._profile, self.losses)

    def feed(self, chunk: bytes, content_type: str = "") -> bytes:
        if self._done:
            return b""
        try:
            events = self._answer.feed(chunk, content_type)
        except FormatError as error:
            return self._end(_broken(error, "server"))
        return self._render(events)

    def close(self) -> bytes:
        if self._done:
            return b""
        try:
            events = self._answer.close()
        except FormatError as error:
            return self._end(_broken(error, _ending(self._answer)))
        out = self._render(events)
        if not self._done:
            out += self._end(hub.Failure("cut", "the upstream's answer stopped before its end", 502))
        return out

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> WireResponse:
        failure = self._upstream.parse_error(status, headers, body)
        self.failure = failure or hub.Failure("server", f"the upstream answered {status}", status)
        return self._client.render_error(self.failure)

    def fail(self, failure: hub.Failure) -> bytes:
        if self._done:
            return b""
        return self._end(failure)

    def _end(self, failure: hub.Failure) -> bytes:
        return self._render([hub.Failed(failure)])

    def _render(self, events: list[hub.Event]) -> bytes:
        out: list[bytes] = []
        for read in events:
            for event in self._tools.lift(read):
                self._observe(event)
                if self._keeper is not None:
                    self._keeper.note(event)
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


def _kind(chunk: bytes, content_type: str) -> _Kind:
    start = chunk.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if not start:
        return "unknown"
    if start in (b"{", b"<"):
        return "whole"
    if start == b"[":
        return "array"
    kind = content_type.partition(";")[0].strip()
    return "whole" if kind.endswith(("json", "html")) and start not in b"deir:" else "events"


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


def _ending(answer: Answer) -> hub.FailureKind:
    """What it means that the end of an answer cannot be read: a stream was cut, a whole answer is no answer."""
    return "server" if answer.kind == "whole" else "cut"


def _broken(error: FormatError, kind: hub.FailureKind) -> hub.Failure:
    return hub.Failure(kind, f"the upstream's answer cannot be read: {error}", 502)
