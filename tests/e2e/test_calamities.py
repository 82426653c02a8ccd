"""What the machine does to a proxy: killed, a full disk, a data dir that cannot be written, no file descriptors left."""

import asyncio
import contextlib
import json
import os
import resource
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import ask, post_gateway, spoken
from tests.e2e.targets import routes, targets
from tests.e2e.test_books import cli, kill_under_load, outcomes, to_be_killed, usage
from tests.e2e.test_reload import log_says
from tests.servers.answers import Answer, events
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy, running
from tests.servers.steps import PATIENCE, Gate, Say, Whole, says

type StartProxy = Callable[..., Proxy]

ASKED = ask("openai-chat", "any")
LOOKS = 20
ANSWER = Answer(pieces=("Half ", "whole."))
QUOTA = Whole(
    429,
    {"content-type": "application/json", "retry-after": "3600"},
    b'{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}',
)


def _rules(provider: Provider) -> str:
    return targets(up=provider) + routes("up-openai-chat/m")


# ── killed ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_kill_under_load_everything_is_as_it_was(tmp_path: Path, provider: Provider, second: Provider) -> None:
    """The quota's cooldown and the books; every file that is there can be read."""
    provider.otherwise = lambda _: QUOTA
    second.script(says("Spare"))
    rules = targets(up=provider, spare=second) + routes("up-openai-chat/m", "spare-openai-chat/m")
    with to_be_killed(tmp_path, rules) as proxy:
        spoken("openai-chat", post_gateway(proxy, ASKED))
        asyncio.run(kill_under_load(proxy, second, 200, ASKED))
    seen = len(provider.calls)
    home = tmp_path / "home"
    assert half_written(home) == []
    began = time.monotonic()
    with running(tmp_path, rules) as proxy:
        took = time.monotonic() - began
        assert spoken("openai-chat", post_gateway(proxy, ASKED)) == "Spare"
    found = outcomes(home)
    # What was written down and had not yet gone out when the kill came is in the books alone.
    ahead = sum(found.values()) - len(provider.calls) - len(second.calls)
    assert 0 <= ahead <= found.get("interrupted", 0)
    assert len(provider.calls) == seen
    assert took < PATIENCE, took


def test_an_open_breaker_is_open_after_a_kill(tmp_path: Path, provider: Provider, second: Provider) -> None:
    provider.otherwise = lambda _: Whole(500, {"content-type": "application/json"}, b"{}")
    second.script(says("Spare"))
    rules = (
        "resilience: {local: {failures: 1, reset: 1h}}\n"
        + targets(up=provider, spare=second)
        + routes("up-openai-chat/m", "spare-openai-chat/m")
    )
    with to_be_killed(tmp_path, rules) as proxy:
        post_gateway(proxy, ASKED)
        for _ in range(LOOKS):
            if "is open" in cli(proxy.home, "status", "--json"):
                break
        proxy.process.kill()
    seen = len(provider.calls)
    with running(tmp_path, rules) as proxy:
        assert spoken("openai-chat", post_gateway(proxy, ASKED)) == "Spare"
    assert len(provider.calls) == seen


def half_written(home: Path) -> list[str]:
    """Files that were being made, and JSON or databases that cannot be read."""
    bad: list[str] = []
    for path in home.rglob("*"):
        if path.name.startswith(".") and path.is_file():
            bad.append(path.name)
        elif path.suffix == ".json":
            with contextlib.suppress(ValueError):
                json.loads(path.read_bytes())
                continue
            bad.append(path.name)
        elif path.suffix == ".db":
            with contextlib.closing(sqlite3.connect(path)) as connection:
                if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                    bad.append(path.name)
    return bad


# ── the disk ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _limited(name: int, most: int) -> Generator[None]:
    """What is started inside has this limit."""
    before = resource.getrlimit(name)
    resource.setrlimit(name, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(name, before)


def _limit(proxy: Proxy, name: int, most: int) -> None:
    """From now on."""
    resource.prlimit(proxy.process.pid, name, (most, resource.prlimit(proxy.process.pid, name)[1]))


def test_a_full_disk_holds_up_no_call_and_is_said_once(start_proxy: StartProxy, provider: Provider) -> None:
    proxy = start_proxy(_rules(provider))
    post_gateway(proxy, ASKED)
    largest = max(path.stat().st_size for path in proxy.home.rglob("*") if path.is_file())
    _limit(proxy, resource.RLIMIT_FSIZE, largest)
    log = proxy.log.stat().st_size
    assert log < largest
    for _ in range(200):
        assert spoken("openai-chat", post_gateway(proxy, ASKED)) == "Hello from upstream"
    log_says(proxy, "calls go on")
    assert proxy.log.read_text().count("calls go on") <= 4


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_disk_that_is_really_full(tmp_path: Path, provider: Provider) -> None:
    home = tmp_path / "home"
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "none", home], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no mounts here")
    try:
        with running(tmp_path, _rules(provider)) as proxy:
            post_gateway(proxy, ASKED)
            with contextlib.suppress(OSError), (home / "filler").open("wb") as filler:
                filler.write(b"x" * 600_000)
            for _ in range(100):
                assert spoken("openai-chat", post_gateway(proxy, ASKED)) == "Hello from upstream"
            log_says(proxy, "calls go on")
            (home / "filler").unlink()
            post_gateway(proxy, ASKED)
        assert usage(home)["calls"] >= 1
    finally:
        subprocess.run(["umount", "-l", home], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a disk that cannot be written")
def test_a_data_dir_that_cannot_be_written_records_nothing_and_serves(tmp_path: Path, provider: Provider) -> None:
    home = tmp_path / "home"
    with running(tmp_path, _rules(provider)):
        pass
    bound = subprocess.run(["mount", "--bind", home, home], capture_output=True, check=False)
    if bound.returncode:
        pytest.skip("no mounts here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)
        with running(tmp_path, _rules(provider)) as proxy:
            assert spoken("openai-chat", post_gateway(proxy, ASKED)) == "Hello from upstream"
        said = proxy.log.read_text()
        assert ("nothing is recorded" in said, "Traceback" in said) == (True, False), said
    finally:
        subprocess.run(["umount", "-l", home], check=True)


# ── file descriptors ────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_file_descriptor_left_is_said_and_ends_no_open_call(start_proxy: StartProxy, provider: Provider) -> None:
    gate = Gate()
    never = next(number for number, event in enumerate(events("openai-chat", ANSWER, "m")) if b"whole" in event)
    provider.script(Say(ANSWER, gates={never: gate}), says("Later"))
    proxy = start_proxy(_rules(provider))
    asked = ask("openai-chat", "any", stream=True)
    with (
        httpx.Client(trust_env=False, timeout=PATIENCE) as http,
        http.stream("POST", proxy.gateway + asked.path, content=asked.content) as response,
        contextlib.ExitStack() as stack,
    ):
        chunks = response.iter_raw()
        read = b""
        while b"Half" not in read:
            read += next(chunks)
        open_now = len(list(Path(f"/proc/{proxy.process.pid}/fd").iterdir()))
        _limit(proxy, resource.RLIMIT_NOFILE, open_now + 4)
        url = httpx.URL(proxy.gateway)
        for _ in range(40):
            stack.enter_context(socket.create_connection((url.host, url.port or 0), PATIENCE))
        log_says(proxy, "no file descriptors left")
        gate.open()
        read += b"".join(chunks)
        assert (b"whole." in read, b"[DONE]" in read) == (True, True)
    _limit(proxy, resource.RLIMIT_NOFILE, 4096)
    assert spoken("openai-chat", post_gateway(proxy, ASKED)) == "Later"
    assert (proxy.log.read_text().count("descriptors"), "Traceback" in proxy.log.read_text()) == (1, False)
