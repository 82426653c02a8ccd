"""Every wire format, in one visible list. A new format is one file (or folder) here and one line below."""

from types import MappingProxyType
from typing import Final

from translators.format import Format
from translators.formats.anthropic_messages import AnthropicMessages
from translators.formats.antigravity import Antigravity
from translators.formats.gemini import Gemini
from translators.formats.gemini_cli import GeminiCLI
from translators.formats.openai_chat import OpenAIChat
from translators.formats.openai_responses import OpenAIResponses

_ALL: tuple[Format, ...] = (
    AnthropicMessages(),
    OpenAIChat(),
    OpenAIResponses(),
    Gemini(),
    GeminiCLI(),
    Antigravity(),
)

FORMATS: Final = MappingProxyType({known.name: known for known in _ALL})
"""By name."""
