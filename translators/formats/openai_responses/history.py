"""The ``input`` list ↔ messages of the hub.

Neighbouring items that the model made are one assistant message, neighbouring tool outputs one user message, and every
other ``message`` item is a message of its own. An assistant message without an id that follows text opens a new one,
so that two of them never melt together.

``additional_tools`` items declare tools in the middle of the input (Codex). Their tools join the request's; the items
are kept with their place for this format. ``state`` names what only the server that keeps it can resolve.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from translators import hub
from translators.dropped import word_of
from translators.errors import FormatError
from translators.format import Profile
from translators.formats.openai_responses import items as model_items
from translators.formats.openai_responses.content import parse_input_part, render_input_part
from translators.formats.openai_responses.reading import (
    NAME,
    list_at,
    mapping,
    object_at,
    own,
    rest,
    string_at,
    text,
)
from translators.formats.openai_responses.tools import parse_tools
from translators.hub import JSON

_MESSAGE = frozenset({"role", "content"})
_OUTPUT = frozenset({"type", "call_id", "output"})
_STATE = {
    "item_reference": "a reference to an item that the provider keeps (item_reference)",
    "compaction": "a compacted history that only its provider can read (compaction)",
    "compaction_summary": "a compacted history that only its provider can read (compaction_summary)",
}

type _Side = Literal["user", "assistant"]
type Content = hub.Text | hub.Refusal | hub.Media


@dataclass(slots=True)
class Input:
    """What an ``input`` says."""

    messages: list[hub.Message] = field(default_factory=list[hub.Message])
    tools: list[hub.Tool | hub.ServerTool] = field(default_factory=list[hub.Tool | hub.ServerTool])
    additional: list[JSON] = field(default_factory=list[JSON])
    """``additional_tools`` items, each as ``{"at": place, "item": item}``."""
    state: str | None = None


def parse_input(value: JSON) -> Input:
    if isinstance(value, str):
        plain: hub.Extra = {NAME: {"item": {}, "plain": True}}
        return Input([hub.Message("user", (hub.Text(value),), plain)])
    result = Input()
    turns = _Turns()
    for number, one in enumerate(list_at(value, "input")):
        path = f"input[{number}]"
        item = object_at(one, path)
        kind = item.get("type", "message")
        match kind:
            case "message":
                _parse_message(item, path, turns)
            case "additional_tools":
                result.tools += parse_tools(item.get("tools", []), f"{path}.tools", from_input=True)
                result.additional.append({"at": number, "item": item})
            case "function_call_output" | "custom_tool_call_output":
                turns.append("user", _parse_output(item, path))
            case "function_call" | "custom_tool_call":
                string_at(item.get("call_id"), f"{path}.call_id")
                string_at(item.get("name"), f"{path}.name")
                turns.append("assistant", *model_items.parse_item(item, answer=False))
            case "tool_search_output":
                result.tools += parse_tools(item.get("tools", []), f"{path}.tools", from_input=True)
                side = "assistant" if item.get("execution") == "server" else "user"
                turns.append(side, hub.Opaque(NAME, item))
            case str():
                side = "user" if kind.endswith(("_output", "_response")) else "assistant"
                turns.append(side, *model_items.parse_item(item, answer=False))
                result.state = result.state or _STATE.get(kind)
            case _:
                raise FormatError(f"{path}.type: a string is needed")
    result.messages = turns.messages()
    return result


class _Turns:
    """Messages that are put together of items; one that came as a message stands for itself."""

    def __init__(self) -> None:
        self._messages: list[hub.Message] = []
        self._role: _Side | None = None
        """Of the message that items are still added to."""
        self._parts: list[hub.Part] = []

    def append(self, role: _Side, *parts: hub.Part) -> None:
        """Adds to the last message if that is made of items of the same side, else begins one."""
        if self._role != role:
            self.begin(role)
        self._parts += parts

    def begin(self, role: _Side) -> None:
        self._end()
        self._role = role

    def add(self, message: hub.Message) -> None:
        self._end()
        self._messages.append(message)

    def ends_with_text_of(self, role: _Side) -> bool:
        return self._role == role and bool(self._parts) and isinstance(self._parts[-1], hub.Text | hub.Refusal)

    def messages(self) -> list[hub.Message]:
        self._end()
        return self._messages

    def _end(self) -> None:
        if self._role is not None:
            self._messages.append(hub.Message(self._role, tuple(self._parts)))
        self._role, self._parts = None, []


def _parse_message(item: dict[str, JSON], path: str, turns: _Turns) -> None:
    content = item.get("content")
    if not isinstance(content, str):
        for number, one in enumerate(list_at(content, f"{path}.content")):
            part = object_at(one, f"{path}.content[{number}]")
            string_at(part.get("type"), f"{path}.content[{number}].type")
    role = item.get("role")
    if role == "assistant":
        parts = model_items.parse_item({**item, "type": "message"}, answer=False)
        if "id" not in item and turns.ends_with_text_of("assistant"):
            turns.begin("assistant")
        turns.append("assistant", *parts)
        return
    if role not in ("user", "system", "developer"):
        raise FormatError(f"{path}.role: {role!r} is none of user, assistant, system and developer")
    members: dict[str, JSON] = {"item": rest(item, _MESSAGE)}
    if isinstance(content, str):
        members["plain"] = True
        turns.add(hub.Message(role, (hub.Text(content),), {NAME: members}))
        return
    parts = [
        parse_input_part(one, f"{path}.content[{number}]")
        for number, one in enumerate(list_at(content, f"{path}.content"))
    ]
    turns.add(hub.Message(role, tuple(parts), {NAME: members}))


def _parse_output(item: dict[str, JSON], path: str) -> hub.ToolResult:
    output = item.get("output")
    members: dict[str, JSON] = {"item": rest(item, _OUTPUT)}
    parts: list[hub.Text | hub.Media | hub.ToolReference | hub.Opaque] = []
    if isinstance(output, list):
        members["list"] = True
        for number, one in enumerate(output):
            part = parse_input_part(one, f"{path}.output[{number}]")
            parts.append(hub.Text(part.text, extra=part.extra) if isinstance(part, hub.Refusal) else part)
    elif output is not None:
        parts.append(hub.Text(string_at(output, f"{path}.output")))
    return hub.ToolResult(
        call_id=string_at(item.get("call_id"), f"{path}.call_id"),
        parts=tuple(parts),
        custom=item.get("type") == "custom_tool_call_output",
        extra={NAME: members},
    )


def place_system(messages: Iterable[hub.Message], profile: Profile, losses: list[hub.Loss]) -> list[hub.Message]:
    """The messages with system text only where the model takes it."""
    placed: list[hub.Message] = []
    leading = True
    opening: list[hub.Part] = []
    for number, message in enumerate(messages):
        path = f"messages[{number}].role"
        if message.role not in ("system", "developer"):
            leading = False
            placed.append(message)
        elif profile.system_position == "none" and leading:
            opening += message.parts
        elif profile.system_position != "any" and not leading:
            losses.append(hub.Loss(path, "the model takes no system text here; it is sent as user text"))
            placed.append(replace(message, role="user"))
        elif message.role == "developer" and not profile.developer_role:
            placed.append(replace(message, role="system"))
        else:
            placed.append(message)
    if opening:
        losses.append(hub.Loss("messages[0].role", "the model takes no system text; it opens the first user turn"))
        first = next((place for place, message in enumerate(placed) if message.role == "user"), None)
        if first == 0:
            placed[0] = replace(placed[0], parts=(*opening, *placed[0].parts), extra={})
        else:
            placed.insert(0, hub.Message("user", tuple(opening)))
    return placed


class InputWriter:
    """Messages → items, in order; ``items`` is the input so far."""

    def __init__(self, profile: Profile, losses: list[hub.Loss]) -> None:
        self.items: list[JSON] = []
        self._profile = profile
        self._losses = losses
        self._ids = model_items.ItemIds("input")

    def write(self, message: hub.Message, path: str) -> None:
        content: list[Content | hub.Opaque] = []
        for number, part in enumerate(message.parts):
            place = f"{path}.parts[{number}]"
            if isinstance(part, hub.Text | hub.Refusal | hub.Media) or (
                isinstance(part, hub.Opaque) and _is_content(part)
            ):
                if content and not self._continues(message, content[-1], part):
                    self._flush(message, content, path)
                content.append(part)
                continue
            self._flush(message, content, path)
            self._write_item(part, place)
        self._flush(message, content, path)
        if not message.parts and NAME in message.extra:
            self.items.append({**mapping(own(message.extra).get("item")), "role": message.role, "content": []})

    @staticmethod
    def _continues(message: hub.Message, last: Content | hub.Opaque, part: Content | hub.Opaque) -> bool:
        if message.role != "assistant":
            return True
        if isinstance(last, hub.Text | hub.Refusal) and isinstance(part, hub.Text | hub.Refusal):
            return model_items.same_item(last, part)
        return True

    def _flush(self, message: hub.Message, content: "list[Content | hub.Opaque]", path: str) -> None:
        if not content:
            return
        if message.role == "assistant":
            self._flush_assistant(content, path)
        else:
            self._flush_input(message, content, path)
        content.clear()

    def _flush_input(self, message: hub.Message, content: "list[Content | hub.Opaque]", path: str) -> None:
        kept = own(message.extra)
        base: dict[str, JSON] = {**mapping(kept.get("item", {"type": "message"})), "role": message.role}
        if kept.get("plain") is True and len(content) == 1 and isinstance(content[0], hub.Text):
            self.items.append({**base, "content": content[0].text})
            return
        rendered: list[JSON] = []
        for number, part in enumerate(content):
            one = (
                part.raw
                if isinstance(part, hub.Opaque)
                else render_input_part(part, f"{path}.parts[{number}]", self._profile, self._losses)
            )
            if one is not None:
                rendered.append(one)
        if rendered:
            self.items.append({**base, "content": rendered})

    def _flush_assistant(self, content: "list[Content | hub.Opaque]", path: str) -> None:
        said: list[hub.Text | hub.Refusal] = []
        for part in content:
            if isinstance(part, hub.Text | hub.Refusal):
                said.append(part)
            else:
                self._losses.append(hub.Loss(path, "a turn of the assistant can hold only text"))
        if not said:
            return
        kept = own(said[0].extra)
        if kept.get("plain") is True and len(said) == 1:
            item = mapping(kept.get("item"))
            self.items.append({**item, "role": "assistant", "content": said[0].text})
            return
        contents = model_items.render_contents(said, path, self._losses)
        for one in contents:
            if mapping(one).get("logprobs") == []:
                del mapping(one)["logprobs"]
        if "item" in kept and "id" not in mapping(kept.get("item")):
            self.items.append(
                {**mapping(kept.get("item")), "type": "message", "role": "assistant", "content": contents}
            )
            return
        identity = self._ids.take("msg", model_items.item_id(said[0]))
        self.items.append(model_items.render_message(said[0], contents, identity, "completed"))

    def _write_item(self, part: "hub.Thinking | hub.ToolCall | hub.ToolResult | hub.Opaque", path: str) -> None:
        match part:
            case hub.Thinking():
                if "item" in own(part.extra):
                    self.items.append(model_items.render_reasoning(part, None, wrap=False))
                elif part.signature is not None and part.signature.origin == NAME:
                    identity = self._ids.take("rs")
                    self.items.append(model_items.render_reasoning(part, identity, wrap=False))
                else:
                    self._losses.append(hub.Loss(path, "reasoning of another provider, which this one would refuse"))
            case hub.ToolCall():
                status = None if part.custom or NAME in part.extra else "completed"
                self.items.append(model_items.render_call(part, part.arguments, None, status))
            case hub.ToolResult():
                self.items.append(self._render_result(part, path))
            case hub.Opaque(format=name, raw=raw):
                if name == NAME:
                    self.items.append(raw)
                else:
                    self._losses.append(hub.Loss(path, f"`{word_of(part)}`, which only {name} understands"))
            case _:
                assert_never(part)

    def _render_result(self, result: hub.ToolResult, path: str) -> dict[str, JSON]:
        kept = own(result.extra)
        if result.error:
            self._losses.append(hub.Loss(f"{path}.error", "the mark that the tool failed; its text stays"))
        kind = "custom_tool_call_output" if result.custom else "function_call_output"
        item: dict[str, JSON] = {"type": kind, "call_id": result.call_id}
        match result.parts:
            case ():
                item["output"] = [] if kept.get("list") is True else ""
            case (hub.Text(text=said),) if kept.get("list") is not True:
                item["output"] = said
            case _:
                item["output"] = self._render_outputs(result, path)
        return item | mapping(kept.get("item"))

    def _render_outputs(self, result: hub.ToolResult, path: str) -> list[JSON]:
        outputs: list[JSON] = []
        for number, part in enumerate(result.parts):
            place = f"{path}.parts[{number}]"
            match part:
                case hub.Text() | hub.Media():
                    one = render_input_part(part, place, self._profile, self._losses)
                    if one is not None:
                        outputs.append(one)
                case hub.ToolReference(name=name):
                    self._losses.append(hub.Loss(place, "a reference to a found tool; its name is sent as text"))
                    outputs.append({"type": "input_text", "text": name})
                case hub.Opaque(format=name, raw=raw):
                    if name == NAME:
                        outputs.append(raw)
                    else:
                        self._losses.append(hub.Loss(place, f"`{word_of(part)}`, which only {name} understands"))
                case _:
                    assert_never(part)
        return outputs


def _is_content(part: hub.Opaque) -> bool:
    """Whether an opaque part is content of a message rather than an item of its own."""
    kind = text(mapping(part.raw).get("type"))
    return part.format == NAME and kind.startswith(("input_", "output_", "computer_screenshot", "summary_"))
