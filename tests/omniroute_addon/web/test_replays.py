"""What may be asked again, and of whom."""

import pytest

from omniroute_addon.web.replays import choices, known
from tests.omniroute_addon.routing.rules import snapshot

RULES = """\
combos:
  coding: {strategy: priority, targets: [origin, glm/glm-4.7, openai/gpt-5.1]}
routes:
  - {match: {model: "a*"}, to: coding}
  - {match: {model: "b*"}, to: "minimax/*"}
aliases: {"gpt-*": openai/gpt-5.1-codex}
"""


def test_the_choices_are_what_the_rules_name() -> None:
    assert choices(snapshot(RULES)) == ("coding", "glm/glm-4.7", "openai/gpt-5.1", "openai/gpt-5.1-codex")


@pytest.mark.parametrize(
    "target, is_known",
    [("coding", True), ("origin", True), ("glm/anything", True), ("nobody/m", False), ("glm/", False), ("glm", False)],
)
def test_what_a_call_can_be_sent_to(target: str, is_known: bool) -> None:
    assert known(target, snapshot(RULES)) is is_known
