"""Content encodings, chunk by chunk: ``decode(data)`` and ``flush()``, as in httpx; no I/O."""

import zlib
from collections.abc import Callable
from typing import Protocol

import brotli
import zstandard

_SLICE = 1024
"""Bytes of input between two looks at the size of the output, so that a small bomb cannot fill the memory."""
_GZIP = zlib.MAX_WBITS | 16


class Decoder(Protocol):
    def decode(self, data: bytes) -> bytes:
        """Raises ValueError on bytes that are not of the encoding."""
        ...

    def flush(self) -> bytes: ...


class UnknownEncodingError(ValueError):
    """A content encoding that we have no decoder for."""


class TooLargeError(ValueError):
    """A decoded body exceeds its limit."""


class Identity:
    """Nothing to decode."""

    def decode(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Gzip:
    """Any number of members, with zero bytes between and after them."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP)
        self._between = False
        """A member has ended and no other has begun."""

    def decode(self, data: bytes) -> bytes:
        out: list[bytes] = []
        try:
            while data:
                if self._between:
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    self._inflate, self._between = zlib.decompressobj(_GZIP), False
                out.append(self._inflate.decompress(data))
                data, self._between = self._inflate.unused_data, self._inflate.eof
        except zlib.error as error:
            raise ValueError(f"broken gzip body: {error}") from error
        return b"".join(out)

    def flush(self) -> bytes:
        return self._inflate.flush()


class _Deflate:
    """In both readings: wrapped by zlib, or raw as some servers send it; the first two bytes tell."""

    def __init__(self) -> None:
        self._head = b""
        self._inflate: zlib._Decompress | None = None

    def decode(self, data: bytes) -> bytes:
        if self._inflate is None:
            self._head += data
            if len(self._head) < 2:
                return b""
            wrapped = self._head[0] & 0x0F == 8 and int.from_bytes(self._head[:2]) % 31 == 0
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
            data, self._head = self._head, b""
        try:
            return self._inflate.decompress(data)
        except zlib.error as error:
            raise ValueError(f"broken deflate body: {error}") from error

    def flush(self) -> bytes:
        return b"" if self._inflate is None else self._inflate.flush()


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
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstandard,
}


def decoder(content_encoding: str) -> Decoder:
    """The decoder for a ``content-encoding`` header. Raises UnknownEncodingError; a list of several is one."""
    name = content_encoding.strip().lower()
    if name not in _DECODERS:
        known = ", ".join(sorted(name for name in _DECODERS if name))
        raise UnknownEncodingError(f"unknown content-encoding {content_encoding!r}; known are {known}")
    return _DECODERS[name]()


def decoded(body: bytes, content_encoding: str, limit: int) -> bytes:
    """A whole body, decoded. Raises ValueError as above, and TooLargeError for more than ``limit`` bytes."""
    reader = decoder(content_encoding)
    if isinstance(reader, Identity):
        parts, size = [body], len(body)
    else:
        parts, size = [], 0
        for start in range(0, len(body), _SLICE):
            parts.append(reader.decode(body[start : start + _SLICE]))
            size += len(parts[-1])
            if size > limit:
                break
        parts.append(reader.flush())
    if size > limit:
        raise TooLargeError(f"the body is larger than {limit} bytes")
    return b"".join(parts)
