"""Large blocks go back to the system, in a process of its own: the setting is for good."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
from omniroute_addon import heap

def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

{steady}
bytearray(30_000_000)
before, kept = resident(), []
for _ in range(40):
    large = [bytearray(2_000_000) for _ in range(10)]
    kept.append(bytes(100_000))
    del large
print(resident() - before)
"""


def _grown(steady: str, program: str = PROGRAM) -> int:
    """Kilobytes by which small blocks between large ones let the process grow."""
    done = subprocess.run([sys.executable, "-c", program.format(steady=steady)], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_empty_pages_between_others_go_back() -> None:
    small = "small = [bytes(4000) for _ in range(20_000)]; kept.append(small[::37]); del small; {trim}"
    program = PROGRAM.replace("print(", small + "\nprint(")
    held, given_back = (_grown("", program.replace("{trim}", trim)) for trim in ("", "heap.trim()"))
    assert given_back < held - 40_000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_large_blocks_leave_no_holes_behind() -> None:
    assert _grown("assert heap.steady()") < 8_000 < _grown("")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from omniroute_addon import heap  # noqa: PLC0415 -- its ctypes is replaced

    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: object())
    assert heap.steady() is False


COLLECTIONS = """
import gc, sys
from omniroute_addon import heap

garbage = heap.Garbage()
garbage.settle()
began = gc.get_stats()[2]["collections"]

def full():
    return gc.get_stats()[2]["collections"] - began

class Circle:
    def __init__(self):
        self.me = self

{program}
"""


def _said(program: str) -> list[str]:
    text = COLLECTIONS.replace("{program}", program)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, text=True)
    return done.stdout.split()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python collects step by step")
def test_nothing_is_held_up_by_full_collections_while_calls_are_under_way() -> None:
    many = "kept = [Circle() for _ in range(300_000)]; print(full(), garbage.collect(busy=True), full())"
    assert _said(many) == ["0", "False", "0"]


def test_circles_are_freed_when_no_call_is_under_way() -> None:
    program = "lost = [Circle() for _ in range(300_000)]; del lost; print(garbage.collect(busy=False))"
    settled = "; print(sum(type(one) is Circle for one in gc.get_objects()), garbage.collect(busy=False))"
    assert _said(program + settled) == ["True", "0", "False"]


def test_memory_that_has_doubled_is_looked_through_in_the_middle_of_calls() -> None:
    program = "heap.LEAST = 100_000; lost = [Circle() for _ in range(400_000)]; del lost"
    assert _said(program + "; print(garbage.collect(busy=True), garbage.collect(busy=True))") == ["True", "False"]


def test_python_chooses_its_collections_again_when_the_proxy_has_left() -> None:
    program = "import gc; before = gc.get_threshold(); garbage = heap.Garbage(); garbage.settle(); garbage.leave()"
    assert _said(f"gc.set_threshold(700, 10, 10); {program}; print(gc.get_threshold() == before)") == ["True"]
