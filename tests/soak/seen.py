"""What can be seen of the proxy's process: from outside (``/proc``), and by the observer inside it (``probe``)."""

import contextlib
import json
import os
import socket
import time
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.proxy import Proxy, running
from tests.servers.steps import PATIENCE
from tests.soak.probe import VARIABLE


@dataclass(frozen=True, slots=True)
class Census:
    """One look inside and outside, at the same time."""

    rss: float
    """Megabytes."""
    files: Mapping[str, int]
    """Open descriptors by kind; those of sockets by what they are connected to."""
    tasks: Mapping[str, int]
    threads: Mapping[str, int]
    objects: Mapping[str, int]
    sizes: Mapping[str, int]
    heap: Mapping[str, int] = field(default_factory=dict[str, int])
    """Bytes that the C library has given out, holds back and has mapped."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A running proxy with an observer in it."""

    proxy: Proxy
    socket: Path

    @property
    def rss(self) -> float:
        """Megabytes resident."""
        return memory(self.proxy.process.pid)

    def census(self) -> Census:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(2 * PATIENCE)
            asking.connect(str(self.socket))
            asking.sendall(b"?")
            said = b"".join(iter(lambda: asking.recv(1 << 20), b""))
        return Census(self.rss, open_files(self.proxy), **json.loads(said))


def memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def cpu(pid: int) -> float:
    """Seconds of processor time used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(proxy: Proxy) -> dict[str, int]:
    """``listen``, ``client``, ``relay`` (both ends of our own loopback), ``upstream`` and what is no socket."""
    folder = Path(f"/proc/{proxy.process.pid}/fd")
    found: Counter[str] = Counter()
    sockets: set[str] = set()
    for entry in folder.iterdir():
        try:
            name = str(entry.readlink())
        except OSError:  # closed since
            continue
        if name.startswith("socket:["):
            sockets.add(name[8:-1])
        else:
            found[name.partition(":")[0] if ":" in name else name] += 1
    rows = [line.split() for line in Path(f"/proc/{proxy.process.pid}/net/tcp").read_text().splitlines()[1:]]
    ours = [(row[1][-4:], row[2][-4:], row[3]) for row in rows if row[9] in sockets]
    listening = {local for local, _, state in ours if state == "0A"}
    relays = listening - {f"{int(url.rpartition(':')[2]):04X}" for url in (proxy.url, proxy.gateway)}
    for local, remote, state in ours:
        if state == "0A":
            found["listen"] += 1
        elif local in relays or remote in relays:
            found["relay"] += 1
        elif local in listening:
            found["client"] += 1
        else:
            found["upstream"] += 1
    found["socket"] = len(sockets) - len(ours)
    return dict(found)


@contextlib.contextmanager
def watched(directory: Path, config: str, *, headless: bool = True) -> Generator[Watched]:
    path = directory / "probe.sock"
    with running(directory, config, headless=headless, env={VARIABLE: str(path)}, module="tests.soak.probe") as proxy:
        yield Watched(proxy, path)


def settled(watched: Watched, quiet: Census, patience: float) -> Census:
    """A census with no more tasks and client or relay sockets than ``quiet``, or the last one within ``patience`` s."""
    ends = time.monotonic() + patience
    while True:
        now = watched.census()
        left = {name for name in now.tasks if now.tasks[name] > quiet.tasks.get(name, 0)}
        left |= {name for name in ("client", "relay") if now.files.get(name, 0) > quiet.files.get(name, 0)}
        if not left or time.monotonic() > ends:
            return now
        time.sleep(0.2)
