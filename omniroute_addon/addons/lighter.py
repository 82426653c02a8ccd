"""mitmproxy's smallest parts, which every call uses dozens of times, with the same results for less work.

``install`` replaces methods of mitmproxy's classes; only where it is the mitmproxy that they were written for
(``contract``). A message's field types are looked up once for each set of types, and a header is found without making
the lower-case form of each name in three calls. The certificate and the key that a host is shown with are brought into
OpenSSL's form once and not for every connection, OpenSSL keeps no buffers for connections that are silent, and the
dozen layers of a connection no long queues for the rare events that have to wait.
"""

from collections.abc import Mapping
from functools import lru_cache

from mitmproxy import http
from mitmproxy.net import tls
from mitmproxy.proxy import context, events, layer
from OpenSSL import SSL, crypto

_CHECK = http.MessageData.__post_init__
_LAYER = layer.Layer.__init__
_CONTEXT = tls._create_ssl_context  # noqa: SLF001  the contract covers it
_CERTIFICATE = lru_cache(1024)(crypto.X509.from_cryptography)
_KEY = lru_cache(64)(crypto.PKey.from_cryptography_key)
_SOUND: set[tuple[type, ...]] = set()


def install() -> None:
    """Safe to repeat."""
    http.MessageData.__post_init__ = _check  # type: ignore[method-assign]
    http.Headers.get_all = _get_all  # type: ignore[method-assign]
    http.Headers.get = _get  # type: ignore[method-assign,assignment]
    http.Headers.__contains__ = _contains  # type: ignore[method-assign]
    layer.Layer.__init__ = _layer  # type: ignore[method-assign]
    tls._create_ssl_context = _context  # noqa: SLF001
    crypto.X509.from_cryptography = _CERTIFICATE  # type: ignore[method-assign,assignment]
    crypto.PKey.from_cryptography_key = _KEY  # type: ignore[method-assign,assignment]


class _Waiting(list[events.Event]):
    """In place of a ``deque``, which takes 760 bytes when it is empty."""

    __slots__ = ()

    def popleft(self) -> events.Event:
        return self.pop(0)


def _layer(self: layer.Layer, found: context.Context) -> None:
    _LAYER(self, found)
    self._paused_event_queue = _Waiting()  # type: ignore[assignment]


def _context(**settings: object) -> SSL.Context:
    """With the mode that Python's own ``ssl`` sets for every context: 34 KiB less for each connection."""
    made = _CONTEXT(**settings)  # type: ignore[arg-type]  # as they come
    made.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return made


def _check(self: http.MessageData) -> None:
    shape = (type(self), *map(type, vars(self).values()))
    if shape not in _SOUND:
        _CHECK(self)
        _SOUND.add(shape)


@lru_cache(1024)
def _lower(name: str | bytes) -> bytes:
    return (name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name).lower()


def _get_all(self: http.Headers, name: str | bytes) -> list[str]:
    wanted = _lower(name)
    size = len(wanted)
    return [
        value.decode("utf-8", "surrogateescape")
        for key, value in self.fields
        if len(key) == size and key.lower() == wanted
    ]


def _get[T](self: http.Headers, key: str | bytes, default: T | None = None) -> str | T | None:
    found = self.get_all(key)
    return ", ".join(found) if found else default


def _contains(self: Mapping[str, str], key: object) -> bool:
    assert isinstance(self, http.Headers)
    if not isinstance(key, str | bytes):
        return False
    wanted = _lower(key)
    size = len(wanted)
    return any(len(name) == size and name.lower() == wanted for name, _ in self.fields)
