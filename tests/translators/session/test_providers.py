"""The validators of the sessions refuse what the providers refuse: each rule has a body that breaks it alone."""

import copy
from typing import Any

import orjson
import pytest

from tests.translators.session.providers import Provider
from translators import Profile, WireRequest

type Body = dict[str, Any]

PROOF = "c2lnbmF0dXJl"
SCHEMA = {"type": "object", "properties": {}}


def claude() -> Body:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": PROOF}
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    return {
        "model": "m", "max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 2000},
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [thinking, call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]},
        ],
    }  # fmt: skip


def chat() -> Body:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return {
        "model": "m",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ],
    }


def responses() -> Body:
    return {
        "model": "m",
        "store": False,
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}],
        "input": [
            {"type": "message", "role": "user", "content": "q"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": PROOF},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "x"},
        ],
    }


def gemini() -> Body:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": PROOF}
    return {
        "tools": [{"functionDeclarations": [{"name": "f", "description": "Does."}]}],
        "contents": [
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}]},
        ],
    }


BODIES = {"anthropic-messages": claude, "openai-chat": chat, "openai-responses": responses, "gemini": gemini}
ITEMS = orjson.loads(orjson.dumps(responses()["input"][1:3]))


def provider(form: str) -> Provider:
    made = Provider("maker", form, Profile(reasoning_field="none"), issued={PROOF})
    made.issue({"output": ITEMS})
    return made


def refusals(form: str, body: Body, *, returned: bool = False) -> list[str]:
    return provider(form).refusals(WireRequest(body=orjson.dumps(body)), returned=returned)


@pytest.mark.parametrize("form", BODIES)
def test_a_right_body_is_taken(form: str) -> None:
    assert refusals(form, BODIES[form](), returned=form == "openai-responses") == []


@pytest.mark.parametrize(
    "form, path, value, said",
    [
        ("anthropic-messages", "oops", 1, "Extra inputs"),
        ("anthropic-messages", "messages.2.content.0.tool_use_id", "toolu_2", "tool results do not match"),
        ("anthropic-messages", "messages.1.content.1.id", "toolu.1", "a tool id that is refused"),
        ("anthropic-messages", "messages.1.content.0", {"type": "text", "text": "Hm."}, "expected thinking"),
        ("anthropic-messages", "messages.1.content.0.signature", "", "thinking without a signature"),
        ("anthropic-messages", "messages.1.content.0.signature", "Zm9yZWlnbg==", "is not mine"),
        ("anthropic-messages", "messages.0.role", "assistant", "two turns of the assistant in a row"),
        ("openai-chat", "oops", 1, "Extra inputs"),
        ("openai-chat", "messages.1.reasoning_content", "Hm.", "Extra inputs"),
        ("openai-chat", "messages.2.tool_call_id", "call_2", "a tool message that no call asked for"),
        ("openai-chat", "messages.2", {"role": "user", "content": "x"}, "without its answer directly after"),
        ("openai-responses", "oops", 1, "Extra inputs"),
        ("openai-responses", "input.1.encrypted_content", "Zm9yZWlnbg==", "is not mine"),
        ("openai-responses", "input.1.encrypted_content", None, "item rs_1 is not kept"),
        ("openai-responses", "input.2.id", "76f8b89e", "an id that does not begin with fc"),
        ("openai-responses", "input.1", {"role": "user", "content": "q"}, "item fc_1 came without its reasoning"),
        ("openai-responses", "input.2", {"role": "user", "content": "q"}, "reasoning without the item"),
        ("openai-responses", "input.3.call_id", "call_2", "an output that no call asked for"),
        ("gemini", "oops", 1, "Extra inputs"),
        ("gemini", "contents.1.parts.0.thoughtSignature", "Zm9yZWlnbg==", "is not mine"),
        ("gemini", "contents.1.parts.0.thoughtSignature", None, "f is missing its thought signature"),
        ("gemini", "contents.2.parts.0.functionResponse.name", "g", "function responses do not match"),
        ("gemini", "contents.2.parts", [{"text": "x"}], "function responses do not match"),
        ("gemini", "contents.1.role", "user", "two turns of one role in a row"),
    ],
)
def test_a_wrong_body_is_refused(form: str, path: str, value: object, said: str) -> None:
    body = BODIES[form]()
    put(body, path, value)
    assert any(said in refusal for refusal in refusals(form, body)), refusals(form, body)


def test_a_call_without_the_reasoning_that_its_maker_wants_is_refused() -> None:
    maker = Provider("deepseek", "openai-chat", Profile(reasoning_lost="."), told=["I look."])
    found = maker.refusals(WireRequest(body=orjson.dumps(chat())), returned=False)
    assert found == ["my reasoning 'I look.' did not come back", "reasoning_content is missing"]


def test_what_was_issued_has_to_come_back() -> None:
    maker = Provider("maker", "anthropic-messages")
    maker.issue({"content": [{"type": "thinking", "thinking": "Hm.", "signature": "b3RoZXI="}]})
    found = maker.refusals(WireRequest(body=orjson.dumps(claude())), returned=True)
    assert f"my signature {'b3RoZXI='!r} did not come back" in found


def put(body: Body, path: str, value: object) -> None:
    *steps, last = path.split(".")
    place: Any = body
    for step in steps:
        place = place[int(step) if isinstance(place, list) else step]
    if isinstance(place, list):
        place[int(last)] = copy.deepcopy(value)
    elif value is None:
        del place[last]
    else:
        place[last] = value
