"""A coding agent's model on loopback: asks for one tool call, then says what the tool put out.

A behaviour for :class:`tests.servers.provider.Provider`, in all five wire formats and on purpose without
``translators``: what a tool's request says is read here a second time, by hand.

The first path segment chooses how a call ends: ``/quota/…``, ``/broken/…`` (500) and ``/cut/…`` (the stream opens and
closes before its first event) are failures; any other is answered.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tests.servers import faults
from tests.servers.answers import Answer, Call, Document
from tests.servers.provider import BASE_PATHS, Provider, Received
from tests.servers.steps import Say, Step

FAULTS = ("quota", "broken", "cut")
CALL_ID = "call_0a1b2c3d4e5f"
NOTE = "note.txt"
READ_NOTE = f"cat {NOTE}"
"""What the agent asks the tool to run."""


def _arguments(tool: str, command: str) -> Document | None:
    """Of a tool that runs commands; None for any other tool."""
    match tool:
        case "Bash" | "bash":
            return {"command": command, "description": "Run a command"}
        case "run_shell_command":  # Gemini CLI and Qwen Code; the last is Qwen's alone
            return {"command": command, "description": "Run a command", "is_background": False}
        case "exec_command":
            return {"cmd": command}
        case "shell":
            return {"command": ["bash", "-lc", command]}
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the client offers, under the name that an answer has to use."""

    name: str
    kind: Literal["function", "custom"] = "function"
    namespace: str | None = None

    @property
    def own_name(self) -> str:
        """The last part of a name into which a gateway has put a namespace."""
        return self.name.rpartition("__")[2].rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool has put out; ``answers`` is the call id (Gemini formats: the tool's name)."""

    answers: str
    text: str


def agent(request: Received) -> Step:
    form = request.format
    assert form is not None
    match request.path.split("/")[1]:
        case "quota":
            return faults.quota(form)
        case "broken":
            return faults.server_error(form)
        case "cut":
            return Say(Answer(pieces=("lost",)), cut=0, cut_by="close")
        case _:
            return Say(reply(form, request.json))


def reply(form: str, body: Document) -> Answer:
    found = results(form, body)
    if found:
        return Answer(pieces=("The tool ", "said: ", found[-1].text))
    asked = call(form, body, READ_NOTE)
    if asked is not None:
        return Answer(pieces=("I look ", "at the note."), calls=(asked,), thinking="There is a note.")
    shape = schema(form, body)
    return Answer(pieces=(json.dumps(example(shape)) if shape else "Note",))


def call(form: str, body: Document, command: str, call_id: str = CALL_ID) -> Call | None:
    """How to have ``command`` run with the tools of a request; None when it offers no way."""
    return next(filter(None, (_call(tool, command, call_id) for tool in tools(form, body))), None)


def _call(tool: Tool, command: str, call_id: str) -> Call | None:
    if tool.own_name == "exec":  # Codex's code mode: its only tool takes JavaScript
        script = f"const r = await tools.exec_command({{cmd: {json.dumps(command)}}}); text(r.output);"
        text = script if tool.kind == "custom" else json.dumps({"input": script})
        return Call(call_id, tool.name, text, custom=tool.kind == "custom", namespace=tool.namespace)
    arguments = _arguments(tool.own_name, command)
    return None if arguments is None else Call(call_id, tool.name, json.dumps(arguments), namespace=tool.namespace)


def url(provider: Provider, form: str, fault: str = "") -> str:
    """The base URL of a provider of that format that answers, or fails in one of ``FAULTS``."""
    return f"{provider.url()}{'/' + fault if fault else ''}{BASE_PATHS[form]}"


# ── what a request says ─────────────────────────────────────────────────────────────────────────────────────────────


def tools(form: str, body: Document) -> Iterator[Tool]:
    match form:
        case "anthropic-messages":
            yield from (Tool(tool["name"]) for tool in body.get("tools", []) if "input_schema" in tool)
        case "openai-chat":
            for tool in body.get("tools", []):
                yield Tool(tool[tool["type"]]["name"], tool["type"])
        case "openai-responses":
            yield from _responses_tools(body.get("tools", []))
            for item in body["input"]:
                if item.get("type") == "additional_tools":
                    yield from _responses_tools(item["tools"])
        case _:
            for group in _gemini(form, body).get("tools", []):
                yield from (Tool(tool["name"]) for tool in group.get("functionDeclarations", []))


def _responses_tools(listed: list[Document], namespace: str | None = None) -> Iterator[Tool]:
    for tool in listed:
        match tool["type"]:
            case "namespace":
                yield from _responses_tools(tool["tools"], tool["name"])
            case "function" | "custom" as kind:
                yield Tool(tool["name"], kind, namespace)
            case _:
                pass


def results(form: str, body: Document) -> list[Result]:
    match form:
        case "anthropic-messages":
            blocks = [block for turn in body["messages"] for block in _blocks(turn["content"])]
            kept = (block for block in blocks if block["type"] == "tool_result")
            return [Result(block["tool_use_id"], _text(block["content"])) for block in kept]
        case "openai-chat":
            turns = (turn for turn in body["messages"] if turn["role"] == "tool")
            return [Result(turn["tool_call_id"], _text(turn["content"])) for turn in turns]
        case "openai-responses":
            kinds = ("function_call_output", "custom_tool_call_output")
            items = (item for item in body["input"] if item.get("type") in kinds)
            return [Result(item["call_id"], _text(item["output"])) for item in items]
        case _:
            parts = [part for turn in _gemini(form, body)["contents"] for part in turn["parts"]]
            answers = (part["functionResponse"] for part in parts if "functionResponse" in part)
            return [Result(answer["name"], "\n".join(map(str, answer["response"].values()))) for answer in answers]


def schema(form: str, body: Document) -> Document | None:
    """The JSON schema that the answer has to fit."""
    match form:
        case "anthropic-messages":
            return body.get("output_config", {}).get("format", {}).get("schema")
        case "openai-chat":
            return body.get("response_format", {}).get("json_schema", {}).get("schema")
        case "openai-responses":
            return body.get("text", {}).get("format", {}).get("schema")
        case _:
            settings = _gemini(form, body).get("generationConfig", {})
            return settings.get("responseJsonSchema") or settings.get("responseSchema")


def example(shape: Document) -> Any:
    """A value that fits ``shape``, as far as tools ask for shapes."""
    if "enum" in shape:
        return shape["enum"][0]
    match str(shape.get("type", "string")).lower():
        case "object":
            return {name: example(inner) for name, inner in shape.get("properties", {}).items()}
        case "array":
            return []
        case "integer" | "number":
            return 1
        case "boolean":
            return False
        case _:
            return "a note"


def _gemini(form: str, body: Document) -> Document:
    return body["request"] if form == "gemini-cli" else body


def _blocks(content: str | list[Document]) -> list[Document]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(content: str | list[Document]) -> str:
    return "\n".join(block.get("text", "") for block in _blocks(content))
