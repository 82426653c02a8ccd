"""``omniroute env``: exports for the shell, pointing at the proxy that runs or will run."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.omniroute_addon.cli.conftest import Omniroute


def test_a_shell_can_evaluate_it(omniroute: Omniroute, env: dict[str, str]) -> None:
    script = omniroute("env", "--shell", "bash").stdout + 'echo "$HTTPS_PROXY"'
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, check=True)
    assert result.stdout == "http://127.0.0.1:8080\n"


def test_its_files_are_there(omniroute: Omniroute) -> None:
    values = json.loads(omniroute("env", "--json").stdout)
    assert [name for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE") if not Path(values[name]).is_file()] == []


def test_it_names_the_running_proxy(omniroute: Omniroute, served: dict[str, str]) -> None:
    assert json.loads(omniroute("env", "--json").stdout)["HTTPS_PROXY"] == served["proxy"]


def test_it_says_when_no_proxy_runs(omniroute: Omniroute) -> None:
    assert "no proxy is running" in omniroute("env").stderr


def test_a_port_of_tomorrow_cannot_be_named(omniroute: Omniroute, rules: Path) -> None:
    result = omniroute("env", "--config", rules)
    assert (result.returncode, result.stdout, "omniroute up" in result.stderr) == (1, "", True)


@pytest.mark.parametrize("shell,start", [("/usr/bin/fish", "set -gx "), ("/bin/zsh", "export "), ("", "export ")])
def test_the_users_shell_decides(omniroute: Omniroute, shell: str, start: str) -> None:
    assert omniroute("env", SHELL=shell).stdout.startswith(start)


def test_an_unknown_shell_is_said(omniroute: Omniroute) -> None:
    assert omniroute("env", "--shell", "tcsh").returncode == 2
