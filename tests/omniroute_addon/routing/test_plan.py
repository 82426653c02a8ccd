"""Rules → candidates, with a reason for everything that is left out."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.config import Snapshot
from omniroute_addon.config.combos import COMBO_STRATEGIES
from omniroute_addon.routing import Ask, plan
from omniroute_addon.routing.state import BudgetBlock, QuotaLeft
from tests.omniroute_addon.routing.rules import CLAUDE, KEYS, NOW, Past, planned, resting, snapshot, targets

# ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_rules_the_call_is_untouched() -> None:
    result = planned("")
    assert (result.untouched, result.route, targets(result)) == (True, "none", ["origin"])


def test_the_first_matching_route_wins() -> None:
    result = planned(
        "routes: [{match: {client: codex}, to: groq/a}, {match: {model: 'claude-*'}, to: glm/b}, {to: origin}]"
    )
    assert (result.route, targets(result)) == ("routes[1]", ["glm/b"])


def test_every_key_of_a_match_must_match() -> None:
    rules = "routes: [{match: {client: claude-code, model: 'gpt-*'}, to: glm/b}]"
    assert planned(rules).untouched


@pytest.mark.parametrize(
    "match",
    [
        "{host: '*.anthropic.com'}",
        "{path: /v1/*}",
        "{format: anthropic-messages}",
        "{headers: {X-App: cli}}",
        "{model: [gpt-*, claude-*]}",
        "{model: '*'}",
        "{}",
    ],
)
def test_a_route_can_match_on_it(match: str) -> None:
    ask = replace(CLAUDE, path="/v1/messages?beta=true", headers={"x-app": "cli"})
    assert planned(f"routes: [{{match: {match}, to: glm/b}}]", ask).route == "routes[0]"


def test_any_model_includes_one_that_cannot_be_read() -> None:
    assert planned("routes: [{match: {model: '*'}, to: glm/b}]", replace(CLAUDE, model=None)).route == "routes[0]"


def test_an_alias_stands_for_a_target() -> None:
    result = planned("aliases: {'claude-*': glm/glm-4.7}")
    assert (result.route, targets(result)) == ("alias claude-*", ["glm/glm-4.7"])


def test_a_route_goes_before_an_alias() -> None:
    assert targets(planned("{aliases: {'*': glm/a}, routes: [{to: glm/b}]}")) == ["glm/b"]


def test_a_tool_may_ask_for_a_combo_by_name() -> None:
    result = planned("combos: {fast: {targets: [glm/a]}}", replace(CLAUDE, model="fast"))
    assert (result.route, result.combo, targets(result)) == ("model name", "fast", ["glm/a"])


def test_a_tool_may_ask_for_prefix_and_model() -> None:
    assert targets(planned("", replace(CLAUDE, model="glm/glm-4.7"))) == ["glm/glm-4.7"]


def test_a_slash_means_nothing_where_the_services_own_names_have_one() -> None:
    assert planned("", replace(CLAUDE, model="groq/compound", slash_models=True)).untouched


def test_an_unknown_prefix_of_an_intercepted_call_is_the_providers_own_business() -> None:
    assert planned("", replace(CLAUDE, model="nobody/x")).untouched


# ── targets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nested_combos_are_tried_in_the_order_they_are_written() -> None:
    rules = "{combos: {a: {targets: [glm/1, b, glm/3]}, b: {targets: [glm/2]}}, routes: [{to: a}]}"
    assert targets(planned(rules)) == ["glm/1", "glm/2", "glm/3"]


def test_a_target_named_twice_is_tried_once() -> None:
    assert targets(planned("routes: [{to: [glm/a, origin, zai/a, glm/a, origin]}]")) == ["glm/a", "origin"]


def test_a_disabled_combo_is_out() -> None:
    result = planned("{combos: {a: {enabled: false, targets: [glm/1]}}, routes: [{to: [a, origin]}]}")
    assert (targets(result), result.excluded[0].reason) == (["origin"], "the combo is disabled")


def test_every_account_of_a_target_comes_before_the_next_target() -> None:
    rules = """\
    accounts:
      - {name: two, provider: glm, key: b, priority: 2}
      - {name: one, provider: glm, key: a}
    routes: [{to: [glm/x, groq/y]}]
    """
    names = [(one.target, one.account.name if one.account else None) for one in planned(rules).candidates]
    assert names == [("glm/x", "one"), ("glm/x", "two"), ("groq/y", "$GROQ_API_KEY")]


def test_a_star_keeps_the_asked_model() -> None:
    [candidate] = planned("routes: [{to: glm/*}]").candidates
    assert (candidate.model, candidate.asked) == (None, "claude-opus-4-6")


def test_a_model_keeps_its_further_slashes() -> None:
    assert planned("routes: [{to: openrouter/z-ai/glm-4.7}]").candidates[0].model == "z-ai/glm-4.7"


@pytest.mark.parametrize(
    "target, model",
    [
        ("nvidia/nvidia/llama-3.3-70b-instruct", "nvidia/llama-3.3-70b-instruct"),
        ("nvidia/llama-3.3-70b-instruct", "nvidia/llama-3.3-70b-instruct"),
        ("nvidia/meta/llama-3", "meta/llama-3"),
        ("fireworks/deepseek-v3p1", "accounts/fireworks/models/deepseek-v3p1"),
        ("fireworks/accounts/fireworks/models/x", "accounts/fireworks/models/x"),
    ],
)
def test_model_prefixes_are_put_in_once(target: str, model: str) -> None:
    env = {"NVIDIA_API_KEY": "n", "FIREWORKS_API_KEY": "f"}
    assert planned(f"routes: [{{to: {target}}}]", env=env).candidates[0].model == model


def test_origin_knows_the_provider_behind_the_surface() -> None:
    [candidate] = planned("routes: [{to: origin}]").candidates
    assert (candidate.origin, candidate.provider.id if candidate.provider else None) == (True, "anthropic")


def test_origin_is_never_adapted() -> None:
    ask = replace(CLAUDE, provider="codex", format="openai-responses")
    assert not planned("routes: [{to: origin}]", ask).candidates[0].profile.alters()


# ── exclusions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "rules, reason",
    [
        ("{providers: {glm: {enabled: false}}, routes: [{to: glm/x}]}", "provider glm is disabled"),
        (
            "{accounts: [{name: a, provider: glm, key: '${NOPE}'}], routes: [{to: glm/x}]}",
            "no key: environment variable NOPE",
        ),
        (
            "{accounts: [{name: a, provider: glm, key: k, enabled: false}], routes: [{to: glm/x}]}",
            "the account is disabled",
        ),
        ("routes: [{to: mistral/x}]", "no account with a key: add {name: mistral-main"),
        ("routes: [{to: cc/x}]", "needs a login"),
        ("routes: [{to: kr/x}]", "format kiro is not available yet"),
    ],
)
def test_what_cannot_be_used_is_out_with_its_reason(rules: str, reason: str) -> None:
    result = planned(rules)
    assert result.candidates == ()
    assert result.excluded[0].reason.startswith(reason) or reason in result.excluded[0].reason


def test_no_key_is_asked_for_on_loopback() -> None:
    rules = "{providers: {me: {base_url: 'http://127.0.0.1:1/v1/messages'}}, routes: [{to: me/x}]}"
    assert planned(rules).candidates[0].account is None


def test_what_cools_down_is_out_until_then() -> None:
    past = resting(**{"glm/x $GLM_API_KEY": NOW + 60})
    result = planned("routes: [{to: [glm/x, origin]}]", past=past)
    assert (targets(result), result.excluded[0].until) == (["origin"], NOW + 60)


def test_when_all_cool_down_the_plan_says_until_when() -> None:
    past = resting(**{"glm/x $GLM_API_KEY": NOW + 60, "origin": NOW + 30})
    result = planned("routes: [{to: [glm/x, origin]}]", past=past)
    assert (result.candidates, result.soonest) == ((), NOW + 30)


def test_a_cooldown_that_has_ended_counts_no_more() -> None:
    assert targets(planned("routes: [{to: glm/x}]", past=resting(**{"glm/x": NOW}))) == ["glm/x"]


def test_an_untouched_call_passes_whatever_cools_down() -> None:
    assert targets(planned("", past=resting(origin=NOW + 60))) == ["origin"]


# ── gateway ─────────────────────────────────────────────────────────────────────────────────────────────────────────

GATEWAY = Ask("openai-sdk", "openai-chat", "glm-4.7", gateway=True)


def test_a_bare_name_at_the_gateway_is_the_one_provider_that_has_it() -> None:
    assert targets(planned("", GATEWAY)) == ["zai/glm-4.7"]


def test_a_bare_name_that_two_providers_have_means_nothing() -> None:
    result = planned("", GATEWAY, env={**KEYS, "GLM_CN_API_KEY": "c"})
    assert result.error is not None


def test_an_unknown_name_at_the_gateway_comes_with_near_ones() -> None:
    result = planned("", replace(GATEWAY, model="glm-4.8"))
    assert result.error is not None
    assert "zai/glm-4.7" in result.error.near


def test_a_gateway_call_without_a_model_is_an_error() -> None:
    assert planned("", replace(GATEWAY, model=None)).error is not None


def test_origin_is_out_at_the_gateway() -> None:
    result = planned("combos: {a: {targets: [origin, glm/x]}}", replace(GATEWAY, model="a"))
    assert (targets(result), result.excluded[0].target) == (["glm/x"], "origin")


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────

TARGETS = st.sampled_from(
    ["origin", "glm/a", "zai/a", "glm/b", "groq/a", "mistral/a", "kr/a", "glm/*", "c1", "c2", "c3"]
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Snapshot, Ask, Past]:
    def line(name: str, above: tuple[str, ...]) -> str:
        picked = draw(st.lists(TARGETS.filter(lambda one: one not in above), min_size=1, max_size=5))
        strategy = draw(st.sampled_from(COMBO_STRATEGIES))
        return f"{name}: {{strategy: {strategy}, targets: [{', '.join(picked)}]}}"

    combos = [line("c3", ("c1", "c2", "c3")), line("c2", ("c1", "c2")), line("c1", ("c1",))]
    to = draw(st.lists(TARGETS, min_size=1, max_size=4))
    accounts = draw(st.lists(st.sampled_from(["glm", "groq", "mistral"]), max_size=4))
    listed = ", ".join(f"{{name: n{i}, provider: {p}, key: k, priority: {i % 2}}}" for i, p in enumerate(accounts))
    rules = snapshot(f"{{combos: {{{', '.join(combos)}}}, accounts: [{listed}], routes: [{{to: [{', '.join(to)}]}}]}}")
    places = st.sampled_from(["origin", "glm/a n0", "glm/a n1", "glm/a $GLM_API_KEY", "groq/a n0", "groq/a"])
    past = resting(**draw(st.dictionaries(places, st.floats(NOW - 100, NOW + 100), max_size=4)))
    return rules, replace(CLAUDE, gateway=draw(st.booleans())), past


@given(cases())
def test_a_plan_is_the_same_every_time(case: tuple[Snapshot, Ask, Past]) -> None:
    rules, ask, past = case
    assert plan(ask, rules, past, NOW, Random(1)) == plan(ask, rules, past, NOW, Random(1))


@given(cases())
def test_no_candidate_stands_twice(case: tuple[Snapshot, Ask, Past]) -> None:
    rules, ask, past = case
    keys = [(one.target_key, one.account_key) for one in plan(ask, rules, past, NOW, Random(1)).candidates]
    assert len(keys) == len(set(keys))


@given(cases())
def test_no_candidate_lacks_its_key_or_rests(case: tuple[Snapshot, Ask, Past]) -> None:
    rules, ask, past = case
    for one in plan(ask, rules, past, NOW, Random(1)).candidates:
        assert one.origin or past.rest(one, NOW) is None
        assert one.origin or (one.account is not None and one.account.key is not None)


# ── how long to wait ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_combo_s_target_is_waited_for_as_the_target_says_else_the_provider_else_the_file() -> None:
    rules = snapshot(
        """
        timeouts: {connect: 1, first_event: 2, idle: 3}
        providers: {glm: {timeouts: {first_event: 20, idle: 30}}}
        combos: {main: {targets: [{target: glm/a, timeouts: {idle: 300}}, groq/b]}}
        routes: [{to: main}]
        """
    )
    first, second = planned(rules).candidates
    waits = [one.timeouts(rules.timeouts) for one in (first, second)]
    assert [(one.connect, one.first_event, one.idle) for one in waits] == [(1, 20, 300), (1, 2, 3)]


OWN_FIRST = """
combos: {c: {targets: [origin, glm/x]}}
routes: [{to: c}]
"""
OWN_IS_GONE = {"origin": QuotaLeft(0.0, "5h", NOW + 60)}


def test_the_clients_own_call_is_left_out_while_it_rests_and_there_is_another() -> None:
    assert targets(planned(OWN_FIRST, past=Past(quotas=OWN_IS_GONE))) == ["glm/x"]


def test_the_clients_own_call_is_tried_when_there_is_nothing_else() -> None:
    result = planned(f"{OWN_FIRST}providers: {{glm: {{enabled: false}}}}", past=Past(quotas=OWN_IS_GONE))
    assert targets(result) == ["origin"]
    assert result.candidates[0].why == "there is nothing else, although its 5h quota is gone"
    assert [out.target for out in result.excluded] == ["glm/x"]


@pytest.mark.parametrize(
    "rule, past",
    [
        ("policies: [{name: none, deny: origin}]", Past(quotas=OWN_IS_GONE)),
        ("", Past(quotas=OWN_IS_GONE, blocks={"origin": BudgetBlock("b", "fallback", "w", 1)})),
    ],
    ids=["policy", "budget"],
)
def test_what_the_rules_forbid_is_no_last_resort(rule: str, past: Past) -> None:
    assert targets(planned(f"routes: [{{to: origin}}]\n{rule}", past=past)) == []
