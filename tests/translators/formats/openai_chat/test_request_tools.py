"""Tool definitions and choices, there and back."""

import json
from typing import Any

import pytest

from translators import hub
from translators.format import Profile, WireRequest
from translators.formats.openai_chat.request_parse import parse_request
from translators.formats.openai_chat.request_tools import render_tools

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
CUSTOM = {
    "type": "custom",
    "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}},
}


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [FUNCTION, CUSTOM], "tool_choice": {"type": "custom", "custom": {"name": "c"}}},
        {"tools": [FUNCTION], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [{"type": "openrouter:web_search", "parameters": {}}]},
        {"tools": [{**FUNCTION, "cache_control": {"type": "ephemeral"}}]},
        {"web_search_options": {"search_context_size": "low"}},
        {
            "tools": [FUNCTION],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
        },
    ],
)
def test_tools_come_back_as_they_were(fields: dict[str, Any]) -> None:
    body = json.dumps({"model": "m", "messages": [], **fields}).encode()
    losses: list[hub.Loss] = []
    assert render_tools(parse_request(WireRequest(body=body)), Profile(), losses) == fields
    assert losses == []


def test_another_vendors_tool_is_a_loss() -> None:
    request = hub.Request(
        "m", (), (hub.ServerTool("anthropic-messages", "web_search", {}),), hub.ToolChoice("required")
    )
    losses: list[hub.Loss] = []
    assert render_tools(request, Profile(), losses) == {}
    assert [loss.path for loss in losses] == ["tools[0]", "tool_choice"]


def test_strict_is_left_out_where_it_is_refused() -> None:
    request = hub.Request("m", (), (hub.Tool("f", strict=True),))
    assert render_tools(request, Profile(strict_tools=False), []) == {
        "tools": [{"type": "function", "function": {"name": "f"}}]
    }
