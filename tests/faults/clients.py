"""The official SDKs with one question, and what each makes of an answer or an error; in one vocabulary.

There is no SDK for ``gemini-cli``: its calls are made and read here by hand, as strictly as Google's SDK reads its own.
"""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from tests.e2e.calls import ask, client, events, said_error
from tests.e2e.sdks import through
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE

QUESTION = "What is in the first file?"


@dataclass(slots=True)
class Heard:
    """What the SDK's user has got; ``error`` is the exception in which it ended, if any."""

    text: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stop: str = ""
    error: Exception | None = None

    @property
    def status(self) -> int | None:
        """Of an error that came instead of an answer; None for one in the middle of a stream, or no error."""
        match self.error:
            case anthropic.APIStatusError() | openai.APIStatusError():
                return self.error.status_code
            case genai_errors.APIError():
                return self.error.code
            case Refused():
                return self.error.status
            case _:
                return None

    @property
    def headers(self) -> Mapping[str, str]:
        match self.error:
            case anthropic.APIStatusError() | openai.APIStatusError():
                return self.error.response.headers
            case genai_errors.APIError():
                return self.error.response.headers if self.error.response is not None else {}
            case Refused():
                return self.error.headers
            case _:
                return {}


class Refused(Exception):  # noqa: N818 -- an answer that says no
    """An error of the ``gemini-cli`` format; ``status`` is that of the response."""

    def __init__(self, message: str, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


type Ask = Callable[[str, bool], Heard]
"""A call for a model, streamed or whole."""

EXPECTED = (anthropic.APIError, openai.APIError, genai_errors.APIError, Refused)
"""What an SDK raises for an error it understands; whatever else is raised is a failure of ours."""


@contextmanager
def clients(proxy: Proxy) -> Generator[Mapping[str, Ask]]:
    """By wire format, each behind the proxy."""
    with ExitStack() as stack:
        through(proxy, stack.enter_context(pytest.MonkeyPatch.context()))
        http = stack.enter_context(client(proxy))
        one = stack.enter_context(anthropic.Anthropic(api_key="sk-ant-client", max_retries=0, timeout=PATIENCE))
        two = stack.enter_context(openai.OpenAI(api_key="sk-client", max_retries=0, timeout=PATIENCE))
        options = types.HttpOptions(timeout=int(PATIENCE * 1000))
        three = stack.enter_context(genai.Client(api_key="gemini-client", http_options=options))
        yield {
            "anthropic-messages": lambda model, stream: _anthropic(one, model, stream=stream),
            "openai-chat": lambda model, stream: _chat(two, model, stream=stream),
            "openai-responses": lambda model, stream: _responses(two, model, stream=stream),
            "gemini": lambda model, stream: _gemini(three, model, stream=stream),
            "gemini-cli": lambda model, stream: _gemini_cli(http, model, stream=stream),
        }


def _anthropic(sdk: anthropic.Anthropic, model: str, *, stream: bool) -> Heard:
    heard = Heard()
    asked: dict[str, Any] = {"model": model, "max_tokens": 900, "messages": [{"role": "user", "content": QUESTION}]}
    try:
        if stream:
            with sdk.messages.stream(**asked) as said:
                for piece in said.text_stream:
                    heard.text += piece
                message = said.get_final_message()
        else:
            message = sdk.messages.create(**asked)
    except EXPECTED as error:
        heard.error = error
        return heard
    heard.text = "".join(block.text for block in message.content if block.type == "text")
    heard.calls = [(block.name, dict(block.input)) for block in message.content if block.type == "tool_use"]
    heard.stop = str(message.stop_reason)
    return heard


def _chat(sdk: openai.OpenAI, model: str, *, stream: bool) -> Heard:
    heard = Heard()
    asked: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    try:
        if stream:
            with sdk.chat.completions.stream(**asked) as said:
                for event in said:
                    if event.type == "content.delta":
                        heard.text += event.delta
                completion: Any = said.get_final_completion()
        else:
            completion = sdk.chat.completions.create(**asked)
    except EXPECTED as error:
        heard.error = error
        return heard
    choice = completion.choices[0]
    heard.text = choice.message.content or ""
    heard.calls = [(one.function.name, json.loads(one.function.arguments)) for one in choice.message.tool_calls or ()]
    heard.stop = str(choice.finish_reason)
    return heard


def _responses(sdk: openai.OpenAI, model: str, *, stream: bool) -> Heard:
    heard = Heard()
    try:
        if stream:
            with sdk.responses.stream(model=model, input=QUESTION) as said:
                for event in said:
                    if event.type == "response.output_text.delta":
                        heard.text += event.delta
                    if event.type == "response.failed":
                        # The SDK leaves this event to its user, who finds the error in the response.
                        failure = event.response.error
                        assert failure is not None
                        raise openai.APIError(failure.message, httpx.Request("POST", "/v1/responses"), body=None)
                response: Any = said.get_final_response()
        else:
            response = sdk.responses.create(model=model, input=QUESTION)
    except EXPECTED as error:
        heard.error = error
        return heard
    heard.text = response.output_text
    heard.calls = [(one.name, json.loads(one.arguments)) for one in response.output if one.type == "function_call"]
    heard.stop = str(response.status)
    return heard


def _gemini(sdk: genai.Client, model: str, *, stream: bool) -> Heard:
    heard = Heard()
    try:
        if stream:
            for chunk in sdk.models.generate_content_stream(model=model, contents=QUESTION):
                _take(heard, chunk)
        else:
            _take(heard, sdk.models.generate_content(model=model, contents=QUESTION))
    except EXPECTED as error:
        heard.error = error
    return heard


def _take(heard: Heard, chunk: types.GenerateContentResponse) -> None:
    for candidate in chunk.candidates or ():
        heard.stop = candidate.finish_reason.name if candidate.finish_reason else heard.stop
        for part in (candidate.content and candidate.content.parts) or ():
            heard.text += part.text or ""
            if part.function_call:
                heard.calls.append((part.function_call.name or "", dict(part.function_call.args or {})))


def _gemini_cli(http: httpx.Client, model: str, *, stream: bool) -> Heard:
    heard = Heard()
    asked = ask("gemini-cli", model, stream=stream, question=QUESTION)
    response = http.post(asked.url, content=asked.content)
    if response.status_code != 200:
        message = said_error("gemini-cli", response.json())
        heard.error = Refused(message, response.status_code, response.headers)
        return heard
    for document in events(response.content) if stream else [response.json()]:
        if "error" in document:
            heard.error = Refused(said_error("gemini-cli", document), document["error"]["code"], {})
            return heard
        _take(heard, types.GenerateContentResponse.model_validate(document["response"]))
    return heard
