"""``proxy`` in the file, and the proxies of the environment, as the values of ``ways``.

Of the environment counts what everybody reads: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``. A variable
that leads to our own listener, as ``omniroute env`` sets it, would send every call round in a circle: it is not followed.
"""

import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo, field_validator

from omniroute_addon import environment
from omniroute_addon.config.document import Document, KeyPath
from omniroute_addon.config.models import Listen, Problem, Snapshot
from omniroute_addon.config.secret import Secret, Sources, secret_of
from omniroute_addon.config.section import Section
from omniroute_addon.config.ways import Choice, Environment, Outbound, is_loopback, read_outbound
from omniroute_addon.home import data_dir

_WORDS = ("none", "env")


class ProxySpec(Section):
    """A proxy on the way to providers."""

    url: str
    """``http://HOST:PORT``, ``https://HOST:PORT``, ``socks5://HOST:PORT``; or ``none``, or ``env``."""
    user: str | None = None
    """Its login, where it does not stand in ``url``."""
    password: Secret | None = None
    """``${VARIABLE}``, ``{env: NAME}`` or ``{vault: NAME}``."""

    @field_validator("url")
    @classmethod
    def _readable(cls, url: str) -> str:
        if url not in _WORDS:
            read_outbound(url)
        return url

    @field_validator("password")
    @classmethod
    def _of_somebody(cls, password: object, info: ValidationInfo) -> object:
        if password is not None and not info.data.get("user"):
            raise ValueError("needs a 'user'")
        return password


def _long(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


type Proxy = Annotated[ProxySpec, BeforeValidator(_long, json_schema_input_type=str | ProxySpec)]


def choice(spec: ProxySpec | None, path: KeyPath, document: Document, sources: Sources) -> Choice | None:
    """What a place of the file says; what is wrong with it is reported."""
    if spec is None:
        return None
    if spec.url in _WORDS:
        return "none" if spec.url == "none" else "env"
    found = read_outbound(spec.url)
    if spec.user is None:
        return found
    password, missing = secret_of(spec.password, sources)
    if missing is not None and (sources.secrets is not None or spec.password is None or spec.password.vault is None):
        document.report(path, f"the proxy's password: {missing}")
    return Outbound(found.scheme, found.host, found.port, spec.user, password or "")


def check_loops(snapshot: Snapshot, document: Document) -> None:
    """Report proxies that are our own listeners."""
    for one in snapshot.outbounds():
        if _is_own(one, snapshot.listen):
            document.report((), f"proxy {one} is a listener of OmniRoute itself: calls would go round in a circle")


def unread(snapshot: Snapshot) -> Iterable[Problem]:
    """Variables that are likely mistakes."""
    for name in snapshot.ways.environment.unread:
        yield Problem("environment", None, name, "is not followed: it is no address of an HTTP or SOCKS5 proxy")


def of_environment(env: Mapping[str, str], listen: Listen) -> Environment:
    """The proxies that the variables name."""
    own: list[str] = []
    unread: list[str] = []

    def first(*names: str) -> Outbound | None:
        for name in names:
            if not env.get(name):
                continue
            try:
                found = read_outbound(env[name])
            except ValueError:
                unread.append(name)
                continue
            if not (_is_own(found, listen) or _is_of_omniroute_env(found, env)):
                return found
            own.append(name)
        return None

    general = first("ALL_PROXY", "all_proxy")
    return Environment(
        first("HTTPS_PROXY", "https_proxy") or general,
        first("HTTP_PROXY", "http_proxy") or general,
        tuple(environment.no_proxy_entries(env)),
        own[-1] if own else None,
        tuple(unread),
    )


def _is_own(one: Outbound, listen: Listen) -> bool:
    ports = [place.port for place in (listen.proxy, listen.gateway, listen.web) if place is not None and place.port]
    return one.scheme != "socks5" and one.port in ports and _is_here(one.host)


def _is_here(host: str) -> bool:
    """Whether an address is one of this machine's: only such a one can be bound."""
    if is_loopback(host):
        return True
    with suppress(OSError, UnicodeError):
        for family, kind, _, _, place in socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM):
            with suppress(OSError), socket.socket(family, kind) as probe:
                probe.bind(place)
                return True
    return False


def _is_of_omniroute_env(one: Outbound, env: Mapping[str, str]) -> bool:
    """Whether ``omniroute env`` has set it, perhaps for a proxy on other ports: it sets a path into our data dir, too."""
    trust: Iterable[str] = (env.get(name, "") for name in environment.ADDED_TRUST)
    return is_loopback(one.host) and any(path.startswith(f"{data_dir(env)}/") for path in trust)
