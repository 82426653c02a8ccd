"""``python -m tests.benchmarks.startup``: from nothing to served calls, beside stock mitmproxy in the same run.

Every round starts each subject once, one after the other, so that a busy machine is busy for all of them; ``--busy``
keeps further processes running beside them. What is started is compiled before, as an installation is. The restart is
one after ``kill -9`` in the middle of calls, with what they have left in the data dir. Commands are those that people
and scripts call while the proxy runs.
"""

import compileall
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.proxies import Row, Rows
from tests.e2e.calls import ask
from tests.e2e.targets import routes, targets
from tests.servers.provider import Provider, serving
from tests.servers.proxy import LISTEN, ROOT, environment

READY_TARGET = 1.5
COMMAND_TARGET = 0.5
FULL = 300
"""Calls whose records the killed proxy leaves."""
CALLERS = 8
PATIENCE = 60.0

OURS, OURS_WEB, RESTART = "omniroute up --headless", "omniroute up", "headless, after kill -9 under load"
DUMP, WEB = "mitmdump", "mitmweb"
COMMANDS = ("version", "status", "check", "env", "usage", "quota", "ca path", "vault list")
_STOCK = "from mitmproxy.tools.main import {0}; {0}()"


@dataclass(frozen=True, slots=True)
class Started:
    seconds: float
    """Until calls are served."""
    cpu: float
    """Seconds of processor time until then."""


def measure(rounds: int, tell: Callable[[str], None]) -> list[Row]:
    rows = Rows()
    for folder in ("omniroute_addon", "translators"):
        compileall.compile_dir(ROOT / folder, quiet=1)
    with (
        tempfile.TemporaryDirectory(prefix="omniroute-bench-", ignore_cleanup_errors=True) as name,
        serving() as provider,
    ):
        place = Path(name)
        config = place / "omniroute.yaml"
        config.write_text(LISTEN + targets(up=provider) + routes("up-openai-chat/m"))
        env = _environment(place)
        starts = _subjects(config, place)
        for command, said in starts.values():  # the first start makes a CA
            with _started(command, said, env):
                pass
        for number in range(rounds):
            for subject, (command, said) in starts.items():
                tell(f"starts, round {number + 1} of {rounds}: {subject}")
                with _started(command, said, env) as (started, _):
                    _add(rows, subject, started)
            tell(f"starts, round {number + 1} of {rounds}: {RESTART}")
            _kill_under_load(starts[OURS], env, provider)
            with _started(*starts[OURS], env) as (started, _):
                _add(rows, RESTART, started)
            for words in COMMANDS:
                arguments = [*words.split(), *([str(config)] if words == "check" else [])]
                began = time.perf_counter()
                subprocess.run(
                    [*_ours(), *arguments], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
                )
                rows.add("omniroute", "s", words, time.perf_counter() - began)
    return rows.all()


def _environment(place: Path) -> Mapping[str, str]:
    env = environment(place / "home")
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def _ours() -> list[str]:
    return [sys.executable, "-m", "omniroute_addon"]


def _subjects(config: Path, place: Path) -> dict[str, tuple[list[str], str]]:
    """The command of each, and how the line begins that says it serves."""
    up = [*_ours(), "up", "--config", str(config)]
    stock = ["--set", f"confdir={place / 'stock'}", "--listen-host", "127.0.0.1", "-p", "0"]
    web = ["--web-port", "0", "--no-web-open-browser"]
    return {
        DUMP: ([sys.executable, "-c", _STOCK.format("mitmdump"), *stock], "proxy listening"),
        OURS: ([*up, "--headless"], "ready "),
        WEB: ([sys.executable, "-c", _STOCK.format("mitmweb"), *stock, *web], "proxy listening"),
        OURS_WEB: (up, "ready "),
    }


def _add(rows: Rows, subject: str, started: Started) -> None:
    rows.add("ready after", "s", subject, started.seconds)
    rows.add("CPU until ready", "s", subject, started.cpu)


@contextlib.contextmanager
def _started(command: list[str], said: str, env: Mapping[str, str]) -> Generator[tuple[Started, list[str]]]:
    """The process runs inside the block and is killed at its end; also the line that it said."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            line = next((line for line in process.stdout if said in line), None)
            seconds, cpu = time.perf_counter() - began, _cpu(process.pid)
            assert line is not None, command
            yield Started(seconds, cpu), line.split()
        finally:
            watchdog.cancel()
            process.kill()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kill_under_load(subject: tuple[list[str], str], env: Mapping[str, str], provider: Provider) -> None:
    asked = ask("openai-chat", "any", stream=True)
    seen = len(provider.calls)
    with _started(*subject, env) as (_, words):
        gateway = dict(pair.split("=", 1) for pair in words[1:])["gateway"]
        callers = [threading.Thread(target=_call, args=(gateway + asked.path, asked.content)) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        provider.wait_calls(seen + FULL)
    for caller in callers:
        caller.join()


def _call(url: str, content: bytes) -> None:
    """Again and again, until nobody answers."""
    with contextlib.suppress(httpx.TransportError), httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        while True:
            client.post(url, content=content)


@contextlib.contextmanager
def _busy(processes: int) -> Generator[None]:
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def show(rows: list[Row], out: Console) -> None:
    """One line per subject; the ratio is against the stock program of the same kind."""
    found = {(row.measure, row.subject): row for row in rows}
    table = Table(title="median of the rounds (lowest to highest)", title_justify="left")
    for column in ("subject", "ready after, s", "CPU until ready, s", "× stock"):
        table.add_column(column, justify="left" if column == "subject" else "right")
    for subject, stock in {DUMP: DUMP, OURS: DUMP, RESTART: DUMP, WEB: WEB, OURS_WEB: WEB}.items():
        ready, cpu = found["ready after", subject], found["CPU until ready", subject]
        ratio = f"{ready.median / found['ready after', stock].median:.2f}"
        good = subject in (DUMP, WEB) or ready.median <= READY_TARGET
        table.add_row(subject, _cell(ready), _cell(cpu), ratio, style=None if good else "red")
    out.print(table)
    commands = Table(title=f"commands; target ≤ {COMMAND_TARGET:g} s", title_justify="left")
    commands.add_column("omniroute …")
    commands.add_column("s", justify="right")
    for words in COMMANDS:
        row = found["omniroute", words]
        commands.add_row(words, _cell(row), style=None if row.median <= COMMAND_TARGET else "red")
    out.print(commands)


def _cell(row: Row) -> str:
    return f"{row.median:.2f} ({min(row.values):.2f}…{max(row.values):.2f})"


def main(
    *,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    busy: Annotated[int, typer.Option(min=0, help="Processes that keep the machine busy meanwhile.")] = 0,
) -> None:
    """Measure on loopback."""
    progress = Console(stderr=True)
    with progress.status("starting") as status, _busy(busy):
        rows = measure(rounds, status.update)
    show(rows, Console(width=None if sys.stdout.isatty() else 120))


if __name__ == "__main__":
    typer.run(main)
