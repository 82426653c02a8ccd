"""Quirks of chat providers, each as one field of a Profile that the renderer honours."""

import json
from typing import Any

import pytest

from translators import hub
from translators.bridge import Translation, bridge
from translators.format import Profile, WireRequest
from translators.formats.openai_chat.request_render import render_request

USER = hub.Message("user", (hub.Text("Hi"),))
TOOL = hub.Tool("f", schema={"type": "object", "properties": {}})


def render(*messages: hub.Message, losses: list[hub.Loss] | None = None, profile: Profile, **fields: Any) -> Any:
    wire = render_request(hub.Request("m", messages or (USER,), **fields), profile, [] if losses is None else losses)
    return json.loads(wire.body)


@pytest.mark.parametrize(
    "mode, taken, sent",
    [
        ("tool", {"auto", "required"}, "required"),
        ("tool", {"auto"}, "auto"),
        ("required", {"auto", "none", "tool"}, "auto"),
        ("required", {"none"}, None),
        ("auto", {"none", "required"}, None),
        ("none", {"none"}, "none"),
    ],
)
def test_a_choice_that_is_not_taken_becomes_the_nearest(mode: Any, taken: set[str], sent: str | None) -> None:
    losses: list[hub.Loss] = []
    choice = hub.ToolChoice(mode, "f" if mode == "tool" else None)
    profile = Profile(tool_choices=frozenset(taken))
    body = render(profile=profile, losses=losses, tools=(TOOL,), tool_choice=choice)
    assert body.get("tool_choice") == sent
    assert "tools" in body
    assert len(losses) == (mode not in taken and mode != "auto")


def test_the_only_allowed_tool_is_named_where_required_is_not_taken() -> None:
    profile = Profile(tool_choices=frozenset({"auto", "tool"}))
    body = render(profile=profile, tools=(TOOL,), tool_choice=hub.ToolChoice("required", allowed=("f",)))
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}


def test_no_tool_shall_be_called_is_said_by_leaving_them_out() -> None:
    losses: list[hub.Loss] = []
    profile = Profile(tool_choices=frozenset({"auto"}))
    body = render(profile=profile, losses=losses, tools=(TOOL,), tool_choice=hub.ToolChoice("none"))
    assert body.keys() == {"model", "messages"}
    assert [loss.path for loss in losses] == ["tools"]


def test_stop_sequences_beyond_the_limit_are_lost() -> None:
    losses: list[hub.Loss] = []
    body = render(profile=Profile(max_stops=1), losses=losses, stop=("a", "b"))
    assert body["stop"] == ["a"]
    assert [loss.path for loss in losses] == ["stop"]


def test_the_seed_stands_where_the_provider_looks_for_it() -> None:
    body = render(profile=Profile(seed_field="random_seed"), seed=7)
    assert body["random_seed"] == 7
    assert "seed" not in body


def test_top_k_is_sent_only_where_it_is_known() -> None:
    assert render(profile=Profile(top_k=True), top_k=5)["top_k"] == 5
    losses: list[hub.Loss] = []
    assert "top_k" not in render(profile=Profile(), losses=losses, top_k=5)
    assert [loss.path for loss in losses] == ["top_k"]


def test_a_temperature_above_the_scale_is_lowered() -> None:
    losses: list[hub.Loss] = []
    assert render(profile=Profile(max_temperature=1.0), losses=losses, temperature=1.7)["temperature"] == 1.0
    assert [loss.path for loss in losses] == ["temperature"]


def test_neighbours_of_one_role_become_one_message_where_turns_must_alternate() -> None:
    image = hub.Media("image", url="https://example.org/a.png")
    messages = (USER, hub.Message("user", (hub.Text("and"), image)), hub.Message("assistant", (hub.Text("a"),)))
    body = render(*messages, profile=Profile(alternate=True))
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"]
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "text", "image_url"]


def test_texts_of_neighbours_are_joined_as_text() -> None:
    body = render(USER, USER, profile=Profile(alternate=True))
    assert body["messages"] == [{"role": "user", "content": "Hi\n\nHi"}]


def test_results_are_never_joined() -> None:
    results = hub.Message("user", (hub.ToolResult("a", (hub.Text("1"),)), hub.ToolResult("b", (hub.Text("2"),))))
    body = render(results, profile=Profile(alternate=True))
    assert [message["tool_call_id"] for message in body["messages"]] == ["a", "b"]


def test_what_the_user_says_beside_a_result_stands_in_it_where_no_user_may_follow() -> None:
    losses: list[hub.Loss] = []
    message = hub.Message("user", (hub.ToolResult("a", (hub.Text("1"),)), hub.Text("Go on")))
    body = render(message, profile=Profile(user_after_tool=False), losses=losses)
    assert body["messages"] == [{"role": "tool", "content": "1\n\nGo on", "tool_call_id": "a"}]
    assert len(losses) == 1


def test_calls_without_text_have_empty_content_where_null_is_refused() -> None:
    message = hub.Message("assistant", (hub.ToolCall("a", "f", "{}"),))
    assert render(message, profile=Profile(null_content=False))["messages"][0]["content"] == ""


def test_names_of_speakers_are_lost_where_they_are_refused() -> None:
    losses: list[hub.Loss] = []
    message = hub.Message("user", (hub.Text("Hi"),), {"openai-chat": {"name": "ada"}})
    assert "name" not in render(message, profile=Profile(names=False), losses=losses)["messages"][0]
    assert [loss.path for loss in losses] == ["messages.name"]


def test_sound_is_lost_where_the_model_cannot_hear() -> None:
    losses: list[hub.Loss] = []
    message = hub.Message("user", (hub.Text("Hi"), hub.Media("audio", "audio/wav", data="AAAA")))
    assert render(message, profile=Profile(audio=False), losses=losses)["messages"][0]["content"] == "Hi"
    assert len(losses) == 1


def test_breakpoints_of_a_prompt_cache_arrive_where_they_are_known() -> None:
    mark: hub.JSON = {"type": "ephemeral"}
    cached: hub.Extra = {"anthropic-messages": {"cache_control": mark}}
    losses: list[hub.Loss] = []
    body = render(
        hub.Message("system", (hub.Text("Be brief.", extra=cached),)),
        hub.Message("user", (hub.ToolResult("a", (hub.Text("1"),), extra=cached),)),
        profile=Profile(cache_control=True),
        losses=losses,
    )
    assert [message["content"][0]["cache_control"] for message in body["messages"]] == [mark, mark]
    assert losses == []


def test_a_cache_key_is_made_only_where_it_decides_over_hits() -> None:
    assert "prompt_cache_key" in render(profile=Profile(cache_key=True), user="session")
    assert "prompt_cache_key" not in render(profile=Profile(), user="session")
    assert render(profile=Profile(cache_key=True), cache_key="mine")["prompt_cache_key"] == "mine"


def test_metadata_of_a_responses_request_arrives() -> None:
    body = render(profile=Profile(), extra={"openai-responses": {"metadata": {"a": "b"}, "store": False}})
    assert body["metadata"] == {"a": "b"}
    assert "store" not in body


def test_ids_of_calls_fit_the_provider_and_come_back_as_the_client_knows_them() -> None:
    profile = Profile(tool_id_pattern="[a-zA-Z0-9]{9}")
    call = {"id": "toolu_01ABCDEFGHIJK", "type": "tool_use", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "1"}
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
    }
    sent = json.loads(
        bridge("anthropic-messages", "openai-chat", profile=profile)
        .request(WireRequest(body=json.dumps(body).encode()))
        .body
    )
    made = sent["messages"][1]["tool_calls"][0]["id"]
    assert len(made) == 9
    assert made.isalnum()
    assert sent["messages"][2]["tool_call_id"] == made


@pytest.mark.parametrize(
    "profile, body, rewritten",
    [
        (Profile(tool_id_pattern="[a-z]{9}"), b'{"tool_call_id": "x"}', True),
        (Profile(tool_id_pattern="[a-z]{9}"), b'{"messages": []}', False),
        (Profile(structured="json_object"), b'{"response_format": {"type": "json_schema"}}', True),
        (Profile(tool_choices=frozenset({"auto"})), b'{"tool_choice": "required"}', True),
        (Profile(seed_field="random_seed"), b'{"seed": 1}', True),
        (Profile(alternate=True), b'{"messages": []}', True),
        (Profile(max_tokens_field="max_completion_tokens"), b'{"max_tokens": 1}', True),
        (Profile(reasoning_style="thinking"), b'{"reasoning_effort": "low"}', True),
        (Profile(cache_key=True, images=False), b'{"messages": []}', False),
        (Profile(omit=frozenset({"user"})), b'{"role": "user", "content": "\\"user\\": 1"}', False),
        (Profile(omit=frozenset({"user"})), b'{"user" : "somebody"}', True),
        (Profile(omit=frozenset({"user"})), b'{"properties": {"user": {"type": "string"}}}', False),
        (Profile(omit=frozenset({"metadata"})), b'{"metadata": {"a": "b"}}', True),
    ],
)
def test_a_chat_client_is_rewritten_only_for_what_the_upstream_takes_in_another_form(
    profile: Profile, body: bytes, rewritten: bool
) -> None:
    joined = bridge("openai-chat", "openai-chat", profile=profile, wire=WireRequest(body=body))
    assert isinstance(joined, Translation) is rewritten
