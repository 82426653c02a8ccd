"""Tools and tool choice of a chat request."""

from collections.abc import Mapping

from translators.format import Profile
from translators.formats.openai_chat.values import NAME, STRICT, object_at, own
from translators.hub import JSON, Loss, Request, ServerTool, Tool, ToolChoice
from translators.tools.strict import is_closed


def render_tools(request: Request, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    """``tools`` and what hangs on them; chat refuses a choice between tools that are not there."""
    body: dict[str, JSON] = {}
    tools = _render_definitions(request, profile, losses, body)
    if not tools:
        if request.tool_choice is not None and request.tool_choice.mode in ("required", "tool"):
            losses.append(Loss("tool_choice", "No tool is left to choose."))
        return body
    choice = _taken_choice(request.tool_choice, profile, losses)
    if choice is not None and choice.mode == "none" and "none" not in profile.tool_choices:
        return body
    body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = render_choice(choice, request)
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools
    return body


def _render_definitions(request: Request, profile: Profile, losses: list[Loss], body: dict[str, JSON]) -> list[JSON]:
    """The tools; one that chat asks for by a member of its own goes into ``body``."""
    tools: list[JSON] = []
    for place, tool in enumerate(request.tools):
        match tool:
            case Tool():
                tools.append(_render_tool(tool, f"tools[{place}]", profile, losses))
            case ServerTool(format=origin, raw=raw) if origin == NAME:
                if set(raw) == {"web_search_options"}:
                    body |= raw
                else:
                    tools.append(dict(raw))
            case ServerTool():
                losses.append(Loss(f"tools[{place}]", f"The tool {tool.kind!r} runs at another vendor only."))
    return tools


def _taken_choice(choice: ToolChoice | None, profile: Profile, losses: list[Loss]) -> ToolChoice | None:
    """The choice in a mode that the provider takes; None where even its default must go unsaid."""
    if choice is None or choice.mode in profile.tool_choices:
        return choice
    match choice.mode:
        case "none":
            losses.append(Loss("tools", "The provider cannot be told to call no tool; the tools are left out."))
            return choice
        case "tool" if "required" in profile.tool_choices:
            losses.append(Loss("tool_choice", f"The provider cannot be told to call {choice.name!r}, only to call."))
            return ToolChoice("required")
        case "required" if "tool" in profile.tool_choices and len(choice.allowed) == 1:
            return ToolChoice("tool", choice.allowed[0])
        case _:
            if choice.mode != "auto":
                losses.append(Loss("tool_choice", "The provider cannot be told to call a tool."))
            return ToolChoice("auto") if "auto" in profile.tool_choices else None


def _render_tool(tool: Tool, path: str, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    if tool.custom:
        custom: dict[str, JSON] = {"name": tool.name}
        if tool.description is not None:
            custom["description"] = tool.description
        if tool.grammar is not None:
            custom["format"] = _render_grammar(tool.grammar)
        return {"type": "custom", "custom": custom}
    function: dict[str, JSON] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = dict(tool.schema)
    if tool.strict is not None and profile.strict_tools:
        strict = tool.strict
        if strict and STRICT not in own(tool.extra) and not is_closed(tool.schema):
            losses.append(
                Loss(f"{path}.strict", "Its schema is not closed enough for strict tools of chat completions.")
            )
            strict = False
        function["strict"] = strict
    beside = {name: value for name, value in own(tool.extra).items() if name != STRICT}
    function |= object_at(beside, "function")
    beside.pop("function", None)
    return {"type": "function", "function": function, **beside}


def _render_grammar(grammar: Mapping[str, JSON]) -> dict[str, JSON]:
    if grammar.get("type") != "grammar":
        return dict(grammar)
    return {"type": "grammar", "grammar": {name: value for name, value in grammar.items() if name != "type"}}


def render_choice(choice: ToolChoice, request: Request) -> JSON:
    custom = {tool.name for tool in request.tools if isinstance(tool, Tool) and tool.custom}

    def named(name: str) -> dict[str, JSON]:
        kind = "custom" if name in custom else "function"
        return {"type": kind, kind: {"name": name}}

    if choice.mode == "tool":
        return named(choice.name or "")
    if choice.allowed and choice.mode != "none":
        tools: list[JSON] = [named(name) for name in choice.allowed]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return choice.mode
