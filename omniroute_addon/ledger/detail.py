"""What a provider's usage report says beyond the hub's counts, where that has a price of its own. Pure.

The counts are parts of the hub's: audio and image tokens are inside ``input`` and ``output``. What is not there, or not
a number, counts as nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from translators.hub import JSON, Usage

CLAUDE = "anthropic-messages"
HOUR = "ephemeral_1h_input_tokens"
_CHAT = "openai-chat"
_GOOGLE = ("gemini", "gemini-cli", "antigravity")


@dataclass(frozen=True, slots=True)
class Detail:
    hour_writes: int = 0
    """Tokens that Anthropic keeps for an hour, which cost more than those kept for five minutes."""
    audio_in: int = 0
    audio_cached: int = 0
    """Of ``audio_in``."""
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    searches: int = 0
    """Web searches of the provider's own."""
    bill: float | None = None
    """US dollars that the provider itself has charged, as OpenRouter tells."""


def detail(usage: Usage) -> Detail:
    if not usage.extra:
        return _NONE
    claude, chat = usage.extra.get(CLAUDE, {}), usage.extra.get(_CHAT, {})
    google = next((found for name in _GOOGLE if (found := usage.extra.get(name))), {})
    given, taken = _object(chat.get("prompt_tokens_details")), _object(chat.get("completion_tokens_details"))
    entered = _modalities(google.get("promptTokensDetails"))
    said = _modalities(google.get("candidatesTokensDetails"))
    cost = chat.get("cost")
    return Detail(
        _count(_object(claude.get("cache_creation")).get(HOUR)),
        _count(given.get("audio_tokens")) + entered.get("AUDIO", 0),
        _modalities(google.get("cacheTokensDetails")).get("AUDIO", 0),
        _count(taken.get("audio_tokens")) + said.get("AUDIO", 0),
        _count(given.get("image_tokens")) + entered.get("IMAGE", 0),
        _count(taken.get("image_tokens")) + said.get("IMAGE", 0),
        _count(_object(claude.get("server_tool_use")).get("web_search_requests")),
        float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0 else None,
    )


_NONE = Detail()


def _object(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}


def _count(value: JSON) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _modalities(value: JSON) -> dict[str, int]:
    """Google's ``[{"modality": "AUDIO", "tokenCount": 60}, …]``."""
    parts: Iterable[JSON] = value if isinstance(value, list) else ()
    return {str(part.get("modality")): _count(part.get("tokenCount")) for part in parts if isinstance(part, dict)}
