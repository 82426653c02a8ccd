"""The first rules: whatever is chosen, `omniroute check` accepts them, and no key is in them."""

from pathlib import Path

import pytest

from omniroute_addon.config import parse
from omniroute_addon.environment import TOOLS
from omniroute_addon.firstrun.found import HABITS, KeyFound, ToolFound, keys
from omniroute_addon.firstrun.proposal import ProposalError, Wish, proposed, text

CANARY = "sk-canary-0123456789abcdef"
ENV = {"GLM_API_KEY": CANARY, "OPENAI_API_KEY": CANARY, "OPENROUTER_API_KEY": CANARY}
KEYS = keys(parse(None, None, env={}).providers, ENV, ("deepseek",))
SECRETS = {"deepseek": CANARY}.get
FILE = Path("omniroute.yaml")


def found(*installed: str) -> tuple[ToolFound, ...]:
    return tuple(ToolFound(one, HABITS[one.command].client, one.command in installed, None) for one in TOOLS)


def test_everything_that_is_there_is_proposed_but_what_charges_by_use() -> None:
    assert proposed(found("claude", "codex"), KEYS) == Wish(
        ("claude", "codex"),
        ("origin", "glm/glm-4.7", "deepseek/deepseek-chat", "openrouter/qwen/qwen3-coder:free"),
    )


def test_what_charges_is_proposed_when_there_is_nothing_else() -> None:
    only = [one for one in KEYS if one.provider in ("openai", "xai")]
    assert proposed(found("codex"), only).targets == ("origin", "openai/gpt-5")


def test_a_machine_with_nothing_gets_a_beginning_that_can_be_written() -> None:
    nothing = keys(parse(None, None, env={}).providers, {}, ())
    wish = proposed(found(), nothing)
    assert wish == Wish(("claude",), ("origin",))
    assert parse(text(wish, nothing), FILE, env={}).warnings == ()


def test_the_rules_are_what_was_chosen() -> None:
    wish = Wish(("claude", "gemini"), ("glm/glm-4.6", "origin", "deepseek/deepseek-chat"))
    rules = parse(text(wish, KEYS), FILE, env=ENV, secrets=SECRETS)
    assert rules.warnings == ()
    assert [one.target for one in rules.combos["first"].targets] == list(wish.targets)
    assert [(one.match.client, one.to) for one in rules.routes] == [
        (("claude-code",), ("first",)),
        (("gemini-cli",), ("first",)),
    ]


def test_keys_are_named_and_not_told() -> None:
    content = text(Wish(("claude",), ("glm/glm-4.7", "deepseek/deepseek-chat")), KEYS)
    assert ('key: "${GLM_API_KEY}"' in content, "key: {vault: deepseek}" in content) == (True, True)
    assert CANARY not in content


def test_a_key_that_is_missing_is_a_warning_and_no_error() -> None:
    rules = parse(text(Wish(("claude",), ("origin", "kimi/kimi-latest")), KEYS), FILE, env={})
    assert ["MOONSHOT_API_KEY is not set" in one.message for one in rules.warnings] == [True]


@pytest.mark.parametrize("one", KEYS, ids=[one.provider for one in KEYS])
def test_every_model_that_is_offered_can_be_written(one: KeyFound) -> None:
    for model in one.models:
        rules = parse(text(Wish(("claude",), (f"{one.provider}/{model}",)), KEYS), FILE, env=ENV, secrets=SECRETS)
        assert [entry.target for entry in rules.combos["first"].targets] == [f"{one.provider}/{model}"]


@pytest.mark.parametrize(
    "wish, about",
    [
        (Wish((), ("origin",)), "no tool"),
        (Wish(("claude",), ()), "no target"),
        (Wish(("vi",), ("origin",)), "'vi'"),
        (Wish(("claude",), ("nobody/m",)), "nobody"),
        (Wish(("claude",), ("glm",)), "provider/model"),
        (Wish(("claude",), ("origin", "origin")), "twice"),
        (Wish(("claude", "claude"), ("origin",)), "twice"),
        (Wish(("claude",), ("glm/x, key: y",)), "provider/model"),
        (Wish(("claude",), ("glm/a: b",)), "provider/model"),
        (Wish(("claude",), ("glm/${HOME}",)), "provider/model"),
        (Wish(("claude",), ("glm/x\n  y",)), "provider/model"),
        (Wish(("claude",), ("glm/x #",)), "provider/model"),
    ],
)
def test_what_cannot_be_written_is_refused(wish: Wish, about: str) -> None:
    with pytest.raises(ProposalError, match=about):
        text(wish, KEYS)
