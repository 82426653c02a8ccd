"""Words that several formats spell alike, so that one can take over what another said in its ``extra``.

Only what means the same at both ends stands here; a format that takes a member over does not report it as lost.
"""

from collections.abc import Mapping

from translators.hub import JSON, Extra

_OPENAI = frozenset({"metadata", "store", "prompt_cache_retention", "safety_identifier"})
_MEMBERS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "openai-chat": {"openai-responses": _OPENAI},
    "openai-responses": {"openai-chat": _OPENAI},
}
"""Format → format that it can take request members over from → their names."""


def inherited(extra: Extra, name: str) -> dict[str, JSON]:
    """Members of a request that the format ``name`` takes over from formats that spell them as it does."""
    found: dict[str, JSON] = {}
    for other, members in _MEMBERS.get(name, {}).items():
        found |= {word: value for word, value in extra.get(other, {}).items() if word in members and value is not None}
    return found


def cache_control(extra: Extra) -> dict[str, JSON] | None:
    """The breakpoint of a prompt cache that the client set on a part or a tool, whatever format it speaks."""
    for members in extra.values():
        mark = members.get("cache_control")
        if isinstance(mark, dict) and mark.get("type") == "ephemeral":
            return mark
    return None
