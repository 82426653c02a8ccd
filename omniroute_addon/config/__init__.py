"""Configuration: YAML in, one frozen :class:`Snapshot` out, or every problem with file, line and key path."""

from omniroute_addon.config.load import load, parse
from omniroute_addon.config.models import (
    Account,
    Address,
    Combo,
    ConfigError,
    Limits,
    Problem,
    Provider,
    Route,
    Snapshot,
    Surface,
    Surfaces,
    Timeouts,
)
from omniroute_addon.config.reload import Reloader

__all__ = [
    "Account",
    "Address",
    "Combo",
    "ConfigError",
    "Limits",
    "Problem",
    "Provider",
    "Reloader",
    "Route",
    "Snapshot",
    "Surface",
    "Surfaces",
    "Timeouts",
    "load",
    "parse",
]
