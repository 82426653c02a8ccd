"""A wire format in one file, as a newcomer would write it: text alone, everything else is a loss.

request  {"model": "m", "stream": true, "said": [["user", "Hello"]]}
answer   {"id": "1", "model": "m", "text": "Hi", "stop": "end", "tokens": [5, 2]}
stream   server-sent events {"id", "model"} · {"more": "H"} … · {"stop": "end", "tokens": [5, 2]}
error    {"oops": "rate_limit", "why": "slow down"}
"""

from collections.abc import Mapping
from typing import cast, get_args

from translators import FormatError, Profile, WireRequest, WireResponse, hub, jsonvalue
from translators.format import ToolRules
from translators.framing.sse import SSEDecoder, encode
from translators.jsontext import MISSING, member, replace_member

type Object = dict[str, hub.JSON]
_JSON = {"content-type": "application/json"}


def _object(data: bytes | str, what: str) -> Object:
    value = jsonvalue.read(data, what)
    if not isinstance(value, dict):
        raise FormatError(f"{what} is no object")
    return value


def _words(value: hub.JSON, path: str) -> str:
    if not isinstance(value, str):
        raise FormatError(f"{path} is no text")
    return value


def _usage(answer: Object) -> hub.Usage:
    match answer.get("tokens"):
        case [int(tokens_in), int(tokens_out)]:
            return hub.Usage(tokens_in, tokens_out)
        case _:
            return hub.Usage()


def _stop(answer: Object) -> hub.Stop:
    word = answer.get("stop")
    known = isinstance(word, str) and word in get_args(hub.StopReason.__value__)
    return hub.Stop(cast("hub.StopReason", word) if known else "other")


class Toy:
    name = "toy"
    base_path = "/toy"
    tool_rules = ToolRules()

    def parse_request(self, wire: WireRequest) -> hub.Request:
        body = _object(wire.body, "the request")
        said = body.get("said")
        if not isinstance(said, list):
            raise FormatError("said is no list")
        messages: list[hub.Message] = []
        for number, line in enumerate(said):
            match line:
                case ["system" | "user" | "assistant" as role, str(text)]:
                    messages.append(hub.Message(role, (hub.Text(text),)))
                case _:
                    raise FormatError(f"said[{number}] is no pair of role and text")
        return hub.Request(_words(body.get("model"), "model"), tuple(messages), stream=body.get("stream") is True)

    def render_request(self, request: hub.Request, profile: Profile, losses: list[hub.Loss]) -> WireRequest:
        said: list[hub.JSON] = []
        for number, message in enumerate(request.messages):
            for part in message.parts:
                if isinstance(part, hub.Text):
                    said.append(["system" if message.role == "developer" else message.role, part.text])
                else:
                    losses.append(hub.Loss(f"messages[{number}]", f"{type(part).__name__}: a toy says text alone"))
        losses += [hub.Loss("tools", "a toy has no tools") for _ in request.tools[:1]]
        body: Object = {"model": request.model, "stream": request.stream, "said": said}
        return WireRequest("POST", "", "", _JSON, jsonvalue.write(body))

    def parse_response(self, body: bytes) -> hub.Response:
        answer = _object(body, "the answer")
        parts = (hub.Text(_words(answer.get("text"), "text")),)
        names = [_words(answer.get(name), name) for name in ("id", "model")]
        return hub.Response(names[0], names[1], parts, _stop(answer), _usage(answer))

    def render_response(self, response: hub.Response, request: hub.Request, losses: list[hub.Loss]) -> bytes:
        texts = [part.text for part in response.parts if isinstance(part, hub.Text)]
        if len(texts) < len(response.parts):
            losses.append(hub.Loss("parts", "a toy hears text alone"))
        tokens: list[hub.JSON] = [response.usage.input, response.usage.output]
        head: Object = {"id": response.id, "model": response.model, "text": "".join(texts)}
        return jsonvalue.write({**head, "stop": response.stop.reason, "tokens": tokens})

    def stream_parser(self) -> "Parser":
        return Parser()

    def stream_renderer(self, request: hub.Request, losses: list[hub.Loss]) -> "Renderer":
        return Renderer(losses)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
        try:
            error = _object(body, "the error")
        except FormatError:
            error = {}
        kind, why = error.get("oops"), error.get("why")
        if isinstance(kind, str) and kind in get_args(hub.FailureKind.__value__):
            known = cast("hub.FailureKind", kind)
            return hub.Failure(known, str(why), status if status >= 400 else 502, raw=error)
        return hub.Failure("server", f"status {status}", status) if status >= 400 else None

    def render_error(self, failure: hub.Failure) -> WireResponse:
        body: Object = {"oops": failure.kind, "why": failure.message}
        return WireResponse(failure.status, _JSON, jsonvalue.write(body))

    def retarget(self, wire: WireRequest, model: str) -> WireRequest:
        body = replace_member(wire.body, "model", model)
        return wire if body is None else WireRequest(wire.method, wire.path, wire.query, wire.headers, body)

    def asks_stream(self, wire: WireRequest) -> bool:
        return member(wire.body, "stream") is True

    def model_of(self, wire: WireRequest) -> str | None:
        model = member(wire.body, "model")
        return None if model is MISSING or not isinstance(model, str) else model

    def disown(self, wire: WireRequest, *_: object) -> WireRequest:
        return wire


class Parser:
    def __init__(self) -> None:
        self._framing = SSEDecoder()
        self._open = self._ended = False

    def feed(self, data: bytes) -> list[hub.Event]:
        return [event for frame in self._framing.feed(data) for event in self._read(_object(frame.data, "an event"))]

    def close(self) -> list[hub.Event]:
        if self._ended:
            return []
        self._ended = True
        return [*self._end(), hub.Failed(hub.Failure("cut", "the toy fell silent", 502))]

    def _read(self, event: Object) -> list[hub.Event]:
        match event:
            case {"oops": str(why)}:
                self._ended = True
                return [*self._end(), hub.Failed(hub.Failure("server", why, 502))]
            case {"more": str(text)}:
                start: list[hub.Event] = [] if self._open else [hub.PartStarted(0, hub.Text(""))]
                self._open = True
                return [*start, hub.PartDelta(0, hub.TextDelta(text))]
            case {"stop": str()}:
                self._ended = True
                return [*self._end(), hub.UsageReported(_usage(event)), hub.Finished(_stop(event))]
            case {"id": str(identity), "model": str(model)}:
                return [hub.Started(identity, model)]
            case _:
                return []

    def _end(self) -> list[hub.Event]:
        was, self._open = self._open, False
        return [hub.PartEnded(0)] if was else []


class Renderer:
    def __init__(self, losses: list[hub.Loss]) -> None:
        self._losses = losses
        self._usage = hub.Usage()
        self._texts: set[int] = set()
        self._ended = False

    def render(self, event: hub.Event) -> bytes:
        match event:
            case hub.Started(identity, model):
                return self._say({"id": identity, "model": model})
            case hub.PartStarted(index, hub.Text(text)):
                self._texts.add(index)
                return self._say({"more": text}) if text else b""
            case hub.PartStarted(_, part):
                self._losses.append(hub.Loss("parts", f"{type(part).__name__}: a toy hears text alone"))
            case hub.PartDelta(index, hub.TextDelta(text)) if index in self._texts:
                return self._say({"more": text})
            case hub.UsageReported(usage):
                self._usage = self._usage.merged(usage)
            case hub.Finished(stop):
                self._ended = True
                return self._say({"stop": stop.reason, "tokens": [self._usage.input, self._usage.output]})
            case hub.Failed(failure):
                self._ended = True
                return self._say({"oops": failure.message})
            case _:
                pass
        return b""

    def close(self) -> bytes:
        return b"" if self._ended else self.render(hub.Failed(hub.Failure("cut", "the answer has no end")))

    def _say(self, event: Object) -> bytes:
        return encode(jsonvalue.write(event))
