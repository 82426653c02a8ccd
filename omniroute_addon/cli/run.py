"""``omniroute run``: a tool as a child whose calls come through the proxy, with variables for that child only.

A proxy that already runs (with the same config, if one is named) is joined. Otherwise a private one is started on free
ports and ends with the tool; it also ends when this process is killed, because it watches its stdin.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Annotated

import typer

from omniroute_addon import environment, running
from omniroute_addon.cli import console
from omniroute_addon.cli.options import ConfigOption, snapshot_of
from omniroute_addon.cli.up import parse_ready_line
from omniroute_addon.home import data_dir, private_dir

CONTEXT = {"allow_interspersed_args": False, "ignore_unknown_options": False}
"""The first word that is no option of ours is the tool; everything behind it is the tool's."""

KEY_VARIABLE = "OMNIROUTE_KEY"
"""Holds the key that the tool shows to the proxy."""

READY_TIMEOUT = 30.0
STOP_TIMEOUT = 6.0


def run(
    command: Annotated[list[str], typer.Argument(metavar="TOOL [ARGS]...", help="The tool and its own arguments.")],
    *,
    config: ConfigOption = None,
    headless: Annotated[bool, typer.Option("--headless", help="Without mitmweb.")] = False,
) -> None:
    """Run a tool through the proxy; returns the tool's exit code."""
    if (executable := shutil.which(command[0])) is None:
        console.fail(f"{command[0]}: no such command on PATH", hint=_install_hint(command[0]), code=127)
    with joined_or_started(config, headless=headless) as addresses:
        if sys.stderr.isatty():
            console.tell(f"omniroute: {command[0]} through {addresses.proxy}; watch at {addresses.web or '-'}", "dim")
            from omniroute_addon.config.paths import default_config

            if (running.config_of(addresses) or config or default_config()) is None:
                console.tell(
                    "omniroute: no rules yet, every call passes untouched; `omniroute up` leads to them", "dim"
                )
        child_env = {**os.environ, **child_variables(addresses.proxy or "", running.config_of(addresses) or config)}
        code = run_child([executable, *command[1:]], child_env)
    raise typer.Exit(code)


def child_variables(proxy_url: str, config: Path | None) -> dict[str, str]:
    """The variables for a child of this process; makes the CA and its trust files when they are not there."""
    from omniroute_addon import ca
    from omniroute_addon.routing import surfaces

    snapshot = snapshot_of(config)
    hosts = surfaces.hosts(snapshot)
    authority = ca.ensure(ca.directory_in(data_dir()), hosts)
    key = os.environ.get(KEY_VARIABLE)
    if snapshot.listen.proxy_auth and not key:
        console.fail("the proxy asks for a key (listen.proxy_auth)", hint=f"Put one of `keys` into {KEY_VARIABLE}.")
    return environment.variables(
        environment.proxy_address(proxy_url, key if snapshot.keys else None),
        ca_cert=ca.addition(authority, os.environ),
        bundle=ca.bundle(authority, os.environ),
        base_env=os.environ,
        hosts=hosts,
    )


def run_child(command: Sequence[str], env: dict[str, str]) -> int:
    """Run ``command`` with our terminal, pass signals on, and return its exit code (128 + n when signal n killed it)."""
    try:
        child = subprocess.Popen(command, env=env)  # noqa: S603 -- the user's own command
    except OSError as error:
        console.fail(f"{command[0]}: {error.strerror}", code=126)

    def forward(number: int, _frame: FrameType | None) -> None:
        # Ctrl-C reaches the tool from the terminal by itself; a second one would end tools that ask for two.
        if number != signal.SIGINT or not _owns_terminal():
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP, signal.SIGQUIT] if os.name == "posix" else [])]
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _owns_terminal() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


# ── the proxy ───────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def joined_or_started(config: Path | None, *, headless: bool) -> Generator[running.Running]:
    """The proxy that runs, or a private one for the time of the block."""
    joined = running.find(data_dir(), config)
    if joined is not None and joined.proxy is not None:
        yield joined
        return
    log = private_dir(data_dir() / "run") / f"up-{os.getpid()}.log"
    with log.open("w+b") as log_file:
        process = _start(config, log_file, headless=headless)
        try:
            yield _wait_ready(process, log, config)
        finally:
            code = _stop(process)
    if code == 0:
        log.unlink(missing_ok=True)


def _start(config: Path | None, log: IO[bytes], *, headless: bool) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "omniroute_addon", "up", "--private"]
    command += ["--config", str(config)] if config is not None else []
    command += ["--headless"] if headless else []
    # A session of its own: Ctrl-C is for the tool, and the proxy has to outlive it.
    return subprocess.Popen(  # noqa: S603 -- our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
    )


def _wait_ready(process: subprocess.Popen[str], log: Path, config: Path | None) -> running.Running:
    timer = threading.Timer(READY_TIMEOUT, process.kill)
    timer.start()
    try:
        addresses = next(filter(None, map(parse_ready_line, process.stdout or ())), None)
    finally:
        timer.cancel()
    if addresses is None:
        process.wait()
        for line in log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-20:]:
            console.tell(line)
        console.fail("the proxy did not start", hint=f"Its log: {log}")
    if addresses["proxy"] is None:
        console.fail("`listen.proxy` is off in the config; `run` needs it")
    return running.Running(process.pid, config=None if config is None else str(config), **addresses)


def _stop(process: subprocess.Popen[str]) -> int:
    process.terminate()
    try:
        return process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _install_hint(command: str) -> str | None:
    packages = {
        "claude": "@anthropic-ai/claude-code",
        "codex": "@openai/codex",
        "gemini": "@google/gemini-cli",
        "qwen": "@qwen-code/qwen-code",
        "opencode": "opencode-ai",
    }
    package = packages.get(command)
    return None if package is None else f"Install it with: npm install -g {package}"
