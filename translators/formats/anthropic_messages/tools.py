"""``tools`` and ``tool_choice`` ↔ hub.

A tool with an ``input_schema`` is the client's own. A tool with any other ``type`` than ``custom`` is one of Anthropic's
(``web_search_20250305``, ``bash_20250124`` …): it stays in Anthropic's words, under a neutral kind.
"""

import re
from collections.abc import Sequence
from typing import assert_never

from translators import hub
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.anthropic_messages.schema import closed_schema, tool_schema
from translators.formats.anthropic_messages.values import (
    NAME,
    Object,
    Report,
    as_array,
    as_object,
    as_string,
    marked,
    rest,
    shown,
    text_or_none,
)
from translators.hub import JSON

_VERSION = re.compile(r"_\d{8}$")


def parse_tools(value: JSON) -> tuple[hub.Tool | hub.ServerTool, ...]:
    if value is None:
        return ()
    return tuple(
        _parse_tool(as_object(tool, f"tools[{index}]"), f"tools[{index}]")
        for index, tool in enumerate(as_array(value, "tools"))
    )


def parse_tool_choice(value: JSON) -> tuple[hub.ToolChoice | None, bool | None]:
    """The choice, and whether calls may be parallel."""
    if value is None:
        return None, None
    raw = as_object(value, "tool_choice")
    single = raw.get("disable_parallel_tool_use")
    parallel = None if single is None else single is not True
    match raw.get("type"):
        case "auto":
            return hub.ToolChoice("auto"), parallel
        case "any":
            return hub.ToolChoice("required"), parallel
        case "none":
            return hub.ToolChoice("none"), parallel
        case "tool":
            return hub.ToolChoice("tool", as_string(raw.get("name"), "tool_choice.name")), parallel
        case other:
            raise FormatError(f"tool_choice.type: expected auto, any, tool or none, not {shown(other)}")


def _parse_tool(raw: Object, path: str) -> hub.Tool | hub.ServerTool:
    kind = raw.get("type")
    if isinstance(kind, str) and kind != "custom":
        neutral = _VERSION.sub("", kind)
        return hub.ServerTool(NAME, "tool_search" if neutral.startswith("tool_search") else neutral, raw)
    schema = raw.get("input_schema")
    strict = raw.get("strict")
    return hub.Tool(
        as_string(raw.get("name"), f"{path}.name"),
        text_or_none(raw.get("description")),
        None if schema is None else as_object(schema, f"{path}.input_schema"),
        strict=strict if isinstance(strict, bool) else None,
        deferred=raw.get("defer_loading") is True,
        extra=rest(raw, "name", "description", "input_schema", "strict", "defer_loading"),
    )


def render_tools(request: hub.Request, profile: Profile, report: Report) -> list[JSON]:
    allowed = frozenset(request.tool_choice.allowed if request.tool_choice else ())
    tools: list[Object] = []
    for index, tool in enumerate(request.tools):
        path = f"tools[{index}]"
        match tool:
            case hub.Tool():
                if allowed and tool.name not in allowed:
                    report.lose(path, "Anthropic cannot limit a choice to some tools; the others are left out")
                else:
                    tools.append(_render_tool(tool, path, profile, report))
            case hub.ServerTool():
                if tool.format == NAME:
                    tools.append(dict(tool.raw))
                else:
                    report.lose(path, f"the provider's own tool `{tool.kind}` of {tool.format} is not Anthropic's")
            case _:
                assert_never(tool)
    if tools and all(tool.get("defer_loading") is True for tool in tools):
        report.lose("tools", "Anthropic wants at least one tool that is not deferred; all are shown")
        tools = [{name: value for name, value in tool.items() if name != "defer_loading"} for tool in tools]
    return [*tools]


def render_tool_choice(request: hub.Request, tools: Sequence[JSON], report: Report) -> Object | None:
    choice, parallel = request.tool_choice, request.parallel_tools
    if not tools:
        if choice is not None and choice.mode in ("required", "tool"):
            report.lose("tool_choice", "there is no tool to choose")
        return None
    if choice is None:
        return {"type": "auto", "disable_parallel_tool_use": True} if parallel is False else None
    made: Object
    match choice.mode:
        case "none":
            return {"type": "none"}
        case "auto":
            made = {"type": "auto"}
        case "required":
            made = {"type": "any"}
        case "tool":
            made = {"type": "tool", "name": choice.name}
        case _:
            assert_never(choice.mode)
    if parallel is not None:
        made["disable_parallel_tool_use"] = not parallel
    return made


def _render_tool(tool: hub.Tool, path: str, profile: Profile, report: Report) -> Object:
    report.foreign(tool.extra, path)
    schema = tool_schema(tool.schema, f"{path}.schema", report)
    made: Object = {"name": tool.name}
    if tool.description is not None:
        made["description"] = tool.description
    made["input_schema"] = schema
    if tool.strict is not None:
        if not profile.strict_tools:
            if tool.strict:
                report.lose(f"{path}.strict", "the model takes no strict tools")
        else:
            made["strict"] = tool.strict
            if tool.strict:
                made["input_schema"] = closed_schema(schema, f"{path}.schema", report)
    if tool.deferred:
        made["defer_loading"] = True
    return {**made, **marked(tool.extra)}
