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
BINARIES = CLIENTS / "node_modules" / ".bin"
PACKAGES = {
    "claude": ("@anthropic-ai/claude-code", "2.1.330"),
    "codex": ("@openai/codex", "0.169.0"),
    "gemini": ("@google/gemini-cli", "0.61.0"),
    "qwen": ("@qwen-code/qwen-code", "0.24.4"),
    "opencode": ("opencode-ai", "1.18.33"),
}
"""By executable: the package and the version that the tests were seen to pass with. Raise them here, and only here."""
INSTALL_SECONDS = 400


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without ``EVERY_CELL`` in the environment, tests with that mark are left out."""
    if os.environ.get("EVERY_CELL"):
        return
    left_out = [item for item in items if item.get_closest_marker("every_cell")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def clients(testrun_uid: str) -> Path:
    """The folder of their executables. Skips, and says so in the warnings too, when npm cannot get them."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "npm-clients.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        problem = _failed_before(lock.name, testrun_uid) or install()
        lock.truncate(0)
        if problem:
            lock.write(json.dumps({"run": testrun_uid, "problem": problem}))
    if problem:
        reason = f"REAL CLIENTS NOT TESTED ({', '.join(PACKAGES)}): {problem}"
        _warn(reason)
        pytest.skip(reason)
    return BINARIES


def _failed_before(lock: str, run: str) -> str | None:
    """The problem that another worker of this test run has met."""
    text = Path(lock).read_text()
    known = json.loads(text) if text else {}
    return known.get("problem") if known.get("run") == run else None


def install() -> str | None:
    """Install what is missing or of another version; the reason when that cannot be done."""
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
            [*command, *(f"{package}@{version}" for package, version in PACKAGES.values())],
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
    if not done.exists() or not all(os.access(modules / ".bin" / name, os.X_OK) for name in PACKAGES):
        return False
    return all(_version(modules / package) == version for package, version in PACKAGES.values())


def _version(package: Path) -> str | None:
    about = package / "package.json"
    return json.loads(about.read_text())["version"] if about.exists() else None


def _warn(reason: str) -> None:
    # The suite turns warnings into errors; this one is for its summary.
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(reason, pytest.PytestWarning, stacklevel=2)
