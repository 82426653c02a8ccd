"""The real command in a process of its own, with a data dir and an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

type Omniroute = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The data dir of the command; not there before its first use."""
    return tmp_path / "home"


@pytest.fixture
def env(tmp_path: Path, home: Path) -> dict[str, str]:
    """The environment of the command: nothing of the developer's own but PATH."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "OMNIROUTE_HOME": str(home),
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def omniroute(env: dict[str, str], tmp_path: Path) -> Omniroute:
    """``omniroute("check", "f.yaml", stdin="…", env={…})`` → the ended process."""

    def run(*arguments: str | Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "omniroute_addon", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            env={**env, **more},
            cwd=tmp_path,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A config with one route, free ports, and an upstream that nobody serves."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        """\
version: 1
listen: {proxy: 127.0.0.1:0, gateway: 127.0.0.1:0, web: null}
accounts:
  - {name: glm-main, provider: glm, key: "${GLM_KEY}"}
combos:
  premium: {strategy: priority, targets: [origin, glm/glm-4.7]}
routes:
  - {match: {client: claude-code, model: "claude-*"}, to: premium}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def served(rules: Path, env: dict[str, str]) -> Iterator[dict[str, str]]:
    """A proxy that runs with ``rules``: the addresses of its ready line, and its pid."""
    process = subprocess.Popen(
        [sys.executable, "-m", "omniroute_addon", "up", "--headless", "--config", str(rules)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=env,
    )
    assert process.stdout is not None
    try:
        word, *pairs = process.stdout.readline().split()
        assert word == "ready"
        yield {"pid": str(process.pid), **dict(pair.split("=", 1) for pair in pairs)}
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
