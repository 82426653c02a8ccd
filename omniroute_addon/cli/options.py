"""Options that several commands share, and the configuration behind ``--config``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from omniroute_addon.config import Snapshot

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="The config file; default: omniroute.yaml in the data dir.")
]
JSONOption = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def snapshot_of(config: Path | None) -> "Snapshot":
    """The configuration with the keys of the vault. Raises ConfigError."""
    from omniroute_addon.accounts.vault import from_vault
    from omniroute_addon.config import load

    return load(config, secrets=from_vault)
