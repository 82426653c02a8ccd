"""Our proxy against stock mitmdump: interleaved rounds of bounded loads, one table.

Every round puts the same load on every subject, one after the other, so that a busy machine is busy for all of them.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles

import orjson

from tests.benchmarks import subjects
from tests.benchmarks.load import SLACK, Job, Result
from tests.benchmarks.subjects import Process, Subject

PAUSE = 100
"""Milliseconds between two chunks of the streams whose delay is measured."""
HELD = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one subject, a value for each round."""

    measure: str
    unit: str
    subject: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)


@dataclass(slots=True)
class Rows:
    """Filled in round by round; the order of first mention is the order of the table."""

    _values: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)

    def add(self, measure: str, unit: str, subject: str, value: float) -> None:
        self._values.setdefault((measure, unit, subject), []).append(value)

    def all(self) -> list[Row]:
        return [Row(*key, tuple(values)) for key, values in self._values.items()]


type Tell = Callable[[str], None]


def measure(rounds: int, tell: Tell) -> list[Row]:
    rows = Rows()
    with tempfile.TemporaryDirectory(prefix="omniroute-bench-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        with subjects.provider(home) as served:
            # Once unmeasured: the first start of each makes its CA, and the memory of later starts is what is asked.
            for start in (subjects.stock, subjects.ours):
                with start(home, served):
                    pass
            for number in range(rounds):
                tell(f"starts, round {number + 1} of {rounds}")
                _starts(rows, home, served)
            with subjects.stock(home, served) as floor, subjects.ours(home, served) as own:
                watched = {subjects.STOCK: floor, subjects.OURS: own}
                for name, process in watched.items():
                    rows.add("RSS idle", "MB", name, process.memory()[0])
                for number in range(rounds):
                    for subject in subjects.all_of(served, floor, own):
                        tell(f"loads, round {number + 1} of {rounds}: {subject.name}")
                        _loads(rows, subject)
                for name, process in watched.items():
                    rows.add("RSS peak, all loads", "MB", name, process.memory()[1])
                for subject in subjects.all_of(served, floor, own):
                    tell(f"a thousand held streams: {subject.name}")
                    _held(rows, subject)
                for name, process in watched.items():
                    rows.add("RSS peak, held streams", "MB", name, process.memory()[1])
            for number in range(rounds):
                tell(f"with mitmweb, round {number + 1} of {rounds}")
                _with_web(rows, home, served)
    return rows.all()


def _with_web(rows: Rows, home: Path, served: subjects.Provider) -> None:
    with subjects.stock(home, served, web=True) as floor, subjects.ours(home, served, web=True) as own:
        for subject in subjects.all_of(served, floor, own)[1:]:
            _requests(rows, subject, "requests/s with mitmweb, c=16", "CPU per request with mitmweb", 16)


def _starts(rows: Rows, home: Path, served: subjects.Provider) -> None:
    with subjects.stock(home, served) as floor:
        rows.add("start until calls are served", "s", subjects.STOCK, floor.started_in)
    with subjects.ours(home, served) as own:
        rows.add("start until calls are served", "s", subjects.OURS, own.started_in)


def _loads(rows: Rows, subject: Subject) -> None:
    name = subject.name
    for clients in (1, 16):
        delays = run(subject.job("delay", clients, chunks=12, pause=PAUSE)).samples
        rows.add(f"delay of a chunk, c={clients}, median", "ms", name, median(delays))
        rows.add(f"delay of a chunk, c={clients}, p99", "ms", name, quantiles(delays, n=100)[98])
    for clients in (1, 16, 64):
        _requests(rows, subject, f"requests/s, c={clients}", f"CPU per request, c={clients}", clients)
    _requests(rows, subject, "requests/s, 128 KiB, c=16", "CPU per request, 128 KiB, c=16", 16, size=128 * 1024)
    if name in (subjects.PASSTHROUGH, subjects.TRANSLATED):  # stock speaks HTTP/2 only where the provider does
        _requests(rows, subject, "requests/s, HTTP/2, 16 streams", "CPU per request, HTTP/2", 16, http2=True)
    _requests(rows, subject, "new connections/s, c=4", "CPU per new connection", 4, fresh=True)
    with cpu(subject.process) as used:
        streamed = run(subject.job("chunks", 16, seconds=1.5, chunks=250))
    rows.add("chunks/s, c=16, full speed", "1/s", name, streamed.chunks / streamed.seconds)
    if subject.process is not None:
        rows.add("CPU per 1000 chunks, c=16", "ms", name, used[0] * 1e6 / (streamed.chunks + 16 * 250))
    kept = run(subject.job("first-token", 1, calls=40)).samples
    rows.add("first token, kept connection", "ms", name, median(kept))
    fresh = run(subject.job("first-token", 1, calls=12, fresh=True)).samples
    rows.add("first token, new connection", "ms", name, median(fresh))


def _requests(rows: Rows, subject: Subject, rate: str, cost: str, clients: int, **more: float) -> None:
    with cpu(subject.process) as used:
        asked = run(subject.job("requests", clients, seconds=1.5, **more))
    rows.add(rate, "1/s", subject.name, asked.calls / asked.seconds)
    if subject.process is not None:
        # The warm-up calls are in the time, so they are in the count.
        rows.add(cost, "ms", subject.name, used[0] * 1000 / (asked.calls + clients))


def _held(rows: Rows, subject: Subject) -> None:
    """A thousand streams at a time, a chunk a second in each; all have begun after four seconds."""
    said = run(subject.job("held", HELD, chunks=8, pause=1000, ramp=4.0, slack=120))
    rows.add(f"{HELD} held streams, survived", "of them", subject.name, said.calls)
    if said.samples:
        rows.add(f"{HELD} held streams, delay of a chunk, median", "ms", subject.name, median(said.samples))
        rows.add(f"{HELD} held streams, delay of a chunk, p99", "ms", subject.name, quantiles(said.samples, n=100)[98])


def run(job: Job) -> Result:
    limit = job.seconds + job.ramp + 2 * job.calls * job.chunks * job.pause / 1000 + SLACK + job.slack
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        input=orjson.dumps(asdict(job)),
        stdout=subprocess.PIPE,
        timeout=limit,
        check=True,
    )
    return Result(**orjson.loads(done.stdout))


@contextlib.contextmanager
def cpu(process: Process | None) -> Iterator[list[float]]:
    """Seconds of processor time that the block used, as the list's only item once it has ended."""
    used: list[float] = []
    before = process.cpu() if process else 0.0
    yield used
    used.append((process.cpu() if process else 0.0) - before)
