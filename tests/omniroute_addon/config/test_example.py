"""The annotated example: complete, and valid also where it is switched off."""

import re
from pathlib import Path

import pytest

from omniroute_addon.config import parse
from omniroute_addon.config.paths import data_file
from omniroute_addon.config.schema import ConfigSpec

EXAMPLE = data_file("omniroute.example.yaml").read_text(encoding="utf-8")
ENV = {"GLM_API_KEY": "k", "INTERN_KEY": "a-key-of-some-length"}


def switched_on(text: str) -> str:
    """With every example that is switched off; one that stands for the line above takes its place."""
    kept: list[str] = []
    for line in text.splitlines():
        off = re.fullmatch(r"#([a-z ] ?.*)", line)
        if off is None or re.match(r"# \S", line):
            kept.append(line)
            continue
        name = re.match(r"[a-z_]+:", off[1])
        if name is not None:
            kept = [one for one in kept if not one.startswith(name[0])]
        kept.append(off[1])
    return "\n".join(kept)


def test_it_loads() -> None:
    rules = parse(EXAMPLE, Path("example.yaml"), env=ENV)
    assert [str(one) for one in rules.warnings] == [
        "example.yaml:25: accounts[1].key: account glm-spare has no key: the vault has no 'glm-spare'"
    ]


def test_it_loads_with_all_that_is_switched_off() -> None:
    rules = parse(switched_on(EXAMPLE), Path("example.yaml"), env=ENV)
    assert ([key.name for key in rules.keys], rules.governance.quota.keep) == (["intern-1"], 0.1)


@pytest.mark.parametrize("section", ConfigSpec.model_fields)
def test_it_has_every_section(section: str) -> None:
    assert re.search(rf"^#?{section}:", EXAMPLE, re.MULTILINE)


def test_no_line_is_too_long_to_read() -> None:
    assert [line for line in EXAMPLE.splitlines() if len(line) > 130] == []
