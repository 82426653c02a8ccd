"""Requests reach Gemini in the order and words that it demands."""

from typing import Any

import orjson
import pytest

from translators import hub
from translators.format import Profile
from translators.formats.gemini import Gemini


def render(
    *messages: hub.Message, losses: list[hub.Loss] | None = None, profile: Profile | None = None, **fields: Any
) -> dict[str, Any]:
    request = hub.Request(fields.pop("model", "gemini-3-flash"), messages, **fields)
    wire = Gemini().render_request(request, profile or Profile(), [] if losses is None else losses)
    return orjson.loads(wire.body)


def user(*parts: hub.Part) -> hub.Message:
    return hub.Message("user", parts)


def model(*parts: hub.Part) -> hub.Message:
    return hub.Message("assistant", parts)


HI = user(hub.Text("hi"))


def test_neighbours_of_one_role_are_one_turn() -> None:
    body = render(HI, user(hub.Text("there")), model(hub.Text("a")), model(hub.Text("b")))

    assert [(turn["role"], len(turn["parts"])) for turn in body["contents"]] == [("user", 2), ("model", 2)]


def test_results_stand_first_and_in_the_order_of_their_calls() -> None:
    body = render(
        HI,
        model(hub.ToolCall("1", "a", "{}"), hub.ToolCall("2", "b", '{"x":1}')),
        user(hub.Text("by the way")),
        user(hub.ToolResult("2", (hub.Text("two"),)), hub.ToolResult("1", (hub.Text("one"),), error=True)),
    )

    assert body["contents"][2]["parts"] == [
        {"functionResponse": {"id": "1", "name": "a", "response": {"error": "one"}}},
        {"functionResponse": {"id": "2", "name": "b", "response": {"output": "two"}}},
        {"text": "by the way"},
    ]


def test_a_conversation_may_start_with_what_the_model_said() -> None:
    body = render(model(hub.Text("hello")), HI)

    assert [turn["role"] for turn in body["contents"]] == ["model", "user"]


def test_a_conversation_that_starts_with_a_call_gets_a_user_turn_that_says_nothing() -> None:
    losses: list[hub.Loss] = []

    body = render(model(hub.ToolCall("1", "f", "{}")), user(hub.ToolResult("1")), losses=losses)

    assert body["contents"][0] == {"role": "user", "parts": [{"text": " "}]}
    assert any(loss.path == "messages[0]" and "a user turn that says nothing" in loss.reason for loss in losses)


def test_leading_system_text_is_the_instruction_and_later_one_user_text() -> None:
    body = render(
        hub.Message("system", (hub.Text("s"),)),
        hub.Message("developer", (hub.Text("d"),)),
        HI,
        hub.Message("system", (hub.Text("late"),)),
    )

    assert body["systemInstruction"] == {"parts": [{"text": "s"}, {"text": "d"}]}
    assert body["contents"][0]["parts"] == [{"text": "hi"}, {"text": "late"}]


def test_a_model_without_system_role_gets_it_in_the_first_user_turn() -> None:
    body = render(hub.Message("system", (hub.Text("s"),)), HI, profile=Profile(system_position="none"))

    assert "systemInstruction" not in body
    assert body["contents"] == [{"role": "user", "parts": [{"text": "s"}, {"text": "hi"}]}]


def test_a_call_with_system_text_alone_still_has_contents() -> None:
    assert render(hub.Message("system", (hub.Text("s"),)))["contents"] == [{"role": "user", "parts": [{"text": "s"}]}]


def test_own_signatures_are_sent_and_foreign_ones_are_not() -> None:
    losses: list[hub.Loss] = []
    own = hub.Signature("c2ln", "gemini")
    foreign = hub.Signature("sig", "anthropic-messages")

    body = render(
        HI,
        model(hub.Thinking("hm", foreign), hub.ToolCall("1", "a", "{}", signature=own), hub.ToolCall("2", "b", "{}")),
        losses=losses,
    )

    thought, first, second = body["contents"][1]["parts"]
    assert thought == {"text": "hm", "thought": True}
    assert first["thoughtSignature"] == "c2ln"
    assert "thoughtSignature" not in second
    assert [loss.reason for loss in losses] == [
        "a reasoning signature of anthropic-messages means nothing to this upstream"
    ]


@pytest.mark.parametrize("name, nested", [("gemini-3-pro-preview", True), ("gemini-2.5-flash", False)])
def test_media_of_a_tool_result_go_where_the_model_takes_them(name: str, nested: bool) -> None:
    result = hub.ToolResult("1", (hub.Text("see"), hub.Media("image", "image/png", data="AA==")))

    body = render(HI, model(hub.ToolCall("1", "a", "{}")), user(result), model=name)

    media = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    response, *rest = body["contents"][2]["parts"]
    assert (response["functionResponse"].get("parts") == [media], rest == [media]) == (nested, not nested)


def test_foreign_tools_go_out_in_the_subset() -> None:
    schema = {"$schema": "x", "type": "object", "properties": {"a": {"const": "b"}}, "additionalProperties": False}

    body = render(HI, tools=(hub.Tool("f", "does", schema), hub.Tool("g", None, {"type": "object", "properties": {}})))

    assert body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "f",
                    "description": "does",
                    "parameters": {"type": "object", "properties": {"a": {"type": "string", "enum": ["b"]}}},
                },
                {"name": "g"},
            ]
        }
    ]


def test_a_search_tool_of_another_vendor_becomes_googles_when_it_stands_alone() -> None:
    search = hub.ServerTool("anthropic-messages", "web_search", {"type": "web_search_20250305"})

    assert render(HI, tools=(search,))["tools"] == [{"googleSearch": {}}]
    assert render(HI, tools=(search, hub.Tool("f")))["tools"] == [{"functionDeclarations": [{"name": "f"}]}]


def test_tool_choice_is_said() -> None:
    body = render(HI, tools=(hub.Tool("f"),), tool_choice=hub.ToolChoice("tool", "f"))

    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}


def test_nothing_is_said_that_was_not_asked() -> None:
    assert render(HI) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_max_tokens_are_lowered_to_the_models_limit() -> None:
    losses: list[hub.Loss] = []

    body = render(HI, max_tokens=100_000, profile=Profile(max_output=8192), losses=losses)

    assert body["generationConfig"] == {"maxOutputTokens": 8192}
    assert [loss.path for loss in losses] == ["max_tokens"]


def test_a_proven_output_schema_goes_out_whole_and_any_other_in_the_subset() -> None:
    whole = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
    other = {"type": "object", "properties": {"a": {"not": {}, "type": "string"}}}

    assert render(HI, output=hub.OutputFormat(whole))["generationConfig"]["responseJsonSchema"] == whole
    assert render(HI, output=hub.OutputFormat(other))["generationConfig"]["responseSchema"] == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
    }


def test_what_gemini_cannot_say_is_a_loss() -> None:
    losses: list[hub.Loss] = []
    text = hub.Text("x", extra={"anthropic-messages": {"cache_control": {"type": "ephemeral"}}})

    render(user(text), parallel_tools=False, verbosity="low", losses=losses)

    assert {loss.path for loss in losses} == {"messages[0].parts[0].cache_control", "parallel_tools", "verbosity"}


def test_streams_are_always_asked_for_as_sse() -> None:
    wire = Gemini().render_request(hub.Request("a/b", (HI,), stream=True), Profile(), [])

    assert (wire.path, wire.query) == ("/v1beta/models/a/b:streamGenerateContent", "alt=sse")


def test_omitted_fields_are_left_out() -> None:
    body = render(HI, temperature=0.5, top_p=0.1, profile=Profile(omit=frozenset({"temperature"})))

    assert body["generationConfig"] == {"topP": 0.1}


def test_only_the_first_call_of_a_turn_needs_a_signature() -> None:
    losses: list[hub.Loss] = []
    foreign = hub.Signature("sig", "anthropic-messages")
    turns = (
        HI,
        model(hub.Text("a"), hub.ToolCall("1", "f", "{}", signature=foreign), hub.ToolCall("2", "f", "{}")),
        user(hub.ToolResult("1"), hub.ToolResult("2")),
        model(hub.ToolCall("3", "f", "{}", signature=hub.Signature("c2ln", "gemini-cli"))),
    )

    body = render(*turns, losses=losses)

    marks = [
        part.get("thoughtSignature") for turn in body["contents"] for part in turn["parts"] if "functionCall" in part
    ]
    assert marks == ["skip_thought_signature_validator", None, "c2ln"]
    assert any("invented because required" in loss.reason for loss in losses)


@pytest.mark.parametrize("name", ["gemini-2.5-pro", "claude-sonnet-4-5", "a-model"])
def test_models_that_ask_for_no_signature_get_none(name: str) -> None:
    body = render(HI, model(hub.ToolCall("1", "f", "{}")), model=name)

    assert "thoughtSignature" not in body["contents"][1]["parts"][0]


def test_a_profile_lets_json_schema_through() -> None:
    schema = {
        "$schema": "x", "type": "object", "additionalProperties": False,
        "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"oneOf": [{"type": "string", "minLength": 1}, {"type": "null"}]}},
        "$defs": {"n": {"type": "integer", "enum": [1, 2]}},
    }  # fmt: skip
    losses: list[hub.Loss] = []

    body = render(HI, tools=(hub.Tool("f", None, schema),), profile=Profile(tool_schema="json"), losses=losses)

    del schema["$schema"]
    assert body["tools"] == [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}]
    assert losses == []


def test_a_schema_without_end_goes_out_in_the_subset_all_the_same() -> None:
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}}

    body = render(HI, tools=(hub.Tool("f", None, endless),), profile=Profile(tool_schema="json"))

    assert body["tools"][0]["functionDeclarations"][0].keys() == {"name", "parameters"}


@pytest.mark.parametrize("tier, word", [("default", "standard"), ("flex", "flex"), ("auto", None), ("scale", None)])
def test_a_service_tier_is_said_in_googles_words(tier: str, word: str | None) -> None:
    losses: list[hub.Loss] = []

    assert render(HI, service_tier=tier, losses=losses).get("serviceTier") == word
    assert bool(losses) == (tier == "scale")
