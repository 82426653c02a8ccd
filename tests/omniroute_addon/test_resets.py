"""Asking a proxy, by files, to forget."""

import threading
from pathlib import Path

import pytest

from omniroute_addon.resets import ask, serve

PID = 4711


class Standing:
    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def reset(self, name: str | None) -> list[str]:
        self.asked.append(name)
        return ["glm:main", "glm/x"] if name is None else [f"{name}:main"]


def answered(home: Path, names: list[str], pid: int = PID) -> tuple[list[str] | None, Standing]:
    standing, stop = Standing(), threading.Event()

    def proxy() -> None:
        while not stop.wait(0.01):
            serve(home, PID, standing.reset)

    thread = threading.Thread(target=proxy)
    thread.start()
    try:
        return ask(home, pid, names, 10 if pid == PID else 0.1), standing
    finally:
        stop.set()
        thread.join()


def test_names_are_reset_and_told(tmp_path: Path) -> None:
    said, standing = answered(tmp_path, ["glm", "groq"])
    assert (said, standing.asked) == (["glm:main", "groq:main"], ["glm", "groq"])


def test_no_name_is_all(tmp_path: Path) -> None:
    said, standing = answered(tmp_path, [])
    assert (said, standing.asked) == (["glm:main", "glm/x"], [None])


def test_another_process_is_not_meant(tmp_path: Path) -> None:
    assert answered(tmp_path, ["glm"], pid=PID + 1)[0] is None


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    answered(tmp_path, ["glm"])
    answered(tmp_path, ["glm"], pid=PID + 1)
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"7", b"\xff", b'{"a": 1}'])
def test_nonsense_resets_nothing(tmp_path: Path, content: bytes) -> None:
    standing = Standing()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / f"reset-{PID}-x.json").write_bytes(content)
    assert (serve(tmp_path, PID, standing.reset), standing.asked) == ([], [])
    assert list((tmp_path / "run").iterdir()) == []


def test_without_a_data_dir_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert serve(tmp_path / "none", PID, Standing().reset) == []
