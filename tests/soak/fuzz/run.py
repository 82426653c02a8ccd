"""The fuzz: hostile clients and hostile providers at a running proxy, and a clean client beside them.

It is right when the clean client got nothing but right answers, the proxy lives, its log has no traceback, every answer
that was due came, a third of the calls were translated and reached an upstream, memory and descriptors did not grow
with the calls, and nothing of the calls is left when they have ended.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omniroute_addon import resets
from tests.servers.answers import FORMATS as ALL
from tests.servers.provider import BASE_PATHS
from tests.soak import kinds
from tests.soak.fuzz.material import FORMATS, PROVIDERS
from tests.soak.seen import Census, Watched, cpu, settled, watched

CLIENTS = 24
"""Hostile clients at once in each worker."""
REACHED = 1 / 3
SLACK, GROWTH = 15.0, 1.15
"""Memory of the second half of the run, against that of the first."""
PATIENCE = 60.0

type Tell = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    kinds: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[str] = field(default_factory=Counter[str])
    missing: list[str] = field(default_factory=list[str])
    """Answers that were due and did not come."""
    reached: int = 0
    """Calls that went out to a hostile provider."""
    right: int = 0
    wrong: list[str] = field(default_factory=list[str])
    """Of the clean client."""
    slowest: float = 0.0
    samples: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    idle: Census | None = None
    end: Census | None = None
    seconds: float = 0.0
    log: str = ""
    died: bool = False
    cpu: float = 0.0
    """Seconds of the proxy's."""

    @property
    def calls(self) -> int:
        return self.kinds.total()

    @property
    def faults(self) -> list[str]:
        found = [f"the clean client: {one}" for one in self.wrong]
        found += [f"no answer: {one}" for one in self.missing]
        if self.died:
            found.append("the proxy has died")
        if (at := self.log.find("Traceback")) >= 0:
            found.append(f"{self.log.count('Traceback')} tracebacks: {self.log[max(0, at - 300) : at + 2500]}")
        if self.right == 0:
            found.append("the clean client was never answered")
        if self.reached < self.calls * REACHED:
            found.append(f"only {self.reached} of {self.calls} calls reached an upstream")
        half = [rss for calls, rss in self.samples if calls > self.calls / 2]
        early = [rss for calls, rss in self.samples if self.calls / 4 < calls <= self.calls / 2]
        if half and early and max(half) > max(early) * GROWTH + SLACK:
            found.append(f"memory: {max(early):.0f} MB in the second quarter, {max(half):.0f} MB later")
        if self.idle is not None and self.end is not None:
            found += _left(self.idle, self.end)
        return found


def _left(idle: Census, end: Census) -> list[str]:
    tasks = {name: count for name, count in end.tasks.items() if count > idle.tasks.get(name, 0)}
    sockets = {
        name: end.files[name] for name in ("client", "relay") if end.files.get(name, 0) > idle.files.get(name, 0)
    }
    return [f"left over: {what}" for what in (tasks, sockets) if what]


class _Child:
    """A process that prints its port, takes the addresses and tells what it does, line by line."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.told: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def begin(self, addresses: str) -> None:
        self.say(addresses)
        self._thread.start()

    def say(self, line: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told = json.loads(line)

    def end(self) -> int:
        """The exit code."""
        if self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.say()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._thread.join(PATIENCE)
        return code


@contextlib.contextmanager
def _child(module: str, *arguments: object) -> Generator[_Child]:
    child = _Child(module, *arguments)
    try:
        yield child
    finally:
        if child.process.poll() is None:
            child.process.kill()
            child.process.wait()
        for pipe in (child.process.stdin, child.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()


def rules(workers: list[int], clean: int) -> str:
    """Providers of every worker and of the clean client, and the routes to them."""

    def provider(name: str, port: int, form: str) -> str:
        return f"  {name}: {{format: {form}, base_url: 'http://127.0.0.1:{port}{BASE_PATHS[form]}', auth: none}}"

    lines = ["providers:", f"  anthropic: {{base_url: 'http://127.0.0.1:{clean}/v1/messages'}}"]
    lines += [provider(f"{name}-{form}", clean, form) for name in ("up", "bad") for form in ALL]
    routes: list[str] = []
    for worker, port in enumerate(workers):
        for number in range(PROVIDERS):
            for at, form in enumerate(FORMATS):
                name = f"w{worker}p{number}-{form}"
                other = f"w{worker}p{(number + 1) % PROVIDERS}-{FORMATS[at - 1]}"
                lines.append(provider(name, port, form))
                routes.append(f"  - {{match: {{model: '{name}-f*'}}, to: ['{name}/m', '{other}/m']}}")
    clean_rules = kinds.RULES.replace("routes:\n", "routes:\n" + "\n".join(routes) + "\n")
    limits = "limits: {inline_wait: 0.05}\ntimeouts: {connect: 5, first_event: 5, idle: 5, whole: 10}\n"
    return "\n".join(lines) + "\n" + clean_rules + limits


def fuzz(calls: int, seed: int, workers: int, *, tell: Tell) -> Outcome:
    outcome = Outcome()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="omniroute-fuzz-")))
        share = -(-calls // workers)
        hostile = [
            stack.enter_context(_child("tests.soak.fuzz.worker", seed, number, share, CLIENTS))
            for number in range(workers)
        ]
        clean = stack.enter_context(_child("tests.soak.fuzz.clean"))
        running = stack.enter_context(watched(directory, rules([child.port for child in hostile], clean.port)))
        outcome.idle = running.census()
        proxy = running.proxy
        addresses = json.dumps({"proxy": proxy.url, "gateway": proxy.gateway, "ca": str(proxy.ca)})
        for child in (clean, *hostile):
            child.begin(addresses)
        _watch(outcome, running, hostile, clean, tell)
        tell("waiting until all is quiet")
        ended = [child.end() for child in hostile]
        clean_code = clean.end()
        _add_up(outcome, hostile, clean)
        outcome.wrong += [f"exit code {clean_code}"] if clean_code else []
        outcome.missing += [f"worker {number}: exit code {code}" for number, code in enumerate(ended) if code]
        outcome.died = proxy.process.poll() is not None
        if not outcome.died:
            outcome.end = settled(running, outcome.idle, 30.0)
            outcome.cpu = cpu(proxy.process.pid)
        outcome.log = proxy.log.read_text()
    outcome.seconds = time.monotonic() - began
    return outcome


def _watch(outcome: Outcome, running: Watched, hostile: list[_Child], clean: _Child, tell: Tell) -> None:
    """Until every worker is done, the proxy dies or the clean client does."""
    process = running.proxy.process
    while not all(child.told.get("done") or child.process.poll() is not None for child in hostile):
        if process.poll() is not None or clean.process.poll() is not None:
            return
        time.sleep(0.5)
        resets.ask(running.proxy.home, process.pid, ())  # what rests is woken: it is to be called again
        _add_up(outcome, hostile, clean)
        outcome.samples.append((outcome.calls, running.rss))
        tell(
            f"{outcome.calls:,} calls ({outcome.reached:,} reached an upstream), {running.rss:.0f} MB;"
            f" clean: {outcome.right:,} right, {len(outcome.wrong)} wrong"
        )


def _add_up(outcome: Outcome, hostile: list[_Child], clean: _Child) -> None:
    outcome.kinds, outcome.statuses, outcome.missing, outcome.reached = Counter(), Counter(), [], 0
    for child in hostile:
        outcome.kinds.update(child.told.get("kinds", {}))
        outcome.statuses.update(child.told.get("statuses", {}))
        outcome.missing += child.told.get("missing", ())
        outcome.reached += child.told.get("reached", 0)
    outcome.right = clean.told.get("right", 0)
    outcome.wrong = list(clean.told.get("wrong", ()))
    outcome.slowest = clean.told.get("slowest", 0.0)
