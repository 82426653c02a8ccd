"""Lines of JSON in files of bounded number, size and age: the store of the console and the audit log.

A process appends to a file of its own, ``NAME-<time>-<pid>.jsonl``, and begins another when it is full. So several proxies
share a data dir without a lock, and nobody's lines are renamed under a reader. The oldest files go first. A line that was
cut by a crash is passed over.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from omniroute_addon.home import private_dir
from omniroute_addon.logs.entries import LEVELS, TABS, Entry, Query

PARTS = 8
"""A file holds this part of all bytes, so that a full store loses little when it loses its oldest file."""
FILES = 64
"""Files at most; every start of a proxy begins one."""


@dataclass(frozen=True, slots=True)
class Bounds:
    max_bytes: int
    max_age: float


class Lines:
    """One store. Not for two threads at once; several processes may each have one on the same directory."""

    def __init__(self, directory: Path, name: str, bounds: Bounds) -> None:
        self._directory = directory
        self._name = name
        self.bounds = bounds
        self._path: Path | None = None
        self._size = 0
        self._begun = 0.0

    def add(self, entries: Sequence[Entry]) -> None:
        """Append. Raises OSError."""
        data = b"".join(orjson.dumps(entry.plain(), default=str) + b"\n" for entry in entries)
        full = self._size + len(data) > self.bounds.max_bytes // PARTS
        old = not 0 <= time.time() - self._begun < self.bounds.max_age / PARTS
        if self._path is None or full or old:
            self._path, self._size, self._begun = self._begin(), 0, time.time()
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)
        self._size += len(data)

    def _begin(self) -> Path:
        private_dir(self._directory)
        self.prune(time.time(), room=self.bounds.max_bytes // PARTS)
        return self._directory / f"{self._name}-{time.time_ns():020d}-{os.getpid()}.jsonl"

    def prune(self, now: float, room: int = 0) -> None:
        """Remove what is too old or too much; ``room`` bytes and one file more must fit."""
        left, size = FILES - 1, self.bounds.max_bytes - room
        for path, stat in files(self._directory, self._name):
            left, size = left - 1, size - stat.st_size
            if left < 0 or size < 0 or now - stat.st_mtime > self.bounds.max_age:
                path.unlink(missing_ok=True)


def files(directory: Path, name: str) -> list[tuple[Path, os.stat_result]]:
    """The files of a store, the one that was written last first."""
    found: list[tuple[Path, os.stat_result]] = []
    for path in directory.glob(f"{name}-*.jsonl"):
        with contextlib.suppress(OSError):
            found.append((path, path.stat()))
    return sorted(found, key=lambda one: (one[1].st_mtime, one[0].name), reverse=True)


def read(directory: Path, query: Query) -> list[Entry]:
    """The latest entries that are wanted, oldest first."""
    found: list[Entry] = []
    words = [word.encode() for word in query.search.lower().split() if _is_raw(word)]
    for path, stat in files(directory, query.tab):
        full = len(found) >= query.limit
        if stat.st_mtime < query.since or (full and stat.st_mtime < found[0].at):
            break
        found += [entry for entry in _entries(path, words) if entry.tab == query.tab and query.wants(entry)]
        found.sort(key=lambda entry: (entry.at, entry.id))
        del found[: max(0, len(found) - query.limit)]
    return found


def _is_raw(word: str) -> bool:
    """Whether a word that is in an entry is also in its line: letters and digits that JSON writes as they are."""
    return word.isascii() and word.isalnum() and word not in "none"


def _entries(path: Path, words: Sequence[bytes]) -> Iterator[Entry]:
    """Those of a file; what has not all ``words`` is not even parsed."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    if words:
        lowered = data.lower()
        if not all(word in lowered for word in words):
            return
    for line in data.splitlines():
        if words and not all(word in line.lower() for word in words):
            continue
        with contextlib.suppress(ValueError, TypeError, KeyError):
            entry = Entry(**orjson.loads(line))
            if entry.level in LEVELS and entry.tab in TABS:
                yield entry
