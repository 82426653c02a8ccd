"""A call sent to a chosen target: only the way there differs from the rules."""

import pytest

from omniroute_addon.routing.forced import ROUTE, forced, unknown
from tests.omniroute_addon.routing.rules import Past, planned, reasons, resting, snapshot, targets

RULES = """\
accounts: [{name: main, provider: glm, key: "${GLM_API_KEY}"}]
combos: {both: {targets: [glm/b, groq/a]}}
routes: [{match: {client: claude-code}, to: groq/a}]
aliases: {"claude-*": groq/c}
fallback_chains: {"claude-*": [groq/z]}
policies: [{name: never, deny: "deepseek/*"}]
"""


@pytest.mark.parametrize("target, tried", [("glm/x", ["glm/x"]), ("both", ["glm/b", "groq/a"]), ("origin", ["origin"])])
def test_the_call_goes_to_the_target_and_nowhere_else(target: str, tried: list[str]) -> None:
    result = planned(forced(snapshot(RULES), target))
    assert (result.route, targets(result), result.untouched) == (ROUTE, tried, False)


def test_what_rests_is_left_out_as_ever() -> None:
    past: Past = resting(**{"glm/x": 2_000_000.0})
    assert reasons(planned(forced(snapshot(RULES), "glm/x"), past=past)) == {"glm/x main": "cooling down"}


def test_a_policy_still_forbids() -> None:
    assert targets(planned(forced(snapshot(RULES), "deepseek/x"))) == []
    assert "never" in reasons(planned(forced(snapshot(RULES), "deepseek/x")))["deepseek/x $DEEPSEEK_API_KEY"]


@pytest.mark.parametrize("target", ["origin", "both", "glm/anything", "groq/a/b"])
def test_a_target_is_known(target: str) -> None:
    assert unknown(target, snapshot(RULES)) is None


@pytest.mark.parametrize("target", ["", "glm", "glm/", "nobody/x", "boht"])
def test_a_name_that_means_nothing_is_none(target: str) -> None:
    assert "unknown target" in (unknown(target, snapshot(RULES)) or "")


def test_a_misspelled_combo_is_guessed() -> None:
    assert "did you mean both" in (unknown("boht", snapshot(RULES)) or "")
