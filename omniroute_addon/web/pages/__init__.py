"""The pages, one module each; the order of ``MODULES`` is that of the navigation.

A module has ``RESOURCES``, and ``SOCKETS`` (path after ``/omniroute/`` → handler) if it has any.
"""

from types import ModuleType

from omniroute_addon.web.handlers import Socket
from omniroute_addon.web.pages import (
    call,
    elsewhere,
    evals,
    health,
    live,
    logs,
    quotas,
    replay,
    rules,
    stages,
    start,
    translator,
    usage,
)
from omniroute_addon.web.resource import Resource

MODULES: tuple[ModuleType, ...] = (
    start,
    live,
    call,
    replay,
    usage,
    elsewhere,
    quotas,
    health,
    rules,
    translator,
    logs,
    stages,
    evals,
)


def resources() -> tuple[Resource, ...]:
    return tuple(one for module in MODULES for one in module.RESOURCES)


def sockets() -> tuple[tuple[str, type[Socket]], ...]:
    return tuple(one for module in MODULES for one in getattr(module, "SOCKETS", {}).items())
