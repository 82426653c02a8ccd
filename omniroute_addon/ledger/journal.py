"""The append-only files that hold what the database does not have yet; they survive a ``kill -9`` of the process.

Theory of operation. Every process that records has a directory of its own, named by its token, beside the database:
``ledger.db.journal/<token>/``, with a ``lock`` file that it keeps locked while it lives (the kernel lets go of the lock
when the process dies, however it dies). In it are numbered *segments*. A line is one ``os.write`` of JSON to the newest
segment: when it has returned, the line outlives the process, without any fsync (only a power cut could take it). The
event loop only appends. The writer thread prepares the next segment as a *spare*, which the loop takes when the current
one is long enough, and deletes segments whose lines are all in the database. So nothing here waits for anything.

A directory whose lock is free belongs to a process that ended without cleaning up: an *orphan*. Whoever opens the
database next imports its lines, in order; a torn line (the process died in the middle, or the disk was full) is left
out. Lines may be in the database already: importing one again changes nothing.

Without ``fcntl`` (Windows) every other directory counts as an orphan; only one proxy should run there.
"""

import contextlib
import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from omniroute_addon.home import private_dir

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = logging.getLogger(__name__)

SEGMENT = 256 * 1024
"""Bytes after which a new segment begins: what a start after a crash has to import at most twice."""
_LOCK = "lock"

type Row = Mapping[str, object]
"""Columns."""
type Entry = tuple[str, Row]
"""A kind and its columns; a line of the journal is the columns with the kind among them."""


class Journal:
    """This process's segments. ``append`` is for the event loop, everything else for the writer thread."""

    def __init__(self, root: Path) -> None:
        """Raises OSError when ``root`` cannot be written."""
        self.token = f"{os.getpid()}-{secrets.token_hex(6)}"
        private_dir(root)
        made = root / f".{self.token}"
        made.mkdir(mode=0o700)
        self._lock = _locked(made / _LOCK)
        self.directory = made.rename(root / self.token)  # locked before anyone looks for orphans
        self.segment = 1
        self._fd = self._open(1)
        self._size = 0
        self._spare: int | None = None
        self._torn = False
        self._complained = False

    def append(self, lines: bytes) -> int:
        """Whole lines; returns the number of the segment that has them. Never raises: a full disk is warned of once."""
        if self._size >= SEGMENT and self._spare is not None:
            full, self._fd, self._spare = self._fd, self._spare, None
            self.segment += 1
            self._size = 0
            os.close(full)
        if self._torn:
            lines = b"\n" + lines
        try:
            written = os.write(self._fd, lines)
        except OSError as error:
            self._complain(error.strerror or "no reason given")
            return self.segment
        self._size += written
        self._torn = written != len(lines)
        if self._torn:
            self._complain("it takes only part of a line")
        else:
            self._complained = False
        return self.segment

    def prepare(self) -> None:
        """Have the next segment ready. A disk that is full now is no reason to stop: the current one goes on."""
        if self._spare is None and self._size > SEGMENT // 2:
            with contextlib.suppress(OSError):
                self._spare = self._open(self.segment + 1)

    def discard(self, before: int) -> None:
        """Delete the segments in front of ``before``: the database has them."""
        for path in _segments(self.directory):
            if int(path.name) < before:
                path.unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """Every whole line that is kept here, oldest first."""
        return _entries(self.directory)

    def close(self, *, done: bool) -> None:
        """``done``: the database has everything. Else the next start imports what is here."""
        for fd in (self._fd, self._spare):
            if fd is not None:
                os.close(fd)
        if done:
            shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._lock)

    def _open(self, number: int) -> int:
        return os.open(self.directory / f"{number:06}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _complain(self, why: str) -> None:
        if not self._complained:
            self._complained = True
            logger.warning("the ledger's journal cannot be written (%s): calls go on, their records may be lost", why)


class Orphan:
    """What a process that was killed has left."""

    def __init__(self, directory: Path, lock: int) -> None:
        self._directory = directory
        self._lock = lock

    def entries(self) -> Iterator[Entry]:
        """Every whole line, oldest first."""
        return _entries(self._directory)

    def remove(self) -> None:
        """After the database has committed its lines."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def release(self) -> None:
        os.close(self._lock)


def survey(root: Path, own: str | None = None) -> tuple[list[Orphan], frozenset[str]]:
    """The orphans under ``root``, locked for the caller, and the tokens of the processes that live."""
    orphans: list[Orphan] = []
    alive: set[str] = set()
    directories = sorted(path for path in root.glob("[!.]*") if path.is_dir()) if root.is_dir() else []
    for directory in directories:
        if directory.name == own:
            alive.add(directory.name)
            continue
        try:
            orphans.append(Orphan(directory, _locked(directory / _LOCK)))
        except BlockingIOError:
            alive.add(directory.name)
        except OSError as error:
            logger.warning("the ledger cannot look into %s: %s", directory, error.strerror)
    return orphans, frozenset(alive)


def _locked(path: Path) -> int:
    """A descriptor that holds the lock of ``path``. Raises BlockingIOError when another process has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if fcntl is not None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
    return fd


def _entries(directory: Path) -> Iterator[Entry]:
    for path in _segments(directory):
        for line in path.read_bytes().split(b"\n"):
            try:
                row = orjson.loads(line) if line else None
            except orjson.JSONDecodeError:
                continue  # torn
            if isinstance(row, dict):
                yield str(row.pop("kind", "")), row


def _segments(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.name.isdigit()) if directory.is_dir() else []
