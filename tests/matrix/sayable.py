"""What a client's format has no words for: the only differences that the matrix forgives, each by name.

Every rule is as small as the format's own documentation allows and changes the *expected* value; nothing is taken away
from what the client got.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.matrix.said import Said

_ALL = frozenset({"anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli", "antigravity"})
_GEMINI = frozenset({"gemini", "gemini-cli", "antigravity"})


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    clients: frozenset[str]
    change: Callable[[Said], Said]


def _plain_stop(said: Said) -> Said:
    return replace(said, stop="end") if said.stop in ("stop_sequence", "pause") else said


def _functions(said: Said) -> Said:
    """The input of a custom tool is the one argument of a function."""
    calls = tuple(
        replace(call, arguments={"input": call.arguments}) if isinstance(call.arguments, str) else call
        for call in said.calls
    )
    return replace(said, calls=calls)


RULES = (
    Rule("a stop sequence and a pause are an ordinary end there", _ALL - {"anthropic-messages"}, _plain_stop),
    Rule("free-form input of a tool is a function's one string there", _ALL - {"openai-responses"}, _functions),
    Rule("tokens written to a cache are not told apart there", _GEMINI, lambda said: replace(said, written=0)),
    Rule(
        "a refusal is text there",
        _GEMINI | {"anthropic-messages"},
        lambda said: replace(said, text=said.text + said.refusal, refusal=""),
    ),
)


def sayable(said: Said, client: str) -> tuple[Said, list[str]]:
    """What the client can be told, and the names of the rules that made a difference."""
    used: list[str] = []
    for rule in RULES:
        if client in rule.clients and (changed := rule.change(said)) != said:
            said = changed
            used.append(rule.name)
    return said, used
