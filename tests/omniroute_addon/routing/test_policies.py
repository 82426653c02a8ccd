"""Who may use what, what a model cannot take, and what a budget has no room for."""

from dataclasses import replace

import pytest

from omniroute_addon.routing import Told
from omniroute_addon.routing.state import BudgetBlock, Rest
from tests.omniroute_addon.routing.rules import CLAUDE, Past, planned, reasons, targets

TWO = "routes: [{to: [glm/a, groq/b]}]"


@pytest.mark.parametrize(
    "policy, left",
    [
        ("deny: glm/*", ["groq/b"]),
        ("deny: a", ["groq/b"]),
        ("allow: [glm/*]", ["glm/a"]),
        ("match: {client: codex}, deny: '*'", ["glm/a", "groq/b"]),
        ("match: {model: 'claude-opus-*'}, allow: groq/b", ["groq/b"]),
        ("match: {key: 'ali*'}, deny: '*'", ["glm/a", "groq/b"]),
        ("enabled: false, deny: '*'", ["glm/a", "groq/b"]),
        ("prefer: groq", ["groq/b", "glm/a"]),
    ],
)
def test_a_policy_says_what_may_be_used(policy: str, left: list[str]) -> None:
    assert targets(planned(f"policies: [{{name: p, {policy}}}]\n{TWO}")) == left


def test_the_policy_that_denies_is_named() -> None:
    result = planned(f"policies: [{{name: no-glm, deny: glm/*}}, {{name: only, allow: glm/*}}]\n{TWO}")
    assert list(reasons(result).values()) == ["policy no-glm denies it", "policy only allows only glm/*"]


def test_the_smallest_bound_of_the_output_counts() -> None:
    rules = f"policies: [{{name: a, max_tokens: 900}}, {{name: b, max_tokens: 500}}]\n{TWO}"
    assert planned(rules).max_tokens == 500


@pytest.mark.parametrize(
    "fact, facts, word",
    [
        ("context: 1000", Told(tokens=1001), "window 1,000"),
        ("images: false", Told(frozenset({"images"})), "images"),
        ("tools: false", Told(frozenset({"tools"})), "tools"),
        ("reasoning: false", Told(frozenset({"thinking"})), "thinking"),
        ("enabled: false", Told(), "disabled"),
    ],
)
def test_what_a_model_cannot_take_leaves_it_out(fact: str, facts: Told, word: str) -> None:
    rules = f"providers: {{glm: {{models: {{a: {{{fact}}}}}}}}}\n{TWO}"
    result = planned(rules, replace(CLAUDE, facts=facts))
    assert targets(result) == ["groq/b"]
    assert word in reasons(result)["glm/a $GLM_API_KEY"]


def test_the_tools_own_call_is_not_filtered() -> None:
    rules = "providers: {anthropic: {models: {claude-opus-4-6: {context: 10}}}}\nroutes: [{to: [origin, glm/a]}]"
    assert targets(planned(rules, replace(CLAUDE, facts=Told(tokens=5000)))) == ["origin", "glm/a"]


def test_a_budget_that_falls_back_leaves_out_what_it_covers() -> None:
    past = Past(blocks={"glm/a": BudgetBlock("team", "fallback", "$5.00 of $5.00 spent today", 2_000_000.0)})
    result = planned(TWO, past=past)
    assert (targets(result), result.excluded[0].until) == (["groq/b"], 2_000_000.0)


def test_a_budget_that_denies_refuses_the_call() -> None:
    block = BudgetBlock("team", "deny", "$5.00 of $5.00 spent today", 2_000_000.0)
    result = planned(TWO, past=Past(blocks={"groq/b": block}))
    assert (result.candidates, result.denied) == ((), block)


def test_a_budget_that_warns_changes_nothing() -> None:
    past = Past(blocks={"glm/a": BudgetBlock("team", "warn", "spent", 2_000_000.0)})
    assert targets(planned(TWO, past=past)) == ["glm/a", "groq/b"]


def test_rest_goes_before_budget_and_budget_before_access() -> None:
    rules = f"policies: [{{name: none, deny: '*'}}]\n{TWO}"
    past = Past(
        rests={"glm/a": Rest("resting", None)},
        blocks={target: BudgetBlock("team", "fallback", "spent", 1.0) for target in ("glm/a", "groq/b")},
    )
    assert list(reasons(planned(rules, past=past)).values()) == ["resting", "budget team: spent"]


def test_a_fallback_chain_comes_after_the_targets_of_the_rule() -> None:
    rules = f"fallback_chains: {{'gpt-*': openrouter/x, 'claude-*': [deepseek/d, glm/a]}}\n{TWO}"
    assert targets(planned(rules)) == ["glm/a", "groq/b", "deepseek/d"]


@pytest.mark.parametrize("policy", ["deny: glm/*", "deny: z/a", "deny: a", "allow: groq/*"])
@pytest.mark.parametrize("target", ["glm/a", "z/a"])
def test_another_prefix_is_no_way_around_a_policy(policy: str, target: str) -> None:
    rules = f"providers: {{glm: {{prefixes: [z]}}}}\npolicies: [{{name: p, {policy}}}]\nroutes: [{{to: [{target}]}}]"
    assert [out.policy for out in planned(rules).excluded] == ["p"]


@pytest.mark.parametrize(
    "policy, untouched, denied",
    [
        ("deny: origin", False, True),
        ("deny: 'claude-opus-*'", False, True),
        ("allow: glm/*", False, True),
        ("allow: 'claude-*'", True, False),
        ("match: {client: codex}, deny: '*'", True, False),
        ("max_tokens: 900", False, False),
        ("prefer: glm", True, False),
    ],
)
def test_policies_hold_for_calls_without_a_rule_too(policy: str, *, untouched: bool, denied: bool) -> None:
    result = planned(f"policies: [{{name: p, {policy}}}]")
    assert (result.untouched, targets(result)) == (untouched, [] if denied else ["origin"])
    assert [out.policy for out in result.excluded] == (["p"] if denied else [])
    assert result.max_tokens == (900 if "max_tokens" in policy else None)
