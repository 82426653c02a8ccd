"""The proxy with its mitmweb page, both as ``omniroute up`` and as a script in stock mitmweb."""

import random
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartProxy
from tests.servers.proxy import LISTEN, ROOT, environment
from tests.servers.steps import PATIENCE
from tests.web.mitmweb import Mitmweb

PASSWORD = "page-password"


@dataclass(slots=True)
class Opened:
    """A running proxy and its page."""

    proxy: str
    gateway: str
    ca: Path
    config: Path
    log: Path
    web: Mitmweb

    def client(self) -> httpx.Client:
        """A tool behind the proxy."""
        trust = ssl.create_default_context(cafile=str(self.ca))
        return httpx.Client(proxy=self.proxy, verify=trust, timeout=PATIENCE, trust_env=False)

    def write(self, config: str) -> None:
        new = self.config.with_suffix(".new")
        new.write_text(LISTEN + config)
        new.replace(self.config)


type Open = Callable[[str], Opened]


@pytest.fixture
def open_up(start_proxy: StartProxy) -> Generator[Open]:
    """``omniroute up`` with these rules (YAML without version and listen)."""
    with ExitStack() as stack:

        def start(config: str) -> Opened:
            proxy = start_proxy(config, headless=False)
            assert proxy.web is not None
            web = stack.enter_context(Mitmweb(proxy.web))
            return Opened(proxy.url, proxy.gateway, proxy.ca, proxy.config, proxy.log, web)

        yield start


@pytest.fixture
def open_stock(tmp_path: Path) -> Generator[Open]:
    """``mitmweb -s omniroute_addon/script.py`` with these rules."""
    with ExitStack() as stack:

        def start(config: str) -> Opened:
            rules, log, confdir = tmp_path / "rules.yaml", tmp_path / "mitmweb.log", tmp_path / "confdir"
            rules.write_text(LISTEN + config)
            port, web_port = free_port(), free_port()
            settings = {
                "omniroute_config": rules,
                "confdir": confdir,
                "listen_host": "127.0.0.1",
                "listen_port": port,
                "web_port": web_port,
                "web_password": PASSWORD,
                "web_open_browser": "false",
            }
            process = stack.enter_context(stock("mitmweb", settings, tmp_path / "home", log))
            wait_open((port, web_port), process, log)
            web = stack.enter_context(Mitmweb(f"http://127.0.0.1:{web_port}/?token={PASSWORD}"))
            return Opened(f"http://127.0.0.1:{port}", "", confdir / "mitmproxy-ca-cert.pem", rules, log, web)

        yield start


@pytest.fixture(params=["up", "mitmweb -s"])
def open_any(request: pytest.FixtureRequest) -> Open:
    """Both, one after the other."""
    return request.getfixturevalue("open_up" if request.param == "up" else "open_stock")


@contextmanager
def stock(tool: str, settings: Mapping[str, object], home: Path, log: Path) -> Generator[subprocess.Popen[bytes]]:
    """A stock mitmproxy tool with our script, ended at the end of the block."""
    command = [str(Path(sys.executable).parent / tool), "-s", str(ROOT / "omniroute_addon" / "script.py")]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment(home), cwd=log.parent
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def free_port() -> int:
    """A port outside the range from which the system gives ports to other tests."""
    while True:
        port = random.randint(20_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_open(ports: Iterable[int], process: subprocess.Popen[bytes], log: Path) -> None:
    """Until something listens on each of the ports."""
    end = time.monotonic() + PATIENCE
    for port in ports:
        while not _listening(port):
            alive = process.poll() is None and time.monotonic() < end
            assert alive, f"port {port} never opened:\n{log.read_text()}"


def _listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
