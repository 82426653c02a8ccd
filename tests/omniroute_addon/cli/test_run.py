"""``omniroute run``: the tool gets its own arguments, our variables, all signals; we give back its exit code."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from omniroute_addon import running
from tests.omniroute_addon.cli.conftest import Omniroute

PRINT = "import json, os, sys; print(json.dumps({'env': dict(os.environ), 'args': sys.argv[1:]}))"


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A tool on PATH that prints what it was given."""
    path = tmp_path / "bin" / "tool"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{PRINT}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def given(result: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_tool_is_pointed_at_the_proxy_that_runs(omniroute: Omniroute, served: dict[str, str], tool: Path) -> None:
    assert given(omniroute("run", tool))["env"]["HTTPS_PROXY"] == served["proxy"]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("before", [[], ["--"]])
def test_the_tools_arguments_are_its_own(omniroute: Omniroute, tool: Path, before: list[str]) -> None:
    arguments = ["-p", "hi", "--config", "x", "--help", "--", "-c"]
    assert given(omniroute("run", *before, tool, *arguments))["args"] == arguments


@pytest.mark.usefixtures("served")
def test_its_exit_code_is_ours(omniroute: Omniroute) -> None:
    assert omniroute("run", sys.executable, "-c", "raise SystemExit(41)").returncode == 41


@pytest.mark.usefixtures("served")
def test_a_tool_that_a_signal_killed_gives_128_and_its_number(omniroute: Omniroute) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert omniroute("run", sys.executable, "-c", code).returncode == 137


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_tool(env: dict[str, str], number: signal.Signals) -> None:
    code = (
        "import signal, sys\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(7))\n"
        "print('up', flush=True)\n"
        "signal.pause()"
    )
    command = [sys.executable, "-m", "omniroute_addon", "run", sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.wait(10) == 7


def test_without_a_proxy_it_starts_one(omniroute: Omniroute, rules: Path, tool: Path) -> None:
    result = omniroute("run", "--headless", "--config", rules, "--", tool)
    assert given(result)["env"]["HTTPS_PROXY"].startswith("http://127.0.0.1:")


def test_the_proxy_it_started_ends_with_the_tool(omniroute: Omniroute, rules: Path, tool: Path) -> None:
    proxy = given(omniroute("run", "--headless", "--config", rules, "--", tool))["env"]["HTTPS_PROXY"]
    assert not running.answers(proxy)


def test_the_proxy_it_started_is_there_while_the_tool_runs(omniroute: Omniroute, rules: Path) -> None:
    code = (
        "import os, socket, urllib.parse\n"
        "parts = urllib.parse.urlsplit(os.environ['HTTPS_PROXY'])\n"
        "socket.create_connection((parts.hostname, parts.port), timeout=5).close()"
    )
    assert omniroute("run", "--headless", "--config", rules, "--", sys.executable, "-c", code).returncode == 0


def test_it_leaves_no_log_when_all_went_well(omniroute: Omniroute, rules: Path, tool: Path, home: Path) -> None:
    given(omniroute("run", "--headless", "--config", rules, "--", tool))
    assert list((home / "run").iterdir()) == []


def test_a_proxy_with_another_config_is_not_joined(
    omniroute: Omniroute, served: dict[str, str], rules: Path, tool: Path
) -> None:
    other = rules.with_name("other.yaml")
    other.write_text(rules.read_text())
    assert given(omniroute("run", "--headless", "--config", other, tool))["env"]["HTTPS_PROXY"] != served["proxy"]


def test_a_config_with_errors_is_shown_and_the_tool_is_not_run(
    omniroute: Omniroute, tmp_path: Path, tool: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nsurprise: 1\n")
    result = omniroute("run", "--config", bad, tool)
    assert (result.returncode, result.stdout, "bad.yaml:2: surprise" in result.stderr) == (1, "", True)


def test_an_unknown_tool_is_127(omniroute: Omniroute) -> None:
    result = omniroute("run", "no-such-tool")
    assert (result.returncode, "no-such-tool: no such command" in result.stderr) == (127, True)


def test_a_known_tool_that_is_not_installed_has_a_hint(omniroute: Omniroute, tmp_path: Path) -> None:
    assert "npm install" in omniroute("run", "claude", PATH=str(tmp_path)).stderr


@pytest.mark.usefixtures("served")
def test_the_users_own_variables_stay(omniroute: Omniroute, tool: Path) -> None:
    found = given(omniroute("run", tool, NO_PROXY="intranet.test", MINE="1"))["env"]
    assert (found["NO_PROXY"].split(",")[0], found["MINE"]) == ("intranet.test", "1")


def test_a_proxy_that_it_started_does_not_outlive_its_death(env: dict[str, str], rules: Path) -> None:
    code = "import os, signal; print(os.environ['HTTPS_PROXY'], flush=True); signal.pause()"
    command = [
        sys.executable,
        "-m",
        "omniroute_addon",
        "run",
        "--headless",
        "-c",
        str(rules),
        "--",
        sys.executable,
        "-c",
        code,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True) as process:
        assert process.stdout is not None
        parts = urlsplit(process.stdout.readline().strip())
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as connection:
            os.killpg(process.pid, signal.SIGKILL)
            assert connection.recv(1) == b""


KEYED = """\
version: 1
listen: {proxy: "127.0.0.1:0", gateway: null, web: null, proxy_auth: true}
keys: [{name: ci, key: a-key-that-is-long-enough}]
"""


def test_a_proxy_that_asks_for_a_key_gets_the_one_in_the_environment(
    omniroute: Omniroute, tool: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "keyed.yaml"
    rules.write_text(KEYED)
    result = omniroute("run", "--config", rules, tool, OMNIROUTE_KEY="a-key-that-is-long-enough")
    assert given(result)["env"]["HTTPS_PROXY"].startswith("http://omniroute:a-key-that-is-long-enough@127.0.0.1:")


def test_a_key_that_is_missing_is_told_before_the_tool_starts(omniroute: Omniroute, tool: Path, tmp_path: Path) -> None:
    rules = tmp_path / "keyed.yaml"
    rules.write_text(KEYED)
    result = omniroute("run", "--config", rules, tool)
    assert (result.returncode, result.stdout) == (1, "")
    assert "OMNIROUTE_KEY" in result.stderr
