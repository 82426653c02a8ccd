"""Effort, budget and switch of reasoning, in every dialect of chat and in both directions."""

import json
from typing import Any

import pytest

from translators import hub
from translators.format import Profile, WireRequest
from translators.formats.openai_chat.request_parse import parse_request
from translators.formats.openai_chat.request_reasoning import render_reasoning

HIGH = hub.Reasoning(effort="high")
BUDGET = hub.Reasoning(budget=3000)
OFF = hub.Reasoning(effort="none")


def render(
    reasoning: hub.Reasoning | None, *, forced: bool = False, **profile: Any
) -> tuple[dict[str, Any], list[str]]:
    losses: list[hub.Loss] = []
    made = render_reasoning(reasoning, Profile(**profile), losses, forced=forced)
    return made, [loss.path for loss in losses]


@pytest.mark.parametrize(
    "style, reasoning, expected",
    [
        ("effort", HIGH, {"reasoning_effort": "high"}),
        ("effort", BUDGET, {"reasoning_effort": "low"}),
        ("effort", OFF, {"reasoning_effort": "none"}),
        ("effort", hub.Reasoning(budget=-1), {}),
        ("thinking", HIGH, {"thinking": {"type": "enabled"}}),
        ("thinking", OFF, {"thinking": {"type": "disabled"}}),
        ("thinking", hub.Reasoning(budget=0), {"thinking": {"type": "disabled"}}),
        ("thinking", hub.Reasoning(visible=True), {}),
        ("enable_thinking", HIGH, {"enable_thinking": True, "thinking_budget": 16384}),
        ("enable_thinking", BUDGET, {"enable_thinking": True, "thinking_budget": 3000}),
        ("enable_thinking", hub.Reasoning(adaptive=True), {"enable_thinking": True}),
        ("enable_thinking", OFF, {"enable_thinking": False}),
        ("reasoning", HIGH, {"reasoning": {"effort": "high"}}),
        ("reasoning", BUDGET, {"reasoning": {"max_tokens": 3000}}),
        ("reasoning", hub.Reasoning(adaptive=True, visible=False), {"reasoning": {"enabled": True, "exclude": True}}),
        ("none", HIGH, {}),
    ],
)
def test_a_provider_is_told_in_its_own_words(style: str, reasoning: hub.Reasoning, expected: dict[str, Any]) -> None:
    assert render(reasoning, reasoning_style=style)[0] == expected


@pytest.mark.parametrize(
    "style, reasoning", [("effort", HIGH), ("enable_thinking", BUDGET), ("reasoning", BUDGET), ("none", OFF)]
)
def test_what_arrives_whole_is_no_loss(style: str, reasoning: hub.Reasoning) -> None:
    assert render(reasoning, reasoning_style=style)[1] == []


@pytest.mark.parametrize(
    "style, reasoning", [("effort", BUDGET), ("thinking", HIGH), ("none", HIGH), ("none", hub.Reasoning(adaptive=True))]
)
def test_what_arrives_in_part_is_a_loss(style: str, reasoning: hub.Reasoning) -> None:
    assert len(render(reasoning, reasoning_style=style)[1]) == 1


@pytest.mark.parametrize(
    "asked, known, sent",
    [
        ("minimal", ("low", "medium", "high"), "low"),
        ("max", ("low", "medium", "high"), "high"),
        ("none", ("minimal", "low"), "minimal"),
        ("medium", ("none", "high"), "high"),
        ("medium", ("low", "high"), "low"),
        ("max", (), "max"),
        ("xhigh", (), "xhigh"),
    ],
)
def test_an_effort_that_the_model_does_not_know_becomes_the_nearest(asked: Any, known: Any, sent: str) -> None:
    made, losses = render(hub.Reasoning(effort=asked), efforts=known)
    assert made == {"reasoning_effort": sent}
    assert len(losses) == (asked != sent)


def test_switch_and_effort_go_together_where_the_profile_knows_both() -> None:
    made, losses = render(HIGH, reasoning_style="thinking", efforts=("low", "high", "max"))
    assert made == {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}
    assert losses == []


def test_a_forced_call_turns_thinking_off_where_both_exclude_each_other() -> None:
    made, losses = render(HIGH, forced=True, reasoning_style="thinking", thinks_when_forced=False)
    assert made == {"thinking": {"type": "disabled"}}
    assert losses == ["reasoning"]


def test_a_model_that_thinks_by_default_is_stopped_for_a_forced_call() -> None:
    made, losses = render(None, forced=True, reasoning_style="enable_thinking", thinks_when_forced=False)
    assert (made, losses) == ({"enable_thinking": False}, [])


@pytest.mark.parametrize(
    "said",
    [
        {"reasoning": {"effort": "high", "exclude": True}},
        {"reasoning": {"max_tokens": 2000}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"enable_thinking": True, "thinking_budget": 2000},
        {"reasoning_effort": "low"},
    ],
)
def test_what_a_chat_client_wrote_comes_back_as_it_was(said: dict[str, Any]) -> None:
    body = json.dumps({"model": "m", "messages": [], **said}).encode()
    assert render(parse_request(WireRequest(body=body)).reasoning)[0] == said


@pytest.mark.parametrize(
    "said, effort, budget",
    [
        ({"enable_thinking": False}, "none", None),
        ({"enable_thinking": True, "thinking_budget": 2000}, None, 2000),
        ({"thinking": {"type": "disabled"}}, "none", None),
        ({"reasoning": {"enabled": False}}, "none", None),
        ({"reasoning": {"effort": "minimal"}}, "minimal", None),
    ],
)
def test_every_dialect_of_a_client_is_understood(said: dict[str, Any], effort: str | None, budget: int | None) -> None:
    reasoning = parse_request(WireRequest(body=json.dumps({"model": "m", "messages": [], **said}).encode())).reasoning
    assert reasoning is not None
    assert (reasoning.effort, reasoning.budget) == (effort, budget)
