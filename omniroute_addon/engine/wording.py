"""What a question says last, taken out of its request: the one thing that may be said in other words. Pure.

Everything else of a request must be the same to the last byte of its canonical form: the model, the system prompt, the
conversation before, what stands beside the text in its message, and every option. Of the text itself, words that are
not made of letters (numbers, addresses, names of files, code) must be the same too and in the same order: a vector hardly
tells 2 + 2 from 2 + 3.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

_BETWEEN = re.compile(r"[\s、。，．・；：？！「」『』（）]+")
"""Between words."""
_AROUND = "\"'“”‘’«»()[]{}<>.,;:!?…¿¡"
"""Signs that may stand around a word."""
_WITHIN = "-'’"
"""Signs that may stand in one."""
_TAKEN = {"omniroute": "the text"}
"""Stands in the place of the text; no text is a mapping."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A question's last text, and what is the same for all that differ from it in nothing but words."""

    scope: str
    """A digest."""
    text: str = field(repr=False)


def literals(text: str) -> Iterable[str]:
    """The words of a text that must not change."""
    for word in _BETWEEN.split(text):
        bare = word.strip(_AROUND)
        if bare and not all(sign in _WITHIN or unicodedata.category(sign)[0] in "LM" for sign in bare):
            yield bare


def taken_out(form: str, body: dict[str, Any]) -> str | None:
    """The text that the user has said last, which ``body`` is left without; None (and nothing is changed) without one."""
    match form:
        case "anthropic-messages" | "openai-chat":
            return _of_message(_last(body, "messages"), "content", "text")
        case "openai-responses":
            if isinstance(body.get("input"), str):
                return _take(body, "input")
            return _of_message(_last(body, "input"), "content", "input_text")
        case "gemini" | "gemini-cli" | "antigravity":
            return _of_message(_last(body, "contents"), "parts", None)
        case _:
            return None


def _last(body: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    messages = body.get(name)
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return None
    return cast("dict[str, Any]", messages[-1])


def _of_message(message: dict[str, Any] | None, name: str, kind: str | None) -> str | None:
    """The last text of a user's message; ``kind``: the type that a part with a text has, where parts have types."""
    if message is None or message.get("role", "user" if kind is None else None) != "user":
        return None
    content: object = message.get(name)
    if isinstance(content, str):
        return _take(message, name)
    for part in reversed(cast("list[object]", content) if isinstance(content, list) else []):
        if isinstance(part, dict) and isinstance(part.get("text"), str) and part.get("type") == kind:
            return _take(cast("dict[str, Any]", part), "text")
    return None


def _take(place: dict[str, Any], name: str) -> str:
    text = str(place[name])
    place[name] = _TAKEN
    return text
