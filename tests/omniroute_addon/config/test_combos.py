"""What a combo says for itself, and what it takes from ``combo_defaults``."""

from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError, Snapshot, parse
from omniroute_addon.config.combos import ComboDefaults


def loaded(rules: str) -> Snapshot:
    return parse(f"version: 1\n{rules}", Path("rules.yaml"), env={})


def problems(rules: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        loaded(rules)
    return [line.removeprefix("rules.yaml:") for line in str(error.value).splitlines()]


def settings(rules: str) -> ComboDefaults:
    """Of the first target of the combo ``a``."""
    place = loaded(rules).combos["a"].targets[0].place
    assert place is not None
    return place.settings


def test_a_combo_does_what_the_defaults_say_where_it_says_nothing() -> None:
    rules = "combo_defaults: {retries: 2, max_time: 1m}\ncombos: {a: {targets: [origin], retries: 0}}"
    found = settings(rules)
    assert (found.retries, found.max_time) == (0, 60)


def test_a_strategy_that_is_nearly_right_is_told() -> None:
    assert problems("combos: {a: {targets: [origin], strategy: roundrobin}}") == [
        "2: combos.a.strategy: unknown strategy 'roundrobin'; did you mean 'round-robin'?"
    ]
