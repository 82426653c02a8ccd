"""The first rule file, written only where there is none, and only when it could be used."""

from collections.abc import Mapping
from pathlib import Path

from omniroute_addon.config import Snapshot, parse
from omniroute_addon.config.paths import CONFIG_NAME
from omniroute_addon.config.secret import Secrets
from omniroute_addon.home import create_private, data_dir


def place(env: Mapping[str, str]) -> Path:
    """Where rules are looked for when nobody names a file."""
    return data_dir(env) / CONFIG_NAME


def write(path: Path, content: str, env: Mapping[str, str], secrets: Secrets | None) -> Snapshot:
    """Check as ``omniroute check`` does, then write. Raises ConfigError, FileExistsError and other OSErrors."""
    snapshot = parse(content, path, env=env, secrets=secrets)
    create_private(path, content.encode())
    return snapshot
