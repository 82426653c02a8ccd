"""Rules of the providers that their SDKs' types do not say: what the API answers with a 400."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.matrix.request_facts import JSON, objects

_WORD = re.compile(r"[a-zA-Z0-9_-]+")
_ANTHROPIC_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_OPENAI_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_GEMINI_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_REFUSED_WORDS = {
    "$ref", "$defs", "$schema", "additionalProperties", "const", "oneOf", "allOf", "not", "patternProperties",
    "exclusiveMinimum", "exclusiveMaximum", "definitions", "prefixItems", "if", "then", "else",
}  # fmt: skip
_MIN_BUDGET = 1024
_LONGEST_USER = 64


def broken_rules(name: str, body: dict[str, JSON]) -> list[str]:
    match name:
        case "anthropic-messages":
            return [*_anthropic(body)]
        case "openai-chat":
            return [*_chat(body)]
        case "openai-responses":
            return [*_responses(body)]
        case "gemini":
            return [*_gemini(body)]
        case _:
            return [*_gemini(body["request"])]


# ── anthropic-messages ──────────────────────────────────────────────────────────────────────────────────────────────


def _anthropic(body: dict[str, JSON]) -> Iterator[str]:
    if body["max_tokens"] < 1:
        yield "max_tokens below 1"
    names = [tool.get("name", "") for tool in objects(body.get("tools"))]
    yield from _bad_names(names, _ANTHROPIC_NAME)
    choice = body.get("tool_choice") or {}
    if choice and not names:
        yield "tool_choice without tools"
    if choice.get("type") == "tool" and choice["name"] not in names:
        yield "tool_choice names a tool that is not there"
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled":
        if not _MIN_BUDGET <= thinking["budget_tokens"] < body["max_tokens"]:
            yield "thinking budget out of bounds"
        if choice.get("type") in ("any", "tool"):
            yield "thinking with a forced tool"
    yield from _anthropic_turns(body["messages"], thinks=thinking.get("type") in ("enabled", "adaptive"))
    for block in objects(body.get("system")):
        if not block["text"].strip():
            yield "empty system block"


def _anthropic_turns(messages: Sequence[dict[str, Any]], *, thinks: bool) -> Iterator[str]:
    if not messages:
        yield "no messages"
    elif messages[-1]["role"] == "assistant" and thinks:
        yield "a prefill while thinking"
    seen: set[str] = set()
    asked: list[str] = []
    for message in messages:
        blocks = [*objects(message["content"])]
        if not blocks and not (isinstance(message["content"], str) and message["content"].strip()):
            yield "an empty message"
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(results) != sorted(asked):
            yield "tool results do not match the calls before them"
        if any(block["type"] != "tool_result" for block in blocks[: len(results)]):
            yield "something stands before the tool results"
        asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if any(not _WORD.fullmatch(identity) for identity in asked) or len({*asked} - seen) < len(asked):
            yield "a tool id that is refused"
        seen |= {*asked}
        yield from _anthropic_blocks(blocks, message["role"])
    if asked:
        yield "tool calls without results at the end"


def _anthropic_blocks(blocks: Sequence[dict[str, Any]], role: str) -> Iterator[str]:
    for block in blocks:
        if block["type"] == "text" and not block["text"].strip():
            yield "an empty text block"
        if role == "assistant" and block["type"] in ("image", "document"):
            yield "media in an assistant turn"
        if role != "assistant" and block["type"] == "text" and block.get("citations"):
            yield "citations in a user turn"


# ── openai-chat ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _chat(body: dict[str, JSON]) -> Iterator[str]:
    functions = [tool.get("function") or tool.get("custom") or {} for tool in objects(body.get("tools"))]
    yield from _bad_names([function.get("name", "") for function in functions], _OPENAI_NAME)
    for tool in objects(body.get("tools")):
        if tool["type"] == "function" and "parameters" not in tool["function"]:
            yield "a function without parameters"
        elif tool["type"] == "function" and tool["function"].get("strict"):
            yield from _loose(tool["function"]["parameters"])
    if not functions and (body.get("tool_choice") or "parallel_tool_calls" in body):
        yield "tool_choice without tools"
    if not body["messages"]:
        yield "no messages"
    yield from _chat_calls(body["messages"])
    for message in body["messages"]:
        if message["role"] not in ("assistant", "tool") and message["content"] in ("", [], None):
            yield "a message without content"
        silent = not message.get("tool_calls") and not message.get("refusal") and message.get("content") in (None, [])
        if message["role"] == "assistant" and silent:
            yield "an assistant message that says nothing"


def _chat_calls(messages: Sequence[dict[str, Any]]) -> Iterator[str]:
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                yield "a tool message that no call asked for"
            waiting = [identity for identity in waiting if identity != message["tool_call_id"]]
            continue
        if waiting:
            yield "a tool call without its answer directly after it"
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
        if len(set(waiting)) < len(waiting):
            yield "two calls with one id"
    if waiting:
        yield "a tool call without its answer directly after it"


# ── openai-responses ────────────────────────────────────────────────────────────────────────────────────────────────


def _responses(body: dict[str, JSON]) -> Iterator[str]:
    tools = [*objects(body.get("tools"))]
    yield from _bad_names([tool["name"] for tool in tools if tool["type"] in ("function", "custom")], _OPENAI_NAME)
    for tool in tools:
        if tool["type"] == "function" and ("strict" not in tool or "parameters" not in tool):
            yield "a function tool without strict and parameters"
        elif tool["type"] == "function" and tool["strict"]:
            yield from _loose(tool["parameters"])
    if not tools and body.get("tool_choice") not in (None, "auto", "none"):
        yield "tool_choice without tools"
    if not body.get("input"):
        yield "no input"
    if len(str(body.get("user", ""))) > _LONGEST_USER:
        yield "user is too long"
    yield from _responses_calls([*objects(body["input"])])
    for item in objects(body["input"]):
        if item.get("type", "message") == "message":
            yield from _responses_message(item)


def _responses_calls(items: Sequence[dict[str, Any]]) -> Iterator[str]:
    calls: list[str] = []
    for item in items:
        kind = item.get("type", "message")
        if kind in ("function_call", "custom_tool_call"):
            if item["call_id"] in calls:
                yield "two calls with one id"
            calls.append(item["call_id"])
        elif kind.endswith("_call_output"):
            if item["call_id"] not in calls:
                yield "an output that no call asked for"
            calls = [identity for identity in calls if identity != item["call_id"]]
    if calls:
        yield "a call without its output"


def _responses_message(item: dict[str, Any]) -> Iterator[str]:
    if not item["content"]:
        yield "an empty message"
    if item["role"] == "assistant":
        if not {"id", "status"} <= item.keys():
            yield "an assistant message without id and status"
        if any(part["type"] == "output_text" and "annotations" not in part for part in objects(item["content"])):
            yield "output_text without annotations"


def _loose(schema: JSON) -> Iterator[str]:
    """Strict mode wants every object closed and every property required."""
    if isinstance(schema, dict) and isinstance(properties := schema.get("properties"), dict):
        if schema.get("additionalProperties") is not False or set(schema.get("required") or ()) != set(properties):
            yield "a strict function whose schema is not closed"
            return
        for inner in properties.values():
            yield from _loose(inner)


# ── gemini ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _gemini(body: dict[str, JSON]) -> Iterator[str]:
    declared = [one for tool in objects(body.get("tools")) for one in objects(tool.get("functionDeclarations"))]
    yield from _bad_names([function["name"] for function in declared], _GEMINI_NAME)
    for function in declared:
        if refused := _keywords(function.get("parameters")) & _REFUSED_WORDS:
            yield f"a schema with {', '.join(sorted(refused))}"
    if body.get("systemInstruction") and not body["systemInstruction"]["parts"]:
        yield "an empty system instruction"
    if not body["contents"]:
        yield "no contents"
    elif body["contents"][0]["role"] != "user":
        yield "the first turn is not the user's"
    yield from _gemini_turns(body["contents"])


def _gemini_turns(contents: Sequence[dict[str, Any]]) -> Iterator[str]:
    asked: list[str] = []
    before = ""
    for content in contents:
        if content["role"] not in ("user", "model"):
            yield f"the role {content['role']}"
        if content["role"] == before:
            yield "two turns of one role in a row"
        before = content["role"]
        if not content["parts"]:
            yield "a turn without parts"
        answered = [part["functionResponse"]["name"] for part in content["parts"] if "functionResponse" in part]
        if answered != asked:
            yield "function responses do not match the calls before them"
        asked = [part["functionCall"]["name"] for part in content["parts"] if "functionCall" in part]
    if asked:
        yield "a function call without its response"


def _keywords(schema: JSON) -> set[str]:
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for inner in (schema.get("properties") or {}).values():
        found |= _keywords(inner)
    for inner in (schema.get("items"), *objects(schema.get("anyOf"))):
        found |= _keywords(inner)
    return found


def _bad_names(names: Sequence[str], pattern: re.Pattern[str]) -> Iterator[str]:
    if len(set(names)) < len(names):
        yield "two tools with one name"
    yield from (f"a tool name that is refused: {name[:80]!r}" for name in names if not pattern.fullmatch(name))
