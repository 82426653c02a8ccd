"""What conditions name must be there."""

from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError, Snapshot, parse

BASE = """\
version: 1
accounts: [{name: main, provider: glm, key: k}]
keys: [{name: team-a, key: a-secret-of-some-length}]
combos: {coding: {targets: [origin]}}
"""


def loaded(rules: str) -> Snapshot:
    return parse(BASE + rules, Path("rules.yaml"), env={})


def problems(rules: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        loaded(rules)
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    "match,expected",
    [
        ("provider: gml", "provider: unknown provider 'gml'; did you mean 'glm'?"),
        ("provider: ds", "provider: 'ds' is a prefix; the provider's name is 'deepseek'"),
        ("account: [main, mian]", "account[1]: unknown account 'mian'; did you mean 'main'?"),
        ("combo: codign", "combo: unknown combo 'codign'; did you mean 'coding'?"),
        ("key: team-b", "key: unknown key 'team-b'; did you mean 'team-a'?"),
        ("target: gml/x", "target: unknown provider 'gml'; did you mean 'glm'?"),
        ("target: orign", "target: unknown provider 'orign'; did you mean 'origin'?"),
    ],
)
def test_a_budget_for_what_is_not_there_is_told(match: str, expected: str) -> None:
    assert problems(f"budgets:\n  - {{name: b, daily: 1, match: {{{match}}}}}\n") == [
        f"rules.yaml:6: budgets[0].match.{expected}"
    ]


@pytest.mark.parametrize(
    "match",
    [
        "provider: [glm, 'gl*'], account: [main, $GLM_API_KEY]",
        "combo: coding",
        "key: 'team-?'",
        "target: [origin, glm/glm-4.7, ds/*, '*/free']",
    ],
)
def test_a_budget_may_name_what_is_there_and_globs(match: str) -> None:
    assert loaded(f"budgets: [{{name: b, daily: 1, match: {{{match}}}}}]").warnings == ()


def test_a_policy_prefers_known_providers() -> None:
    assert problems("policies:\n  - {name: p, prefer: [glm, groqq]}\n") == [
        "rules.yaml:6: policies[0].prefer[1]: unknown provider 'groqq'; did you mean 'groq'?"
    ]


@pytest.mark.parametrize(
    "rules,place",
    [
        ("policies:\n  - {name: p, deny: '*', match: {key: nobody}}", "policies[0].match.key"),
        ("routes:\n  - {to: origin, match: {key: nobody}}", "routes[0].match.key"),
    ],
)
def test_a_key_that_nobody_has_is_told(rules: str, place: str) -> None:
    assert problems(rules) == [f"rules.yaml:6: {place}: unknown key 'nobody'"]


@pytest.mark.parametrize(
    "rules,place",
    [
        ("budgets:\n  - {name: x, daily: 1}\n  - {name: x, daily: 2}", "budgets[1].name"),
        ("policies:\n  - {name: x, deny: a}\n  - {name: x, deny: b}", "policies[1].name"),
    ],
)
def test_a_name_stands_for_one_thing(rules: str, place: str) -> None:
    assert problems(rules) == [f"rules.yaml:7: {place}: 'x' is named twice"]


@pytest.mark.parametrize(
    "rules,place",
    [
        ("routes:\n  - {to: origin, match: {client: claude-cod}}", "routes[0].match.client"),
        ("budgets:\n  - {name: b, daily: 1, match: {client: claude-cod}}", "budgets[0].match.client"),
        ("policies:\n  - {name: p, deny: a, match: {client: claude-cod}}", "policies[0].match.client"),
    ],
)
def test_a_tool_that_nobody_knows_is_a_warning(rules: str, place: str) -> None:
    assert [str(one) for one in loaded(rules).warnings] == [
        f"rules.yaml:6: {place}: no tool is known as 'claude-cod'; did you mean 'claude-code'?"
    ]


@pytest.mark.parametrize("client", ["codex", "gateway", "claude-*", "mine"])
def test_known_tools_are_fine(client: str) -> None:
    rules = "clients: [{client: mine, header: user-agent, match: 'mine/*'}]\n"
    assert loaded(f"{rules}routes: [{{to: origin, match: {{client: '{client}'}}}}]").warnings == ()


def test_a_combo_without_anything_to_try_is_a_warning() -> None:
    rules = "version: 1\ncombos:\n  idle: {targets: [{target: origin, enabled: false}]}\n"
    assert [str(one) for one in parse(rules, Path("rules.yaml"), env={}).warnings] == [
        "rules.yaml:3: combos.idle: every target is disabled, so there is nothing to try"
    ]
