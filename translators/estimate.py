"""How many tokens a request has, roughly: for providers that do not count, and for streams that report usage late.

A quarter token per UTF-8 byte of everything the model reads (which is near one token per character for Chinese and
Japanese), a flat price for media. Good to some 20 %; whoever shows the number says that it is an estimate.
"""

from collections.abc import Iterable, Mapping
from typing import assert_never

from translators import hub, jsonvalue

_BYTES_PER_TOKEN = 4
_PER_MESSAGE = 4
_PER_TOOL = 12
_MEDIA: dict[str, int] = {"image": 1200, "audio": 1500, "video": 5000, "document": 3000}


def expected(request: hub.Request) -> hub.Usage:
    """What a client is told before anybody has counted; ``merged`` with a report it gives way, count by count."""
    return hub.Usage(input=input_tokens(request), estimated=True)


def input_tokens(request: hub.Request) -> int:
    """At least 1."""
    size = 0
    flat = 0
    for message in request.messages:
        flat += _PER_MESSAGE
        more_size, more_flat = _parts(message.parts)
        size += more_size
        flat += more_flat
    for tool in request.tools:
        flat += _PER_TOOL
        size += _tool(tool)
    if request.output is not None and request.output.schema is not None:
        size += _json(request.output.schema)
    return max(1, flat + size // _BYTES_PER_TOKEN)


def _parts(parts: Iterable[hub.Part | hub.ToolReference]) -> tuple[int, int]:
    size = flat = 0
    for part in parts:
        match part:
            case hub.Text(text) | hub.Refusal(text) | hub.Thinking(text):
                size += _length(text)
            case hub.ToolCall(name=name, arguments=arguments):
                size += _length(name) + _length(arguments)
            case hub.ToolReference(name):
                size += _length(name)
            case hub.Media(kind=kind):
                flat += _MEDIA[kind]
            case hub.Opaque(raw=raw):
                size += _json(raw)
            case hub.ToolResult(parts=inner):
                more_size, more_flat = _parts(inner)
                size += more_size
                flat += more_flat
            case _:
                assert_never(part)
    return size, flat


def _tool(tool: hub.Tool | hub.ServerTool) -> int:
    match tool:
        case hub.ServerTool():
            return _json(tool.raw)
        case hub.Tool():
            shape = tool.grammar if tool.custom else tool.schema
            return _length(tool.name) + _length(tool.description or "") + (_json(shape) if shape else 0)
        case _:
            assert_never(tool)


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def _json(value: hub.JSON | Mapping[str, hub.JSON]) -> int:
    return len(jsonvalue.write(dict(value) if isinstance(value, Mapping) else value))
