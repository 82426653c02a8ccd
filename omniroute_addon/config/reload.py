"""Has the user's file changed? Polled by modification time and size, decided by content; no watcher library.

The caller keeps the old snapshot when :meth:`Reloader.check` returns an error, and says so.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from omniroute_addon.config.load import load
from omniroute_addon.config.models import ConfigError, Problem, Snapshot
from omniroute_addon.config.secret import Secrets

type _Stamp = tuple[int, int, int]


class Reloader:
    """Watches the file of one snapshot."""

    def __init__(
        self,
        path: Path | None,
        *,
        secrets: Secrets | None = None,
        read: Callable[[Path], Snapshot] | None = None,
        awaited: bool = False,
    ) -> None:
        """``path`` is the snapshot's ``source``; with None there is nothing to watch.

        ``awaited``: there was no file yet; one that appears is a change.
        """
        self._path = path
        self._read = read or (lambda file: load(file, secrets=secrets))
        self._stamp = None if awaited else self._stat()
        self._digest = None if awaited else self._hash()

    def forget(self) -> None:
        """Read the file again at the next check: something that it names has changed."""
        self._stamp = self._digest = None

    def check(self) -> Snapshot | ConfigError | None:
        """A new snapshot, why the new content cannot be used, or None when nothing has changed since the last call."""
        if self._path is None:
            return None
        stamp = self._stat()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        if stamp is None:
            self._digest = None
            return ConfigError((Problem(str(self._path), None, "", "the file is gone; its last content stays in use"),))
        digest = self._hash()
        if digest == self._digest:
            return None
        self._digest = digest
        try:
            return self._read(self._path)
        except ConfigError as error:
            return error

    def _stat(self) -> _Stamp | None:
        if self._path is None:
            return None
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _hash(self) -> bytes | None:
        if self._path is None:
            return None
        try:
            return hashlib.sha256(self._path.read_bytes()).digest()
        except OSError:
            return None
