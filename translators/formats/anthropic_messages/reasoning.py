"""``thinking`` and ``output_config.effort`` ↔ :class:`hub.Reasoning`.

What an Anthropic client wrote is kept as it stands in the extras and goes back unchanged. For a request of another
format the profile says how the model is told: ``effort`` (adaptive thinking with an effort, as today's Claude models
want it), ``thinking`` (a token budget, as older ones and most imitators want it) or ``none``.
"""

from dataclasses import replace
from typing import Literal, assert_never, cast

from translators import hub
from translators.efforts import BUDGETS, effort_of
from translators.format import Profile
from translators.formats.anthropic_messages.values import NAME, Object, Report, as_integer, as_object, own

type _Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

MIN_BUDGET = 1024
"""Anthropic refuses less."""

_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})


def parse_reasoning(body: Object) -> hub.Reasoning | None:
    thinking = None if body.get("thinking") is None else as_object(body["thinking"], "thinking")
    config = as_object(body.get("output_config") or {}, "output_config")
    word = config.get("effort")
    if thinking is None and word is None:
        return None
    effort = cast("_Effort", word) if isinstance(word, str) and word in _EFFORTS else None
    native: Object = {} if word is None else {"effort": word}
    if thinking is None:
        return hub.Reasoning(effort=effort, extra={NAME: native})
    native["thinking"] = thinking
    kind = thinking.get("type")
    budget = 0 if kind == "disabled" else as_integer(thinking.get("budget_tokens"), "thinking.budget_tokens")
    display = thinking.get("display")
    return hub.Reasoning(
        effort=effort,
        budget=budget,
        adaptive=kind == "adaptive",
        visible=None if display is None else display != "omitted",
        extra={NAME: native},
    )


def render_reasoning(reasoning: hub.Reasoning | None, max_tokens: int, profile: Profile, report: Report) -> Object:
    """The members ``thinking`` and ``effort`` (the caller puts the latter into ``output_config``), where they apply."""
    if reasoning is None:
        return {}
    report.foreign(reasoning.extra, "reasoning")
    if NAME not in reasoning.extra and _says_nothing(reasoning):
        return {}
    native = own(reasoning.extra)
    match profile.reasoning_style:
        case "effort" | "reasoning":
            if not profile.thinking_budgets and (reasoning.budget is not None or _is_off(reasoning)):
                return _adaptively(reasoning, report)
            return native or _with_effort(reasoning, max_tokens, report)
        case "thinking" | "enable_thinking":
            thinking = native.get("thinking")
            if isinstance(thinking, dict) and thinking.get("type") != "adaptive":
                return {"thinking": thinking}
            if native and thinking is None:
                report.lose("reasoning.effort", "the model takes no effort")
                return {}
            return _with_budget(reasoning, max_tokens, report)
        case "none":
            report.lose("reasoning", "the model cannot be told how to think")
            return {}
        case _:
            assert_never(profile.reasoning_style)


def _with_effort(reasoning: hub.Reasoning, max_tokens: int, report: Report) -> Object:
    if _is_off(reasoning):
        return {"thinking": {"type": "disabled"}}
    if reasoning.budget is not None and reasoning.budget > 0 and not reasoning.adaptive:
        made = _enabled(reasoning.budget, max_tokens, report)
    else:
        made: Object = {"thinking": {"type": "adaptive"}}
    thinking = made.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") != "disabled" and reasoning.visible is not None:
        thinking["display"] = "summarized" if reasoning.visible else "omitted"
    match reasoning.effort:
        case None | "none":
            pass
        case "minimal":
            report.lose("reasoning.effort", "Anthropic knows no minimal effort; low is sent")
            made["effort"] = "low"
        case effort:
            made["effort"] = effort
    return made


def _adaptively(reasoning: hub.Reasoning, report: Report) -> Object:
    """For models that refuse budgets, and ``disabled`` too: they do not think unless they are told to."""
    if _is_off(reasoning):
        return {}
    effort = effort_of(reasoning.budget) if reasoning.effort is None else reasoning.effort
    if not reasoning.adaptive:
        report.lose("reasoning.budget", f"the model takes no thinking budget; effort {effort} is sent")
    return _with_effort(replace(reasoning, budget=None, adaptive=True, effort=effort), 0, report)


def _with_budget(reasoning: hub.Reasoning, max_tokens: int, report: Report) -> Object:
    if _is_off(reasoning):
        return {"thinking": {"type": "disabled"}}
    budget = reasoning.budget
    if budget is None or budget < 0:
        budget = BUDGETS[reasoning.effort or "medium"]
        report.lose("reasoning.effort", f"an effort is sent as a budget of {budget} thinking tokens")
    return _enabled(budget, max_tokens, report)


def _enabled(budget: int, max_tokens: int, report: Report) -> Object:
    """``max_tokens`` must stay above the budget, which must not be below the minimum."""
    fitting = min(max(budget, MIN_BUDGET), max_tokens - 1)
    if fitting < MIN_BUDGET:
        report.lose("reasoning", f"max_tokens {max_tokens} leaves no room for thinking")
        return {"thinking": {"type": "disabled"}}
    if fitting != budget:
        report.lose("reasoning.budget", f"a thinking budget of {budget} is sent as {fitting}, what Anthropic allows")
    return {"thinking": {"type": "enabled", "budget_tokens": fitting}}


def _says_nothing(reasoning: hub.Reasoning) -> bool:
    return reasoning.effort is None and reasoning.budget is None and not reasoning.adaptive and not reasoning.visible


def _is_off(reasoning: hub.Reasoning) -> bool:
    return reasoning.effort == "none" or (reasoning.budget == 0 and not reasoning.adaptive)


def has_budget(body: Object) -> bool:
    """Whether the rendered body asks for thinking with a budget, which has stricter rules than adaptive thinking."""
    match body.get("thinking"):
        case {"type": "enabled"}:
            return True
        case _:
            return False


def is_thinking(body: Object) -> bool:
    """Whether the rendered body asks the model to think."""
    match body.get("thinking"):
        case {"type": "enabled" | "adaptive"}:
            return True
        case _:
            return False


def lacks_thinking(body: Object) -> bool:
    """Whether Anthropic would refuse the body because its open tool loop does not begin with thinking.

    With a thinking budget the assistant turn that the last tool results answer must start with a thinking block. It
    has none when another provider made that turn.
    """
    match body:
        case {
            "thinking": {"type": "enabled"},
            "messages": [*_, {"role": "assistant", "content": [first, *_] as turn}, {"role": "user", "content": reply}],
        }:
            pass
        case _:
            return False
    calls = any(isinstance(block, dict) and block.get("type") == "tool_use" for block in turn)
    answered = isinstance(reply, list) and any(
        isinstance(block, dict) and block.get("type") == "tool_result" for block in reply
    )
    if not calls or not answered or not isinstance(first, dict):
        return False
    return first.get("type") not in ("thinking", "redacted_thinking")
