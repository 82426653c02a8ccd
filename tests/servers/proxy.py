"""The proxy under test as a real process, with a data dir of its own."""

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from tests.servers.steps import PATIENCE

STOP_SECONDS = 5.0
ROOT = Path(__file__).parents[2]
LISTEN = 'version: 1\nlisten: {proxy: "127.0.0.1:0", gateway: "127.0.0.1:0", web: "127.0.0.1:0"}\n'
"""Every test config starts with free ports."""


@dataclass(slots=True)
class Proxy:
    process: subprocess.Popen[str]
    home: Path
    config: Path
    log: Path
    url: str
    gateway: str
    web: str | None

    @property
    def ca(self) -> Path:
        return self.home / "ca" / "mitmproxy-ca-cert.pem"

    @property
    def trust(self) -> ssl.SSLContext:
        """Trusts our CA and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca))

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def write(self, config: str) -> None:
        """Replace the rules, as an editor does: a new file under the old name."""
        new = self.config.with_suffix(".new")
        new.write_text(LISTEN + config)
        new.replace(self.config)

    def stop(self) -> int:
        """SIGTERM; the exit code. A process that does not end in time tells where it is, and fails the test."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError(f"still running {STOP_SECONDS:.0f} s after SIGTERM:\n{self.log.read_text()}") from None


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a child: no proxy and no key of the developer's own."""
    hidden = ("_PROXY", "_API_KEY", "_TOKEN", "_BASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.upper().endswith(hidden)}
    return {**kept, "OMNIROUTE_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1", **(extra or {})}


@contextlib.contextmanager
def running(
    directory: Path,
    config: str,
    *,
    headless: bool = True,
    env: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    listen: str = "",
    port: int = 0,
    module: str = "omniroute_addon",
) -> Generator[Proxy]:
    """``omniroute up`` with ``config`` (YAML without version and listen) in ``directory``; ends with exit code 0.

    ``listen`` is what that section has besides the addresses, ``port`` the proxy's (0: any); ``module`` is
    what runs as the command.
    """
    home, log = directory / "home", directory / "up.log"
    path = directory / "omniroute.yaml"
    path.write_text(LISTEN.replace("}\n", f"{listen}}}\n").replace(":0", f":{port}", 1) + config)
    command = [sys.executable, "-m", module, "up", "--config", str(path)]
    command += ["--headless"] if headless else []
    for option in options:
        command += ["--set", option]
    with log.open("a") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=directory, env=environment(home, env)
        )
    assert process.stdout is not None
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        ready = _ready(process.stdout, log)
    finally:
        watchdog.cancel()
    if ready is None:
        process.wait()
        process.stdout.close()
        raise AssertionError(f"no ready line, exit code {process.returncode}:\n{log.read_text()}")
    found = dict(pair.split("=", 1) for pair in ready.split()[1:])
    web = None if found["web"] == "-" else found["web"]
    proxy = Proxy(process, home, path, log, found["proxy"], found["gateway"], web)
    drain = threading.Thread(target=_drain, args=(process.stdout, log), name="proxy's log", daemon=True)
    drain.start()
    try:
        yield proxy
        code = proxy.stop()
        assert code == 0, f"exit code {code}:\n{log.read_text()}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        drain.join()
        process.stdout.close()


def _ready(output: TextIO, log: Path) -> str | None:
    """The ready line; what is said before it goes to the log."""
    with log.open("a") as file:
        for line in output:
            if line.startswith("ready "):
                return line
            file.write(line)
    return None


def _drain(output: TextIO, log: Path) -> None:
    """mitmproxy logs to standard output; an unread pipe would stop the proxy when it is full."""
    with log.open("a") as file:
        for line in output:
            file.write(line)
            file.flush()
