"""The request log: the seven stages of every attempt under ``logs/`` in the data dir, when the rules ask for it.

Nobody waits for it: the event loop only hands over the records of a call that has ended, a thread makes the texts, takes
the secrets out and writes. When the disk cannot keep up, whole calls are left out, which is said once. Old folders go
by number, bytes and age; nothing is removed that is not a folder of ours with files of ours.
"""

import contextlib
import logging
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from omniroute_addon.config import logs
from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Call, Dial, Observer
from omniroute_addon.engine.stages import NAMES, Stages, stages
from omniroute_addon.home import private_dir, write_private
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.logs.redaction import Redaction
from omniroute_addon.logs.writer import directory

logger = logging.getLogger(__name__)

WAITING_CALLS = 64
WAITING_BYTES = 64 * 1024 * 1024
_PATIENCE = 5.0
OURS = re.compile(r"[A-Za-z0-9.-]+_[A-Za-z0-9.-]+_[A-Za-z0-9.-]+_\d{8}-\d{6}-\d{3}-[A-Za-z0-9.-]+-\d+")
"""The name of a folder."""
_QUERY_VALUES = re.compile(r"[?&][^=&#]*=([^&#]*)")


@dataclass(slots=True)
class _Watch:
    """What is heard of one call. Secrets stay in memory, to be looked for in the texts."""

    log: "RequestLog"
    call: Call
    secrets: set[str] = field(default_factory=set[str])

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: Dial) -> None:
        self.secrets |= {*header_rules.secret_values(dial.headers, dial.secrets), *_in_query(dial.url)}

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None:
        """Written when the exchange has ended."""

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        self.log.put(self, exchange)


@dataclass(frozen=True, slots=True)
class _Kept:
    path: Path
    size: int
    written: float


class RequestLog:
    def __init__(self, home: Path, snapshot: Snapshot) -> None:
        self._home = directory(home)
        self._queue: queue.Queue[tuple[_Watch, ExchangeRecord] | None] = queue.Queue(WAITING_CALLS)
        self._bytes = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._kept: deque[_Kept] | None = None
        self._silent = False
        """It has been said that calls are left out."""
        self.use(snapshot)

    def use(self, snapshot: Snapshot) -> None:
        """Take over another configuration."""
        self._rules: logs.RequestLog = snapshot.logs.requests
        self._keys = keys_of(snapshot)

    def observers(self, call: Call) -> tuple[Observer, ...]:
        """Who has to be told of a call; nobody while the log is off."""
        if not self._rules.enabled:
            return ()
        return (_Watch(self, call, {*header_rules.secret_values(call.headers), *_in_query(call.path)}),)

    def put(self, watch: _Watch, record: ExchangeRecord) -> None:
        """A call has ended. Returns at once."""
        size = _size(watch.call, record)
        with self._lock:
            fits = self._bytes + size <= WAITING_BYTES
            if fits:
                self._bytes += size
        if fits:
            try:
                self._queue.put_nowait((watch, record))
            except queue.Full:
                fits = False
                with self._lock:
                    self._bytes -= size
        if not fits and not self._silent:
            self._silent = True
            logger.warning("the request log cannot keep up: some calls are left out")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="omniroute: request log", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what waits. Blocks for a moment; safe to repeat."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(_PATIENCE)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            watch, record = job
            try:
                self._write(watch, record)
                self._silent = self._silent and not self._queue.empty()
            except OSError as error:
                if not self._silent:
                    self._silent = True
                    logger.warning("the request log cannot be written: %s", error)
            except Exception:
                logger.exception("a call could not be written to the request log")
            finally:
                with self._lock:
                    self._bytes -= _size(watch.call, record)

    def _write(self, watch: _Watch, record: ExchangeRecord) -> None:
        redaction = Redaction({*watch.secrets, *self._keys})
        if self._kept is None:
            self._kept = deque(_folders(self._home))
        for one in stages(watch.call, record, redaction, int(self._rules.max_file)):
            self._kept.append(self._folder(one))
        self._prune(self._kept, time.time())

    def _folder(self, made: Stages) -> _Kept:
        path = private_dir(self._home) / made.folder
        private_dir(path)
        for name, data in made.files.items():
            write_private(path / name, data)
        return _Kept(path, sum(map(len, made.files.values())), time.time())

    def _prune(self, kept: deque[_Kept], now: float) -> None:
        size = sum(one.size for one in kept)
        rules = self._rules
        while kept and (len(kept) > rules.max_calls or size > rules.max_bytes or now - kept[0].written > rules.max_age):
            oldest = kept.popleft()
            size -= oldest.size
            _remove(oldest.path)


def _folders(home: Path) -> Iterable[_Kept]:
    """What earlier processes have left, the oldest first."""
    found: list[_Kept] = []
    if not home.is_dir():
        return found
    for path in home.iterdir():
        if OURS.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                size = sum((path / name).stat().st_size for name in NAMES if (path / name).is_file())
                found.append(_Kept(path, size, path.stat().st_mtime))
    return sorted(found, key=lambda one: one.written)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        for name in NAMES:
            (path / name).unlink(missing_ok=True)
        path.rmdir()


def _size(call: Call, record: ExchangeRecord) -> int:
    """Bytes that a record holds in memory until it is written."""
    return len(call.wire.body) + sum(
        len(one.body) + min(one.response_body.size, one.response_body.limit) for one in record.attempts
    )


def _in_query(address: str) -> set[str]:
    """The credentials of a query."""
    if header_rules.redact_query(address) == address:
        return set()
    return {value for value in _QUERY_VALUES.findall(address) if len(value) >= 8}


def keys_of(snapshot: Snapshot) -> list[str]:
    """The keys of all accounts, to be looked for in texts."""
    accounts = {
        id(one): one for one in (*snapshot.accounts, *(two for all_ in snapshot.usable.values() for two in all_))
    }
    return [one.key.get_secret_value() for one in accounts.values() if one.key is not None]
