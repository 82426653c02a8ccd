"""A connection to a host through an outbound proxy: HTTP and HTTPS by CONNECT, SOCKS5 by RFC 1928 and 1929.

Names are resolved by the proxy, never here: behind one, this machine often cannot. What goes wrong is told apart by whose
fault it is: the proxy's (nothing else is to blame, and nothing else that leaves by it will fare better), the host's as
the proxy tells it, or nobody knows (the proxy says nothing in time).
"""

import asyncio
import ipaddress
import os
import ssl
from base64 import b64encode
from functools import cache
from http import HTTPStatus
from typing import Literal

import certifi

from omniroute_addon.config.ways import Outbound

type Fault = Literal["proxy", "proxy-silent", "connect"]

_LONGEST_HEAD = 64 * 1024
_BEYOND = (502, 503, 504)
"""What an HTTP proxy says of hosts that it cannot reach."""
_SOCKS_WORDS = {
    1: "general failure",
    2: "its rules do not allow this connection",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "the way is too long",
    7: "it cannot connect",
    8: "it does not know this kind of address",
}
_SOCKS_BEYOND = (3, 4, 5, 6)


class OutboundError(OSError):
    """There is no connection; ``fault`` says whose doing that is. The words name the proxy, without its login."""

    def __init__(self, fault: Fault, words: str) -> None:
        super().__init__(words)
        self.fault: Fault = fault


type Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@cache
def trusted() -> ssl.SSLContext:
    """Trusts what the system does and the public roots. One for all: to load them takes a while."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


async def through(way: Outbound, host: str, port: int, *, context: ssl.SSLContext, limit: float) -> Stream:
    """A connection to the host, nothing of its own read or written yet. ``limit`` is in seconds, ``context`` is for a
    proxy that speaks TLS. Raises OutboundError.
    """
    ends = asyncio.get_running_loop().time() + limit
    try:
        async with asyncio.timeout_at(ends):
            reader, writer = await asyncio.open_connection(
                way.host, way.port, ssl=context if way.scheme == "https" else None, limit=_LONGEST_HEAD
            )
    except TimeoutError as error:
        raise OutboundError("proxy", f"no connection to the outbound proxy {way} within {limit:g} s") from error
    except (OSError, UnicodeError) as error:
        raise OutboundError("proxy", f"no connection to the outbound proxy {way}: {_words(error)}") from error
    try:
        async with asyncio.timeout_at(ends):
            if way.scheme == "socks5":
                await _socks5(way, reader, writer, host, port)
            else:
                await _connect(way, reader, writer, host, port)
    except TimeoutError as error:
        writer.transport.abort()
        said = f"the outbound proxy {way} did not connect to {host}:{port} within {limit:g} s"
        raise OutboundError("proxy-silent", said) from error
    except OutboundError:
        writer.transport.abort()
        raise
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        writer.transport.abort()
        said = f"the outbound proxy {way} broke off: {_words(error)}"
        raise OutboundError("proxy", said) from error
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


def _words(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case asyncio.IncompleteReadError():
            return "it closed the connection"
        case OSError() if error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError):
            return os.strerror(error.errno)
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return str(error) or type(error).__name__


# ── HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _connect(
    way: Outbound, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    place = f"[{host}]:{port}" if ":" in host else f"{host.encode('idna').decode()}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if way.user:
        login = b64encode(f"{way.user}:{way.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    await writer.drain()
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        version, status, reason = _status_line(head)
        if not version.startswith("HTTP/1.") or status < 100:
            raise OutboundError("proxy", f"the outbound proxy {way} does not speak HTTP")
        if status >= 200:
            break
    if status < 300:
        return
    words = f"{status} {reason or _phrase(status)}"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        wants = "refused its user and password" if way.user else "wants a user and a password"
        raise OutboundError("proxy", f"the outbound proxy {way} {wants} ({words})")
    if status in _BEYOND:
        raise OutboundError("connect", f"the outbound proxy {way} cannot reach {host}:{port} ({words})")
    raise OutboundError("proxy", f"the outbound proxy {way} does not connect to {host}:{port} ({words})")


def _status_line(head: bytes) -> tuple[str, int, str]:
    version, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    status, _, reason = rest.partition(" ")
    shown = "".join(sign for sign in reason if sign.isprintable())[:100]
    return version, int(status) if status.isdecimal() and status.isascii() else 0, shown.strip()


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in {one.value for one in HTTPStatus} else ""


# ── SOCKS5 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _socks5(
    way: Outbound, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    methods = bytes([0, 2]) if way.user else bytes([0])
    writer.write(bytes([5, len(methods)]) + methods)
    version, method = await reader.readexactly(2)
    if version != 5:
        raise OutboundError("proxy", f"the outbound proxy {way} does not speak SOCKS5")
    if method == 2 and way.user:
        user, password = way.user.encode()[:255], way.password.encode()[:255]
        writer.write(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if (await reader.readexactly(2))[1] != 0:
            raise OutboundError("proxy", f"the outbound proxy {way} refused its user and password")
    elif method != 0:
        wants = "takes no user and password" if way.user else "wants a user and a password"
        raise OutboundError("proxy", f"the outbound proxy {way} {wants}")
    writer.write(bytes([5, 1, 0]) + _socks_address(host) + port.to_bytes(2))
    version, reply, _, kind = await reader.readexactly(4)
    if version != 5:
        raise OutboundError("proxy", f"the outbound proxy {way} does not speak SOCKS5")
    if reply != 0:
        words = _SOCKS_WORDS.get(reply, f"reply {reply}")
        fault: Fault = "connect" if reply in _SOCKS_BEYOND else "proxy"
        raise OutboundError(fault, f"the outbound proxy {way} did not connect to {host}:{port}: {words}")
    await reader.readexactly({1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0])
    await reader.readexactly(2)


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna")
        return bytes([3, len(name)]) + name
    return bytes([1 if address.version == 4 else 4]) + address.packed
