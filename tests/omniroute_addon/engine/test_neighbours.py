"""What is kept by vectors: what is found, how long, how much, and in which file."""

from array import array
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from omniroute_addon.engine.kept import Kept
from omniroute_addon.engine.neighbours import NAME, Nearest, Neighbour, Neighbours, Room

NOW = 1_000_000.0
ROOM = Room(ttl=100, max_entries=10, max_bytes=100_000)


def floats(*numbers: float) -> bytes:
    return array("f", numbers).tobytes()


def one(name: str, vector: bytes, *, scope: str = "s", stored: float = NOW, body: bytes = b"{}") -> Neighbour:
    kept = Kept(name, "null", "openai-chat", "application/json", body, False, stored, "a/m", "http://a", "a", "m", 7)
    return Neighbour(kept, scope, vector, f"exchange of {name}", 3, 4)


@pytest.fixture
def store() -> Generator[Neighbours]:
    with closing(Neighbours(None)) as found:
        yield found


def found(
    store: Neighbours, vector: bytes, *, scope: str = "s", now: float = NOW, targets: str = "a/m"
) -> Nearest | None:
    return store.nearest(scope, vector, 0.9, [targets], since=now - ROOM.ttl, until=now)


def test_the_nearest_of_the_scope_comes_back_whole(store: Neighbours) -> None:
    near, far = one("near", floats(1, 0.1, 0)), one("far", floats(0, 1, 0))
    assert store.put(near, ROOM, NOW)
    assert store.put(far, ROOM, NOW)
    nearest = found(store, floats(2, 0, 0))
    assert nearest is not None
    assert nearest.similarity == pytest.approx(0.995, abs=1e-3)
    assert nearest.neighbour is not None
    assert nearest.neighbour.kept == near.kept
    assert (nearest.exchange, nearest.neighbour.input, nearest.neighbour.output) == ("exchange of near", 3, 4)


def test_below_the_threshold_only_the_similarity_is_told(store: Neighbours) -> None:
    store.put(one("a", floats(1, 1, 0)), ROOM, NOW)
    nearest = found(store, floats(1, 0, 0))
    assert nearest is not None
    assert nearest.neighbour is None
    assert nearest.similarity == pytest.approx(0.707, abs=1e-3)


def test_other_scopes_targets_sizes_and_times_are_not_found(store: Neighbours) -> None:
    store.put(one("a", floats(1, 0)), ROOM, NOW)
    assert found(store, floats(1, 0), scope="other") is None
    assert found(store, floats(1, 0), targets="b/m") is None
    assert found(store, floats(1, 0, 0)) is None
    assert found(store, floats(1, 0), now=NOW + 101) is None
    assert found(store, floats(1, 0), now=NOW - 1) is None
    assert store.knows("s", since=NOW - 1, until=NOW)
    assert not store.knows("s", since=NOW + 1, until=NOW + 2)
    assert not store.knows("other", since=NOW - 1, until=NOW)


def test_what_was_not_needed_for_longest_makes_room(store: Neighbours) -> None:
    few = replace(ROOM, max_entries=2)
    store.put(one("a", floats(1, 0)), few, NOW)
    store.put(one("b", floats(0, 1)), few, NOW + 1)
    assert found(store, floats(1, 0), now=NOW + 2) is not None
    store.put(one("c", floats(-1, 0)), few, NOW + 3)
    assert found(store, floats(1, 0), now=NOW + 4) is not None
    nearest = found(store, floats(0, 1), now=NOW + 4)
    assert nearest is not None
    assert nearest.neighbour is None
    assert store.evicted == 1
    assert store.figures()[0] == 2


def test_bytes_and_age_are_bounded(store: Neighbours) -> None:
    big = one("a", floats(1, 0), body=bytes(3000))
    assert not store.put(big, replace(ROOM, max_bytes=3000), NOW)
    assert not store.put(big, replace(ROOM, ttl=0), NOW)
    assert not store.put(big, replace(ROOM, max_entries=0), NOW)
    both = replace(ROOM, max_bytes=big.size + 600)
    assert store.put(big, both, NOW)
    assert store.put(one("b", floats(1, 0), body=bytes(3000)), both, NOW)
    assert store.figures() == (1, big.size)
    store.fit(ROOM, NOW + 101)
    assert store.figures() == (0, 0)
    store.put(big, ROOM, NOW)
    store.fit(ROOM, NOW - 1)
    assert store.figures() == (0, 0)


def test_a_file_keeps_it_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / NAME
    with closing(Neighbours(path)) as first:
        first.put(one("a", floats(1, 0)), ROOM, NOW)
        assert [file.stat().st_mode & 0o777 for file in path.parent.iterdir()] == [0o600] * 3
    with closing(Neighbours(path)) as second:
        assert found(second, floats(1, 0)) is not None


def test_a_file_of_another_version_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with closing(Neighbours(path)) as first:
        first.put(one("a", floats(1, 0)), ROOM, NOW)
    with closing(apsw.Connection(str(path))) as other:
        other.execute("PRAGMA user_version = 99")
    with closing(Neighbours(path)) as second:
        assert second.figures() == (0, 0)


def test_a_damaged_file_is_kept_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"no database" * 1000)
    with closing(Neighbours(path)) as store:
        assert store.put(one("a", floats(1, 0)), ROOM, NOW)
        store.anew(apsw.CorruptError("later"))
        assert store.figures() == (0, 0)
    kept = sorted(tmp_path.glob(f"{NAME}.damaged-*"))
    assert kept[0].stat().st_size > 0
    assert "a new one begins" in caplog.text


def test_a_damaged_memory_begins_anew(store: Neighbours) -> None:
    store.put(one("a", floats(1, 0)), ROOM, NOW)
    store.anew(apsw.CorruptError("somehow"))
    assert store.figures() == (0, 0)
