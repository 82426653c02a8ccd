"""Switches turned in a rule file's text: one place changes, everything else stays byte for byte."""

import difflib
from pathlib import Path

import pytest
import yaml

from omniroute_addon.config import load
from omniroute_addon.config.paths import data_file
from omniroute_addon.config.switching import NotSwitchableError, switched

FILE = """\
# mine
version: 1
combos:
  premium:   # the good ones
    strategy: priority   # in order
    targets:
      - glm/glm-4.7      # first
      - {target: "local/m", weight: 2}   # second
  cheap: {targets: [local/m]}
  anchored: &a
    targets: [local/m]
accounts:
  - name: one
    provider: glm
    key: "${KEY}"  # from outside
routes:
  - {match: {model: "claude-*"}, to: premium,}
  - match:
      client: codex
    to: [cheap]
  - name: off
    to: origin
    enabled: no   # for now
"""


@pytest.mark.parametrize(
    "path, on, lines",
    [
        (["routes", 0], False, ['  - {match: {model: "claude-*"}, to: premium, enabled: false,}']),
        (["routes", 1], False, ["  - enabled: false", "    match:"]),
        (["routes", 2], True, ["    enabled: true   # for now"]),
        (["combos", "premium"], False, ["    enabled: false"]),
        (["combos", "premium", "targets", 0], False, ["      - {target: glm/glm-4.7, enabled: false}      # first"]),
        (
            ["combos", "premium", "targets", 1],
            False,
            ['      - {target: "local/m", weight: 2, enabled: false}   # second'],
        ),
        (["combos", "cheap"], False, ["  cheap: {targets: [local/m], enabled: false}"]),
        (["combos", "cheap", "targets", 0], False, ["  cheap: {targets: [{target: local/m, enabled: false}]}"]),
        (["combos", "anchored"], False, ["    enabled: false"]),
        (["accounts", 0], False, ["    enabled: false"]),
    ],
)
def test_only_the_switch_changes(path: list[str | int], on: bool, lines: list[str]) -> None:
    edited = switched(FILE, path, on)
    changes = list(difflib.ndiff(FILE.splitlines(), edited.splitlines()))
    assert [line[2:] for line in changes if line.startswith("+ ")] == lines
    again = switched(edited, path, not on)
    assert yaml.safe_load(again) != yaml.safe_load(edited)
    assert switched(again, path, on) == edited


def test_what_is_as_wanted_stays_as_written() -> None:
    assert switched(FILE, ["routes", 0], True) == FILE
    assert switched(FILE, ["routes", 2], False) == FILE
    assert switched(FILE, ["combos", "premium", "targets", 0], True) == FILE


def test_lines_that_end_as_on_windows_stay_so() -> None:
    edited = switched(FILE.replace("\n", "\r\n"), ["accounts", 0], False)
    assert "\r\n    enabled: false\r\n" in edited
    assert edited.count("\n") == edited.count("\r\n")


@pytest.mark.parametrize(
    "path",
    [
        ["version"],
        ["routes", 7],
        ["routes", -1],
        ["routes", True],
        ["combos", "nobody"],
        ["combos", "premium", "strategy"],
        ["accounts", 0, "key"],
        [],
    ],
)
def test_what_has_no_switch_is_refused(path: list[str | int]) -> None:
    with pytest.raises(NotSwitchableError):
        switched(FILE, path, False)


@pytest.mark.parametrize(
    "text, path",
    [
        ("a: [", ["routes", 0]),
        ("combos: {a: &x {targets: [local/m]}, b: *x}", ["combos", "a"]),
        ("base: &x {match: {}, to: origin}\nroutes: [*x, *x]", ["routes", 0]),
    ],
)
def test_a_file_whose_other_values_would_change_is_refused(text: str, path: list[str | int]) -> None:
    with pytest.raises(NotSwitchableError):
        switched(text, path, False)


def test_the_example_is_switched_and_still_loads(tmp_path: Path) -> None:
    text = data_file("omniroute.example.yaml").read_text()
    env = {"GLM_API_KEY": "k"}
    for path in (["routes", 0], ["combos", "cheap"], ["combos", "premium-coding", "targets", 1], ["accounts", 1]):
        text = switched(text, path, False)
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    snapshot = load(file, env=env)
    assert (snapshot.routes[0].enabled, snapshot.combos["cheap"].enabled) == (False, False)
    assert [target.enabled for target in snapshot.combos["premium-coding"].targets] == [True, False, True]
