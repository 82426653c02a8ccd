"""What a test of an account asks; that it is a real call is seen in tests/omniroute_addon/web/pages/test_quotas.py."""

from pathlib import Path

import pytest

from omniroute_addon.config import load
from omniroute_addon.engine.trial import target_of


@pytest.mark.parametrize(
    "rules, provider, target",
    [
        ("routes: [{match: {client: codex}, to: glm/glm-9}]", "glm", "glm/glm-9"),
        ("combos: {c: {targets: [origin, {target: minimax/M9}]}}", "minimax", "minimax/M9"),
        ("aliases: {'gpt-*': glm/glm-8}", "glm", "glm/glm-8"),
        ("routes: [{match: {client: codex}, to: local/*}]", "local", None),
        ("routes: []", "local", None),
    ],
)
def test_what_the_rules_name_is_asked_first(tmp_path: Path, rules: str, provider: str, target: str | None) -> None:
    path = tmp_path / "rules.yaml"
    local = 'providers: {local: {format: openai-chat, base_url: "http://127.0.0.1:1/v1/chat/completions"}}\n'
    path.write_text("version: 1\n" + local + rules)
    snapshot = load(path)
    assert target_of(snapshot.providers[provider], snapshot) == target


def test_without_a_rule_it_is_a_model_that_the_provider_is_known_to_have(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\n")
    snapshot = load(path)
    provider = snapshot.providers["glm"]
    assert target_of(provider, snapshot) == f"glm/{provider.models[0].name}"
