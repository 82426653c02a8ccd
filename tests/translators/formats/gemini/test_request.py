"""Gemini requests are understood in every spelling that Google takes."""

from typing import Any

import orjson
import pytest

from translators import hub
from translators.errors import FormatError
from translators.format import Profile, WireRequest
from translators.formats.gemini import Gemini
from translators.signatures import wrap


def parse(body: dict[str, Any], path: str = "/v1beta/models/m:generateContent", query: str = "") -> hub.Request:
    return Gemini().parse_request(WireRequest(path=path, query=query, body=orjson.dumps(body)))


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}]}


def test_both_spellings_mean_the_same() -> None:
    snake = {
        "contents": [
            {"role": "model", "parts": [{"function_call": {"id": "1", "name": "f", "args": {"some_key": 1}}}]},
            {"role": "user", "parts": [{"function_response": {"id": "1", "name": "f", "response": {"output": "x"}}}]},
            {"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]},
        ],
        "system_instruction": {"parts": [{"text": "s"}]},
        "generation_config": {"max_output_tokens": 5, "thinking_config": {"include_thoughts": True}},
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {"type": "object"}}]}],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
    }
    camel = {
        "contents": [
            {"role": "model", "parts": [{"functionCall": {"id": "1", "name": "f", "args": {"some_key": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "1", "name": "f", "response": {"output": "x"}}}]},
            {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
        ],
        "systemInstruction": {"parts": [{"text": "s"}]},
        "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"includeThoughts": True}},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    }

    assert parse(snake) == parse(camel)


def test_arguments_keep_their_own_spelling() -> None:
    request = parse({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a_b": 1}}}]}]})

    (part,) = request.messages[0].parts
    assert isinstance(part, hub.ToolCall)
    assert part.arguments == '{"a_b":1}'


def test_calls_without_ids_are_matched_by_name_and_order() -> None:
    request = parse(
        {
            "contents": [
                {"role": "model", "parts": [{"functionCall": {"name": name}} for name in ("a", "b", "a")]},
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": name, "response": {"output": text}}}
                        for name, text in (("b", "1"), ("a", "2"), ("a", "3"))
                    ],
                },
            ]
        }
    )

    calls = [part.id for part in request.messages[0].parts if isinstance(part, hub.ToolCall)]
    results = [part.call_id for part in request.messages[1].parts if isinstance(part, hub.ToolResult)]
    assert len(set(calls)) == 3
    assert results == [calls[1], calls[0], calls[2]]


def test_invented_ids_stay_the_same_in_later_turns() -> None:
    first = [{"role": "model", "parts": [{"functionCall": {"name": "a"}}]}]
    later = [*first, {"role": "user", "parts": [{"functionResponse": {"name": "a", "response": {}}}]}]

    assert parse({"contents": first}).messages[0] == parse({"contents": later}).messages[0]


def test_gemini_clis_prefix_of_an_id_is_taken_off() -> None:
    request = parse(
        {
            "contents": [
                {"role": "model", "parts": [{"functionCall": {"id": "ls__toolu_1", "name": "ls"}}]},
                {"role": "user", "parts": [{"functionResponse": {"id": "ls__toolu_1", "name": "ls", "response": {}}}]},
            ]
        }
    )

    assert request.messages[0].parts == (hub.ToolCall("toolu_1", "ls", "{}"),)
    assert request.messages[1].parts == (hub.ToolResult("toolu_1", name="ls", extra={"gemini": {"=response": {}}}),)


@pytest.mark.parametrize(
    "response, text, error",
    [
        ({"output": "fine"}, "fine", False),
        ({"error": "broken"}, "broken", True),
        ({"result": 3}, '{"result":3}', False),
        ({"output": "a", "note": "b"}, '{"output":"a","note":"b"}', False),
        ({"error": {"code": 1}}, '{"error":{"code":1}}', True),
    ],
)
def test_tool_results_are_read(response: dict[str, Any], text: str, error: bool) -> None:
    (part,) = parse(user({"functionResponse": {"id": "1", "name": "f", "response": response}})).messages[0].parts

    assert isinstance(part, hub.ToolResult)
    assert (part.parts, part.error) == ((hub.Text(text),), error)


def test_a_thought_keeps_its_signature() -> None:
    (part,) = parse(user({"text": "hm", "thought": True, "thoughtSignature": "c2ln"})).messages[0].parts

    assert part == hub.Thinking("hm", hub.Signature("c2ln", "gemini"))


def test_a_wrapped_signature_returns_to_its_maker() -> None:
    foreign = hub.Signature("sig", "anthropic-messages")

    (part,) = (
        parse(user({"text": "hm", "thought": True, "thoughtSignature": wrap(foreign, "gemini")})).messages[0].parts
    )

    assert part == hub.Thinking("hm", foreign)


def test_false_thoughts_are_text() -> None:
    assert parse(user({"text": "Let me ", "thought": False})).messages[0].parts == (hub.Text("Let me "),)


def test_server_tools_keep_their_own_words() -> None:
    request = parse({"contents": [], "tools": [{"googleSearch": {}}, {"codeExecution": {}}]})

    assert [tool.kind for tool in request.tools if isinstance(tool, hub.ServerTool)] == ["web_search", "code_execution"]


@pytest.mark.parametrize(
    "config, choice",
    [
        ({"mode": "AUTO"}, hub.ToolChoice("auto")),
        ({"mode": "NONE"}, hub.ToolChoice("none")),
        ({"mode": "ANY"}, hub.ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, hub.ToolChoice("tool", "f")),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, hub.ToolChoice("required", allowed=("f", "g"))),
        ({"mode": "VALIDATED"}, hub.ToolChoice("auto")),
    ],
)
def test_tool_choice_is_read(config: dict[str, Any], choice: hub.ToolChoice) -> None:
    assert parse({"contents": [], "toolConfig": {"functionCallingConfig": config}}).tool_choice == choice


def test_unknown_fields_travel_as_extras() -> None:
    request = parse(
        {"contents": [], "safetySettings": [1], "generationConfig": {"speechConfig": {"a": 1}, "topK": 4.0}}
    )

    assert request.extra == {"gemini": {"safetySettings": [1], "generationConfig": {"speechConfig": {"a": 1}}}}
    assert request.top_k == 4


@pytest.mark.parametrize(
    "path, model",
    [
        ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro"),
        ("/v1beta/tunedModels/mine:generateContent", "tunedModels/mine"),
        ("/v1beta/models/publishers/google/models/x:generateContent", "publishers/google/models/x"),
        ("/v1/projects/p/locations/l/publishers/google/models/x:streamGenerateContent", "x"),
        ("/v1beta/models/glm%2Fglm-4.7:generateContent", "glm/glm-4.7"),
        ("/v1beta/models/a/b:free:generateContent", "a/b:free"),
    ],
)
def test_the_model_is_found_in_the_path(path: str, model: str) -> None:
    assert parse({"contents": []}, path).model == model


def test_a_credential_in_the_query_is_never_kept() -> None:
    request = parse({"contents": []}, "/v1beta/models/m:streamGenerateContent", "key=SECRET&alt=sse&prettyPrint=false")

    assert request.extra == {"gemini": {"query": "prettyPrint=false"}}


def test_count_tokens_is_read_as_the_request_inside() -> None:
    inner = {"model": "models/m", **user({"text": "hi"})}

    assert parse({"generateContentRequest": inner}, "/v1beta/models/m:countTokens") == parse(user({"text": "hi"}))


@pytest.mark.parametrize(
    "body, place",
    [
        ({"contents": 5}, "contents must be a list"),
        ({"contents": [{"role": "user", "parts": [7]}]}, r"contents\[0\].parts\[0\] must be an object"),
        ({"contents": [{"role": "robot"}]}, r"contents\[0\].role"),
        ({"contents": [], "generationConfig": {"topP": "x"}}, "generationConfig.topP must be a number"),
        ({"contents": [], "tools": ["x"]}, r"tools\[0\] must be an object"),
    ],
)
def test_errors_name_the_place(body: dict[str, Any], place: str) -> None:
    with pytest.raises(FormatError, match=place):
        parse(body)


def test_a_body_that_is_no_json_is_a_format_error() -> None:
    with pytest.raises(FormatError, match="not JSON"):
        Gemini().parse_request(WireRequest(path="/v1beta/models/m:generateContent", body=b"{"))


def test_streamed_arguments_stay_asked_for() -> None:
    asked = {"functionCallingConfig": {"mode": "ANY", "streamFunctionCallArguments": True}}
    body = {
        "contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "tool_config": asked,
    }

    again = orjson.loads(Gemini().render_request(parse(body), Profile(), []).body)

    assert again["toolConfig"] == asked


@pytest.mark.parametrize("word, tier", [("standard", "default"), ("flex", "flex"), ("unspecified", None)])
def test_a_service_tier_is_read_in_everyones_words(word: str, tier: str | None) -> None:
    assert parse({"contents": [], "service_tier": word}).service_tier == tier


@pytest.mark.parametrize(
    "part",
    [
        {"text": "x", "partMetadata": {"a": 1}},
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thought": True, "thoughtSignature": "c2ln"},
        {"fileData": {"fileUri": "files/a", "mimeType": "video/mp4"}, "videoMetadata": {"fps": 1}},
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "1", "args": {}}, "thoughtSignature": "c2ln"},
    ],
)
def test_what_stands_beside_a_part_survives_the_round_trip(part: dict[str, Any]) -> None:
    again = orjson.loads(Gemini().render_request(parse(user(part)), Profile(), []).body)

    assert again["contents"] == [{"role": "user", "parts": [part]}]
