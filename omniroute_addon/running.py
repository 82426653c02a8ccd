"""The record of running proxies in the data dir, so that ``run``, ``env``, ``status`` and ``doctor`` can find one.

``run/proxy.json`` belongs to the proxy that other commands join; a further one beside it writes ``run/proxy-<pid>.json``.
A record whose process is gone, or whose proxy port nobody answers, is stale, and so is one that cannot be read: it is
ignored, and removed by the next proxy that starts. The records hold mitmweb's login token and are 0600.
"""

import contextlib
import json
import os
import socket
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from omniroute_addon.home import write_private

CONNECT_TIMEOUT = 0.5


@dataclass(frozen=True, slots=True)
class Running:
    """A proxy that serves calls; addresses are URLs, None where switched off."""

    pid: int
    proxy: str | None
    gateway: str | None
    web: str | None
    config: str | None
    """The config file's absolute path; None when there is none."""

    @property
    def alive(self) -> bool:
        return process_exists(self.pid) and (self.proxy is None or answers(self.proxy))


def records(home: Path) -> list[tuple[Path, Running]]:
    """Every readable record, the one to join first; stale ones too."""
    found: list[tuple[Path, Running]] = []
    for path in sorted((home / "run").glob("proxy*.json"), key=lambda path: (path.name != "proxy.json", path.name)):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            raw = json.loads(path.read_bytes())
            found.append((path, Running(**{name: raw[name] for name in ("pid", "proxy", "gateway", "web", "config")})))
    return found


def find(home: Path, config: Path | None = None) -> Running | None:
    """The proxy to join: one that serves ``config``, or any when None is asked for."""
    wanted = None if config is None else str(config.expanduser().resolve())
    return next(
        (running for _, running in records(home) if wanted in (None, running.config) and running.alive),
        None,
    )


def config_of(running: Running | None) -> Path | None:
    """The config file that a proxy serves; None without proxy or file."""
    return None if running is None or running.config is None else Path(running.config)


@contextlib.contextmanager
def recorded(home: Path, running: Running) -> Generator[Path]:
    """Keep ``running`` on record while the block runs."""
    alive = {path for path, other in records(home) if other.alive}
    for path in (home / "run").glob("proxy*.json"):
        if path not in alive:
            path.unlink(missing_ok=True)
    path = home / "run" / "proxy.json"
    if path.exists():
        path = path.with_name(f"proxy-{running.pid}.json")
    write_private(path, json.dumps(asdict(running)).encode())
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def process_exists(pid: int) -> bool:
    """Whether a process of this id runs; says yes for another user's."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def answers(url: str) -> bool:
    """Whether something accepts connections at the host and port of ``url``."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        return False
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=CONNECT_TIMEOUT):
            return True
    except OSError:
        return False
