"""Brings the tools, calls and results of a request into the bounds of another format, and the answer's calls back.

One :class:`ToolAdapter` serves one attempt. ``lower`` rewrites the request: names and ids that the upstream would
refuse get legal, unique ones; custom tools become functions with one string, ``{"input": "…"}``; namespaces become
part of the name; deferred tools are shown; every call is followed by its result. All of it follows from the client's
own words by fixed rules, so the same conversation is lowered the same way each time and prompt caches hold.

``lift`` undoes it for the events of the answer: names, namespaces and custom input as the client knows them, ids that
the *client's* format allows and that are new in the conversation, ``{}`` where a call came without arguments. A custom
tool's input is handed on when the call is whole: its JSON string may not be cut in the middle. A custom call that the
upstream makes on its own is a function of one string for a client whose format has no custom tools.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

import orjson

from translators import hub, jsonvalue
from translators.errors import Unsupported
from translators.format import ToolRules
from translators.tools.names import Names
from translators.tools.pairs import paired

INPUT = "input"
"""The one argument of a custom tool that is sent as a function."""
_OPENING, _CLOSING = f'{{"{INPUT}":"', '"}'


@dataclass(frozen=True, slots=True)
class _Known:
    """A tool as the client names it."""

    name: str
    namespace: str | None
    custom: bool


class ToolAdapter:
    """``rules`` are the upstream's, ``client`` those of the format that the answer goes to."""

    def __init__(self, rules: ToolRules, max_tools: int | None = None, client: ToolRules | None = None) -> None:
        self._rules = rules
        self._max_tools = max_tools
        self._names = Names(rules.name_pattern)
        self._wire_names: dict[tuple[str, str | None], str] = {}
        self._bare_names: dict[str, str] = {}
        """The first wire name of a tool of this name, whatever its namespace."""
        self._known: dict[str, _Known] = {}
        self._client = client or ToolRules()
        self._client_ids = Names(self._client.id_pattern)
        self._answer_id = ""
        self._inputs: dict[int, list[str]] = {}
        self._bare: set[int] = set()
        self._wrapped: set[int] = set()

    # ── request ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def lower(self, request: hub.Request, losses: list[hub.Loss]) -> hub.Request:
        """Raises Unsupported for a tool or a call without a name: there is nothing that an upstream could run."""
        tools = self._lower_tools(request, losses)
        messages: list[hub.Message] = []
        for number, message in enumerate(request.messages):
            path = f"messages[{number}]"
            parts = tuple([self._lower_part(part, path, losses) for part in message.parts])
            same = all(new is old for new, old in zip(parts, message.parts, strict=True))
            messages.append(message if same else replace(message, parts=parts))
        return replace(
            request,
            tools=tools,
            tool_choice=self._lower_choice(request.tool_choice),
            messages=paired(messages, Names(self._rules.id_pattern), losses),
        )

    def _lower_tools(self, request: hub.Request, losses: list[hub.Loss]) -> tuple[hub.Tool | hub.ServerTool, ...]:
        lowered: list[hub.Tool | hub.ServerTool] = []
        for number, tool in enumerate(request.tools):
            path = f"tools[{number}]"
            match tool:
                case hub.ServerTool():
                    lowered.append(tool)
                case hub.Tool():
                    if not tool.name:
                        raise Unsupported(f"{path}.name is empty: every tool needs a name")
                    if (tool.name, tool.namespace) in self._wire_names:
                        losses.append(hub.Loss(path, f"a second tool named {tool.name!r} was left out"))
                    else:
                        lowered.append(self._lower_tool(tool, path, losses))
                case _:
                    assert_never(tool)
        return self._limited(lowered, request, losses)

    def _lower_tool(self, tool: hub.Tool, path: str, losses: list[hub.Loss]) -> hub.Tool:
        custom = tool.custom and self._rules.custom
        if tool.custom and not custom:
            losses.append(hub.Loss(path, "a custom tool was sent as a function of one string, its grammar unenforced"))
        if tool.deferred and not self._rules.deferred:
            losses.append(hub.Loss(f"{path}.defer_loading", "the tool is shown at once: the format cannot defer tools"))
        name = self._wire_name(tool.name, tool.namespace, custom=tool.custom)
        if name == tool.name and not (tool.custom or tool.namespace or tool.deferred):
            return tool
        return replace(
            tool,
            name=name,
            namespace=tool.namespace if self._rules.namespaces else None,
            custom=custom,
            schema=_input_schema(tool) if tool.custom and not custom else tool.schema,
            grammar=tool.grammar if custom or not tool.custom else None,
            strict=None if tool.custom and not custom else tool.strict,
            deferred=tool.deferred and self._rules.deferred,
        )

    def _limited(
        self, tools: list[hub.Tool | hub.ServerTool], request: hub.Request, losses: list[hub.Loss]
    ) -> tuple[hub.Tool | hub.ServerTool, ...]:
        """At most ``max_tools``; those that were called or are asked for stay, then the first ones."""
        surplus = len(tools) - (self._max_tools or len(tools))
        if surplus <= 0:
            return tuple(tools)
        calls = {
            self._wire_name(part.name, part.namespace, custom=part.custom)
            for message in request.messages
            for part in message.parts
            if isinstance(part, hub.ToolCall) and part.name
        }
        choice = self._lower_choice(request.tool_choice)
        wanted = calls | ({choice.name, *choice.allowed} if choice else set[str | None]())
        spare = [t for t in reversed(tools) if isinstance(t, hub.Tool) and t.name not in wanted]
        rest = [t for t in reversed(tools) if not isinstance(t, hub.Tool) or t.name in wanted]
        dropped = {id(tool) for tool in (spare + rest)[:surplus]}
        for tool in tools:
            if id(tool) in dropped:
                name = tool.name if isinstance(tool, hub.Tool) else tool.kind
                losses.append(hub.Loss("tools", f"{name!r} was left out: at most {self._max_tools} tools are allowed"))
        return tuple(tool for tool in tools if id(tool) not in dropped)

    def _lower_choice(self, choice: hub.ToolChoice | None) -> hub.ToolChoice | None:
        if choice is None or not (choice.name or choice.allowed):
            return choice
        name = self._wire_name(choice.name, None) if choice.name else choice.name
        return replace(choice, name=name, allowed=tuple(self._wire_name(word, None) for word in choice.allowed))

    def _lower_part(self, part: hub.Part, path: str, losses: list[hub.Loss]) -> hub.Part:
        match part:
            case hub.ToolCall():
                self._client_ids.reserve(part.id)
                if not part.name:
                    raise Unsupported(f"{path} has a tool call ({part.id!r}) without a name")
                name = self._wire_name(part.name, part.namespace, custom=part.custom)
                namespace = part.namespace if self._rules.namespaces else None
                if part.custom and not self._rules.custom:
                    text = jsonvalue.write({INPUT: part.arguments}).decode()
                    return replace(part, name=name, namespace=namespace, custom=False, arguments=text)
                same = name == part.name and namespace == part.namespace
                return part if same else replace(part, name=name, namespace=namespace)
            case hub.ToolResult():
                parts = self._lower_result(part, path, losses)
                return part if parts is part.parts else replace(part, parts=parts)
            case _:
                return part

    def _lower_result(
        self, result: hub.ToolResult, path: str, losses: list[hub.Loss]
    ) -> tuple[hub.Text | hub.Media | hub.ToolReference | hub.Opaque, ...]:
        references = [part for part in result.parts if isinstance(part, hub.ToolReference)]
        if not references:
            return result.parts
        if self._rules.deferred:
            return tuple(
                hub.ToolReference(self._wire_name(part.name, None)) if isinstance(part, hub.ToolReference) else part
                for part in result.parts
            )
        losses.append(hub.Loss(f"{path}.tool_reference", "sent as the names of the tools, which are shown anyway"))
        names = hub.Text("\n".join(self._wire_name(part.name, None) for part in references))
        return (names, *(part for part in result.parts if not isinstance(part, hub.ToolReference)))

    def _wire_name(self, name: str, namespace: str | None, *, custom: bool = False) -> str:
        """The upstream's name of a tool; a call or a choice may leave out the namespace."""
        found = self._wire_names.get((name, namespace))
        if found is None and namespace is None:
            found = self._bare_names.get(name)
        if found is None:
            flat = name
            if namespace and not self._rules.namespaces:
                flat = f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"
            found = self._wire_names[name, namespace] = self._names.make(flat, f"{namespace}\0{name}")
            self._bare_names.setdefault(name, found)
            self._known[found] = _Known(name, namespace, custom)
        return found

    # ── answer ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def lift(self, event: hub.Event) -> list[hub.Event]:
        match event:
            case hub.Started(id=answer_id):
                self._answer_id = answer_id
            case hub.PartStarted(_, hub.ToolCall(name="")):
                return [hub.Failed(hub.Failure("server", "The provider sent a tool call without a name.", 502))]
            case hub.PartStarted(index, hub.ToolCall() as call):
                return self._lift_start(index, call)
            case hub.PartDelta(index, hub.ArgumentsDelta(text)) if text:
                if index in self._inputs:
                    self._inputs[index].append(text)
                    return []
                if index in self._wrapped:
                    return [hub.PartDelta(index, hub.ArgumentsDelta(_escaped(text)))]
                self._bare.discard(index)
            case hub.PartEnded(index) if (rest := self._arguments_left(index)) is not None:
                return [hub.PartDelta(index, hub.ArgumentsDelta(rest)), event]
            case _:
                pass
        return [event]

    def _lift_start(self, index: int, call: hub.ToolCall) -> list[hub.Event]:
        lifted = self._lift_name(call, index)
        if self._is_foreign(call):
            self._wrapped.add(index)
            start = hub.ArgumentsDelta(_OPENING + _escaped(call.arguments))
            return [hub.PartStarted(index, replace(lifted, arguments="", custom=False)), hub.PartDelta(index, start)]
        if lifted.custom and not call.custom:
            self._inputs[index] = [call.arguments]
            lifted = replace(lifted, arguments="")
        elif not lifted.custom and not call.arguments:
            self._bare.add(index)
        return [hub.PartStarted(index, lifted)]

    def _arguments_left(self, index: int) -> str | None:
        """What a call's arguments still lack when it ends."""
        if index in self._inputs:
            return _input_text("".join(self._inputs.pop(index)))
        if index in self._wrapped:
            self._wrapped.discard(index)
            return _CLOSING
        if index in self._bare:
            self._bare.discard(index)
            return "{}"
        return None

    def lift_response(self, response: hub.Response) -> hub.Response:
        self._answer_id = response.id
        parts: list[hub.AnswerPart] = []
        for index, part in enumerate(response.parts):
            if not isinstance(part, hub.ToolCall):
                parts.append(part)
                continue
            lifted = self._lift_name(part, index)
            if self._is_foreign(part):
                text = _OPENING + _escaped(part.arguments) + _CLOSING
                lifted = replace(lifted, arguments=text, custom=False)
            elif lifted.custom and not part.custom:
                lifted = replace(lifted, arguments=_input_text(part.arguments))
            elif not lifted.custom and not part.arguments:
                lifted = replace(lifted, arguments="{}")
            parts.append(lifted)
        return replace(response, parts=tuple(parts))

    def _is_foreign(self, call: hub.ToolCall) -> bool:
        known = self._known.get(call.name)
        return call.custom and not self._client.custom and not (known is not None and known.custom)

    def _lift_name(self, call: hub.ToolCall, index: int) -> hub.ToolCall:
        known = self._known.get(call.name) or _Known(call.name, call.namespace, call.custom)
        new_id = self._client_ids.make(call.id or "call", f"{self._answer_id}\0{index}\0{call.id}")
        namespace = call.namespace or known.namespace
        return replace(call, id=new_id, name=known.name, namespace=namespace, custom=call.custom or known.custom)


def _escaped(text: str) -> str:
    """A piece of a JSON string, without its quotes."""
    return jsonvalue.write(text).decode()[1:-1]


def _input_schema(tool: hub.Tool) -> Mapping[str, hub.JSON]:
    """The schema of a custom tool that becomes a function; the model reads the grammar where it writes the input."""
    text: dict[str, hub.JSON] = {"type": "string"}
    definition = (tool.grammar or {}).get("definition")
    if isinstance(definition, str):
        syntax = (tool.grammar or {}).get("syntax")
        text["description"] = f"Text in this {syntax if isinstance(syntax, str) else 'input'} grammar:\n{definition}"
    return {"type": "object", "properties": {INPUT: text}, "required": [INPUT], "additionalProperties": False}


def _input_text(arguments: str) -> str:
    """The input of a custom tool out of the function's arguments; a model that wrote no JSON meant the text itself."""
    try:
        value: object = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    match value:
        case {"input": str(text)}:
            return text
        case str(text):
            return text
        case _:
            return arguments
