"""Model names and what was nearly meant."""

from omniroute_addon.config import parse
from omniroute_addon.routing.names import listed, near

RULES = """\
version: 1
providers: {local: {base_url: "http://127.0.0.1:1/v1/messages", models: [tiny]}}
combos: {fast: {targets: [local/tiny]}, off: {enabled: false, targets: [local/tiny]}}
aliases: {"gpt-*": fast, exact: fast}
"""


def test_the_list_has_what_can_be_called_and_nothing_else() -> None:
    names = [entry.id for entry in listed(parse(RULES, None, env={}))]
    assert names == ["fast", "exact", "local/tiny"]


def test_near_names_are_found_without_their_prefix() -> None:
    assert near("glm4.7", ["zai/glm-4.7", "groq/llama"]) == ("zai/glm-4.7",)


def test_nothing_is_near_to_noise() -> None:
    assert near("qqqqqq", ["zai/glm-4.7"]) == ()
