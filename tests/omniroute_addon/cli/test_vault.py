"""``omniroute vault``: keys go in through stdin and never come out on a screen."""

import json
from pathlib import Path

from tests.omniroute_addon.cli.conftest import Omniroute


def test_a_key_is_kept_and_listed_by_name(omniroute: Omniroute) -> None:
    omniroute("vault", "set", "glm-spare", stdin="sk-canary\n")
    assert json.loads(omniroute("vault", "list", "--json").stdout) == ["glm-spare"]


def test_an_account_can_use_it(omniroute: Omniroute, rules: Path) -> None:
    omniroute("vault", "set", "glm-spare", stdin="sk-canary\n")
    rules.write_text(rules.read_text().replace('"${GLM_KEY}"', "{vault: glm-spare}"))
    said = omniroute("doctor", "--config", rules).stdout
    assert ("account glm-main: has a key" in said, "sk-canary" in said) == (True, False)


def test_a_key_can_be_forgotten(omniroute: Omniroute) -> None:
    omniroute("vault", "set", "a", stdin="x")
    omniroute("vault", "rm", "a")
    assert omniroute("vault", "list").stdout == ""


def test_forgetting_what_is_not_there_is_said(omniroute: Omniroute) -> None:
    result = omniroute("vault", "rm", "nothing")
    assert (result.returncode, "'nothing'" in result.stderr) == (1, True)


def test_nothing_is_not_kept(omniroute: Omniroute) -> None:
    assert omniroute("vault", "set", "a", stdin="\n").returncode == 1


def test_a_key_on_the_command_line_is_refused(omniroute: Omniroute) -> None:
    assert omniroute("vault", "set", "a", "sk-canary").returncode == 2


def test_no_file_holds_it_in_plain(omniroute: Omniroute, home: Path) -> None:
    omniroute("vault", "set", "a", stdin="sk-canary")
    assert [path for path in home.rglob("*") if path.is_file() and b"sk-canary" in path.read_bytes()] == []


def test_a_damaged_vault_is_one_line(omniroute: Omniroute, home: Path) -> None:
    home.mkdir()
    (home / "vault.json").write_text("{")
    result = omniroute("vault", "list")
    assert (result.returncode, result.stderr) == (1, f"omniroute: {home / 'vault.json'}: not JSON\n")
