"""The record of running proxies: written, found, not believed when stale."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from omniroute_addon import running


@pytest.fixture
def listener() -> Iterator[str]:
    """The URL of a port that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def silent() -> str:
    """The URL of a port that nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def record(proxy: str, pid: int | None = None, config: str | None = None) -> running.Running:
    return running.Running(os.getpid() if pid is None else pid, proxy, None, f"{proxy}/?token=secret", config)


def test_a_recorded_proxy_is_found(tmp_path: Path, listener: str) -> None:
    with running.recorded(tmp_path, record(listener)):
        assert running.find(tmp_path) == record(listener)


def test_its_record_goes_with_it(tmp_path: Path, listener: str) -> None:
    with running.recorded(tmp_path, record(listener)) as path:
        pass
    assert not path.exists()


def test_its_record_holds_a_login_and_is_private(tmp_path: Path, listener: str) -> None:
    with running.recorded(tmp_path, record(listener)) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_record_of_a_dead_process_is_not_believed(tmp_path: Path, listener: str, gone: int) -> None:
    with running.recorded(tmp_path, record(listener, pid=gone)):
        assert running.find(tmp_path) is None


def test_a_record_of_a_silent_port_is_not_believed(tmp_path: Path, silent: str) -> None:
    with running.recorded(tmp_path, record(silent)):
        assert running.find(tmp_path) is None


def test_a_broken_record_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "proxy.json").write_text('{"pid": 1')
    assert running.find(tmp_path) is None


def test_a_stale_record_makes_room(tmp_path: Path, listener: str, gone: int) -> None:
    with running.recorded(tmp_path, record(listener, pid=gone)), running.recorded(tmp_path, record(listener)) as path:
        assert path.name == "proxy.json"


def test_a_broken_record_makes_room(tmp_path: Path, listener: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "proxy.json").write_text('{"pid": 1')
    with running.recorded(tmp_path, record(listener)) as path:
        assert path.name == "proxy.json"


def test_a_second_proxy_does_not_displace_the_first(tmp_path: Path, listener: str) -> None:
    first, second = record(listener, config="/a.yaml"), record(listener, config="/b.yaml")
    with running.recorded(tmp_path, first), running.recorded(tmp_path, second):
        assert (running.find(tmp_path), running.find(tmp_path, Path("/b.yaml"))) == (first, second)


def test_a_proxy_with_another_config_is_not_joined(tmp_path: Path, listener: str) -> None:
    with running.recorded(tmp_path, record(listener, config="/a.yaml")):
        assert running.find(tmp_path, Path("/c.yaml")) is None


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "nonsense"])
def test_a_url_without_port_answers_nothing(url: str) -> None:
    assert not running.answers(url)
