"""Spares the start what a proxy without mitmweb never uses.

``mitmproxy.addons`` imports all of mitmproxy's forty addons, and with them Flask, ldap3 and a parser of filters: a
third of a second for the five that a headless proxy is made of.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType

_PACKAGE = "mitmproxy.addons"
_LIST = "default_addons"


def addons_one_by_one() -> None:
    """From now on an addon of mitmproxy's is imported when somebody imports it, and all of them by ``default_addons``.

    Does nothing when they are imported already.
    """
    if _PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.loader is None:
        return
    package = importlib.util.module_from_spec(spec)
    package.__dict__["__getattr__"] = _completes(package)
    sys.modules[_PACKAGE] = package
    parent = importlib.import_module(_PACKAGE.rpartition(".")[0])
    setattr(parent, _PACKAGE.rpartition(".")[2], package)


def _completes(package: ModuleType) -> Callable[[str], object]:
    def missing(name: str) -> object:
        if name != _LIST:
            raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")
        del package.__dict__["__getattr__"]
        spec = package.__spec__
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(package)
        return package.__dict__[name]

    return missing
