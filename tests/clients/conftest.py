"""The real tools, from the npm registry, once for all workers of a test run."""

import fcntl
import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
CLIENTS = CACHE / "npm-clients"
PACKAGES = {"claude": "@anthropic-ai/claude-code", "codex": "@openai/codex", "gemini": "@google/gemini-cli"}
INSTALL_SECONDS = 400


@pytest.fixture(scope="session")
def clients(testrun_uid: str) -> Path:
    """The folder of their executables. Skips, and says so in the warnings too, when npm cannot get them."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "npm-clients.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        problem = _failed_before(lock.name, testrun_uid) or _install()
        lock.truncate(0)
        if problem:
            lock.write(json.dumps({"run": testrun_uid, "problem": problem}))
    if problem:
        reason = f"REAL CLIENTS NOT TESTED (Claude Code, Codex, Gemini CLI): {problem}"
        _warn(reason)
        pytest.skip(reason)
    return CLIENTS / "node_modules" / ".bin"


def _failed_before(lock: str, run: str) -> str | None:
    """The problem that another worker of this test run has met."""
    text = Path(lock).read_text()
    known = json.loads(text) if text else {}
    return known.get("problem") if known.get("run") == run else None


def _install() -> str | None:
    """Install what is missing; the reason when that cannot be done."""
    if _installed():
        return None
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm on PATH"
    command = [npm, "install", "--prefix", str(CLIENTS), "--no-audit", "--no-fund"]
    command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    CLIENTS.mkdir(exist_ok=True)
    try:
        done = subprocess.run(
            [*command, *PACKAGES.values()],
            cwd=CLIENTS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"`npm install` was not done after {INSTALL_SECONDS} s"
    if done.returncode or not _installed():
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        return f"`npm install` failed: {' | '.join(errors[:3]) or f'exit code {done.returncode}'}"
    return None


def _installed() -> bool:
    modules = CLIENTS / "node_modules"
    done = modules / ".package-lock.json"  # npm writes it last
    return done.exists() and all(os.access(modules / ".bin" / name, os.X_OK) for name in PACKAGES)


def _warn(reason: str) -> None:
    # The suite turns warnings into errors; this one is for its summary.
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(reason, pytest.PytestWarning, stacklevel=2)
