"""Tool definitions and choices, of our own and of others."""

import pytest

from translators import hub
from translators.format import Profile
from translators.formats.openai_responses.tools import (
    needs_raw_choice,
    parse_tool_choice,
    parse_tools,
    render_tool_choice,
    render_tools,
)
from translators.hub import JSON

TOOLS: list[JSON] = [
    {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True, "defer_loading": True},
    {"type": "custom", "name": "patch", "description": "d", "format": {"type": "grammar", "syntax": "lark"}},
    {
        "type": "namespace",
        "name": "clock",
        "description": "time",
        "tools": [{"type": "function", "name": "now"}, {"type": "custom", "name": "at"}],
    },
    {"type": "web_search", "search_context_size": "low"},
    {"type": "tool_search", "execution": "client"},
]


def render(*tools: hub.Tool | hub.ServerTool, profile: Profile | None = None) -> tuple[list[JSON], list[str]]:
    losses: list[hub.Loss] = []
    return render_tools(tools, profile or Profile(), losses), [loss.path for loss in losses]


def test_every_kind_of_tool_comes_back_as_it_was() -> None:
    assert render(*parse_tools(TOOLS, "tools")) == (TOOLS, [])


def test_a_namespace_gives_its_name_to_its_tools() -> None:
    named = [(one.namespace, one.name) for one in parse_tools(TOOLS, "tools") if isinstance(one, hub.Tool)]
    assert named == [(None, "f"), (None, "patch"), ("clock", "now"), ("clock", "at")]


@pytest.mark.parametrize(
    "kind, neutral",
    [
        ("web_search", "web_search"),
        ("web_search_2025_08_26", "web_search"),
        ("web_search_preview", "web_search"),
        ("code_interpreter", "code_execution"),
        ("file_search", "file_search"),
        ("mcp", "mcp"),
    ],
)
def test_tools_of_the_provider_have_neutral_names(kind: str, neutral: str) -> None:
    (tool,) = parse_tools([{"type": kind}], "tools")
    assert isinstance(tool, hub.ServerTool)
    assert tool.kind == neutral


def test_a_search_of_another_provider_becomes_a_search_here() -> None:
    raw: dict[str, JSON] = {"type": "web_search_20250305", "allowed_domains": ["a.example"]}
    tools, losses = render(hub.ServerTool("anthropic-messages", "web_search", raw))
    assert (tools, losses) == ([{"type": "web_search", "filters": {"allowed_domains": ["a.example"]}}], [])


def test_another_tool_of_another_provider_is_a_loss() -> None:
    assert render(hub.ServerTool("gemini", "code_execution", {})) == ([], ["tools[0]"])


def test_strictness_is_left_out_where_the_model_does_not_take_it() -> None:
    tools, _ = render(hub.Tool("f", schema={}, strict=True), profile=Profile(strict_tools=False))
    assert tools == [{"type": "function", "name": "f", "parameters": {}}]


@pytest.mark.parametrize(
    "choice",
    [
        "auto",
        "none",
        "required",
        {"type": "function", "name": "f"},
        {"type": "custom", "name": "patch"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    ],
)
def test_a_choice_comes_back_as_it_was(choice: JSON) -> None:
    parsed = parse_tool_choice(choice)
    assert parsed is not None
    assert (render_tool_choice(parsed, parse_tools(TOOLS, "tools")), needs_raw_choice(choice)) == (choice, False)


def test_the_choice_of_a_tool_of_the_provider_is_kept_raw() -> None:
    choice: JSON = {"type": "web_search"}
    assert (parse_tool_choice(choice), needs_raw_choice(choice)) == (None, True)
