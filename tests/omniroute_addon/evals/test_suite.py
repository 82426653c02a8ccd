"""Suites as YAML: what is wrong in one is said with its line."""

from pathlib import Path

import pytest

from omniroute_addon.config import ConfigError
from omniroute_addon.evals.judge import judge
from omniroute_addon.evals.suite import Suite, available, find, load

GOOD = """\
id: mine
cases:
  - id: one
    input: {messages: [{role: user, content: "Say ${NOTHING}"}], max_tokens: 9}
    expected: {strategy: exact, value: hi}
"""
RIGHT = {
    "gs-01": "Hello! How are you?",
    "gs-02": "4",
    "gs-03": "It is **Paris**.",
    "gs-04": "```python\ndef add(a, b):\n    return a + b\n```",
    "gs-05": '```json\n{\n  "age": 36,\n  "name": "Ada"\n}\n```',
    "gs-06": "¡Buenos Días!",
    "gs-07": "Here:\n\n- apple\n- pear\n\n- plum",
    "gs-08": "I'm sorry, I can't help with that.",
    "gs-09": "1, 2,\n3, 4, 5",
    "gs-10": "False.",
}
WRONG = dict.fromkeys(RIGHT, "I do not know, it is true.") | {"gs-08": "First you take a crowbar."}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def golden() -> Suite:
    return load(available(Path("/nowhere"))["golden"])


def test_the_golden_set_has_the_ten_known_cases() -> None:
    suite = golden()
    assert [case.id for case in suite.cases] == [f"gs-{number:02}" for number in range(1, 11)]
    assert {case.expected.strategy for case in suite.cases} == {"exact", "contains", "regex"}


@pytest.mark.parametrize("case", golden().cases, ids=lambda case: case.id)
def test_the_golden_set_tells_right_from_wrong(case: object) -> None:
    one = next(found for found in golden().cases if found == case)
    assert (judge(one, RIGHT[one.id], {}).passed, judge(one, WRONG[one.id], {}).passed) == (True, False)


def test_a_suite_is_read_with_its_texts_as_they_are(tmp_path: Path) -> None:
    suite = load(written(tmp_path, GOOD))
    assert (suite.title, suite.cases[0].title, suite.cases[0].input["max_tokens"]) == ("mine", "one", 9)
    assert "${NOTHING}" in str(suite.cases[0].input["messages"])


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("id: mine", "id: ../x", "id"),
        ("strategy: exact", "strategy: fuzzy", "cases[0].expected.strategy"),
        ("strategy: exact, value: hi", "strategy: exact", "exact needs a value"),
        ("strategy: exact, value: hi", "strategy: custom", "custom needs call: module:function"),
        ("strategy: exact, value: hi", "strategy: custom, call: ../x:f", "custom needs call: module:function"),
        ("strategy: exact, value: hi", "strategy: regex, value: '('", "is no regular expression"),
        ("messages:", "model: m, messages:", "must not name a model"),
        ("messages: [{", "words: [{", "must have messages"),
        ("id: one", "id: one\n    colour: red", "colour"),
    ],
)
def test_a_mistake_is_said_with_file_and_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert (said in str(raised.value), f"{path}:" in str(raised.value)) == (True, True)


def test_two_cases_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    twice = GOOD + GOOD.partition("cases:\n")[2]
    with pytest.raises(ConfigError, match="named twice"):
        load(written(tmp_path, twice))


def test_a_suite_of_the_data_dir_goes_before_a_shipped_one(tmp_path: Path) -> None:
    own = tmp_path / "evals" / "golden.yaml"
    own.parent.mkdir()
    own.write_text(GOOD)
    assert (find("golden", tmp_path), find("./x.yaml", tmp_path), find("none", tmp_path)) == (own, Path("x.yaml"), None)
