"""The data dir: where configuration, the local CA and the record of the running proxy live.

``$OMNIROUTE_HOME``, else ``$XDG_CONFIG_HOME/omniroute``, else ``~/.omniroute``. Directories are made 0700, files with
secrets 0600; :func:`write_private` is the one way such a file is written, whole or not at all (:func:`create_private`: only
where there is none).
"""

import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path


def data_dir(env: Mapping[str, str] | None = None) -> Path:
    """The data dir that ``env`` (default: this process's environment) names; it need not exist."""
    env = os.environ if env is None else env
    if home := env.get("OMNIROUTE_HOME"):
        return Path(home).expanduser()
    if xdg := env.get("XDG_CONFIG_HOME"):
        return Path(xdg).expanduser() / "omniroute"
    return Path(env.get("HOME") or Path.home()) / ".omniroute"


def private_dir(path: Path) -> Path:
    """``path`` as a directory that only its owner can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)
    return path


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace ``path`` in one step, so that a reader sees the old content or the new one."""
    private_dir(path.parent)
    replace_file(path, content, mode)


def create_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Make ``path``, whole or not at all. Raises FileExistsError when it is there; then it stays as it is."""
    private_dir(path.parent)
    with _beside(path, content, mode) as whole:
        path.hardlink_to(whole)  # unlike a rename, it never replaces anything


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """As ``write_private``, in a directory that is not ours."""
    with _beside(path, content, mode) as whole:
        whole.replace(path)


@contextmanager
def _beside(path: Path, content: bytes, mode: int) -> Generator[Path]:
    """A file with the content in the directory of ``path``, for a moment."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        temporary.chmod(mode)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
