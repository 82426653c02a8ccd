"""``omniroute up`` and ``status``: one ready line, a record while it runs, a clear word when a port is taken."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from omniroute_addon import ca, running
from omniroute_addon.cli.up import parse_ready_line, ready_line
from tests.omniroute_addon.cli.conftest import Omniroute


def test_a_ready_line_is_read_back() -> None:
    line = ready_line("http://127.0.0.1:8080", None, "http://127.0.0.1:8081/?token=a=b")
    assert parse_ready_line(line + "\n") == {
        "proxy": "http://127.0.0.1:8080",
        "gateway": None,
        "web": "http://127.0.0.1:8081/?token=a=b",
    }


def test_other_talk_is_no_ready_line() -> None:
    assert parse_ready_line("ready when you are") is None


def test_the_ready_line_says_what_is_off(served: dict[str, str]) -> None:
    assert served["web"] == "-"


def test_the_named_addresses_answer(served: dict[str, str]) -> None:
    assert (running.answers(served["proxy"]), running.answers(served["gateway"])) == (True, True)


def test_status_shows_it(omniroute: Omniroute, served: dict[str, str], rules: Path) -> None:
    (shown,) = json.loads(omniroute("status", "--json").stdout)["proxies"]
    assert (shown["proxy"], shown["config"], str(shown["pid"])) == (
        served["proxy"],
        str(rules.resolve()),
        served["pid"],
    )


def test_status_without_a_proxy(omniroute: Omniroute) -> None:
    result = omniroute("status")
    assert (result.returncode, result.stdout, "omniroute up" in result.stderr) == (1, "", True)


def test_sigterm_ends_it_with_zero_and_takes_its_record_away(env: dict[str, str], rules: Path, home: Path) -> None:
    command = [sys.executable, "-m", "omniroute_addon", "up", "--headless", "--config", str(rules)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        assert (process.wait(5), list((home / "run").iterdir())) == (0, [])


def test_nothing_but_the_ready_line_is_on_stdout(env: dict[str, str], rules: Path) -> None:
    command = [sys.executable, "-m", "omniroute_addon", "up", "--headless", "--config", str(rules)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready proxy=http://127.0.0.1:")
        process.terminate()
        assert process.stdout.read() == ""


def test_a_port_in_use_is_named(omniroute: Omniroute, rules: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        rules.write_text(rules.read_text().replace("proxy: 127.0.0.1:0", f"proxy: 127.0.0.1:{port}"))
        result = omniroute("up", "--headless", "--config", rules)
    assert (result.returncode, result.stdout, f"127.0.0.1:{port}" in result.stderr, "listen" in result.stderr) == (
        1,
        "",
        True,
        True,
    )


def test_an_unknown_mitmproxy_option_is_one_line(omniroute: Omniroute, rules: Path) -> None:
    result = omniroute("up", "--headless", "--config", rules, "--set", "no_such_option=1")
    assert (result.returncode, result.stdout, "Traceback" in result.stderr) == (1, "", False)


def test_hosts_that_the_ca_does_not_cover_are_warned_of(env: dict[str, str], rules: Path, home: Path) -> None:
    ca.ensure(home / "ca", ("api.anthropic.com",))
    command = [sys.executable, "-m", "omniroute_addon", "up", "--headless", "--config", str(rules)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.terminate()
        assert "api.openai.com" in process.stderr.read()
