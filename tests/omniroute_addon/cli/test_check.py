"""``omniroute check``: errors name file, line and key; a good file is one line."""

import json
from pathlib import Path

from omniroute_addon.config import json_schema
from tests.omniroute_addon.cli.conftest import Omniroute


def test_a_good_file_is_ok(omniroute: Omniroute, rules: Path) -> None:
    result = omniroute("check", rules)
    assert (result.returncode, result.stdout.startswith(f"{rules}: ok")) == (0, True)


def test_the_file_may_be_named_as_for_the_other_commands(omniroute: Omniroute, rules: Path) -> None:
    result = omniroute("check", "--config", rules)
    assert (result.returncode, result.stdout.startswith(f"{rules}: ok")) == (0, True)


def test_a_good_file_as_json(omniroute: Omniroute, rules: Path) -> None:
    facts = json.loads(omniroute("check", rules, "--json").stdout)
    assert (facts["ok"], facts["accounts"], facts["combos"], facts["routes"]) == (True, 1, 1, 1)


def test_an_error_names_file_line_and_key(omniroute: Omniroute, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nroutes:\n  - {match: {model: '*'}, to: nowhere}\n")
    result = omniroute("check", bad)
    assert (result.returncode, result.stderr.startswith(f"{bad}:3: routes[0].to")) == (1, True)


def test_errors_as_json(omniroute: Omniroute, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nsurprise: 1\n")
    problem = json.loads(omniroute("check", bad, "--json").stdout)["problems"][0]
    assert (problem["line"], problem["key"]) == (2, "surprise")


def test_without_a_file_the_defaults_are_checked(omniroute: Omniroute) -> None:
    assert omniroute("check").returncode == 0


def test_a_missing_key_is_a_warning_and_not_an_error(omniroute: Omniroute, rules: Path) -> None:
    result = omniroute("check", rules)
    assert (result.returncode, "GLM_KEY" in result.stderr) == (0, True)


def test_the_schema_is_printed_for_editors(omniroute: Omniroute) -> None:
    assert json.loads(omniroute("check", "--schema").stdout) == json_schema.json_schema()
