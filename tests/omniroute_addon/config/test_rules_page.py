"""``docs/rules.md``: its examples load, and no section is forgotten."""

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from omniroute_addon.config import json_schema, parse
from omniroute_addon.config.combos import COMBO_STRATEGIES
from omniroute_addon.config.governance import FEATURES
from omniroute_addon.config.schema import ConfigSpec, MatchSpec

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^#+ ([^\n]+)\n(?:(?!^#)[^\n]*\n)*?```yaml\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
ENV = dict.fromkeys(("GLM_API_KEY", "GLM_SPARE_KEY", "INTERN_KEY"), "a-key-of-some-length")


def test_every_example_is_found() -> None:
    assert len(EXAMPLES) == PAGE.count("```yaml")


@pytest.mark.parametrize("heading,text", EXAMPLES)
def test_an_example_loads(heading: str, text: str) -> None:
    warnings = parse(text, Path(heading), env=ENV).warnings
    assert [str(one) for one in warnings if "the vault has no" not in str(one)] == []


@pytest.mark.parametrize("text", [text for _, text in EXAMPLES], ids=[heading for heading, _ in EXAMPLES])
def test_an_example_fits_the_schema(text: str) -> None:
    found = Draft7Validator(json_schema.json_schema()).iter_errors(_read(text))
    assert [error.message for error in found] == []


def _read(text: str) -> object:
    """Dates are texts for the file's own reader."""
    return yaml.safe_load(re.sub(r"(\d{4}-\d{2}-\d{2})", r"'\1'", text))


@pytest.mark.parametrize("section", sorted(set(ConfigSpec.model_fields) - {"version"}))
def test_every_section_stands_in_an_example(section: str) -> None:
    assert any(re.search(rf"^{section}:", text, re.MULTILINE) for _, text in EXAMPLES)


@pytest.mark.parametrize("word", [*MatchSpec.model_fields, *FEATURES, *COMBO_STRATEGIES])
def test_every_condition_and_strategy_is_told(word: str) -> None:
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_links_lead_somewhere(link: str) -> None:
    assert (Path(__file__).parents[3] / "docs" / link).exists()


@pytest.mark.parametrize("anchor", re.findall(r"\]\(#([^)]+)\)", PAGE))
def test_the_contents_lead_to_headings(anchor: str) -> None:
    headings = [
        re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    ]
    assert anchor in headings
