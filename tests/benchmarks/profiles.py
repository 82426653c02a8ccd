"""Where our proxy's processor time goes, load by load: py-spy watches the running process from outside.

The share of a function is what is spent in it and in what it calls that is not Python (OpenSSL, the kernel, orjson).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import subjects
from tests.benchmarks.load import Kind
from tests.benchmarks.proxies import Tell, run
from tests.benchmarks.subjects import Subject

FIRST = 10
"""Costs that are named."""
_SECONDS = 6
_RATE = 400
"""Samples a second."""
_LINE = re.compile(r":\d+\)$")
_PLACE = re.compile(r"\((?:.*/)?((?:[^/]+/)?[^/]+)\)$")
_LOOP = "_run_once ("
"""In every stack of the thread that does the work."""


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    kind: Kind
    clients: int
    subject: str = subjects.TRANSLATED
    chunks: int = 1
    pause: int = 0
    calls: int = 0
    """Instead of for some seconds."""
    fresh: bool = False
    http2: bool = False
    size: int = 0


SCENARIOS = (
    Scenario("requests, passed through, c=16", "requests", 16, subjects.PASSTHROUGH),
    Scenario("requests, translated, c=16", "requests", 16),
    Scenario("requests of 128 KiB, translated, c=16", "requests", 16, size=128 * 1024),
    Scenario("requests over HTTP/2, translated, 16 streams", "requests", 16, http2=True),
    Scenario("new connections, translated, c=4", "requests", 4, fresh=True),
    Scenario("streams at full speed, passed through, c=16", "chunks", 16, subjects.PASSTHROUGH, chunks=250),
    Scenario("streams at full speed, translated, c=16", "chunks", 16, chunks=250),
    Scenario("paced streams, translated, c=64", "delay", 64, chunks=60, pause=100, calls=1),
)


@dataclass(frozen=True, slots=True)
class Profile:
    scenario: str
    costs: tuple[tuple[str, float], ...]
    """The first ones, each with its share."""


def measure(tell: Tell) -> list[Profile]:
    with tempfile.TemporaryDirectory(prefix="omniroute-profile-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        with subjects.provider(home) as served, subjects.ours(home, served) as own:
            found: list[Profile] = []
            for scenario in SCENARIOS:
                tell(f"profile: {scenario.name}")
                found.append(_profile(scenario, subjects.ours_by(scenario.subject, own), home))
            return found


def _profile(scenario: Scenario, subject: Subject, home: Path) -> Profile:
    assert subject.process is not None
    stacks = home / "stacks"
    more: dict[str, float] = {"calls": scenario.calls} if scenario.calls else {"seconds": _SECONDS + 1}
    job = subject.job(
        scenario.kind,
        scenario.clients,
        chunks=scenario.chunks,
        pause=scenario.pause,
        fresh=scenario.fresh,
        http2=scenario.http2,
        size=scenario.size,
        **more,
    )
    command = [
        _py_spy(),
        "record",
        "--pid",
        str(subject.process.pid),
        "--duration",
        str(_SECONDS),
        "--rate",
        str(_RATE),
    ]
    with subprocess.Popen(
        [*command, "--format", "raw", "--output", str(stacks)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as watching:
        run(job)
        watching.wait(_SECONDS * 5)
    return Profile(scenario.name, _costs(stacks.read_text()))


def _costs(stacks: str) -> tuple[tuple[str, float], ...]:
    spent = Counter[str]()
    for line in stacks.splitlines():
        frames, _, samples = line.rpartition(" ")
        if _LOOP in frames:
            spent[_named(frames.rpartition(";")[2])] += int(samples)
    everything = spent.total() or 1
    return tuple((name, samples / everything) for name, samples in spent.most_common(FIRST))


def _named(frame: str) -> str:
    """``Connection.recv (OpenSSL/SSL.py:120)`` → ``Connection.recv (OpenSSL/SSL.py)``, the place without its folders."""
    return _PLACE.sub(r"(\1)", _LINE.sub(")", frame)).replace(".<locals>", "")


def _py_spy() -> str:
    found = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found is not None, "py-spy is not installed"
    return found
