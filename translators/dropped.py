"""Which words of an ``extra`` are lost when a format that does not know them is written.

Parsers keep more in an extra than what only their format can say: how something was written (as a string or as a list),
the raw value beside the one that the hub carries, whole objects of members. Only what says something nowhere else is
reported, each member by its own path.
"""

from collections.abc import Iterator, Mapping

from translators.hub import (
    JSON,
    SPELLING,
    Extra,
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolResult,
)

type Holder = Request | Reasoning | Tool | Message | Part

_SHADOWS: Mapping[str, frozenset[str]] = {
    "anthropic-messages": frozenset(["source", "type", "effort", "budget_tokens", "display", "caller"]),
    "openai-chat": frozenset(
        [
            "functions",
            "choices[0]",
            "choices[0].message",
            "reasoning_effort",
            "effort",
            "max_tokens",
            "budget_tokens",
            "exclude",
            "enabled",
            "type",
        ]
    ),
    "openai-responses": frozenset(
        [
            "plain",
            "list",
            "input",
            "channel",
            "content",
            "user_field",
            "additional_tools",
            "id",
            "status",
            "type",
            "role",
            "defer_loading",
        ]
    ),
    "gemini": frozenset({"alt"}),
}
"""Format → members that repeat what the hub carries or say only how it was written."""

_WRAPPERS: Mapping[str, frozenset[str]] = {
    "anthropic-messages": frozenset({"output_config", "metadata", "thinking"}),
    "openai-chat": frozenset({"stream_options", "function", "thinking", "reasoning"}),
    "openai-responses": frozenset({"item", "part", "tool", "namespace", "text"}),
    "gemini": frozenset({"generationConfig", "toolConfig", "functionCallingConfig"}),
    "gemini-cli": frozenset({"request"}),
    "antigravity": frozenset({"request"}),
}
"""Format → members that hold others, which are meant."""

_EFFORT_NAMES = frozenset({"effort", "reasoning_effort"})
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})


def dropped(extra: Extra, target: str) -> Iterator[tuple[str, str]]:
    """The format and the path of every member that says something ``target`` does not hear."""
    for origin, members in extra.items():
        if origin != target:
            yield from ((origin, path) for path in _paths(origin, members))


def _paths(origin: str, members: Mapping[str, JSON]) -> Iterator[str]:
    wrappers = _WRAPPERS.get(origin, frozenset())
    shadows = _SHADOWS.get(origin, frozenset())
    for name, value in members.items():
        match value:
            case None | []:
                continue
            case dict() if not value:
                continue
            case dict() if name in wrappers:
                yield from (f"{name}.{inner}" for inner in _paths(origin, value))
            case str() if name in _EFFORT_NAMES and value not in _EFFORTS:
                yield name
            case _ if name not in shadows and not name.startswith(SPELLING):
                yield name
            case _:
                continue


def extras(request: Request) -> Iterator[tuple[str, Extra, Holder]]:
    """Every extra of a request, with its path and with what it belongs to."""
    yield "", request.extra, request
    if request.reasoning is not None:
        yield "reasoning", request.reasoning.extra, request.reasoning
    for number, tool in enumerate(request.tools):
        if isinstance(tool, Tool):
            yield f"tools[{number}]", tool.extra, tool
    for number, message in enumerate(request.messages):
        yield f"messages[{number}]", message.extra, message
        for place, part in enumerate(message.parts):
            if isinstance(part, Opaque):
                continue
            path = f"messages[{number}].parts[{place}]"
            yield path, part.extra, part
            if isinstance(part, ToolResult):
                inside = (inner for inner in part.parts if isinstance(inner, Text | Media))
                yield from ((path, inner.extra, inner) for inner in inside)


def word_of(part: Opaque) -> str:
    """What the format itself calls a part that only it understands."""
    match part.raw:
        case {"type": str(kind)}:
            return kind
        case dict() as raw:
            return next((name for name in raw if name != "thoughtSignature"), "a part")
        case _:
            return "a part"
