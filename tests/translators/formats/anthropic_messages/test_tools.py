"""Tools and tool choice in both directions."""

from typing import Any

import pytest

from tests.translators.formats.anthropic_messages.wire import Wire
from translators import hub
from translators.errors import FormatError
from translators.format import Profile

NAME = "anthropic-messages"


@pytest.mark.parametrize(
    "raw, choice, parallel",
    [
        ({"type": "auto"}, hub.ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, hub.ToolChoice("required"), False),
        ({"type": "tool", "name": "t"}, hub.ToolChoice("tool", "t"), None),
        ({"type": "auto", "disable_parallel_tool_use": False}, hub.ToolChoice("auto"), True),
        ({"type": "none"}, hub.ToolChoice("none"), None),
    ],
)
def test_a_tool_choice_comes_back_as_it_was(raw: dict[str, Any], choice: hub.ToolChoice, parallel: bool | None) -> None:
    request = Wire().parse(
        {"messages": [{"role": "user", "content": "x"}], "tools": [{"name": "t"}], "tool_choice": raw}
    )
    assert (request.tool_choice, request.parallel_tools) == (choice, parallel)
    assert Wire().render(request)["tool_choice"] == raw


def test_an_unknown_tool_choice_is_refused() -> None:
    with pytest.raises(FormatError, match=r"tool_choice\.type"):
        Wire().parse({"tool_choice": {"type": "some"}})


def test_serial_calls_need_a_choice_to_be_said() -> None:
    body = Wire().send(tools=(hub.Tool("t"),), parallel_tools=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in Wire().send(tools=(hub.Tool("t"),), parallel_tools=True)


def test_a_choice_without_tools_is_not_sent() -> None:
    wire = Wire()
    assert "tool_choice" not in wire.send(tool_choice=hub.ToolChoice("required"))
    assert "no tool to choose" in wire.reasons


def test_a_choice_among_some_tools_shows_only_those() -> None:
    choice = hub.ToolChoice("auto", allowed=("b",))
    body = Wire().send(tools=(hub.Tool("a"), hub.Tool("b")), tool_choice=choice)
    assert [tool["name"] for tool in body["tools"]] == ["b"]


def test_tools_of_anthropic_keep_their_words_under_a_neutral_kind() -> None:
    raw = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    request = Wire().parse({"messages": [{"role": "user", "content": "x"}], "tools": [raw]})
    assert request.tools == (hub.ServerTool(NAME, "web_search", raw),)
    assert Wire().render(request)["tools"] == [raw]


def test_tools_of_other_providers_are_a_loss() -> None:
    wire = Wire()
    assert "tools" not in wire.send(tools=(hub.ServerTool("openai-responses", "web_search", {"type": "web_search"}),))
    assert "web_search" in wire.reasons


def test_a_tool_without_a_schema_gets_an_empty_object() -> None:
    [tool] = Wire().send(tools=(hub.Tool("t"),))["tools"]
    assert tool == {"name": "t", "input_schema": {"type": "object", "properties": {}}}


def test_a_combined_schema_is_merged_into_one_object() -> None:
    schema = {
        "anyOf": [
            {"type": "object", "properties": {"a": {"type": "string"}, "c": {}}, "required": ["a", "c"]},
            {"type": "object", "properties": {"b": {"type": "string"}, "c": {}}, "required": ["b", "c"]},
        ]
    }
    wire = Wire()
    [tool] = wire.send(tools=(hub.Tool("t", schema=schema),))["tools"]
    assert tool["input_schema"]["properties"].keys() == {"a", "b", "c"}
    assert tool["input_schema"]["required"] == ["c"]
    assert wire.losses


def test_strict_is_left_out_where_the_model_refuses_it() -> None:
    wire = Wire()
    [tool] = wire.send(tools=(hub.Tool("t", strict=True),), profile=Profile(strict_tools=False))["tools"]
    assert "strict" not in tool
    assert "strict" in wire.reasons


def test_deferred_tools_are_shown_when_there_are_no_others() -> None:
    body = Wire().send(tools=(hub.Tool("a", deferred=True), hub.Tool("b")))
    assert body["tools"][0]["defer_loading"] is True
    wire = Wire()
    assert "defer_loading" not in wire.send(tools=(hub.Tool("a", deferred=True),))["tools"][0]
    assert "deferred" in wire.reasons
