"""In which order a combo's targets and a provider's accounts are tried."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute_addon.config.combos import COMBO_STRATEGIES
from omniroute_addon.routing import Told
from omniroute_addon.routing.state import QuotaLeft
from tests.omniroute_addon.routing.rules import CLAUDE, Past, accounts, planned, snapshot, targets

FOUR = "[glm/a, groq/b, openrouter/c, deepseek/d]"
DRAWS = 2000


def combo(strategy: str, entries: str = FOUR) -> str:
    return f"{{combos: {{c: {{strategy: {strategy}, targets: {entries}}}}}, routes: [{{to: c}}]}}"


def drawn(rules: str, place: int = 0) -> Counter[str]:
    """How often each target stands at a place, over many calls."""
    loaded = snapshot(rules)
    return Counter(targets(planned(loaded, seed=seed))[place] for seed in range(DRAWS))


# ── combos ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.sampled_from(COMBO_STRATEGIES), st.integers(0, 50), st.integers(0, 5))
def test_every_strategy_orders_and_none_removes(strategy: str, seed: int, turn: int) -> None:
    result = planned(combo(strategy), past=Past(turns={"combo:c": turn}), seed=seed)
    assert sorted(targets(result)) == ["deepseek/d", "glm/a", "groq/b", "openrouter/c"]


def test_priority_is_the_order_of_the_file() -> None:
    assert targets(planned(combo("priority"))) == ["glm/a", "groq/b", "openrouter/c", "deepseek/d"]


@pytest.mark.parametrize("turn, first", [(0, "glm/a"), (1, "groq/b"), (3, "deepseek/d"), (4, "glm/a")])
def test_a_round_robin_begins_one_later_each_turn(turn: int, first: str) -> None:
    result = planned(combo("round-robin"), past=Past(turns={"combo:c": turn}))
    assert (targets(result)[0], result.turns) == (first, ("combo:c",))


def test_random_gives_every_target_the_same_chance_at_every_place() -> None:
    for place in range(4):
        counts = drawn(combo("random"), place)
        assert all(abs(count - DRAWS / 4) < DRAWS * 0.05 for count in counts.values())


def test_weights_are_chances() -> None:
    counts = drawn(combo("weighted", "[{target: glm/a, weight: 1}, {target: groq/b, weight: 3}]"))
    assert abs(counts["groq/b"] - DRAWS * 0.75) < DRAWS * 0.04


def test_without_any_weight_each_target_is_as_likely() -> None:
    counts = drawn(combo("weighted", "[{target: glm/a, weight: 0}, {target: groq/b, weight: 0}]"))
    assert abs(counts["glm/a"] - DRAWS / 2) < DRAWS * 0.05


def test_after_the_drawn_one_the_rest_goes_by_weight() -> None:
    entries = "[{target: glm/a, weight: 1}, {target: groq/b, weight: 5}, {target: openrouter/c, weight: 3}]"
    loaded = snapshot(combo("weighted", entries))
    by_weight = ["groq/b", "openrouter/c", "glm/a"]
    for seed in range(50):
        first, *rest = targets(planned(loaded, seed=seed))
        assert rest == [target for target in by_weight if target != first]


def test_least_used_goes_first() -> None:
    past = Past(used={"glm/a": 4, "groq/b": 2, "openrouter/c": 9})
    assert targets(planned(combo("least-used"), past=past)) == ["deepseek/d", "groq/b", "glm/a", "openrouter/c"]


def test_the_cheapest_goes_first_and_what_has_no_price_last() -> None:
    past = Past(prices={"openrouter/c": 0.2, "glm/a": 1.5, "deepseek/d": 0.0})
    assert targets(planned(combo("cost-optimized"), past=past)) == ["deepseek/d", "openrouter/c", "glm/a", "groq/b"]


def test_tiers_go_from_what_is_paid_already_to_what_is_free() -> None:
    rules = """
        providers:
          local: {format: openai-chat, base_url: "http://127.0.0.1:1/v1/chat/completions", tier: free}
          budget: {format: openai-chat, base_url: "http://127.0.0.1:1/v1/chat/completions", tier: cheap}
          paid: {format: openai-chat, base_url: "http://127.0.0.1:1/v1/chat/completions", tier: api-key}
        combos: {c: {strategy: tiered, targets: [local/x, budget/x, paid/x, origin]}}
        routes: [{to: c}]
    """
    assert targets(planned(rules)) == ["origin", "paid/x", "budget/x", "local/x"]


def test_a_combo_inside_a_combo_stays_together() -> None:
    rules = """
        combos:
          inner: {targets: [glm/a, groq/b]}
          outer: {strategy: round-robin, targets: [inner, openrouter/c]}
        routes: [{to: outer}]
    """
    assert targets(planned(rules, past=Past(turns={"combo:outer": 1}))) == ["openrouter/c", "glm/a", "groq/b"]


def test_why_a_target_stands_where_it_stands_is_told() -> None:
    result = planned(combo("least-used"), past=Past(used={"glm/a": 4}))
    assert {one.target: one.why for one in result.candidates}["glm/a"] == "used 4 times"


# ── accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def pool(strategy: str, count: int = 3, sticky: int = 3) -> str:
    listed = ", ".join(f"{{name: n{index}, provider: glm, key: k}}" for index in range(count))
    return f"{{pool: {{strategy: {strategy}, sticky: {sticky}}}, accounts: [{listed}], routes: [{{to: glm/a}}]}}"


SESSION = replace(CLAUDE, facts=Told(session="s1"))


def test_a_session_stays_on_its_account() -> None:
    past = Past(bound={("s1", "glm"): "n2"})
    assert accounts(planned(pool("session-affinity"), SESSION, past))[0] == "n2"


def test_new_sessions_spread_over_the_accounts() -> None:
    loaded = snapshot(pool("session-affinity"))
    firsts = Counter(
        accounts(planned(loaded, replace(CLAUDE, facts=Told(session=f"s{number}"))))[0] for number in range(600)
    )
    assert all(abs(count - 200) < 60 for count in firsts.values())
    assert len(firsts) == 3


def test_a_new_session_gets_the_same_account_after_a_restart() -> None:
    assert accounts(planned(pool("session-affinity"), SESSION, seed=1)) == accounts(
        planned(pool("session-affinity"), SESSION, seed=2)
    )


def test_affinity_does_not_keep_a_session_from_other_accounts() -> None:
    assert sorted(map(str, accounts(planned(pool("session-affinity"), SESSION)))) == ["n0", "n1", "n2"]


def test_with_one_account_the_body_is_not_read_for_its_session() -> None:
    assert planned(pool("session-affinity", 1), SESSION).session is None


def test_fill_first_is_the_order_of_the_file() -> None:
    assert accounts(planned(pool("fill-first"), SESSION)) == ["n0", "n1", "n2"]


@pytest.mark.parametrize("turn, first", [(0, "n0"), (2, "n0"), (3, "n1"), (8, "n2"), (9, "n0")])
def test_a_round_robin_of_accounts_is_sticky(turn: int, first: str) -> None:
    assert accounts(planned(pool("round-robin"), past=Past(turns={"pool:glm": turn})))[0] == first


def test_the_least_recently_used_account_goes_first() -> None:
    past = Past(last={"glm:n0": 30.0, "glm:n1": 10.0, "glm:n2": 20.0})
    assert accounts(planned(pool("least-used"), past=past)) == ["n1", "n2", "n0"]


def test_of_two_accounts_drawn_the_less_busy_goes_first() -> None:
    loaded = snapshot(pool("p2c", 2))
    past = Past(open={"glm:n0": 5})
    assert {accounts(planned(loaded, past=past, seed=seed))[0] for seed in range(20)} == {"n1"}


def test_two_choices_never_draw_the_busiest_of_three_first() -> None:
    loaded = snapshot(pool("p2c"))
    past = Past(open={"glm:n1": 9})
    assert {accounts(planned(loaded, past=past, seed=seed))[0] for seed in range(60)} == {"n0", "n2"}


def test_random_accounts_have_the_same_chance() -> None:
    loaded = snapshot(pool("random"))
    counts = Counter(accounts(planned(loaded, seed=seed))[0] for seed in range(DRAWS))
    assert all(abs(count - DRAWS / 3) < DRAWS * 0.05 for count in counts.values())


def test_priorities_go_before_any_strategy() -> None:
    rules = """
        pool: {strategy: random}
        accounts:
          - {name: second, provider: glm, key: k, priority: 2}
          - {name: first, provider: glm, key: k}
        routes: [{to: glm/a}]
    """
    loaded = snapshot(rules)
    assert {tuple(accounts(planned(loaded, seed=seed))) for seed in range(20)} == {("first", "second")}


def test_a_provider_can_have_a_pool_of_its_own() -> None:
    rules = pool("random").replace("routes", "providers: {glm: {pool: {strategy: fill-first}}}, routes")
    loaded = snapshot(rules)
    assert {tuple(accounts(planned(loaded, seed=seed))) for seed in range(20)} == {("n0", "n1", "n2")}


# ── quota ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_account_without_quota_is_out_until_its_reset() -> None:
    past = Past(quotas={"n0": QuotaLeft(0.0, "5h", resets=1_000_500.0)})
    result = planned(pool("fill-first"), past=past)
    assert accounts(result) == ["n1", "n2"]
    assert [(out.account, out.reason, out.until) for out in result.excluded] == [
        ("n0", "its 5h quota is gone", 1_000_500.0)
    ]


@pytest.mark.parametrize("left, kept", [(0.11, True), (0.10, False), (0.05, False)])
def test_a_reserve_is_not_routed_to(left: float, kept: bool) -> None:
    rules = pool("fill-first").replace("routes", "quota: {keep: 10%}, routes")
    result = planned(rules, past=Past(quotas={"n0": QuotaLeft(left, "week")}))
    assert ("n0" in accounts(result)) is kept


def test_what_only_a_published_figure_calls_gone_is_tried_last() -> None:
    past = Past(quotas={"n0": QuotaLeft(0.0, "day requests", firm=False)})
    result = planned(pool("fill-first"), past=past)
    assert accounts(result) == ["n1", "n2", "n0"]
    assert result.candidates[-1].why == "its day requests quota is gone by a published figure, so it is tried last"
    assert result.excluded == ()
