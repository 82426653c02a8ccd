"""How a chat provider is told to think: effort, budget or switch, in the words that its profile names.

What a chat client wrote itself goes on as it was. An effort that the model does not know becomes the nearest that it
knows; between effort and budget the same steps lead in both directions.
"""

from typing import assert_never

from translators.efforts import BUDGETS, effort_of, nearest
from translators.format import Profile
from translators.formats.openai_chat.values import own
from translators.hub import JSON, Loss, Reasoning


def render_reasoning(
    reasoning: Reasoning | None, profile: Profile, losses: list[Loss], *, forced: bool
) -> dict[str, JSON]:
    """``forced``: the request demands a tool call."""
    if forced and not profile.thinks_when_forced:
        if reasoning is not None and not _is_off(reasoning):
            losses.append(Loss("reasoning", "The provider does not think when a tool call is forced."))
        return _switch(profile, on=False)
    if reasoning is None:
        return {}
    if (said := own(reasoning.extra)) and profile.reasoning_style != "none":
        return dict(said)
    return _in_its_words(reasoning, profile, losses)


def _in_its_words(reasoning: Reasoning, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    match profile.reasoning_style:
        case "effort":
            return _effort(reasoning, profile, losses)
        case "thinking":
            return _thinking(reasoning, profile, losses)
        case "enable_thinking":
            return _enable_thinking(reasoning)
        case "reasoning":
            return _router(reasoning, profile, losses)
        case "none":
            if not _is_off(reasoning):
                losses.append(Loss("reasoning", "The provider has no switch for reasoning."))
            return {}
        case _:
            assert_never(profile.reasoning_style)


def _is_off(reasoning: Reasoning) -> bool:
    return reasoning.effort == "none" or (reasoning.effort is None and reasoning.budget == 0)


def _is_silent(reasoning: Reasoning) -> bool:
    return reasoning.effort is None and reasoning.budget is None and not reasoning.adaptive


def _switch(profile: Profile, *, on: bool) -> dict[str, JSON]:
    match profile.reasoning_style:
        case "thinking":
            return {"thinking": {"type": "enabled" if on else "disabled"}}
        case "enable_thinking":
            return {"enable_thinking": on}
        case "reasoning":
            return {"reasoning": {"enabled": on}}
        case "effort" | "none":
            return {}
        case _:
            assert_never(profile.reasoning_style)


def _known(reasoning: Reasoning, profile: Profile, losses: list[Loss]) -> str | None:
    """The effort in a word that the model knows."""
    wanted = reasoning.effort or effort_of(reasoning.budget)
    if wanted is None:
        return None
    effort = nearest(wanted, profile.efforts)
    if effort != wanted:
        losses.append(Loss("reasoning.effort", f"The model knows no effort {wanted}; {effort} is sent."))
    return effort


def _effort(reasoning: Reasoning, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    effort = _known(reasoning, profile, losses)
    if reasoning.effort is None and reasoning.budget and effort is not None:
        losses.append(Loss("reasoning.budget", f"Chat completions take no token budget; effort is {effort}."))
    if reasoning.adaptive and effort is None:
        losses.append(Loss("reasoning", "The model decides by itself how much to think; it cannot be told to."))
    return {} if effort is None else {"reasoning_effort": effort}


def _thinking(reasoning: Reasoning, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    if _is_silent(reasoning):
        return {}
    off = _is_off(reasoning)
    rendered = _switch(profile, on=not off)
    if off:
        return rendered
    if profile.efforts and (effort := _known(reasoning, profile, losses)) is not None:
        return {**rendered, "reasoning_effort": effort}
    if reasoning.budget is not None or reasoning.effort is not None:
        losses.append(Loss("reasoning", "The provider only turns reasoning on or off."))
    return rendered


def _enable_thinking(reasoning: Reasoning) -> dict[str, JSON]:
    if _is_silent(reasoning):
        return {}
    if _is_off(reasoning):
        return {"enable_thinking": False}
    budget = reasoning.budget
    if budget is None and reasoning.effort is not None:
        budget = BUDGETS[reasoning.effort]
    rendered: dict[str, JSON] = {"enable_thinking": True}
    if budget is not None and budget > 0:
        rendered["thinking_budget"] = budget
    return rendered


def _router(reasoning: Reasoning, profile: Profile, losses: list[Loss]) -> dict[str, JSON]:
    said: dict[str, JSON] = {}
    if reasoning.effort is not None:
        said["effort"] = _known(reasoning, profile, losses)
    elif reasoning.budget == 0:
        said["effort"] = "none"
    elif reasoning.budget is not None and reasoning.budget > 0:
        said["max_tokens"] = reasoning.budget
    elif reasoning.adaptive or reasoning.budget is not None:
        said["enabled"] = True
    if reasoning.visible is False:
        said["exclude"] = True
    return {"reasoning": said} if said else {}
