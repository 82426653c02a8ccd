"""The official SDKs, each with the same agent conversation; what they make of the answer, in one vocabulary.

They find the proxy as any tool does: ``HTTPS_PROXY`` and ``SSL_CERT_FILE``, and the vendor's own host name.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from tests.servers.proxy import Proxy

SYSTEM = "You are a careful agent."
QUESTION = "What is in the two files?"
RESULTS = ("first file", "second file")
ARGUMENTS = ({"path": "a.txt"}, {"path": "b.txt"})
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


@dataclass(slots=True)
class Heard:
    """An answer as the SDK's user gets it."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stop: str = ""
    input_tokens: int | None = 0
    output_tokens: int | None = 0


class SDK(Protocol):
    def whole(self, model: str) -> Heard: ...

    def stream(self, model: str) -> Heard: ...


def through(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what ``omniroute env`` sets."""
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.ca))
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


class _Closing:
    """Closes the SDK's connections; left to the garbage collector they would fail some later test."""

    _client: anthropic.Anthropic | openai.OpenAI | genai.Client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


class Anthropic(_Closing):
    def __init__(self) -> None:
        self._client = anthropic.Anthropic(api_key="sk-ant-client", max_retries=0)
        calls = [
            {"type": "tool_use", "id": f"toolu_{n}", "name": "read_file", "input": arguments}
            for n, arguments in enumerate(ARGUMENTS)
        ]
        results = [
            {"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": text} for n, text in enumerate(RESULTS)
        ]
        self._request: dict[str, Any] = {
            "max_tokens": 4096,
            "system": SYSTEM,
            "thinking": {"type": "enabled", "budget_tokens": 2048},
            "tools": [{"name": "read_file", "description": "Reads a file.", "input_schema": SCHEMA}],
            "messages": [
                {"role": "user", "content": QUESTION},
                {"role": "assistant", "content": calls},
                {"role": "user", "content": results},
            ],
        }

    def whole(self, model: str) -> Heard:
        return self._heard(self._client.messages.create(model=model, **self._request))

    def stream(self, model: str) -> Heard:
        with self._client.messages.stream(model=model, **self._request) as stream:
            return self._heard(stream.get_final_message())

    def _heard(self, message: anthropic.types.Message) -> Heard:
        heard = Heard(stop={"tool_use": "tools", "end_turn": "end"}[str(message.stop_reason)])
        heard.input_tokens, heard.output_tokens = message.usage.input_tokens, message.usage.output_tokens
        for block in message.content:
            match block.type:
                case "text":
                    heard.text += block.text
                case "thinking":
                    heard.thinking += block.thinking
                case "tool_use":
                    heard.calls.append((block.name, dict(block.input)))
                case other:
                    raise AssertionError(other)
        return heard


class Chat(_Closing):
    def __init__(self) -> None:
        self._client = openai.OpenAI(api_key="sk-client", max_retries=0)
        calls = [
            {
                "id": f"call_{n}",
                "type": "function",
                "function": {"name": "read_file", "arguments": json.dumps(arguments)},
            }
            for n, arguments in enumerate(ARGUMENTS)
        ]
        self._request: dict[str, Any] = {
            "reasoning_effort": "medium",
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "read_file", "description": "Reads a file.", "parameters": SCHEMA},
                }
            ],
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": QUESTION},
                {"role": "assistant", "content": None, "tool_calls": calls},
                *({"role": "tool", "tool_call_id": f"call_{n}", "content": text} for n, text in enumerate(RESULTS)),
            ],
        }

    def whole(self, model: str) -> Heard:
        return self._heard(self._client.chat.completions.create(model=model, **self._request))

    def stream(self, model: str) -> Heard:
        options = {"include_usage": True}
        with self._client.chat.completions.stream(model=model, stream_options=options, **self._request) as stream:
            thinking = ""
            for event in stream:
                if event.type == "chunk" and event.chunk.choices:
                    thinking += (event.chunk.choices[0].delta.model_extra or {}).get("reasoning_content") or ""
            heard = self._heard(stream.get_final_completion())
            heard.thinking = thinking
            return heard

    def _heard(self, completion: Any) -> Heard:
        choice = completion.choices[0]
        return Heard(
            text=choice.message.content or "",
            thinking=(choice.message.model_extra or {}).get("reasoning_content") or "",
            calls=[
                (call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()
            ],
            stop={"tool_calls": "tools", "stop": "end"}[choice.finish_reason],
            input_tokens=completion.usage.prompt_tokens,
            output_tokens=completion.usage.completion_tokens,
        )


class Responses(_Closing):
    def __init__(self) -> None:
        self._client = openai.OpenAI(api_key="sk-client", max_retries=0)
        calls = [
            {"type": "function_call", "call_id": f"call_{n}", "name": "read_file", "arguments": json.dumps(arguments)}
            for n, arguments in enumerate(ARGUMENTS)
        ]
        results = [
            {"type": "function_call_output", "call_id": f"call_{n}", "output": text} for n, text in enumerate(RESULTS)
        ]
        self._request: dict[str, Any] = {
            "instructions": SYSTEM,
            "reasoning": {"effort": "medium", "summary": "auto"},
            "tools": [
                {
                    "type": "function",
                    "name": "read_file",
                    "description": "Reads a file.",
                    "parameters": SCHEMA,
                    "strict": False,
                }
            ],
            "input": [{"role": "user", "content": QUESTION}, *calls, *results],
        }

    def whole(self, model: str) -> Heard:
        return self._heard(self._client.responses.create(model=model, **self._request))

    def stream(self, model: str) -> Heard:
        with self._client.responses.stream(model=model, **self._request) as stream:
            return self._heard(stream.get_final_response())

    def _heard(self, response: Any) -> Heard:
        assert response.status == "completed"
        heard = Heard(text=response.output_text)
        heard.input_tokens, heard.output_tokens = response.usage.input_tokens, response.usage.output_tokens
        for item in response.output:
            match item.type:
                case "reasoning":
                    heard.thinking += "".join(part.text for part in item.summary)
                case "function_call":
                    heard.calls.append((item.name, json.loads(item.arguments)))
                case "message":
                    pass
                case other:
                    raise AssertionError(other)
        heard.stop = "tools" if heard.calls else "end"
        return heard


class Gemini(_Closing):
    def __init__(self) -> None:
        self._client = genai.Client(api_key="gemini-client")
        call = types.Part.from_function_call
        result = types.Part.from_function_response
        self._contents = [
            types.Content(role="user", parts=[types.Part.from_text(text=QUESTION)]),
            types.Content(role="model", parts=[call(name="read_file", args=arguments) for arguments in ARGUMENTS]),
            types.Content(role="user", parts=[result(name="read_file", response={"output": text}) for text in RESULTS]),
        ]
        declaration = types.FunctionDeclaration(
            name="read_file", description="Reads a file.", parameters_json_schema=SCHEMA
        )
        self._config = types.GenerateContentConfig(
            system_instruction=SYSTEM,
            thinking_config=types.ThinkingConfig(include_thoughts=True),
            tools=[types.Tool(function_declarations=[declaration])],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )

    def whole(self, model: str) -> Heard:
        answer = self._client.models.generate_content(model=model, contents=self._contents, config=self._config)
        return self._heard([answer])

    def stream(self, model: str) -> Heard:
        return self._heard(
            list(self._client.models.generate_content_stream(model=model, contents=self._contents, config=self._config))
        )

    def _heard(self, answers: list[types.GenerateContentResponse]) -> Heard:
        heard = Heard()
        for answer in answers:
            if answer.usage_metadata:
                heard.input_tokens = answer.usage_metadata.prompt_token_count
                heard.output_tokens = answer.usage_metadata.candidates_token_count
            for candidate in answer.candidates or ():
                heard.stop = candidate.finish_reason.name if candidate.finish_reason else heard.stop
                for part in (candidate.content.parts if candidate.content else None) or ():
                    if part.function_call:
                        heard.calls.append((str(part.function_call.name), dict(part.function_call.args or {})))
                    elif part.thought:
                        heard.thinking += part.text or ""
                    else:
                        heard.text += part.text or ""
        assert heard.stop == "STOP"
        heard.stop = "tools" if heard.calls else "end"
        return heard


SDKS: dict[str, type[Anthropic] | type[Chat] | type[Responses] | type[Gemini]] = {
    "anthropic-messages": Anthropic,
    "openai-chat": Chat,
    "openai-responses": Responses,
    "gemini": Gemini,
}
