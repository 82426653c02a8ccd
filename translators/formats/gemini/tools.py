"""Tools and the choice among them: hub → ``tools`` and ``toolConfig``."""

from collections.abc import Mapping
from typing import assert_never

from translators import hub
from translators.dropped import dropped
from translators.format import Profile
from translators.formats.gemini import schema
from translators.formats.gemini.request import SCHEMAS
from translators.formats.gemini.wire import NAME, Object, as_object, lose
from translators.hub import JSON, SPELLING, Loss

_SERVER_TOOL_OF = {"web_search": "googleSearch", "code_execution": "codeExecution", "web_fetch": "urlContext"}


def render_tools(request: hub.Request, profile: Profile, losses: list[Loss]) -> list[Object]:
    declarations: list[JSON] = []
    rendered: list[Object] = []
    functions = any(isinstance(tool, hub.Tool) for tool in request.tools)
    for index, tool in enumerate(request.tools):
        path = f"tools[{index}]"
        match tool:
            case hub.Tool():
                for name, key in dropped(tool.extra, NAME):
                    lose(losses, f"{path}.{key}", f"{key} is a word of {name}")
                declarations.append(_declaration(tool, path, profile, losses))
            case hub.ServerTool(format=name, raw=raw) if name == NAME:
                rendered.append(dict(raw))
            case hub.ServerTool(kind=kind) if kind in _SERVER_TOOL_OF and not functions:
                rendered.append({_SERVER_TOOL_OF[kind]: {}})
            case hub.ServerTool(format=name, kind=kind):
                lose(losses, path, f"the {kind} tool is run by providers of {name}")
            case _:
                assert_never(tool)
    return [*rendered, {"functionDeclarations": declarations}] if declarations else rendered


def _declaration(tool: hub.Tool, path: str, profile: Profile, losses: list[Loss]) -> Object:
    declared: Object = {"name": tool.name}
    if tool.description is not None:
        declared["description"] = tool.description
    if tool.strict:
        lose(losses, f"{path}.strict", "Gemini has no strict tools")
    raw = tool.extra.get(NAME, {})
    own = {key.removeprefix(SPELLING): item for key, item in raw.items()}
    if own.keys() & SCHEMAS or tool.schema is None:
        return {**declared, **own}
    trimmed = schema.trimmed(tool.schema) if profile.tool_schema == "json" else None
    if trimmed is not None:
        declared["parametersJsonSchema"], given_up = trimmed
    else:
        parameters, given_up = schema.normalise(tool.schema)
        if "properties" in parameters:
            declared["parameters"] = parameters
    if given_up:
        words = ", ".join(sorted(given_up))
        lose(losses, f"{path}.schema", f"Gemini's schema subset cannot say this of tool {tool.name!r}: {words}")
    return {**declared, **own}


def render_tool_config(request: hub.Request, kept: Mapping[str, JSON], *, declared: bool, validated: bool) -> Object:
    config = dict(as_object(kept.get("toolConfig") or {}, "toolConfig"))
    calling: Object = dict(as_object(config.pop("functionCallingConfig", None) or {}, "functionCallingConfig"))
    choice = request.tool_choice
    if choice is not None and (declared or choice.mode == "auto") and request.tools:
        allowed: list[JSON] = [choice.name] if choice.mode == "tool" and choice.name else list(choice.allowed)
        mode = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}[choice.mode]
        calling = {"mode": mode, **calling} if choice.mode == "auto" else {**calling, "mode": mode}
        if allowed:
            # With AUTO the list is refused; VALIDATED is the same choice with a list.
            calling["mode"] = "VALIDATED" if calling["mode"] == "AUTO" else calling["mode"]
            calling["allowedFunctionNames"] = allowed
    if validated and declared and calling.get("mode", "AUTO") == "AUTO":
        calling["mode"] = "VALIDATED"
    return {**config, **({"functionCallingConfig": calling} if calling else {})}
