"""Percentiles by nearest rank, as anybody would count them."""

import math
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniroute_addon.ledger.latency import LATEST, Latency, latencies
from omniroute_addon.ledger.reports import books
from omniroute_addon.ledger.store import connect, write

NOW = 1_790_000_000.0


def entered(path: Path, tries: list[tuple[str, float | None, float, bool]]) -> Path:
    """Attempts of targets: seconds to the first event and to the end, and whether the answer was used."""
    with closing(connect(path)) as connection:
        connection.execute("DELETE FROM attempts")
        entries = [
            (
                "attempt",
                {
                    "id": f"a{number}", "exchange": f"x{number}", "number": 1, "started": NOW, "ended": NOW + whole,
                    "first_event": None if first is None else NOW + first, "target": target, "provider": target[0],
                    "used": used, "outcome": "used" if used else "500",
                },
            )
            for number, (target, first, whole, used) in enumerate(tries)
        ]  # fmt: skip
        write(connection, entries)
    return path


def rank(values: list[float], percent: int) -> float | None:
    ordered = sorted(values)
    return ordered[math.ceil(percent * len(ordered) / 100) - 1] if ordered else None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a/m", "a/n", "b/m"]),
            st.none() | st.integers(0, 50).map(float),
            st.integers(50, 200).map(float),
            st.booleans(),
        ),
        max_size=150,
    )
)
def test_ranks_are_those_of_a_sorted_list(tmp_path: Path, tries: list[tuple[str, float | None, float, bool]]) -> None:
    path = entered(tmp_path / "ledger.db", tries)
    with books(path) as one:
        found = {line.name: line for line in latencies(one, 0, "target")}
    assert found.keys() == {target for target, *_ in tries}
    for target, line in found.items():
        used = [(first, whole) for name, first, whole, good in tries if name == target and good]
        firsts, wholes = [first for first, _ in used if first is not None], [whole for _, whole in used]
        assert line.attempts == len(used)
        assert line.failed == sum(name == target and not good for name, *_, good in tries)
        assert line.first == tuple(rank(firsts, percent) for percent in (50, 95, 99))
        assert line.whole == pytest.approx(tuple(rank(wholes, percent) for percent in (50, 95, 99)))


def test_the_busiest_comes_first_and_what_is_older_is_left_out(tmp_path: Path) -> None:
    path = entered(tmp_path / "ledger.db", [("a/m", 1, 2, True), ("b/m", 1, 2, True), ("b/n", None, 3, False)])
    with books(path) as one:
        found = latencies(one, NOW - 1, "provider")
        assert latencies(one, NOW + 1, "provider") == []
    assert found == [Latency("b", 1, 1, (1, 1, 1), (2, 2, 2)), Latency("a", 1, 0, (1, 1, 1), (2, 2, 2))]


def test_a_busy_week_is_bounded(tmp_path: Path) -> None:
    path = entered(tmp_path / "ledger.db", [("a/m", 1, 2, True)] * (LATEST + 10))
    began = time.perf_counter()
    with books(path) as one:
        assert latencies(one, 0, "target")[0].attempts == LATEST
    assert time.perf_counter() - began < 30
