"""Each generation of models is told to think in its own words."""

from typing import Any, Literal

import pytest

from translators import hub
from translators.formats.gemini.thinking import render_thinking


@pytest.mark.parametrize(
    "model, reasoning, config",
    [
        ("gemini-3-flash-preview", hub.Reasoning(effort="high"), {"thinkingLevel": "high"}),
        ("gemini-3-flash-preview", hub.Reasoning(effort="max"), {"thinkingLevel": "high"}),
        ("gemini-3-flash-preview", hub.Reasoning(effort="none"), {"thinkingLevel": "minimal"}),
        ("gemini-3-pro-preview", hub.Reasoning(effort="medium"), {"thinkingLevel": "high"}),
        ("gemini-3-flash-preview", hub.Reasoning(budget=2000), {"thinkingBudget": 2000}),
        ("gemini-2.5-flash", hub.Reasoning(effort="low"), {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", hub.Reasoning(budget=31999), {"thinkingBudget": 24576}),
        ("gemini-2.5-pro", hub.Reasoning(budget=31999), {"thinkingBudget": 31999}),
        ("gemini-2.5-pro", hub.Reasoning(budget=0), {"thinkingBudget": 128}),
        ("gemini-2.5-flash", hub.Reasoning(budget=0), {"thinkingBudget": 0}),
        ("gemini-2.5-flash", hub.Reasoning(adaptive=True), {"thinkingBudget": -1}),
        ("claude-sonnet-4-5", hub.Reasoning(effort="medium"), {"thinkingBudget": 8192}),
        ("gemini-2.0-flash", hub.Reasoning(effort="high", visible=True), {}),
        ("google/gemini-2.5-pro", hub.Reasoning(visible=True), {"includeThoughts": True}),
    ],
)
def test_thinking_is_said_in_the_models_words(model: str, reasoning: hub.Reasoning, config: dict[str, Any]) -> None:
    assert render_thinking(reasoning, model, []) == config


@pytest.mark.parametrize("effort, lost", [("high", False), ("medium", True)])
def test_a_level_that_the_model_does_not_know_is_a_loss(effort: Literal["high", "medium"], lost: bool) -> None:
    losses: list[hub.Loss] = []

    render_thinking(hub.Reasoning(effort=effort), "gemini-3-pro-preview", losses)

    assert [loss.path for loss in losses] == (["reasoning.effort"] if lost else [])


def test_a_budget_beyond_the_limits_is_a_loss() -> None:
    losses: list[hub.Loss] = []

    render_thinking(hub.Reasoning(budget=31999), "gemini-2.5-flash", losses)

    assert [loss.path for loss in losses] == ["reasoning.budget"]
