"""A small soak of every kind of call on every run; ``python -m tests.soak`` makes the large one."""

from dataclasses import replace

from tests.soak.kinds import KINDS
from tests.soak.run import Report, soak
from tests.soak.seen import Census

QUIET = Census(100.0, {"listen": 2}, {"_serve": 1}, {"MainThread": 1}, {"a.B": 1}, {"a.B.c": 5})


def _said(_: str) -> None:
    pass


def test_some_hundred_mixed_calls_leave_nothing_behind() -> None:
    report = soak(400, 20, seed=7, tell=_said)
    assert report.faults == []
    assert report.calls.total() == 400
    assert len(report.calls) >= len(KINDS) - 5


def _faults(**changes: object) -> list[str]:
    return Report(warm=QUIET, end=replace(QUIET, **changes)).faults  # type: ignore[arg-type]


def test_what_is_as_it_was_is_no_fault() -> None:
    assert _faults() == []


def test_each_kind_of_leak_is_told() -> None:
    assert "memory: 100 MB after the warm-up, 140 MB at the end" in _faults(rss=140.0)
    assert "tasks left over" in _faults(tasks={"_serve": 1, "forgotten": 1})[0]
    assert "threads left over" in _faults(threads={"MainThread": 1, "more": 1})[0]
    assert "files left over" in _faults(files={"listen": 2, "client": 1})[0]
    assert _faults(sizes={"a.B.c": 200}) == ["a.B.c grew from 5 to 200"]
    assert _faults(objects={"a.B": 200}) == ["a.B grew from 1 to 200"]
    assert _faults(sizes={"translators.memory.BoundedMemory._items": 10**6}) != []
