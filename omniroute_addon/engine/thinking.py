"""How much a model shall think, when the rules and not the client decide: ``thinking:`` of the rules. Pure.

``auto`` drops what the client says, so that the model does as it does by itself; a model whose name ends in
``-thinking`` gets the rule's budget. ``custom`` sets the rule's budget, ``adaptive`` one that grows with the task. Formats
that know no budget get an effort. A model that is known not to think is told nothing.

In Anthropic's format thinking has conditions (room below ``max_tokens``, no forced tool, the open tool loop begins with
thinking); a call that does not meet them is left without.
"""

from collections.abc import Callable
from dataclasses import replace

import orjson

from omniroute_addon.config.governance import ThinkingRule
from translators import FORMATS, TranslationError, WireRequest, hub
from translators.formats.anthropic_messages.reasoning import MIN_BUDGET, lacks_thinking
from translators.hub import JSON
from translators.jsontext import MISSING, Missing, edit_member, member

BASES = {"none": 0, "low": 1024, "medium": 10240, "high": 131072, "xhigh": 131072, "max": 131072}
"""Thinking tokens of an effort; also the most that ``adaptive`` grows to."""
MOST = 131072
GEMINI_MOST = 24576
"""More is refused by Gemini's smaller models."""

_MANY_MESSAGES, _MANY_TOOLS, _LONG_TEXT = 10, 3, 2000
_CHAT = ("reasoning", "thinking", "enable_thinking", "thinking_budget")
"""Other members with which chat clients talk about thinking."""


def effort_of(budget: int) -> str:
    """The effort that a budget stands for."""
    if budget <= 0:
        return "none"
    if budget <= BASES["low"]:
        return "low"
    if budget <= BASES["medium"]:
        return "medium"
    return "xhigh" if budget >= 100_000 else "high"


def adaptive_budget(request: hub.Request, effort: str) -> int:
    """The base of the effort, more for a long conversation, many tools and a long question."""
    asked = [message for message in request.messages if message.role in ("user", "assistant")]
    last = next((message for message in reversed(asked) if message.role == "user"), None)
    said = sum(len(part.text) for part in last.parts if isinstance(part, hub.Text)) if last else 0
    factor = 1.0
    factor += 0.5 if len(asked) > _MANY_MESSAGES else 0
    factor += 0.5 if len(request.tools) > _MANY_TOOLS else 0
    factor += 0.3 if said > _LONG_TEXT else 0
    return min(round(BASES[effort] * factor), MOST)


def direct(wire: WireRequest, form: str, rule: ThinkingRule, *, able: bool, named: bool) -> WireRequest:
    """The client's request as the rule wants its model to think. ``named``: the model's name asks for thinking."""
    if rule.mode == "passthrough":
        return wire
    if not able or (rule.mode == "auto" and not named):
        return _edited(wire, lambda body: _strip(body, form, able=able))
    budget = rule.budget
    if rule.mode == "adaptive":
        try:
            budget = adaptive_budget(FORMATS[form].parse_request(wire), rule.effort)
        except TranslationError:
            return wire
    return _edited(wire, lambda body: _tell(body, form, budget))


def _edited(wire: WireRequest, edit: Callable[[bytes], bytes]) -> WireRequest:
    body = edit(wire.body)
    return wire if body == wire.body else replace(wire, body=body)


def _strip(body: bytes, form: str, *, able: bool) -> bytes:
    match form:
        case "anthropic-messages":
            return _without_thinking(_drop(body, "thinking"))
        case "openai-chat":
            return _drop(body, "reasoning_effort", *_CHAT)
        case "openai-responses":
            return _drop(body, "reasoning") if able else _without_encrypted(_drop(body, "reasoning"))
        case "gemini":
            return _gemini(body, (), lambda _: MISSING)
        case "gemini-cli" | "antigravity":
            return _gemini(body, ("request",), lambda _: MISSING)
        case _:
            return body


def _tell(body: bytes, form: str, budget: int) -> bytes:
    effort = effort_of(budget)
    match form:
        case "anthropic-messages":
            return _anthropic(body, budget)
        case "openai-chat":
            return edit_member(_drop(body, *_CHAT), ("reasoning_effort",), lambda _: effort)
        case "openai-responses":
            return edit_member(body, ("reasoning",), lambda old: {**_object(old), "effort": effort})
        case "gemini":
            return _gemini(body, (), lambda old: _thinking_config(old, budget))
        case "gemini-cli" | "antigravity":
            return _gemini(body, ("request",), lambda old: _thinking_config(old, budget))
        case _:
            return body


# ── Anthropic ───────────────────────────────────────────────────────────────────────────────────────────────────────


def fit_budget(body: bytes) -> bytes:
    """A thinking budget brought below ``max_tokens`` again; thinking turned off where no room is left."""
    match member(body, "thinking"), member(body, "max_tokens"):
        case {"type": "enabled", "budget_tokens": int(budget)} as thinking, int(limit) if budget >= limit:
            fitting = _room(budget, limit)
            if fitting is None:
                return _without_thinking(_drop(body, "thinking"))
            return edit_member(body, ("thinking",), lambda _: {**thinking, "budget_tokens": fitting})
        case _:
            return body


def _room(budget: int, limit: int) -> int | None:
    """The budget that leaves an answer of ``limit`` tokens a quarter for what is no thinking; None when too small."""
    fitting = min(max(budget, MIN_BUDGET), limit - max(1, limit // 4))
    return fitting if fitting >= MIN_BUDGET else None


def _anthropic(body: bytes, budget: int) -> bytes:
    if budget <= 0:
        return _without_thinking(edit_member(body, ("thinking",), lambda _: {"type": "disabled"}))
    limit = member(body, "max_tokens")
    fitting = _room(budget, limit) if isinstance(limit, int) else None
    if fitting is None or _forces_tool(member(body, "tool_choice")):
        return _without_thinking(_drop(body, "thinking"))

    def enabled(old: JSON | Missing) -> JSON:
        display = _object(old).get("display")
        return {"type": "enabled", "budget_tokens": fitting, **({} if display is None else {"display": display})}

    thinking = edit_member(_drop_in(body, "output_config", "effort"), ("thinking",), enabled)
    thinking = edit_member(thinking, ("temperature",), lambda old: old if old == 1 else MISSING)
    thinking = edit_member(
        thinking, ("top_p",), lambda old: old if isinstance(old, int | float) and old >= 0.95 else MISSING
    )
    thinking = _drop(thinking, "top_k")
    try:
        parsed = orjson.loads(thinking)
    except ValueError:
        return body
    return _without_thinking(_drop(body, "thinking")) if lacks_thinking(parsed) else thinking


def _forces_tool(choice: JSON | Missing) -> bool:
    return isinstance(choice, dict) and choice.get("type") in ("any", "tool")


def _without_thinking(body: bytes) -> bytes:
    """What else is refused from a call without thinking, or would make the model think."""

    def kept(old: JSON | Missing) -> JSON | Missing:
        match old:
            case {"edits": list(edits), **rest}:
                left = [edit for edit in edits if not str(_object(edit).get("type")).startswith("clear_thinking")]
                if left == edits:
                    return old
                return {**rest, "edits": left} if left or rest else MISSING
            case _:
                return old

    return edit_member(_drop_in(body, "output_config", "effort"), ("context_management",), kept)


# ── the others ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _without_encrypted(body: bytes) -> bytes:
    """Models that do not think refuse to give their encrypted reasoning."""

    def kept(old: JSON | Missing) -> JSON | Missing:
        return [one for one in old if one != "reasoning.encrypted_content"] if isinstance(old, list) else old

    return edit_member(body, ("include",), kept)


def _thinking_config(old: JSON | Missing, budget: int) -> JSON:
    """In the client's own words: a level where it gave one, else a budget; the API refuses both together."""
    said = _object(old)
    level = next((name for name in ("thinkingLevel", "thinking_level") if name in said), None)
    rest = {
        name: value
        for name, value in said.items()
        if name not in ("thinkingLevel", "thinking_level", "thinkingBudget", "thinking_budget")
    }
    if level is not None:
        words = {"none": "minimal", "xhigh": "high"}
        return {**rest, level: words.get(effort_of(budget), effort_of(budget))}
    return {**rest, "thinkingBudget": min(budget, GEMINI_MOST)}


def _gemini(body: bytes, outer: tuple[str, ...], change: Callable[[JSON | Missing], JSON | Missing]) -> bytes:
    """``thinkingConfig`` changed where it stands, in either spelling; else made where the generation config stands."""
    document = _inside(body, outer)
    config = next((name for name in ("generationConfig", "generation_config") if name in document), "generationConfig")
    inner = _object(document.get(config, MISSING))
    name = next((name for name in ("thinkingConfig", "thinking_config") if name in inner), "thinkingConfig")
    return edit_member(body, (*outer, config, name), change)


def _inside(body: bytes, outer: tuple[str, ...]) -> dict[str, JSON]:
    try:
        document = _object(orjson.loads(body))
    except ValueError:
        return {}
    for name in outer:
        document = _object(document.get(name, MISSING))
    return document


def _object(value: JSON | Missing) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def _drop(body: bytes, *names: str) -> bytes:
    for name in names:
        body = edit_member(body, (name,), lambda _: MISSING)
    return body


def _drop_in(body: bytes, outer: str, name: str) -> bytes:
    """One member of a member; the outer one too when nothing is left in it."""

    def kept(old: JSON | Missing) -> JSON | Missing:
        if not isinstance(old, dict) or name not in old:
            return old
        left = {key: value for key, value in old.items() if key != name}
        return left or MISSING

    return edit_member(body, (outer,), kept)
