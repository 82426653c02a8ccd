"""Which calls are ours: host, then path, then method. Pure; one dictionary look-up for every other host."""

from collections.abc import Mapping
from dataclasses import dataclass

from omniroute_addon.config.glob import matches
from omniroute_addon.config.models import Operation, Snapshot, Surface, Surfaces


@dataclass(frozen=True, slots=True)
class Match:
    """A call on a surface."""

    surface: Surface
    operation: Operation
    """``websocket``: an upgrade that the surface refuses with 426."""
    client: str
    """The tool, as its headers tell, else as the surface does."""


def hosts(snapshot: Snapshot) -> frozenset[str]:
    """The hosts whose traffic is opened."""
    return frozenset(snapshot.surfaces.by_host)


def client_of(surfaces: Surfaces, headers: Mapping[str, str], default: str) -> str:
    """The tool that sent these headers; the first client rule wins. ``headers`` finds lower-case names."""
    for rule in surfaces.clients:
        value = headers.get(rule.header)
        if value is not None and matches(rule.match, value):
            return rule.client
    return default


def match(
    surfaces: Surfaces, host: str, method: str, path: str, *, headers: Mapping[str, str] | None = None
) -> Match | None:
    """The surface that a call knocks on; None for calls that are not ours. ``path`` may carry a query."""
    found = surfaces.by_host.get(host.lower().rstrip("."))
    if found is None:
        return None
    headers = {} if headers is None else headers
    bare = path.partition("?")[0]
    method = method.upper()
    upgrade = method == "GET" and "websocket" in (headers.get("upgrade") or "").lower()
    for surface in found:
        for operation, globs in surface.paths.items():
            if not any(matches(glob, bare) for glob in globs):
                continue
            named: Operation | None = _operation(operation, method, refuse=upgrade and surface.websocket == "refuse")
            if named is not None:
                return Match(surface, named, client_of(surfaces, headers, surface.client))
    return None


def _operation(operation: str, method: str, *, refuse: bool) -> Operation | None:
    match operation, method:
        case "generate", "POST":
            return "generate"
        case "generate", "GET" if refuse:
            return "websocket"
        case "count", "POST":
            return "count"
        case "models", "GET":
            return "models"
        case _:
            return None
