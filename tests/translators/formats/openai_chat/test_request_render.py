"""Chat requests as upstreams get them."""

import json
from typing import Any

from translators import hub
from translators.format import Profile
from translators.formats.openai_chat.request_render import render_request

USER = hub.Message("user", (hub.Text("Hi"),))


def render(
    *messages: hub.Message, profile: Profile | None = None, losses: list[hub.Loss] | None = None, **fields: Any
) -> dict[str, Any]:
    wire = render_request(hub.Request("m", messages, **fields), profile or Profile(), [] if losses is None else losses)
    return json.loads(wire.body)


def test_nothing_is_added_that_was_not_asked() -> None:
    assert render(USER) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def test_a_stream_always_asks_for_usage() -> None:
    body = render(USER, stream=True, stream_usage=False)
    assert body["stream_options"] == {"include_usage": True}


def test_a_provider_that_refuses_stream_options_gets_none() -> None:
    assert "stream_options" not in render(USER, stream=True, profile=Profile(stream_usage=False))


def test_results_come_before_what_the_user_says() -> None:
    message = hub.Message("user", (hub.Text("Go on"), hub.ToolResult("c", (hub.Text("1"),))))
    assert [item["role"] for item in render(message)["messages"]] == ["tool", "user"]


def test_media_of_results_follow_after_the_last_result() -> None:
    image = hub.Media("image", "image/png", data="AAAA")
    results = (hub.ToolResult("a", (image,)), hub.ToolResult("b", (hub.Text("1"),)))
    losses: list[hub.Loss] = []
    messages = render(hub.Message("user", results), losses=losses)["messages"]
    assert [item["role"] for item in messages] == ["tool", "tool", "user"]
    assert messages[2]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    assert [loss.path for loss in losses] == ["messages[0].parts[0]"]


def test_calls_without_text_have_null_content() -> None:
    call = hub.Message("assistant", (hub.ToolCall("c", "f", ""),))
    (message,) = render(call)["messages"]
    assert message["content"] is None
    assert message["tool_calls"] == [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_past_reasoning_stands_where_the_provider_wants_it() -> None:
    message = hub.Message("assistant", (hub.Thinking("a"), hub.Text("b")))
    assert render(message, profile=Profile(reasoning_field="reasoning"))["messages"][0]["reasoning"] == "a"
    assert "reasoning_content" not in render(message, profile=Profile(reasoning_field="none"))["messages"][0]


def test_a_foreign_signature_is_a_loss() -> None:
    signature = hub.Signature("s", "anthropic-messages")
    losses: list[hub.Loss] = []
    (message,) = render(hub.Message("assistant", (hub.Thinking("a", signature),)), losses=losses)["messages"]
    assert message == {"role": "assistant", "content": "", "reasoning_content": "a"}
    assert len(losses) == 1


def test_own_reasoning_details_return_unchanged() -> None:
    details = [{"type": "reasoning.encrypted", "data": "xyz", "index": 0}]
    signature = hub.Signature(json.dumps(details), "openai-chat")
    (message,) = render(hub.Message("assistant", (hub.Thinking("", signature, redacted=True),)))["messages"]
    assert message["reasoning_details"] == details


def test_system_text_opens_the_first_user_turn_where_there_is_no_system_role() -> None:
    system = hub.Message("system", (hub.Text("Be kind."),))
    profile = Profile(system_position="none", text_parts=False)
    assert render(system, USER, profile=profile)["messages"] == [{"role": "user", "content": "Be kind.\n\nHi"}]


def test_later_system_text_becomes_user_text_where_it_must_lead() -> None:
    system = hub.Message("system", (hub.Text("Be kind."),))
    messages = render(system, USER, system, profile=Profile(system_position="leading"))["messages"]
    assert [item["role"] for item in messages] == ["system", "user", "user"]


def test_developer_text_is_system_text_where_there_is_no_developer() -> None:
    message = hub.Message("developer", (hub.Text("x"),))
    assert render(message, profile=Profile(developer_role=False))["messages"][0]["role"] == "system"


def test_a_choice_without_tools_is_left_out() -> None:
    assert "tool_choice" not in render(USER, tool_choice=hub.ToolChoice("auto"), parallel_tools=True)


def test_a_budget_becomes_an_effort() -> None:
    losses: list[hub.Loss] = []
    assert render(USER, reasoning=hub.Reasoning(budget=31999), losses=losses)["reasoning_effort"] == "high"
    assert [loss.path for loss in losses] == ["reasoning.budget"]


def test_a_switch_is_turned_off_for_no_effort() -> None:
    body = render(USER, reasoning=hub.Reasoning(effort="none"), profile=Profile(reasoning_style="thinking"))
    assert body["thinking"] == {"type": "disabled"}


def test_the_limit_is_lowered_to_the_models() -> None:
    profile = Profile(max_output=100, max_tokens_field="max_completion_tokens")
    assert render(USER, max_tokens=200, profile=profile)["max_completion_tokens"] == 100


def test_refused_fields_are_left_out_with_a_loss() -> None:
    losses: list[hub.Loss] = []
    body = render(USER, temperature=1.0, profile=Profile(omit=frozenset({"temperature", "seed"})), losses=losses)
    assert "temperature" not in body
    assert [loss.path for loss in losses] == ["temperature"]


def test_only_one_answer_is_asked_for() -> None:
    losses: list[hub.Loss] = []
    assert "n" not in render(USER, n=3, losses=losses)
    assert [loss.path for loss in losses] == ["n"]


def test_a_long_user_name_is_not_sent() -> None:
    assert "user" not in render(USER, user="u" * 65)


def test_another_vendors_field_is_reported_once() -> None:
    cached = hub.Text("x", extra={"anthropic-messages": {"cache_control": {"type": "ephemeral"}}})
    losses: list[hub.Loss] = []
    render(hub.Message("user", (cached, cached)), losses=losses)
    assert [loss.path for loss in losses] == ["messages[0].parts[0].cache_control"]


def test_a_text_document_is_read_out_where_documents_are_not_taken() -> None:
    document = hub.Media("document", "text/plain", data="SGk=")
    body = render(hub.Message("user", (document,)), profile=Profile(documents=False))
    assert body["messages"] == [{"role": "user", "content": "Hi"}]


def test_text_after_a_call_is_a_loss_of_order() -> None:
    losses: list[hub.Loss] = []
    render(hub.Message("assistant", (hub.ToolCall("c", "f", "{}"), hub.Text("x"))), losses=losses)
    assert [loss.path for loss in losses] == ["messages[0]"]
