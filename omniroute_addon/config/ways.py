"""Outbound proxies as values, and which of them a call leaves by. Pure.

The nearest ``proxy`` counts: account, combo target, combo, provider, the file's own, the environment. A loopback address
is called directly unless its account, combo or provider names a proxy.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote, urlsplit

type Scheme = Literal["http", "https", "socks5"]

PORTS: dict[Scheme, int] = {"http": 80, "https": 443, "socks5": 1080}
_SCHEMES: dict[str, Scheme] = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5"}


@dataclass(frozen=True, slots=True)
class Outbound:
    """A proxy on the way to providers. As text it is without its login."""

    scheme: Scheme
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


type Choice = Outbound | Literal["none", "env"]
"""What one place says: a proxy, ``none`` (directly), or ``env`` (as the environment says)."""


def read_outbound(text: str) -> Outbound:
    """The proxy of an address; the scheme is ``http`` unless it is told. Raises ValueError, without any of the text."""
    scheme, found, rest = text.strip().rpartition("://")
    known = _SCHEMES.get(scheme.lower() if found else "http")
    if known is None:
        raise ValueError("a proxy's address begins with http://, https:// or socks5://")
    login, _, place = rest.rstrip("/").rpartition("@")
    if not place or any(sign in place for sign in "/?#%\\") or any(sign.isspace() for sign in place):
        raise ValueError(
            "a proxy's address is SCHEME://HOST:PORT, with USER:PASSWORD@ before the host if it asks for one"
        )
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("a proxy's address has a host and a port from 1 to 65535") from None
    if not host or port == 0:
        raise ValueError("a proxy's address has a host and a port from 1 to 65535")
    user, _, password = login.partition(":")
    return Outbound(known, host, port or PORTS[known], unquote(user), unquote(password))


@lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Environment:
    """What the variables say."""

    https: Outbound | None = None
    """For calls to ``https`` addresses."""
    http: Outbound | None = None
    bypass: tuple[str, ...] = ()
    """Entries of ``NO_PROXY``."""
    own: str | None = None
    """The variable that leads to our own listener, and is not followed."""
    unread: tuple[str, ...] = ()
    """Variables that hold no address of a proxy."""

    @property
    def empty(self) -> bool:
        return self.https is None and self.http is None

    def to(self, scheme: str, host: str, port: int | None) -> Outbound | None:
        way = self.http if scheme == "http" else self.https
        return None if way is None or is_loopback(host) or _bypassed(self.bypass, host, port) else way


@dataclass(frozen=True, slots=True)
class Ways:
    """What holds for every call that nothing nearer speaks of."""

    general: Choice | None = None
    environment: Environment = Environment()

    def to(self, scheme: str, host: str, port: int | None, *nearer: Choice | None) -> Outbound | None:
        """The proxy on the way to an address, None for none. ``nearer``: what its account … provider say, in order."""
        choice = next((one for one in nearer if one is not None), None)
        if choice is None:
            if is_loopback(host):
                return None
            choice = self.general or "env"
        if isinstance(choice, Outbound):
            return choice
        return self.environment.to(scheme, host, port) if choice == "env" else None

    def to_url(self, url: str, *nearer: Choice | None) -> Outbound | None:
        if self.general is None and self.environment.empty and not any(nearer):
            return None
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # no way leads there
            return None
        return self.to(parts.scheme, parts.hostname or "", port, *nearer)

    def named(self, others: Iterable[Choice | None]) -> frozenset[Outbound]:
        """Every proxy that a call may leave by, ``others`` being those of accounts, combos and providers."""
        found = (self.general, self.environment.https, self.environment.http, *others)
        return frozenset(one for one in found if isinstance(one, Outbound))


DIRECT = Ways()
"""No proxy, unless something nearer names one."""


@lru_cache(1024)
def _bypassed(entries: tuple[str, ...], host: str, port: int | None) -> bool:
    return any(_covers(entry, host, port) for entry in entries)


def _covers(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of ``NO_PROXY`` is about the address: ``*``, a domain, an address, a network, any with a port."""
    if entry == "*":
        return True
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal() and (":" not in name or name.endswith("]")):
        if int(wanted) != port:
            return False
        entry = name
    entry, host = entry.strip("[]").lower(), host.lower()
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        domain = entry.removeprefix("*").removeprefix(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
