"""Content encodings, chunk by chunk: ``decode(data)`` and ``flush()``, as in httpx; no I/O.

A passthrough sends the encoded bytes on and decodes a copy for its listener; a translation reads decoded bytes only.
"""

import zlib
from collections.abc import Callable
from typing import Protocol

import brotli
import zstandard


class UnknownEncodingError(ValueError):
    """A content encoding that we have no decoder for."""


class Decoder(Protocol):
    def decode(self, data: bytes) -> bytes:
        """Raises ValueError on bytes that are not of the encoding."""
        ...

    def flush(self) -> bytes: ...


class Identity:
    """Nothing to decode."""

    def decode(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Zlib:
    """gzip with any number of members, and deflate in both readings (zlib wrapped, or raw as some servers send it)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inflate = zlib.decompressobj(wbits)
        self._fresh = True

    def decode(self, data: bytes) -> bytes:
        out: list[bytes] = []
        try:
            while data:
                try:
                    out.append(self._inflate.decompress(data))
                except zlib.error:
                    if not (self._fresh and self._wbits == zlib.MAX_WBITS):
                        raise
                    self._wbits = -zlib.MAX_WBITS
                    self._inflate = zlib.decompressobj(self._wbits)
                    out.append(self._inflate.decompress(data))
                self._fresh = False
                data = self._inflate.unused_data
                if data:
                    self._inflate = zlib.decompressobj(self._wbits)
        except zlib.error as error:
            raise ValueError(f"broken compressed body: {error}") from error
        return b"".join(out)

    def flush(self) -> bytes:
        return self._inflate.flush()


class _Brotli:
    def __init__(self) -> None:
        self._decompress = brotli.Decompressor()

    def decode(self, data: bytes) -> bytes:
        try:
            return self._decompress.process(data)
        except brotli.error as error:
            raise ValueError(f"broken brotli body: {error}") from error

    def flush(self) -> bytes:
        return b""


class _Zstandard:
    def __init__(self) -> None:
        self._decompress = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)

    def decode(self, data: bytes) -> bytes:
        try:
            return self._decompress.decompress(data)
        except zstandard.ZstdError as error:
            raise ValueError(f"broken zstd body: {error}") from error

    def flush(self) -> bytes:
        return b""


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "": Identity,
    "identity": Identity,
    "gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "x-gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
    "zstd": _Zstandard,
}


def decoder(content_encoding: str) -> Decoder:
    """The decoder for a ``content-encoding`` header. Raises UnknownEncodingError."""
    name = content_encoding.strip().lower()
    if name not in _DECODERS:
        known = ", ".join(sorted(name for name in _DECODERS if name))
        raise UnknownEncodingError(f"unknown content-encoding {content_encoding!r}; known are {known}")
    return _DECODERS[name]()


def decoded(body: bytes, content_encoding: str) -> bytes:
    """A whole body, decoded. Raises ValueError as above."""
    reader = decoder(content_encoding)
    return reader.decode(body) + reader.flush()
