"""Secrets in a file of the data dir, AES-256-GCM, one nonce per entry; ``{vault: NAME}`` in an account names one.

``vault.json`` holds name → nonce and ciphertext, ``vault.key`` the key, both 0600 and written whole or not at all. The
name is authenticated with its entry, so entries cannot be swapped. This keeps keys out of YAML, backups of it and shell
history; who can read both files has the keys. Two commands that write at the same time take turns by a file lock.
"""

import base64
import binascii
import fcntl
import json
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from omniroute_addon.home import data_dir, private_dir, write_private

logger = logging.getLogger(__name__)

_VERSION = 1
_NONCE_BYTES = 12
_KEY_BYTES = 32


class VaultError(Exception):
    """The vault's files are damaged or do not belong together; the message never has a secret in it."""


class Vault:
    """The vault in one directory; nothing is created before the first :meth:`set`."""

    def __init__(self, directory: Path | None = None) -> None:
        directory = data_dir() if directory is None else directory
        self._directory = directory
        self._file = directory / "vault.json"
        self._key_file = directory / "vault.key"

    def get(self, name: str) -> str | None:
        """The secret, or None when there is none. Raises VaultError."""
        entry = self._entries().get(name)
        if entry is None:
            return None
        try:
            blob = base64.b64decode(entry, validate=True)
            plain = AESGCM(self._key()).decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], name.encode())
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise VaultError(f"{self._file}: entry {name!r} cannot be decrypted with {self._key_file.name}") from error
        return plain.decode()

    def set(self, name: str, secret: str) -> None:
        """Keep a secret, replacing one of the same name."""
        if not name or not secret:
            raise ValueError("a vault entry needs a name and a secret")
        with self._locked():
            entries = self._entries()
            nonce = os.urandom(_NONCE_BYTES)
            sealed = AESGCM(self._key(create=True)).encrypt(nonce, secret.encode(), name.encode())
            entries[name] = base64.b64encode(nonce + sealed).decode()
            self._write(entries)

    def delete(self, name: str) -> bool:
        """Forget a secret; False when there was none."""
        with self._locked():
            entries = self._entries()
            if entries.pop(name, None) is None:
                return False
            self._write(entries)
            return True

    def list(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(sorted(self._entries()))

    @contextmanager
    def _locked(self) -> Generator[None]:
        private_dir(self._directory)
        with (self._directory / "vault.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _entries(self) -> dict[str, str]:
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            value = json.loads(content)
        except ValueError as error:
            raise VaultError(f"{self._file}: not JSON") from error
        entries = value.get("entries") if isinstance(value, dict) and value.get("version") == _VERSION else None
        if not isinstance(entries, dict) or not all(isinstance(entry, str) for entry in entries.values()):
            raise VaultError(f"{self._file}: not a vault of version {_VERSION}")
        return entries

    def _write(self, entries: dict[str, str]) -> None:
        ordered = dict(sorted(entries.items()))
        content = json.dumps({"version": _VERSION, "entries": ordered}, indent=1).encode()
        write_private(self._file, content)

    def _key(self, *, create: bool = False) -> bytes:
        try:
            key = base64.b64decode(self._key_file.read_bytes(), validate=True)
        except FileNotFoundError as error:
            if not create or self._entries():
                raise VaultError(f"{self._key_file} is missing; the entries of {self._file.name} need it") from error
            key = os.urandom(_KEY_BYTES)
            write_private(self._key_file, base64.b64encode(key))
        except binascii.Error as error:
            raise VaultError(f"{self._key_file}: not a key") from error
        if len(key) != _KEY_BYTES:
            raise VaultError(f"{self._key_file}: not a key")
        return key


def from_vault(name: str) -> str | None:
    """A secret of the data dir's vault, for ``config.load(secrets=…)``; None when it is not there or cannot be read.

    Why it cannot is said once.
    """
    try:
        return Vault().get(name)
    except VaultError as error:
        _say(str(error))
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}")
    return None


@cache
def _say(why: str) -> None:
    logger.warning("accounts whose key is in the vault are left out: %s", why)
