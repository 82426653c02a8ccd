"""The official SDKs reading translated answers: bytes in, through a transport of ours, and what the SDK's user gets out.

Each whole answer and each event is also validated against the SDK's own types, unless told otherwise: the SDKs build
their objects without looking, so that a missing field would only hurt the user later.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Protocol, get_args, get_origin

import anthropic
import httpx2
import openai
from anthropic.types import Message, RawMessageStreamEvent
from google import genai
from google.genai import types
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from tests.matrix import wire
from tests.matrix.said import Said

MODEL = "model-0"
QUESTION = "What is in the two files?"


class MismatchError(Exception):
    """The bytes contradict themselves, or break the SDK's types."""


class Client(Protocol):
    """One SDK; raises its own errors, :class:`MismatchError`, or pydantic's ``ValidationError``."""

    def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Said: ...

    def stream(self, body: bytes) -> Said: ...

    def close(self) -> None: ...


class _Wire:
    """What the server answers next."""

    def __init__(self) -> None:
        self.answer = (200, {}, b"")

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        status, headers, body = self.answer
        return httpx2.Response(status, headers=headers, content=body, request=request)

    def whole(self, body: bytes, status: int, headers: Mapping[str, str] | None) -> None:
        self.answer = (status, {"content-type": "application/json", **(headers or {})}, body)

    def stream(self, body: bytes) -> None:
        self.answer = (200, {"content-type": "text/event-stream"}, body)

    def http(self) -> httpx2.Client:
        return httpx2.Client(transport=httpx2.MockTransport(self))


def _by_type(union: object) -> dict[str, type[BaseModel]]:
    """The members of an SDK's union of events by the value of their ``type``."""
    if get_origin(union) is Annotated:
        union = get_args(union)[0]
    return {get_args(member.model_fields["type"].annotation)[0]: member for member in get_args(union)}


_ANTHROPIC_EVENTS = _by_type(RawMessageStreamEvent)
_RESPONSE_EVENTS = _by_type(ResponseStreamEvent)


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(data) for data in wire.sse(body.decode()) if data != "[DONE]")


class Anthropic:
    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict
        self._wire = _Wire()
        self._sdk = anthropic.Anthropic(api_key="k", max_retries=0, http_client=self._wire.http())
        self._asked: dict[str, Any] = {
            "model": MODEL,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": QUESTION}],
        }

    def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Said:
        self._wire.whole(body, status, headers)
        message = self._sdk.messages.create(**self._asked)
        if self._strict:
            Message.model_validate_json(body)
        return wire.read_anthropic(message.to_dict(warnings=False))

    def stream(self, body: bytes) -> Said:
        self._wire.stream(body)
        with self._sdk.messages.stream(**self._asked) as stream:
            message = stream.get_final_message()
        for event in _events(body) if self._strict else ():
            _ANTHROPIC_EVENTS[event["type"]].model_validate(event)
        return wire.read_anthropic(message.to_dict(warnings=False))

    def close(self) -> None:
        self._sdk.close()


class Chat:
    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict
        self._wire = _Wire()
        self._sdk = openai.OpenAI(api_key="k", max_retries=0, http_client=self._wire.http())
        self._asked: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}

    def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Said:
        self._wire.whole(body, status, headers)
        completion = self._sdk.chat.completions.create(**self._asked)
        if self._strict:
            ChatCompletion.model_validate_json(body)
        return wire.read_chat(completion.to_dict(warnings=False))

    def stream(self, body: bytes) -> Said:
        self._wire.stream(body)
        with self._sdk.chat.completions.stream(**self._asked, stream_options={"include_usage": True}) as stream:
            stream.until_done()
            completion = stream.current_completion_snapshot  # the final one is refused when it is cut by a limit
        for chunk in _events(body) if self._strict else ():
            ChatCompletionChunk.model_validate(chunk)
        return wire.read_chat(completion.to_dict(warnings=False))

    def close(self) -> None:
        self._sdk.close()


class Responses:
    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict
        self._wire = _Wire()
        self._sdk = openai.OpenAI(api_key="k", max_retries=0, http_client=self._wire.http())
        self._asked: dict[str, Any] = {"model": MODEL, "input": QUESTION}

    def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Said:
        self._wire.whole(body, status, headers)
        response = self._sdk.responses.create(**self._asked)
        if self._strict:
            Response.model_validate_json(body)
        return self._read(response)

    def stream(self, body: bytes) -> Said:
        self._wire.stream(body)
        with self._sdk.responses.stream(**self._asked) as stream:
            told = {"text": "", "thinking": "", "refusal": ""}
            finished: list[Response] = []
            for event in stream:
                match event.type:
                    case "response.output_text.delta":
                        told["text"] += event.delta
                    case "response.refusal.delta":
                        told["refusal"] += event.delta
                    case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                        told["thinking"] += event.delta
                    case "response.completed" | "response.incomplete":
                        finished.append(event.response)
                    case _:
                        pass
        for event in _events(body) if self._strict else ():
            _RESPONSE_EVENTS[event["type"]].model_validate(event)
        if len(finished) != 1:
            raise MismatchError(f"the stream has {len(finished)} ends")
        said = self._read(finished[0])
        for name, text in told.items():
            if text.replace("\n\n", "") != getattr(said, name).replace("\n\n", ""):
                raise MismatchError(f"the deltas of {name} do not add up to the whole")
        return said

    @staticmethod
    def _read(response: Response) -> Said:
        said = wire.read_responses(response.to_dict(warnings=False))
        if response.output_text != said.text:
            raise MismatchError("output_text is not the text")
        return said

    def close(self) -> None:
        self._sdk.close()


class Gemini:
    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict
        self._wire = _Wire()
        self._sdk = genai.Client(api_key="k", http_options=types.HttpOptions(httpx_client=self._wire.http()))

    def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Said:
        self._wire.whole(body, status, headers)
        return wire.read_gemini(_dumped(self._sdk.models.generate_content(model=MODEL, contents=QUESTION)))

    def stream(self, body: bytes) -> Said:
        self._wire.stream(body)
        answers = self._sdk.models.generate_content_stream(model=MODEL, contents=QUESTION)
        return wire.read_gemini(wire.fold_gemini([_dumped(answer) for answer in answers]))

    def close(self) -> None:
        self._sdk.close()


class GeminiCLI(Gemini):
    """Gemini CLI and Antigravity get Gemini's documents in an envelope, which they take off themselves."""

    def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Said:
        document = json.loads(body)
        inner = document["response"] if status == 200 else document
        return super().whole(json.dumps(inner).encode(), status, headers)

    def stream(self, body: bytes) -> Said:
        inner = [event["response"] for event in _events(body)]
        return super().stream("".join(f"data: {json.dumps(document)}\r\n\r\n" for document in inner).encode())


def _dumped(answer: types.GenerateContentResponse) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True, warnings=False)


CLIENTS: Mapping[str, Callable[..., Client]] = {
    "anthropic-messages": Anthropic,
    "openai-chat": Chat,
    "openai-responses": Responses,
    "gemini": Gemini,
    "gemini-cli": GeminiCLI,
    "antigravity": GeminiCLI,
}


def clients(*, strict: bool = True) -> dict[str, Client]:
    return {name: made(strict=strict) for name, made in CLIENTS.items()}
