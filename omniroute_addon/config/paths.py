"""Where configuration is found: the user's file in the data dir, and the YAML that ships with the product."""

from collections.abc import Mapping
from pathlib import Path

from omniroute_addon.home import data_dir

_PACKAGE = Path(__file__).resolve().parent.parent

CONFIG_NAME = "omniroute.yaml"


def data_file(name: str) -> Path:
    """A shipped YAML file: ``config/`` of a checkout, ``omniroute_addon/data/`` of an installed wheel."""
    checkout = _PACKAGE.parent / "config" / name
    return checkout if checkout.is_file() else _PACKAGE / "data" / name


def default_config(env: Mapping[str, str] | None = None) -> Path | None:
    """The user's file in the data dir, if there is one."""
    path = data_dir(env) / CONFIG_NAME
    return path if path.is_file() else None
