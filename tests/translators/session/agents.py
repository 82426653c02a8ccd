"""Agents of each format: each keeps its history as the tools of that format do, and as it got it.

An agent starts from a request that its tool was seen to send (``template``), or from a plain one, and offers ``tools``.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tests.matrix.request_facts import Declared
from translators import WireRequest

type Body = dict[str, Any]

READ = Declared(
    "read_file",
    "Reads a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)


@dataclass(frozen=True, slots=True)
class Picture:
    media_type: str
    data: str

    @property
    def uri(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


PIXEL = Picture(
    "image/png",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
)


class Agent(ABC):
    path: str
    turns: str
    """Where the history stands in the body."""
    home: str | None = None

    def __init__(self, tools: Sequence[Declared] = (READ,), template: Body | None = None) -> None:
        self.rules = "You are an agent."
        self._tools = tools
        self._template = copy.deepcopy(template or {})
        self.history: list[Body] = self._template.pop(self.turns, [])

    def wire(self, *, stream: bool) -> WireRequest:
        body = copy.deepcopy(self._template) or self.plain()
        self.offer(body, self._tools)
        return self.sent({**body, self.turns: self.history}, stream=stream)

    def sent(self, body: Body, *, stream: bool) -> WireRequest:
        return post(self.path, {**body, "stream": stream})

    @abstractmethod
    def plain(self) -> Body:
        """A request without tools and history."""

    @abstractmethod
    def offer(self, body: Body, tools: Sequence[Declared]) -> None: ...

    @abstractmethod
    def say(self, text: str, picture: Picture | None = None) -> None: ...

    @abstractmethod
    def hear(self, answer: Body) -> list[Body]:
        """Keeps the answer; the calls to run."""

    @abstractmethod
    def ran(self, calls: Sequence[Body], results: Sequence[str], *, failed: bool = False) -> None: ...


def post(path: str, body: Body, query: str = "") -> WireRequest:
    return WireRequest("POST", path, query, {"content-type": "application/json"}, orjson.dumps(body))


def new(tools: Sequence[Declared], names: set[str]) -> list[Declared]:
    return [tool for tool in tools if tool.name not in names]


class Claude(Agent):
    path = "/v1/messages"
    turns = "messages"
    home = "anthropic"

    def plain(self) -> Body:
        thinking = {"type": "enabled", "budget_tokens": 2000}
        return {"model": "m", "max_tokens": 4096, "system": self.rules, "thinking": thinking}

    def offer(self, body: Body, tools: Sequence[Declared]) -> None:
        given = body.setdefault("tools", [])
        given += [
            {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
            for tool in new(tools, {tool["name"] for tool in given})
        ]

    def say(self, text: str, picture: Picture | None = None) -> None:
        content: list[Body] = [{"type": "text", "text": text}]
        if picture:
            source = {"type": "base64", "media_type": picture.media_type, "data": picture.data}
            content.insert(0, {"type": "image", "source": source})
        self.history.append({"role": "user", "content": content})

    def hear(self, answer: Body) -> list[Body]:
        self.history.append({"role": "assistant", "content": answer["content"]})
        return [block for block in answer["content"] if block["type"] == "tool_use"]

    def ran(self, calls: Sequence[Body], results: Sequence[str], *, failed: bool = False) -> None:
        content = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": result, "is_error": failed}
            for call, result in zip(calls, results, strict=True)
        ]
        self.history.append({"role": "user", "content": content})


class Chat(Agent):
    """As most chat tools do, it does not keep reasoning."""

    path = "/v1/chat/completions"
    turns = "messages"

    def plain(self) -> Body:
        return {"model": "m"}

    def sent(self, body: Body, *, stream: bool) -> WireRequest:
        if not self._template:
            body = {**body, "messages": [{"role": "system", "content": self.rules}, *self.history]}
        return post(self.path, {**body, "stream": stream})

    def offer(self, body: Body, tools: Sequence[Declared]) -> None:
        given = body.setdefault("tools", [])
        given += [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
            }
            for tool in new(tools, {tool["function"]["name"] for tool in given})
        ]

    def say(self, text: str, picture: Picture | None = None) -> None:
        shown = [{"type": "image_url", "image_url": {"url": picture.uri}}] if picture else []
        self.history.append({"role": "user", "content": [*shown, {"type": "text", "text": text}]})

    def hear(self, answer: Body) -> list[Body]:
        message = answer["choices"][0]["message"]
        calls = [
            {"id": call["id"], "type": "function", "function": call["function"]}
            for call in message.get("tool_calls") or ()
        ]
        kept = {"tool_calls": calls} if calls else {}
        self.history.append({"role": "assistant", "content": message.get("content"), **kept})
        return calls

    def ran(self, calls: Sequence[Body], results: Sequence[str], *, failed: bool = False) -> None:
        self.history += [
            {"role": "tool", "tool_call_id": call["id"], "content": f"error: {result}" if failed else result}
            for call, result in zip(calls, results, strict=True)
        ]


class Responses(Agent):
    path = "/v1/responses"
    turns = "input"
    home = "openai"

    def plain(self) -> Body:
        return {
            "model": "m", "instructions": self.rules, "store": False, "include": ["reasoning.encrypted_content"],
            "reasoning": {"effort": "medium", "summary": "auto"},
        }  # fmt: skip

    def offer(self, body: Body, tools: Sequence[Declared]) -> None:
        given = body.setdefault("tools", [])
        given += [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema,
                "strict": False,
            }
            for tool in new(tools, {tool.get("name", "") for tool in given})
        ]

    def say(self, text: str, picture: Picture | None = None) -> None:
        shown = [{"type": "input_image", "detail": "auto", "image_url": picture.uri}] if picture else []
        content = [*shown, {"type": "input_text", "text": text}]
        self.history.append({"type": "message", "role": "user", "content": content})

    def hear(self, answer: Body) -> list[Body]:
        self.history += answer["output"]
        return [item for item in answer["output"] if item["type"] == "function_call"]

    def ran(self, calls: Sequence[Body], results: Sequence[str], *, failed: bool = False) -> None:
        self.history += [
            {
                "type": "function_call_output",
                "call_id": call["call_id"],
                "output": f"error: {result}" if failed else result,
            }
            for call, result in zip(calls, results, strict=True)
        ]


class Gemini(Agent):
    path = "/v1beta/models/gemini-3-pro"
    turns = "contents"
    home = "google"

    def plain(self) -> Body:
        return {"systemInstruction": {"parts": [{"text": self.rules}]}}

    def sent(self, body: Body, *, stream: bool) -> WireRequest:
        operation, query = ("streamGenerateContent", "alt=sse") if stream else ("generateContent", "")
        return post(f"{self.path}:{operation}", body, query)

    def offer(self, body: Body, tools: Sequence[Declared]) -> None:
        given = body.setdefault("tools", [])
        names = {function["name"] for tool in given for function in tool.get("functionDeclarations", ())}
        declared = [
            {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.schema}
            for tool in new(tools, names)
        ]
        if declared:
            given.append({"functionDeclarations": declared})

    def say(self, text: str, picture: Picture | None = None) -> None:
        shown = [{"inlineData": {"mimeType": picture.media_type, "data": picture.data}}] if picture else []
        self.history.append({"role": "user", "parts": [*shown, {"text": text}]})

    def hear(self, answer: Body) -> list[Body]:
        content = answer["candidates"][0]["content"]
        self.history.append(content)
        return [part["functionCall"] for part in content["parts"] if "functionCall" in part]

    def ran(self, calls: Sequence[Body], results: Sequence[str], *, failed: bool = False) -> None:
        word = "error" if failed else "output"
        parts: list[Body] = [
            {
                "functionResponse": {
                    **({"id": call["id"]} if "id" in call else {}),
                    "name": call["name"],
                    "response": {word: result},
                }
            }
            for call, result in zip(calls, results, strict=True)
        ]
        self.history.append({"role": "user", "parts": parts})


class GeminiCLI(Gemini):
    path = "/v1internal"

    def sent(self, body: Body, *, stream: bool) -> WireRequest:
        return super().sent({"model": "gemini-3-pro", "project": "p", "request": body}, stream=stream)


AGENTS: dict[str, type[Agent]] = {
    "anthropic-messages": Claude,
    "openai-chat": Chat,
    "openai-responses": Responses,
    "gemini": Gemini,
    "gemini-cli": GeminiCLI,
    "antigravity": GeminiCLI,
}
