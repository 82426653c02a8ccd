"""How each generation of Gemini models is told to think: by level, by budget, or not at all.

Gemini 3 takes ``thinkingLevel`` (and a budget for old times' sake, never both), Gemini 2.5 takes ``thinkingBudget``
within limits of the model and refuses levels, older models refuse either. A model name that none of this fits gets
what the client said, in the words closest to its own.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from translators import hub
from translators.formats.gemini.wire import NAME, Object, lose

type _Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True)
class _Generation:
    names: re.Pattern[str]
    style: Literal["level", "budget", "none"]
    least: int = 0
    most: int = 32768
    levels: tuple[str, ...] = ("minimal", "low", "medium", "high")
    can_stop: bool = True


_GENERATIONS: Final = (
    _Generation(re.compile(r"gemini-(1|2\.0)|gemma|learnlm"), "none"),
    _Generation(re.compile(r"gemini-2\.5-pro"), "budget", 128, 32768, can_stop=False),
    _Generation(re.compile(r"gemini-2\.5-flash-lite"), "budget", 512, 24576),
    _Generation(re.compile(r"gemini-2\.5"), "budget", 0, 24576),
    _Generation(re.compile(r"gemini-3-pro"), "level", levels=("low", "high")),
    _Generation(re.compile(r"gemini-3\.\d+-pro"), "level", levels=("low", "medium", "high")),
    # Behind Antigravity.
    _Generation(re.compile(r"claude"), "budget", 1024, 32000),
    _Generation(re.compile(r""), "level"),
)
_BUDGETS: Final[dict[_Effort, int]] = {
    "none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768,
}  # fmt: skip
_RANK: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def render_thinking(reasoning: hub.Reasoning, model: str, losses: list[hub.Loss]) -> Object:
    """``thinkingConfig``; empty when nothing is to be said."""
    name = model.rsplit("/", 1)[-1].lower()
    generation = next(generation for generation in _GENERATIONS if generation.names.search(name))
    config: Object = dict(reasoning.extra.get(NAME, {}))
    if generation.style == "none":
        if reasoning.effort not in {None, "none"} or reasoning.budget:
            lose(losses, "reasoning", f"the model {model!r} cannot be told to think")
        return config
    if reasoning.visible is not None:
        config["includeThoughts"] = reasoning.visible
    if "thinkingLevel" in config:
        return config
    if generation.style == "level" and reasoning.effort is not None:
        config["thinkingLevel"] = _nearest(reasoning.effort, generation.levels, losses)
        if reasoning.budget is not None:
            lose(losses, "reasoning.budget", "Gemini takes a thinking level or a budget, not both")
        return config
    budget = reasoning.budget
    if budget is None and reasoning.effort is not None:
        budget = _BUDGETS[reasoning.effort]
    if budget is None and reasoning.adaptive and generation.style == "budget":
        budget = -1
    if budget is not None:
        config["thinkingBudget"] = _within(budget, generation, losses)
    return config


def _within(budget: int, generation: _Generation, losses: list[hub.Loss]) -> int:
    if budget < 0:
        return -1
    # Zero turns thinking off; where the model cannot do without, the least it takes is the nearest.
    if budget == 0 and generation.can_stop:
        return 0
    kept = min(max(budget, generation.least), generation.most)
    if kept != budget:
        lose(losses, "reasoning.budget", f"the model thinks with {generation.least} to {generation.most} tokens")
    return kept


def _nearest(effort: _Effort, levels: tuple[str, ...], losses: list[hub.Loss]) -> str:
    wanted = _RANK.index(effort)
    nearest = min(levels, key=lambda level: (abs(_RANK.index(level) - wanted), -_RANK.index(level)))
    if nearest != effort:
        lose(losses, "reasoning.effort", f"the model knows no effort {effort!r}; {nearest!r} is the nearest")
    return nearest
