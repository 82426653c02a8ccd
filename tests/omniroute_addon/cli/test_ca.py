"""``omniroute ca``: shown, located, renewed."""

import json
from pathlib import Path

from tests.omniroute_addon.cli.conftest import Omniroute


def test_show_names_what_it_vouches_for(omniroute: Omniroute) -> None:
    facts = json.loads(omniroute("ca", "show", "--json").stdout)
    assert ("api.anthropic.com" in facts["hosts"], facts["missing"], facts["expired"]) == (True, [], False)


def test_show_is_readable(omniroute: Omniroute) -> None:
    assert "api.openai.com" in omniroute("ca", "show").stdout


def test_path_is_the_certificate(omniroute: Omniroute, home: Path) -> None:
    assert omniroute("ca", "path").stdout == f"{home / 'ca' / 'mitmproxy-ca-cert.pem'}\n"


def test_path_can_be_the_directory(omniroute: Omniroute, home: Path) -> None:
    assert omniroute("ca", "path", "--dir").stdout == f"{home / 'ca'}\n"


def test_rotate_makes_another_and_keeps_the_old(omniroute: Omniroute) -> None:
    before = json.loads(omniroute("ca", "show", "--json").stdout)["sha256"]
    facts = json.loads(omniroute("ca", "rotate", "--json").stdout)
    assert (facts["sha256"] != before, (Path(facts["backup"]) / "mitmproxy-ca.pem").is_file()) == (True, True)


def test_a_broken_ca_is_one_line_that_says_what_to_do(omniroute: Omniroute, home: Path) -> None:
    (home / "ca").mkdir(parents=True)
    (home / "ca" / "mitmproxy-ca.pem").write_text("nonsense")
    result = omniroute("ca", "show")
    assert (result.returncode, result.stderr.count("\n"), "omniroute ca rotate" in result.stderr) == (1, 1, True)
