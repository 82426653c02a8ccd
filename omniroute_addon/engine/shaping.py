"""What the rules change in a call before it is translated: output limit, thinking, system prompt. Pure.

A shaped call is a changed call, so nothing here happens unless the rules ask for it. The edits are made in the client's
own format, on the text of the body: every byte outside of the edited member stays. So a passthrough remains one, and a
translation finds the change where the client would have said it.

The client's own call (``origin``) has its tool's checksums and caches and is shaped in one case only: a policy bounds
the output and the call asks for more. Prompt caches see an added system prompt: appended, it stands behind what the
client has marked for the cache; prepended, it begins every cached prefix anew, once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from omniroute_addon.config.glob import matches
from omniroute_addon.config.governance import Governance, SystemPrompt, Thinking, ThinkingRule
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.thinking import direct, fit_budget
from omniroute_addon.routing.candidate import Candidate
from translators import WireRequest
from translators.format import Profile
from translators.hub import JSON
from translators.jsontext import MISSING, Change, Missing, edit_member

THINKS = "-thinking"
"""Ends the names of models that are asked to think by their name."""
BILLING = "x-anthropic-billing-header:"
"""Begins the first block of Claude Code's system prompt, which must stay the first."""

_LIMITS = {
    "anthropic-messages": (("max_tokens",),),
    "openai-chat": (("max_tokens",), ("max_completion_tokens",)),
    "openai-responses": (("max_output_tokens",),),
    "gemini": tuple(
        (config, limit)
        for config in ("generationConfig", "generation_config")
        for limit in ("maxOutputTokens", "max_output_tokens")
    ),
}
"""Where each format says how long an answer may be."""
_WRAPPED = frozenset(["gemini-cli", "antigravity"])
"""Gemini's request, inside of Code Assist's envelope."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to be changed in one candidate's call."""

    max_tokens: int | None = None
    thinking: ThinkingRule = field(default_factory=ThinkingRule)
    able: bool = True
    """The model can think, as far as is known."""
    named: bool = False
    """Its name asks for thinking."""
    system: SystemPrompt | None = None


def orders(call: Call, candidate: Candidate, max_tokens: int | None, rules: Governance) -> Orders | None:
    """What the rules want of a call to a candidate; None for nothing. ``max_tokens`` is the policies' bound."""
    if call.operation != "generate":
        return None
    if candidate.origin:
        return None if max_tokens is None else Orders(max_tokens)
    system = rules.system_prompt if rules.system_prompt.enabled and rules.system_prompt.text else None
    rule = thinking_rule(rules.thinking, candidate)
    if max_tokens is None and system is None and rule.mode == "passthrough":
        return None
    model = candidate.model or candidate.asked or ""
    known = None if candidate.provider is None else candidate.provider.model(model)
    return Orders(
        max_tokens,
        rule,
        able=known is None or known.reasoning is not False,
        named=any(name.endswith(THINKS) for name in (model, candidate.asked or "")),
        system=system,
    )


def thinking_rule(rules: Thinking, candidate: Candidate) -> ThinkingRule:
    """The rule for a candidate: the first of ``models`` whose glob matches its target, else the general one."""
    owner = "" if candidate.provider is None else f"{candidate.provider.id}/"
    names = (candidate.target, f"{owner}{candidate.model or candidate.asked or ''}")
    found = (rule for glob, rule in rules.models.items() if any(matches(glob, name) for name in names))
    return next(found, rules)


def shape(wire: WireRequest, form: str, wanted: Orders | None) -> WireRequest:
    """The client's request as the orders want it; ``wire`` itself when they change nothing."""
    if wanted is None:
        return wire
    shaped, inner = wire, wire.body
    if wanted.system is not None:
        inner = add_system(inner, form, wanted.system)
    if wanted.max_tokens is not None:
        inner = clamp(inner, form, wanted.max_tokens)
    if inner != wire.body:
        shaped = replace(wire, body=inner)
    shaped = direct(shaped, form, wanted.thinking, able=wanted.able, named=wanted.named)
    return wire if shaped.body == wire.body else shaped


def bounded(profile: Profile, max_tokens: int | None) -> Profile:
    """The profile for a format that wants a limit where the client gave none: not above the policies' bound."""
    if max_tokens is None:
        return profile
    return replace(profile, max_output=min(profile.max_output or max_tokens, max_tokens))


# ── output limit ────────────────────────────────────────────────────────────────────────────────────────────────────


def clamp(body: bytes, form: str, limit: int) -> bytes:
    """The client's own limit lowered to ``limit``; nothing is added where it set none."""

    def lowered(value: JSON | Missing) -> JSON | Missing:
        match value:
            case bool():
                return value
            case int() | float():
                return min(value, limit)
            case str():  # Google's JSON takes numbers as texts
                return limit if value.isdecimal() and int(value) > limit else value
            case _:
                return value

    for path in _paths(form, _LIMITS):
        body = edit_member(body, path, lowered)
    return fit_budget(body) if form == "anthropic-messages" else body


def _paths(form: str, known: dict[str, tuple[tuple[str, ...], ...]]) -> Iterable[tuple[str, ...]]:
    if form in _WRAPPED:
        return [("request", *path) for path in known["gemini"]]
    return known.get(form, ())


# ── system prompt ───────────────────────────────────────────────────────────────────────────────────────────────────


def add_system(body: bytes, form: str, prompt: SystemPrompt) -> bytes:
    """The request with the prompt in it, once: a request that has the text already stays as it is."""
    text, first = prompt.text, prompt.position == "prepend"
    match form:
        case "anthropic-messages":
            return edit_member(body, ("system",), lambda old: _with_block(old, text, first=first))
        case "openai-chat":
            return edit_member(body, ("messages",), lambda old: _with_message(old, text, first=first))
        case "openai-responses":
            return edit_member(body, ("instructions",), lambda old: _with_text(old, text, first=first))
        case "gemini" | "gemini-cli" | "antigravity":
            return _gemini(body, ("request",) if form in _WRAPPED else (), text, first=first)
        case _:
            return body


def _with_text(old: JSON | Missing, text: str, *, first: bool) -> JSON | Missing:
    match old:
        case None | Missing():
            return text
        case str() if text not in old:
            return "\n\n".join(part for part in ((text, old) if first else (old, text)) if part)
        case _:
            return old


def _with_block(old: JSON | Missing, text: str, *, first: bool) -> JSON | Missing:
    """Behind the client's last breakpoint, or before everything but the billing block. Without a breakpoint of its own."""
    if not isinstance(old, list):
        return _with_text(old, text, first=first)
    if any(_text_of(block) == text for block in old):
        return old
    place = len(old)
    if first:
        place = 1 if old and _text_of(old[0]).startswith(BILLING) else 0
    return [*old[:place], {"type": "text", "text": text}, *old[place:]]


def _with_message(old: JSON | Missing, text: str, *, first: bool) -> JSON | Missing:
    """Within the system message that the conversation begins with; a new one where there is none."""
    if not isinstance(old, list):
        return old
    leading = 0
    while leading < len(old) and _role(old[leading]) in ("system", "developer"):
        leading += 1
    if leading == 0:
        return [{"role": "system", "content": text}, *old]
    place = 0 if first else leading - 1
    message = old[place]
    assert isinstance(message, dict)
    content = message.get("content")
    said = _with_block(content, text, first=first)
    if said is MISSING or said == content:
        return old
    return [*old[:place], {**message, "content": said}, *old[place + 1 :]]


def _gemini(body: bytes, outer: tuple[str, ...], text: str, *, first: bool) -> bytes:
    part: JSON = {"text": text}

    def added(old: JSON | Missing) -> JSON | Missing:
        match old:
            case {"parts": list(parts), **rest} if part not in parts:
                return {**rest, "parts": [part, *parts] if first else [*parts, part]}
            case str():
                return _with_text(old, text, first=first)
            case _:
                return old

    for name in ("systemInstruction", "system_instruction"):
        found: list[JSON | Missing] = []

        def seen(old: JSON | Missing, found: list[JSON | Missing] = found) -> JSON | Missing:
            found.append(old)
            return added(old)

        body = edit_member(body, (*outer, name), seen)
        if any(value is not MISSING for value in found):
            return body
    make: Change = lambda old: {"parts": [part]} if old is MISSING else old  # noqa: E731
    return edit_member(body, (*outer, "systemInstruction"), make)


def _text_of(block: JSON) -> str:
    text = block.get("text") if isinstance(block, dict) else None
    return text if isinstance(text, str) else ""


def _role(message: JSON) -> JSON:
    return message.get("role") if isinstance(message, dict) else None
