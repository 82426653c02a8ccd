"""Our own master, from its first listener to SIGTERM, in this process."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from omniroute_addon import proxy
from omniroute_addon.proxy import Ready, serve

RULES = "version: 1\nlisten: {proxy: '127.0.0.1:0', gateway: '127.0.0.1:0', web: '127.0.0.1:0'}\n"


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("OMNIROUTE_HOME", str(tmp_path / "home"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)}
    file = tmp_path / "omniroute.yaml"
    file.write_text(RULES)
    yield file
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_it_says_where_it_listens_and_ends_with_zero_on_sigterm(rules: Path) -> None:
    told: list[Ready] = []

    def ready(where: Ready) -> None:
        told.append(where)
        for url in (where.proxy, where.gateway):
            assert url is not None
            host, port = url.removeprefix("http://").split(":")
            socket.create_connection((host, int(port)), timeout=5).close()
        os.kill(os.getpid(), signal.SIGTERM)

    assert serve(rules, headless=True, on_ready=ready) == 0
    assert told[0].web is None


def test_a_listener_that_is_null_is_off(rules: Path) -> None:
    rules.write_text("version: 1\nlisten: {proxy: '127.0.0.1:0', gateway: null, web: null}\n")
    told: list[Ready] = []

    def ready(where: Ready) -> None:
        told.append(where)
        os.kill(os.getpid(), signal.SIGTERM)

    assert serve(rules, headless=False, on_ready=ready) == 0
    assert (told[0].gateway, told[0].web) == (None, None)


def test_an_unknown_mitmproxy_option_is_named(rules: Path) -> None:
    with pytest.raises(ValueError, match="no_such_option"):
        serve(rules, headless=True, options=["no_such_option=1"])


def test_a_port_that_is_taken_is_an_os_error_that_names_it(rules: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        rules.write_text(f"version: 1\nlisten: {{proxy: '127.0.0.1:{port}', gateway: null, web: null}}\n")
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            serve(rules, headless=True)


@pytest.mark.parametrize(
    "address, host, port",
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:0", "::1", 0), ("localhost:1", "localhost", 1)],
)
def test_an_address_is_split_into_host_and_port(address: str, host: str, port: int) -> None:
    assert proxy._split(address) == (host, port)


def test_a_failing_stop_still_ends_the_proxy() -> None:
    """The signal handler runs ``engine.stop`` and then ends the master, whatever happened."""

    class Master:
        def __init__(self) -> None:
            self.ended = asyncio.Event()

        def shutdown(self) -> None:
            self.ended.set()

    class Engine:
        async def stop(self) -> None:
            raise OSError("already gone")

    class Addon:
        engine = Engine()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        running = Master()
        proxy._on_signals(running, Addon())
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            await running.ended.wait()

    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)}
    asyncio.run(main())
    for number, handler in kept.items():
        signal.signal(number, handler)
