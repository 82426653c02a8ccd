"""A burst of new connections while streams are open: how much later do the streams' chunks come, and is everybody answered?

    python -m tests.benchmarks.burst

Two kinds of processes put the load on: one holds the open streams (50, a chunk every 100 ms) and notes when each chunk
came and how long it was on its way; others open a thousand connections within a second, each with CONNECT, TLS and its
first request. What counts are the chunks that came between the first of these connections and the last answer, against
those of the quiet seconds before.
"""

import asyncio
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import IO

import orjson

from tests.benchmarks import subjects
from tests.benchmarks.load import MARK, Job, Wire, _connect, _request
from tests.benchmarks.proxies import Row, Rows
from tests.benchmarks.subjects import Subject

CONNECTIONS, STREAMS, PAUSE = 1000, 50, 100
BURSTS = 2
"""Processes that open connections: one alone could not make a thousand handshakes in a second."""
QUIET = 3.0
"""Seconds of the streams before the burst."""
LATER = 150.0
"""Milliseconds by which the burst may delay a chunk, at the 99th percentile."""
PATIENCE = 120.0
ADDED = "burst: added at p99"

type Sample = tuple[int, float]
"""When a chunk came (ns), and milliseconds on its way."""


@dataclass(frozen=True, slots=True)
class Burst:
    """What one burst did."""

    before: list[float]
    during: list[float]
    answered: int
    seconds: float
    """From the first connection to the last answer."""
    slowest: float
    """Seconds that the slowest of the new connections waited for its answer."""
    cpu: float

    @property
    def added(self) -> float:
        """Milliseconds that the burst adds to the 99th percentile."""
        return _p99(self.during) - median(self.before)


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100)[98]


# ── the processes of the load ───────────────────────────────────────────────────────────────────────────────────────


class _Noting(Wire):
    """Keeps every mark with the time at which it came."""

    def __init__(self, into: list[Sample]) -> None:
        super().__init__()
        self.came = asyncio.Event()
        self._into = into

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self.came.set()
        self._into += [(now, (now - int(found[1])) / 1e6) for found in MARK.finditer(data)]
        super().data_received(data)


async def _streams(job: Job) -> list[Sample]:
    """Open the streams, say so, and read them until somebody writes to standard input."""
    context = ssl.create_default_context(cafile=job.trust)
    request, samples = _request(job), list[Sample]()

    async def one() -> asyncio.Transport:
        transport, _ = await _connect(job, context)
        noting = _Noting(samples)
        transport.set_protocol(noting)
        noting.begin(timed=False)
        transport.write(request)
        await noting.came.wait()
        return transport

    open_ones = await asyncio.gather(*(one() for _ in range(job.clients)))
    _say(b"open")
    await asyncio.to_thread(sys.stdin.buffer.readline)
    assert not any(transport.is_closing() for transport in open_ones), "a stream was lost"
    for transport in open_ones:
        transport.get_protocol().begin(timed=False).cancel()  # type: ignore[union-attr]
        transport.abort()
    return samples


async def _burst(job: Job) -> tuple[int, int, list[float]]:
    """Open so many connections within a second of the word; begin, end and how long each waited."""
    context = ssl.create_default_context(cafile=job.trust)
    request = _request(job)
    _say(b"ready")
    await asyncio.to_thread(sys.stdin.buffer.readline)
    began = time.monotonic_ns()

    async def one(number: int) -> float:
        await asyncio.sleep(number / job.clients)
        started = time.monotonic()
        transport, wire = await _connect(job, context)
        answered = wire.begin(timed=False)
        transport.write(request)
        answer = await answered
        assert answer.startswith(b"HTTP/1.1 200"), answer[:400]
        waited = time.monotonic() - started
        transport.abort()
        return waited

    waits = await asyncio.gather(*(one(number) for number in range(job.clients)), return_exceptions=True)
    return began, time.monotonic_ns(), [wait for wait in waits if isinstance(wait, float)]


def _say(word: bytes) -> None:
    sys.stdout.buffer.write(word + b"\n")
    sys.stdout.buffer.flush()


# ── the measurement ─────────────────────────────────────────────────────────────────────────────────────────────────


def once(subject: Subject) -> Burst:
    """One burst."""
    streams = subject.job("delay", STREAMS, chunks=10_000, pause=PAUSE)
    bursts = subject.job("requests", CONNECTIONS // BURSTS)
    with ExitStack() as stack:
        held = stack.enter_context(_process("streams", streams))
        callers = [stack.enter_context(_process("burst", bursts)) for _ in range(BURSTS)]
        for process, word in ((held, b"open\n"), *((caller, b"ready\n") for caller in callers)):
            assert _out(process).readline() == word
        time.sleep(QUIET)
        before = subject.process.cpu() if subject.process else 0.0
        for caller in callers:
            _go(caller)
        found = [orjson.loads(_out(caller).read()) for caller in callers]
        used = (subject.process.cpu() if subject.process else 0.0) - before
        _go(held)
        samples: list[Sample] = orjson.loads(_out(held).read())
    began, ended = min(one[0] for one in found), max(one[1] for one in found)
    waits = [wait for one in found for wait in one[2]]
    return Burst(
        before=[late for at, late in samples if began - QUIET * 0.8e9 < at < began],
        during=[late for at, late in samples if began <= at <= ended],
        answered=len(waits),
        seconds=(ended - began) / 1e9,
        slowest=max(waits, default=PATIENCE),
        cpu=used,
    )


@contextmanager
def _process(role: str, job: Job) -> Generator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "tests.benchmarks.burst", role]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(orjson.dumps(asdict(job)) + b"\n")
        process.stdin.flush()
        try:
            yield process
        finally:
            process.stdin.close()


def _out(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def _go(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()


def measure(rounds: int, tell: Callable[[str], None], names: tuple[str, ...] = subjects.SUBJECTS[1:]) -> list[Row]:
    """Interleaved rounds over the subjects."""
    rows = Rows()
    with tempfile.TemporaryDirectory(prefix="omniroute-burst-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        with (
            subjects.provider(home) as served,
            subjects.stock(home, served) as floor,
            subjects.ours(home, served) as own,
        ):
            for number in range(rounds):
                for subject in subjects.all_of(served, floor, own):
                    if subject.name not in names:
                        continue
                    tell(f"bursts, round {number + 1} of {rounds}: {subject.name}")
                    _add(rows, subject.name, once(subject))
    return rows.all()


def _add(rows: Rows, name: str, seen: Burst) -> None:
    rows.add("burst: chunk delay before, median", "ms", name, median(seen.before))
    rows.add("burst: chunk delay in it, median", "ms", name, median(seen.during))
    rows.add("burst: chunk delay in it, p99", "ms", name, _p99(seen.during))
    rows.add(ADDED, "ms", name, seen.added)
    rows.add("burst: answered of 1,000", "", name, seen.answered)
    rows.add("burst: all answered after", "s", name, seen.seconds)
    rows.add("burst: CPU per connection", "ms", name, seen.cpu * 1000 / CONNECTIONS)


def main() -> None:
    if len(sys.argv) == 1 or sys.argv[1] not in ("streams", "burst"):
        for row in measure(1, lambda _: None, tuple(sys.argv[1:]) or subjects.SUBJECTS[1:]):
            sys.stdout.write(f"{row.measure:36} {row.subject:18} {row.median:10.2f} {row.unit}\n")
        return
    job = Job(**orjson.loads(sys.stdin.buffer.readline()))
    said = asyncio.run(_streams(job) if sys.argv[1] == "streams" else _burst(job))
    sys.stdout.buffer.write(orjson.dumps(said))


if __name__ == "__main__":
    main()
