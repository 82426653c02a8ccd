"""Every wire format, in one visible list. A new format is one file (or folder) here and one line below.

Each is imported when it is first asked for: all of them are a fifth of what a program does before it can do anything,
and most programs speak two.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from translators.format import Format

_ALL: Final = MappingProxyType(
    {
        "anthropic-messages": ("anthropic_messages", "AnthropicMessages"),
        "openai-chat": ("openai_chat", "OpenAIChat"),
        "openai-responses": ("openai_responses", "OpenAIResponses"),
        "gemini": ("gemini", "Gemini"),
        "gemini-cli": ("gemini_cli", "GeminiCLI"),
        "antigravity": ("antigravity", "Antigravity"),
    }
)
"""Name: the module in this package, and the class."""


class _Formats(Mapping[str, Format]):
    def __init__(self) -> None:
        self._made: dict[str, Format] = {}

    def __getitem__(self, name: str) -> Format:
        made = self._made.get(name)
        if made is None:
            module, kind = _ALL[name]
            made = self._made[name] = getattr(import_module(f"{__name__}.{module}"), kind)()
        return made

    def __contains__(self, name: object) -> bool:
        return name in _ALL

    def __iter__(self) -> Iterator[str]:
        return iter(_ALL)

    def __len__(self) -> int:
        return len(_ALL)


FORMATS: Final[Mapping[str, Format]] = _Formats()
"""By name."""
