"""Says once for every kind of vendor field in a request that chat completions have no place for it."""

from collections.abc import Iterator

from translators.formats.openai_chat.values import NAME
from translators.hub import Extra, Loss, Media, Opaque, Request, Text, Tool, ToolResult


def foreign_losses(request: Request) -> list[Loss]:
    losses: dict[tuple[str, str], Loss] = {}
    for path, extras in _extras(request):
        for format_name, fields in extras.items():
            for name in fields:
                if format_name != NAME and (format_name, name) not in losses:
                    place = f"{path}.{name}" if path else name
                    losses[format_name, name] = Loss(place, f"Only {format_name} has {name!r}.")
    return list(losses.values())


def _extras(request: Request) -> Iterator[tuple[str, Extra]]:
    yield "", request.extra
    for place, tool in enumerate(request.tools):
        if isinstance(tool, Tool):
            yield f"tools[{place}]", tool.extra
    for place, message in enumerate(request.messages):
        yield f"messages[{place}]", message.extra
        for number, part in enumerate(message.parts):
            if isinstance(part, Opaque):
                continue
            yield f"messages[{place}].parts[{number}]", part.extra
            if isinstance(part, ToolResult):
                for inner in part.parts:
                    if isinstance(inner, Text | Media):
                        yield f"messages[{place}].parts[{number}]", inner.extra
