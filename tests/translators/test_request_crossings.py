"""Single requests on their way into another format, and what they may not become there."""

import json
from typing import Any

import pytest

from translators import Profile, Unsupported, WireRequest, bridge, hub

type Body = dict[str, Any]

HI: Body = {"role": "user", "content": "Hi"}
OPEN: Body = {"type": "object", "properties": {"at": {"type": "string"}}}


def crossed(client: str, upstream: str, body: Body, profile: Profile | None = None) -> tuple[Body, list[hub.Loss]]:
    path = "/v1beta/models/m:generateContent" if client == "gemini" else ""
    joined = bridge(client, upstream, profile=profile)
    sent = joined.request(WireRequest(path=path, body=json.dumps({"model": "m", **body}).encode()))
    return json.loads(sent.body), joined.losses


def lost(losses: list[hub.Loss], path: str) -> bool:
    return any(loss.path == path for loss in losses)


@pytest.mark.parametrize("role", ["user", "system"])
def test_chat_gets_no_message_of_which_nothing_is_left(role: str) -> None:
    vendors = {"role": role, "content": [{"type": "container_upload", "file_id": "file_1"}]}
    sent, losses = crossed("anthropic-messages", "openai-chat", {"messages": [HI, vendors], "max_tokens": 9})
    assert sent["messages"] == [HI]
    assert any("container_upload" in loss.reason for loss in losses)


def test_gemini_turns_alternate_when_nothing_is_left_of_the_one_between() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    sent, _ = crossed("openai-responses", "gemini", {"input": [HI, search, {**HI, "content": "Go on"}]})
    assert sent["contents"] == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "Go on"}]}]


def test_system_text_beside_an_empty_user_message_is_the_user_turn_of_gemini() -> None:
    body = {"instructions": "Write.", "input": [{"role": "user", "content": ""}]}
    sent, losses = crossed("openai-responses", "gemini", body)
    assert sent == {"contents": [{"role": "user", "parts": [{"text": "Write."}]}]}
    assert lost(losses, "messages[0]")


def test_responses_have_some_input_where_a_chat_has_system_text_alone() -> None:
    system = {"role": "system", "content": "Write."}
    sent, _ = crossed("openai-chat", "openai-responses", {"messages": [system]})
    assert "instructions" not in sent
    assert sent["input"][0]["role"] == "system"


@pytest.mark.parametrize("upstream", ["openai-chat", "openai-responses"])
def test_a_tool_with_an_open_schema_is_not_strict_for_openai(upstream: str) -> None:
    tool = {"name": "look", "input_schema": OPEN, "strict": True}
    body = {"messages": [HI], "max_tokens": 9, "tools": [tool]}
    sent, losses = crossed("anthropic-messages", upstream, body)
    assert sent["tools"][0].get("function", sent["tools"][0])["strict"] is False
    assert lost(losses, "tools[0].strict")


def test_a_chat_client_s_own_strict_tool_stays_strict_in_chat() -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": OPEN, "strict": True}}
    sent, _ = crossed("openai-chat", "openai-chat", {"messages": [HI], "tools": [tool]}, Profile(stream="always"))
    assert sent["tools"] == [tool]


def test_a_custom_call_has_no_status_in_responses() -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": "x"}}
    messages = [HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "y"}]
    tools = [{"type": "custom", "custom": {"name": "patch"}}]
    sent, _ = crossed("openai-chat", "openai-responses", {"messages": messages, "tools": tools})
    assert sent["input"][1] == {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "x"}


def test_a_service_tier_that_responses_do_not_know_is_a_loss() -> None:
    sent, losses = crossed("openai-chat", "openai-responses", {"messages": [HI], "service_tier": "on_demand"})
    assert "service_tier" not in sent
    assert lost(losses, "service_tier")


@pytest.mark.parametrize(
    "upstream, part",
    [
        ("openai-responses", {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}),
        ("openai-chat", {"fileData": {"mimeType": "video/mp4", "fileUri": "https://a.example/a.mp4"}}),
    ],
)
def test_media_without_a_place_in_the_official_types_is_a_loss(upstream: str, part: Body) -> None:
    sent, losses = crossed("gemini", upstream, {"contents": [{"role": "user", "parts": [{"text": "See"}, part]}]})
    assert "See" in json.dumps(sent)
    assert lost(losses, "messages[0].parts[1]")


def test_a_provider_that_takes_films_gets_them() -> None:
    film = {"fileData": {"mimeType": "video/mp4", "fileUri": "https://a.example/a.mp4"}}
    body = {"contents": [{"role": "user", "parts": [film]}]}
    sent, _ = crossed("gemini", "openai-chat", body, Profile(video=True))
    assert "https://a.example/a.mp4" in json.dumps(sent)


def test_nothing_said_about_effort_turns_no_thinking_on() -> None:
    body = {"input": [HI], "reasoning": {"context": "all_turns"}}
    sent, losses = crossed("openai-responses", "anthropic-messages", body)
    assert "thinking" not in sent
    assert lost(losses, "reasoning.context")


def test_a_choice_that_no_function_is_left_for_is_a_loss_in_gemini() -> None:
    body = {"input": [HI], "tools": [{"type": "image_generation"}], "tool_choice": "required"}
    _, losses = crossed("openai-responses", "gemini", body)
    assert lost(losses, "tool_choice")


@pytest.mark.parametrize("upstream", ["anthropic-messages", "openai-chat", "openai-responses"])
def test_a_signature_on_a_call_is_a_loss_by_its_place(upstream: str) -> None:
    call = {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "c2ln"}
    answer = {"functionResponse": {"name": "look", "response": {"output": "x"}}}
    contents = [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [answer]},
    ]
    _, losses = crossed("gemini", upstream, {"contents": contents})
    assert lost(losses, "messages[1].parts[0].signature")


@pytest.mark.parametrize("upstream", ["anthropic-messages", "openai-chat", "openai-responses"])
def test_each_lost_member_of_the_generation_config_is_named(upstream: str) -> None:
    body = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"audioTimestamp": True}}
    _, losses = crossed("gemini", upstream, body)
    assert lost(losses, "generationConfig.audioTimestamp")


@pytest.mark.parametrize("upstream", ["anthropic-messages", "openai-chat", "gemini"])
def test_how_a_request_was_written_is_no_loss(upstream: str) -> None:
    body = {"input": "Hi", "max_output_tokens": 99, "tools": [], "metadata": {}}
    assert crossed("openai-responses", upstream, body)[1] == []


@pytest.mark.parametrize("state", ["previous_response_id", "conversation"])
def test_history_that_only_its_provider_keeps_is_refused_clearly(state: str) -> None:
    with pytest.raises(Unsupported, match=state):
        crossed("openai-responses", "openai-chat", {"input": [HI], state: "x_1"})


def test_content_that_only_google_keeps_is_refused_clearly() -> None:
    body = {"contents": [{"parts": [{"text": "Hi"}]}], "cachedContent": "cachedContents/1"}
    with pytest.raises(Unsupported, match="cachedContent"):
        crossed("gemini", "openai-chat", body)
