"""What each provider's API answers with a 400 about the course of a conversation and about past reasoning in it.

Beside ``tests.matrix.request_rules``, which are about one document alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

type Body = dict[str, Any]

_ITEM_IDS = {"message": "msg", "function_call": "fc", "reasoning": "rs", "custom_tool_call": "ctc"}


def broken_course(form: str, body: Body) -> list[str]:
    """``body``: without the envelope of Code Assist."""
    return [*_COURSES[form](body)]


def _anthropic(body: Body) -> Iterator[str]:
    turns = [message for message in body["messages"] if message["role"] != "system"]
    for before, after in zip([{"role": "assistant"}, *turns], turns, strict=False):
        if before["role"] == after["role"]:
            yield f"two turns of the {after['role']} in a row"
    said = [message["content"] for message in turns if message["role"] == "assistant"]
    for content in said:
        for block in content if isinstance(content, list) else ():
            if block["type"] == "thinking" and not block.get("signature"):
                yield "thinking without a signature"
    last = turns[-1]["content"]
    in_loop = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
    thinks = (body.get("thinking") or {}).get("type") == "enabled"
    if thinks and in_loop and said[-1][0]["type"] not in ("thinking", "redacted_thinking"):
        yield f"expected thinking, but found {said[-1][0]['type']}"


def _chat(body: Body) -> Iterator[str]:
    del body
    return iter(())


def _responses(body: Body) -> Iterator[str]:
    items = body["input"]
    for item, follower in zip(items, [*items[1:], {"type": "end"}], strict=True):
        kind = item.get("type", "message")
        said = follower.get("type", "message")
        given = said == "end" or said.endswith("_output") or follower.get("role", "assistant") != "assistant"
        if kind == "reasoning" and given:
            yield "reasoning without the item that has to follow it"
        if kind == "reasoning" and not item.get("encrypted_content") and item.get("id") and not item.get("content"):
            yield f"item {item['id']} is not kept"
        prefix = _ITEM_IDS.get(kind)
        if prefix and item.get("id") and not re.match(rf"{prefix}_", item["id"]):
            yield f"an id that does not begin with {prefix}: {item['id']}"


def _gemini(body: Body) -> Iterator[str]:
    """Of Gemini 3: in the current turn, the first call of each step is signed."""
    contents: Sequence[Body] = body["contents"]
    asked = [index for index, content in enumerate(contents) if content["role"] == "user" and not _answers(content)]
    for content in contents[asked[-1] :]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and not calls[0].get("thoughtSignature"):
            yield f"{calls[0]['functionCall']['name']} is missing its thought signature"


def _answers(content: Body) -> bool:
    return any("functionResponse" in part for part in content["parts"])


_COURSES: Mapping[str, Callable[[Body], Iterator[str]]] = {
    "anthropic-messages": _anthropic,
    "openai-chat": _chat,
    "openai-responses": _responses,
    "gemini": _gemini,
    "gemini-cli": _gemini,
    "antigravity": _gemini,
}
