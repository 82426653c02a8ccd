"""Tools and tool choice of a chat request."""

from collections.abc import Mapping

from translators.format import Profile
from translators.formats.openai_chat.values import NAME, object_at, own
from translators.hub import JSON, Loss, Request, ServerTool, Tool, ToolChoice


def render_tools(request: Request, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    """``tools`` and what hangs on them; chat refuses a choice between tools that are not there."""
    body: dict[str, JSON] = {}
    tools: list[JSON] = []
    for place, tool in enumerate(request.tools):
        match tool:
            case Tool():
                tools.append(_render_tool(tool, profile))
            case ServerTool(format=origin, raw=raw) if origin == NAME:
                if set(raw) == {"web_search_options"}:
                    body |= raw
                else:
                    tools.append(dict(raw))
            case ServerTool():
                losses.append(Loss(f"tools[{place}]", f"The tool {tool.kind!r} runs at another vendor only."))
    if not tools:
        if request.tool_choice is not None and request.tool_choice.mode in ("required", "tool"):
            losses.append(Loss("tool_choice", "No tool is left to choose."))
        return body
    body["tools"] = tools
    if request.tool_choice is not None:
        body["tool_choice"] = render_choice(request.tool_choice, request)
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools
    return body


def _render_tool(tool: Tool, profile: Profile) -> dict[str, JSON]:
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
        function["strict"] = tool.strict
    beside = dict(own(tool.extra))
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
