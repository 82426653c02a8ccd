"""The shipped recipes do what the comment above them says, as the planner sees it."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from omniroute_addon.config import Snapshot, load
from omniroute_addon.config.paths import data_file
from omniroute_addon.engine.money import Money
from omniroute_addon.engine.standing import Standing
from omniroute_addon.ledger.budgets import Charge, Reservation
from omniroute_addon.routing import Ask, Plan, Told, plan
from omniroute_addon.routing.state import QuotaLeft, Rest
from tests.omniroute_addon.routing.rules import CLAUDE, NOW, Past, planned, reasons, targets

RECIPES = data_file("recipes/zero-cost.yaml").parent
CODEX = Ask("codex", "openai-responses", "gpt-5.1-codex", host="chatgpt.com", provider="codex")
AGENT = Ask("gateway", "openai-chat", "agent", path="/v1/chat/completions", gateway=True, key="agent")
KEYS = {
    name: f"key-of-{name}-and-more"
    for name in (
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "GLM_API_KEY",
        "MINIMAX_API_KEY",
        "GEMINI_API_KEY",
        "GROQ_API_KEY",
        "CEREBRAS_API_KEY",
        "NVIDIA_API_KEY",
        "OPENROUTER_API_KEY",
        "AGENT_KEY",
    )
}


def recipe(name: str, keys: Iterable[str] = KEYS) -> Snapshot:
    return load(RECIPES / f"{name}.yaml", env={key: KEYS[key] for key in keys})


def priced(rules: Snapshot, ask: Ask, **spent: float) -> Plan:
    """The plan when so many dollars are spent at a provider today."""
    standing = Standing(lambda: rules, lambda: NOW, Money(rules, NOW))
    for provider, dollars in spent.items():
        tier = rules.providers[provider].tier
        charge = Charge(ask.client, ask.key, ask.model, provider, f"${provider}", tier, None, f"{provider}/x")
        held = standing.money.budgets.reserve(charge, 0, NOW)
        assert isinstance(held, Reservation)
        standing.money.budgets.settle(held, round(dollars * 1e6))
    return plan(ask, rules, standing, NOW, Random(1))


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_loads_without_any_key(path: Path) -> None:
    warnings = [str(one) for one in load(path, env={}).warnings]
    assert all("is not set" in one for one in warnings)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_says_what_it_needs_and_how_to_use_it(path: Path) -> None:
    text = path.read_text()
    assert re.search(r"^# Needs: ", text, re.MULTILINE)
    assert re.search(r"^# Use:   omniroute check FILE", text, re.MULTILINE)


# ── maximise a subscription ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_subscription_goes_first() -> None:
    expected = ["origin", "glm/glm-4.7", "groq/openai/gpt-oss-120b"]
    rules = recipe("maximize-subscription")
    assert (targets(planned(rules)), targets(planned(rules, CODEX))) == (expected, expected)


def test_the_cheap_key_takes_over_when_the_window_is_used_up() -> None:
    past = Past(quotas={"origin": QuotaLeft(0.0, "5h", NOW + 3600)})
    found = planned(recipe("maximize-subscription"), past=past)
    assert (targets(found), found.soonest) == (["glm/glm-4.7", "groq/openai/gpt-oss-120b"], NOW + 3600)


def test_the_subscription_is_first_again_when_its_window_resets() -> None:
    past = Past(rests={"origin": Rest("cooling down", NOW + 60)})
    rules = recipe("maximize-subscription")
    assert [targets(planned(rules, past=past, now=NOW + wait))[0] for wait in (0, 61)] == ["glm/glm-4.7", "origin"]


def test_background_calls_leave_the_subscription_alone() -> None:
    haiku = replace(CLAUDE, model="claude-haiku-4-5-20251001")
    assert targets(planned(recipe("maximize-subscription"), haiku))[0] == "groq/openai/gpt-oss-20b"


def test_when_the_backup_has_spent_its_budget_it_is_free_or_nothing() -> None:
    found = priced(recipe("maximize-subscription"), CLAUDE, glm=10.0)
    assert targets(found) == ["origin", "groq/openai/gpt-oss-120b"]


def test_a_missing_key_is_passed_over() -> None:
    assert targets(planned(recipe("maximize-subscription", ["GROQ_API_KEY"]))) == [
        "origin",
        "groq/openai/gpt-oss-120b",
    ]


# ── zero cost ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ask", [CLAUDE, CODEX], ids=["claude", "codex"])
def test_nothing_that_costs_is_called(ask: Ask) -> None:
    found = priced(recipe("zero-cost"), ask)
    assert [candidate.target.partition("/")[0] for candidate in found.candidates] == [
        "gemini",
        "cerebras",
        "groq",
        "nvidia",
        "openrouter",
    ]


def test_not_even_when_it_is_added_later(tmp_path: Path) -> None:
    changed = tmp_path / "changed.yaml"
    text = (RECIPES / "zero-cost.yaml").read_text()
    changed.write_text(text.replace("    targets:\n", "    targets:\n      - anthropic/claude-opus-4-6\n"))
    found = priced(load(changed, env=KEYS), CLAUDE)
    assert reasons(found)["anthropic/claude-opus-4-6 $ANTHROPIC_API_KEY"].startswith("budget nothing: ")


def test_a_free_tier_that_is_used_up_is_passed_over() -> None:
    past = Past(quotas={"$GEMINI_API_KEY": QuotaLeft(0.0, "day", NOW + 3600)})
    assert targets(planned(recipe("zero-cost"), past=past))[0] == "cerebras/gpt-oss-120b"


def test_one_key_is_enough() -> None:
    assert targets(priced(recipe("zero-cost", ["GROQ_API_KEY"]), CLAUDE)) == ["groq/openai/gpt-oss-120b"]


# ── always on ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_is_always_another_one() -> None:
    assert [candidate.tier for candidate in planned(recipe("always-on")).candidates] == [
        "subscription",
        "api-key",
        "api-key",
        "cheap",
        "cheap",
        "free",
    ]


def test_all_but_one_may_be_down() -> None:
    down = (
        "origin",
        "anthropic/claude-sonnet-4-5-20250929",
        "openai/gpt-5.1-codex",
        "glm/glm-4.7",
        "minimax/MiniMax-M2.1",
    )
    past = Past(rests={target: Rest("its breaker is open", NOW + 60) for target in down})
    assert targets(planned(recipe("always-on"), past=past)) == ["groq/openai/gpt-oss-120b"]


def test_a_target_that_fails_for_a_moment_is_tried_once_more() -> None:
    place = planned(recipe("always-on")).candidates[0].place
    assert place is not None
    assert (place.settings.retries, place.settings.retry_delay) == (1, 1.0)


def test_keys_that_are_paid_by_use_stop_at_their_budget() -> None:
    subscribed = replace(CLAUDE, headers={"authorization": "Bearer sk-ant-oat01-login"})
    found = priced(recipe("always-on"), subscribed, anthropic=5.0)
    assert [candidate.tier for candidate in found.candidates] == ["subscription", "cheap", "cheap", "free"]


# ── free agent ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", ["agent", "gpt-5", "claude-opus-4-6"])
def test_the_agent_gets_free_models_whatever_it_asks_for(model: str) -> None:
    found = planned(recipe("free-agent"), replace(AGENT, model=model))
    assert {candidate.target.partition("/")[0] for candidate in found.candidates} == {
        "groq",
        "cerebras",
        "nvidia",
        "openrouter",
    }


def test_its_calls_go_round() -> None:
    rules = recipe("free-agent")
    first = [targets(planned(rules, AGENT, Past(turns={"combo:agent": turn})))[0] for turn in range(5)]
    assert [target.partition("/")[0] for target in first] == ["groq", "cerebras", "nvidia", "openrouter", "groq"]


def test_it_can_call_nothing_else_by_name() -> None:
    rules = recipe("free-agent")
    changed = replace(rules, routes=())
    found = planned(changed, replace(AGENT, model="anthropic/claude-opus-4-6", facts=Told()))
    assert [reason.startswith("policy free-only allows only ") for reason in reasons(found).values()] == [True]


def test_its_answers_are_bounded() -> None:
    assert planned(recipe("free-agent"), AGENT).max_tokens == 16_000


def test_other_tools_are_left_alone() -> None:
    assert planned(recipe("free-agent")).untouched
