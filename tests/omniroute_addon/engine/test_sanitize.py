"""Whole answers lose what their format does not document, and nothing else."""

import json
from pathlib import Path
from typing import Any

import anthropic.types.beta
import openai.types.chat
import openai.types.responses
import pytest
from google.genai.types import GenerateContentResponse

from omniroute_addon.engine.sanitize import DOCUMENTED, clean
from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import CHAT_WHOLE, CLAUDE_WHOLE, WHOLE, Stage, called, scene
from tests.omniroute_addon.loopback import Provider

SANITIZE = "shaping: {sanitize: true}"
GROQ = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hi", "reasoning": "hm", "x_extra": 1},
            "finish_reason": "stop",
            "native_finish_reason": "STOP",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "queue_time": 0.1},
    "usage_breakdown": None,
    "x_groq": {"id": "req_1"},
}


def cleaned(document: dict[str, Any], form: str = "openai-chat") -> dict[str, Any]:
    return json.loads(clean(json.dumps(document).encode(), form))


def test_a_chat_answer_keeps_what_openai_documents_and_its_reasoning() -> None:
    assert cleaned(GROQ) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hi", "reasoning": "hm"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


@pytest.mark.parametrize("told", ["stop", None])
def test_an_answer_with_tool_calls_says_so(told: str | None) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
    choice = {"index": 0, "message": message, "finish_reason": told}
    assert cleaned({"choices": [choice]})["choices"][0]["finish_reason"] == "tool_calls"
    cut = {**choice, "finish_reason": "length"}
    assert cleaned({"choices": [cut]})["choices"][0]["finish_reason"] == "length"


def test_usage_in_anthropics_words_becomes_openais() -> None:
    usage = cleaned({"usage": {"input_tokens": 5, "output_tokens": 7}})["usage"]
    assert usage == {"prompt_tokens": 5, "completion_tokens": 7}


def test_an_anthropic_answer_keeps_its_usage_and_loses_foreign_fields() -> None:
    said = {"id": "m", "type": "message", "usage": {"input_tokens": 1, "cost": 2}, "base_resp": {"status_code": 0}}
    assert cleaned(said, "anthropic-messages") == {"id": "m", "type": "message", "usage": {"input_tokens": 1}}


@pytest.mark.parametrize("form", DOCUMENTED)
@pytest.mark.parametrize("body", [b"", b"nothing", b"[1]", b'{"id": '])
def test_what_cannot_be_read_stays(form: str, body: bytes) -> None:
    assert clean(body, form) == body


def test_a_format_without_a_list_stays() -> None:
    assert clean(b'{"x": 1}', "kiro") == b'{"x": 1}'


def test_every_byte_that_is_not_taken_out_stays() -> None:
    body = b'{ "candidates" : [ 1.0e5 ] , "x_more": {}, "responseId":"\\u00e9" }'
    assert clean(body, "gemini").replace(b" ", b"") == b'{"candidates":[1.0e5],"responseId":"\\u00e9"}'
    assert b"[ 1.0e5 ]" in clean(body, "gemini")


@pytest.mark.parametrize(
    "form, fields",
    [
        ("openai-chat", set(openai.types.chat.ChatCompletion.model_fields)),
        ("openai-responses", set(openai.types.responses.Response.model_fields)),
        ("anthropic-messages", set(anthropic.types.beta.BetaMessage.model_fields)),
        (
            "gemini",
            {field.alias or name for name, field in GenerateContentResponse.model_fields.items()}
            - {"sdkHttpResponse", "automaticFunctionCallingHistory", "parsed"},  # the SDK's own
        ),
    ],
)
def test_the_official_sdks_fields_all_stay(form: str, fields: set[str]) -> None:
    assert fields - DOCUMENTED[form] == set()


@pytest.mark.skipif(
    not (Path(__file__).resolve().parents[4] / "shared").exists(), reason="the shared recordings are not there"
)
@pytest.mark.parametrize("host, form, name", [("api.openai.com", "openai-chat", "open-openai-chat")])
def test_recorded_answers_of_the_makers_themselves_stay_as_they_are(host: str, form: str, name: str) -> None:
    file = Path(__file__).resolve().parents[4] / "shared" / "recordings" / f"{name}.jsonl"
    changed: set[str] = set()
    with file.open() as lines:
        for row in map(json.loads, lines):
            body = row["response"].encode() if isinstance(row["response"], str) else b""
            if host in row["uri"] and not row["stream"] and row["status"] == 200 and clean(body, form) != body:
                changed.add(row["id"])
    assert changed == set()


# ── in an exchange ──────────────────────────────────────────────────────────────────────────────────────────────────

CHAT_CALL = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


def _said(more: str, targets: str = "a/m", whole: bytes = CHAT_WHOLE, *, form: str = "openai-chat") -> bytes:
    got: list[bytes] = []
    marked = whole.rstrip().removesuffix(b"}") + b',"x_more":1}'

    async def main(on: Stage, _one: Provider, _two: Provider) -> None:
        path = "/v1/chat/completions" if form == "openai-chat" else "/v1/messages"
        sink = await on.ask(called(form, path, CHAT_CALL if form == "openai-chat" else WHOLE))
        got.append(sink.body)

    answer = loopback.answer(200, marked, "content-type: application/json")
    scene(main, [answer], [], targets, more=more)
    return got[0]


def test_a_passed_on_answer_is_cleaned_when_the_rules_say_so() -> None:
    assert b"x_more" in _said("")
    assert b"x_more" not in _said(SANITIZE)
    assert b"Hel" in _said(SANITIZE)


def test_the_answer_of_the_tools_own_provider_is_not_ours_to_change() -> None:
    assert b"x_more" in _said(SANITIZE, "origin", CLAUDE_WHOLE, form="anthropic-messages")
