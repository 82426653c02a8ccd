"""The translators' memory on disk: a restart in the middle of a task forgets no reasoning.

What a client's format cannot carry would be gone with the process: the model would think anew without its own thoughts,
and whose a signature is would be unknown. So every entry is also appended, in one write, to ``memory.log`` in the data
dir; it survives ``kill -9``. A log that has grown to ``SIZE`` becomes ``memory.old`` in place of the one before. At the
start a thread reads both; the first who asks waits for it.

Reasoning quotes what the user works on. Each line is sealed (AES-256-GCM) with the key in ``memory.key``, all three are
their owner's alone, and what is older than ``KEPT_FOR`` is deleted at the next start. Whatever is wrong with the files
costs nothing but what was in them: a line that cannot be opened is left out, a disk that cannot be written said once.
"""

import base64
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from omniroute_addon.home import private_dir, write_private
from translators import hub
from translators.memory import BoundedMemory, Kept, Made, Remembered, Turn

logger = logging.getLogger(__name__)

SIZE = 8 * 1024 * 1024
KEPT_FOR = 86400.0
_LATEST, _EARLIER, _KEY = "memory.log", "memory.old", "memory.key"
_PURPOSE = b"omniroute memory 1"
_KEY_BYTES, _NONCE_BYTES = 32, 12
_PATIENCE = 2.0
"""Seconds that the first call waits for what is on disk."""


class MemoryFile:
    """Implements ``translators.memory.Memory`` over another one, which is the limit of what is known."""

    def __init__(self, directory: Path, memory: BoundedMemory, now: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._memory = memory
        self._now = now
        self._found: list[tuple[str, Kept]] = []
        self._reader: threading.Thread | None = None
        self._cipher: AESGCM | None = None
        self._fd: int | None = None
        self._size = 0
        self._torn = False
        self._failing = False

    def start(self) -> None:
        """Begin to read what an earlier process has left."""
        self._reader = threading.Thread(target=self._read, daemon=True, name="memory")
        self._reader.start()

    def stop(self) -> None:
        """Safe to repeat."""
        self._settle()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._cipher = None

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def size(self) -> int:
        """Bytes of what is known, roughly."""
        return self._memory.size

    def get(self, key: str) -> Kept | None:
        self._settle()
        return self._memory.get(key)

    def put(self, key: str, value: Kept) -> None:
        self._settle()
        if self._memory.get(key) == value:
            return
        self._memory.put(key, value)
        if self._cipher is not None:
            self._append(key, value)

    def _settle(self) -> None:
        if self._reader is None:
            return
        self._reader.join(_PATIENCE)
        self._reader = None
        for key, value in self._found:
            self._memory.put(key, value)
        self._found = []

    # ── the thread ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> None:
        try:
            cipher = AESGCM(self._key())
            lines = [line for name in (_EARLIER, _LATEST) for line in self._lines(name)]
            opened = [(line, _opened(line, cipher)) for line in lines]
            since = self._now() - KEPT_FOR
            good = [(line, entry) for line, entry in opened if entry is not None and entry[0] >= since]
            if len(good) != len(lines):
                if unknown := sum(entry is None for _, entry in opened):
                    logger.warning("%d lines of %s cannot be read and are left out", unknown, self._directory / _LATEST)
                write_private(self._directory / _LATEST, b"".join(line + b"\n" for line, _ in good))
                (self._directory / _EARLIER).unlink(missing_ok=True)
            self._open()
            self._found = [(entry[1], entry[2]) for _, entry in good]
            self._cipher = cipher
        except OSError as error:
            self._fail(error)

    def _key(self) -> bytes:
        path = self._directory / _KEY
        try:
            key = base64.b64decode(path.read_bytes(), validate=True)
        except (FileNotFoundError, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            key = os.urandom(_KEY_BYTES)
            write_private(path, base64.b64encode(key))
        return key

    def _lines(self, name: str) -> Iterator[bytes]:
        try:
            yield from filter(None, (self._directory / name).read_bytes().split(b"\n"))
        except FileNotFoundError:
            return

    # ── the loop ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> None:
        path = private_dir(self._directory) / _LATEST
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _append(self, key: str, value: Kept) -> None:
        try:
            line = self._sealed(key, value)
        except (orjson.JSONEncodeError, UnicodeEncodeError):
            return  # half a character is no text; it stays in memory
        try:
            if self._size >= SIZE and self._fd is not None:
                os.close(self._fd)
                self._fd = None
                (self._directory / _LATEST).replace(self._directory / _EARLIER)
            if self._fd is None:
                self._open()
            assert self._fd is not None
            written = os.write(self._fd, b"\n" + line if self._torn else line)
            self._size += written
            self._torn = written < len(line)
            self._failing = False
        except OSError as error:
            self._fail(error)

    def _sealed(self, key: str, value: Kept) -> bytes:
        assert self._cipher is not None
        plain = orjson.dumps([self._now(), key, type(value).__name__, value], default=dict)
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, plain, _PURPOSE)) + b"\n"

    def _fail(self, error: OSError) -> None:
        if not self._failing:
            why = error.strerror or "no reason given"
            logger.warning("%s cannot be used (%s): a restart will forget reasoning", self._directory / _LATEST, why)
        self._failing = True


def _opened(line: bytes, cipher: AESGCM) -> tuple[float, str, Kept] | None:
    try:
        sealed = base64.b64decode(line, validate=True)
        plain = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE)
        at, key, kind, fields = orjson.loads(plain)
        return float(at), str(key), _kept(kind, fields)
    except (InvalidTag, ValueError, TypeError, KeyError):
        return None


def _kept(kind: str, fields: dict[str, Any]) -> Kept:
    match kind:
        case "Made":
            return Made(**fields)
        case "Turn":
            return Turn(**{**fields, "thinking": _thoughts(fields["thinking"])})
        case "Remembered":
            call = hub.ToolCall(**_signed(fields["call"]))
            return Remembered(**{**fields, "call": call, "thinking": _thoughts(fields["thinking"])})
        case _:
            raise ValueError(kind)


def _thoughts(found: list[dict[str, Any]]) -> tuple[hub.Thinking, ...]:
    return tuple(hub.Thinking(**_signed(one)) for one in found)


def _signed(fields: dict[str, Any]) -> dict[str, Any]:
    signature = fields["signature"]
    return fields if signature is None else {**fields, "signature": hub.Signature(**signature)}
