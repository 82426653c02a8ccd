"""Tool definitions and ``tool_choice``: function, custom, namespaces of both, and everything that a provider runs.

A Tool of ours has ``extra[NAME]`` with ``tool`` (other members of its definition), ``namespace`` (those of the
namespace around it) and ``input`` where it was declared by an item of the input rather than at the top (then that
item, which travels by itself, declares it again).
"""

from collections.abc import Sequence
from itertools import groupby

from translators import hub
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.openai_responses.reading import (
    NAME,
    list_at,
    mapping,
    object_at,
    optional_flag,
    optional_string,
    own,
    rest,
    sequence,
    string_at,
    text,
)
from translators.hub import JSON
from translators.tools.strict import is_closed

_FUNCTION = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM = frozenset({"type", "name", "description", "format"})
_NAMESPACE = frozenset({"type", "name", "tools"})

_KINDS = {
    "web_search_preview": "web_search",
    "code_interpreter": "code_execution",
    "computer_use_preview": "computer_use",
    "computer": "computer_use",
    "local_shell": "shell",
}


def parse_tools(value: JSON, path: str, *, from_input: bool = False) -> list[hub.Tool | hub.ServerTool]:
    tools: list[hub.Tool | hub.ServerTool] = []
    for number, one in enumerate(list_at(value, path)):
        place = f"{path}[{number}]"
        tool = object_at(one, place)
        if tool.get("type") == "namespace":
            name = string_at(tool.get("name"), f"{place}.name")
            around: dict[str, JSON] = {"namespace": rest(tool, _NAMESPACE)}
            for inner, member in enumerate(list_at(tool.get("tools"), f"{place}.tools")):
                where = f"{place}.tools[{inner}]"
                tools.append(_parse_tool(object_at(member, where), where, name, around, from_input=from_input))
        else:
            tools.append(_parse_tool(tool, place, None, {}, from_input=from_input))
    return tools


def _parse_tool(
    tool: dict[str, JSON], path: str, namespace: str | None, around: dict[str, JSON], *, from_input: bool
) -> hub.Tool | hub.ServerTool:
    kind = string_at(tool.get("type"), f"{path}.type")
    if kind not in ("function", "custom"):
        return hub.ServerTool(NAME, _kind(kind), tool)
    custom = kind == "custom"
    members: dict[str, JSON] = dict(around)
    if more := rest(tool, _CUSTOM if custom else _FUNCTION):
        members["tool"] = more
    if from_input:
        members["input"] = True
    schema = tool.get("parameters")
    grammar = tool.get("format")
    return hub.Tool(
        name=string_at(tool.get("name"), f"{path}.name"),
        description=optional_string(tool, "description", f"{path}."),
        schema=None if custom or schema is None else object_at(schema, f"{path}.parameters"),
        custom=custom,
        grammar=object_at(grammar, f"{path}.format") if custom and grammar is not None else None,
        strict=None if custom else optional_flag(tool, "strict", f"{path}."),
        namespace=namespace,
        deferred=tool.get("defer_loading") is True,
        extra={NAME: members},
    )


def _kind(kind: str) -> str:
    """The neutral name, also of dated types such as ``web_search_2025_08_26``."""
    for start, neutral in _KINDS.items():
        if kind.startswith(start):
            return neutral
    return kind.rstrip("0123456789_")


def render_tools(tools: Sequence[hub.Tool | hub.ServerTool], profile: Profile, losses: list[hub.Loss]) -> list[JSON]:
    shown = [(number, tool) for number, tool in enumerate(tools) if not _from_input(tool)]
    rendered: list[JSON] = []
    for namespace, group in groupby(shown, key=lambda pair: _namespace(pair[1])):
        inner: list[JSON] = []
        around: dict[str, JSON] = {}
        for number, tool in group:
            one = (
                _render_tool(tool, f"tools[{number}]", profile, losses)
                if isinstance(tool, hub.Tool)
                else _render_server_tool(tool, f"tools[{number}]", losses)
            )
            if one is None:
                continue
            inner.append(one)
            if isinstance(tool, hub.Tool):
                around = mapping(own(tool.extra).get("namespace"))
                if tool.deferred and NAME not in tool.extra:
                    losses.append(hub.Loss(f"tools[{number}].deferred", "the tool is shown to the model at once"))
        if namespace is None:
            rendered += inner
        else:
            rendered.append({"type": "namespace", "name": namespace, "description": "", **around, "tools": inner})
    return rendered


def _from_input(tool: hub.Tool | hub.ServerTool) -> bool:
    return isinstance(tool, hub.Tool) and own(tool.extra).get("input") is True


def _namespace(tool: hub.Tool | hub.ServerTool) -> str | None:
    return tool.namespace if isinstance(tool, hub.Tool) else None


def _render_tool(tool: hub.Tool, path: str, profile: Profile, losses: list[hub.Loss]) -> dict[str, JSON]:
    rendered: dict[str, JSON] = {"type": "custom" if tool.custom else "function", "name": tool.name}
    if tool.description is not None:
        rendered["description"] = tool.description
    if tool.custom:
        if tool.grammar is not None:
            rendered["format"] = dict(tool.grammar)
    else:
        if tool.schema is not None:
            rendered["parameters"] = dict(tool.schema)
        elif NAME not in tool.extra:
            rendered["parameters"] = {"type": "object", "properties": {}}
        if profile.strict_tools:
            # Left out, this API takes it for true and rewrites the schema.
            strict = tool.strict if NAME in tool.extra else tool.strict or False
            if strict and NAME not in tool.extra and not is_closed(tool.schema):
                losses.append(hub.Loss(f"{path}.strict", "its schema is not closed enough for this API's strict tools"))
                strict = False
            if strict is not None:
                rendered["strict"] = strict
    return rendered | mapping(own(tool.extra).get("tool"))


def _render_server_tool(tool: hub.ServerTool, path: str, losses: list[hub.Loss]) -> dict[str, JSON] | None:
    if tool.format == NAME:
        return dict(tool.raw)
    if tool.kind == "web_search":
        domains = tool.raw.get("allowed_domains")
        return {"type": "web_search", **({"filters": {"allowed_domains": domains}} if domains else {})}
    losses.append(hub.Loss(path, f"the provider's own tool {tool.kind!r} of {tool.format} is unknown here"))
    return None


def parse_tool_choice(value: JSON) -> hub.ToolChoice | None:
    """None for the choice of a provider's own tool, which only this format can say."""
    match value:
        case "auto" | "none" | "required":
            return hub.ToolChoice(value)
        case {"type": "function" | "custom", "name": str(name)}:
            return hub.ToolChoice("tool", name)
        case {"type": "allowed_tools", "tools": list(tools)}:
            names = tuple(text(mapping(tool).get("name")) for tool in tools)
            mode = "required" if value.get("mode") == "required" else "auto"
            return hub.ToolChoice(mode, allowed=tuple(name for name in names if name))
        case dict():
            return None
        case _:
            raise FormatError(f"tool_choice: {value!r} is neither auto, none, required nor an object")


def render_tool_choice(choice: hub.ToolChoice, tools: Sequence[hub.Tool | hub.ServerTool]) -> JSON:
    custom = {tool.name for tool in tools if isinstance(tool, hub.Tool) and tool.custom}

    def named(name: str) -> dict[str, JSON]:
        return {"type": "custom" if name in custom else "function", "name": name}

    if choice.mode == "tool":
        return named(choice.name or "")
    if choice.allowed and choice.mode != "none":
        allowed: list[JSON] = [named(name) for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": allowed}
    return choice.mode


def needs_raw_choice(value: JSON) -> bool:
    """Whether the hub's ToolChoice says less than this one."""
    match value:
        case {"type": "function" | "custom", "name": str(), **more}:
            return bool(more)
        case {"type": "allowed_tools"}:
            return any(mapping(tool).keys() != {"type", "name"} for tool in sequence(value.get("tools")))
        case dict():
            return True
        case _:
            return False
