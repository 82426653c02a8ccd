"""The seven stages of each attempt, as the request log has written them: the latest folders, their files to download."""

import asyncio
from pathlib import Path

from pydantic import Field

from omniroute_addon.engine.request_log import OURS
from omniroute_addon.engine.stages import NAMES, Name
from omniroute_addon.home import data_dir
from omniroute_addon.logs.writer import directory
from omniroute_addon.web.resource import Answer, Asked, Download, Page, RefusedError, Resource
from omniroute_addon.web.site import Site

_OF = OURS.pattern


class StagesAsked(Asked):
    call: str = Field(
        default="", pattern=r"^[0-9a-z-]{0,64}$", description="Only of this call: its id, or 8 characters"
    )
    limit: int = Field(default=200, ge=1, le=1000, description="The latest ones")


class FileAsked(Asked):
    folder: str = Field(pattern=f"^{_OF}$", max_length=255)
    file: Name


class File(Answer):
    name: str
    size: int


class Folder(Answer):
    """An attempt."""

    name: str
    at: float
    call: str
    """How the id of its call begins."""
    attempt: int
    """0 for a call that was answered without any."""
    files: tuple[File, ...]


class Stages(Answer):
    enabled: bool
    """Whether the rules of now have them written."""
    path: str
    folders: tuple[Folder, ...]
    """Newest first."""


async def stages(site: Site, asked: StagesAsked) -> Stages:
    """The latest folders of the request log."""
    home = directory(data_dir())
    found = await asyncio.to_thread(_folders, home, asked.call[:8], asked.limit)
    return Stages(enabled=site.snapshot.logs.requests.enabled, path=str(home), folders=found)


async def file(site: Site, asked: FileAsked) -> Download:
    """A file of the request log."""
    del site
    path = directory(data_dir()) / asked.folder / asked.file
    try:
        content = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise RefusedError(404, "there is no such file; the oldest ones make room for new ones") from error
    return Download(f"{asked.folder}-{asked.file}", content)


def _folders(home: Path, call: str, limit: int) -> tuple[Folder, ...]:
    if not home.is_dir():
        return ()
    # A name says when its call began, in letters of the same number.
    names = [path.name for path in home.iterdir() if OURS.fullmatch(path.name) and not path.is_symlink()]
    ordered = sorted(names, key=lambda name: name.rpartition("_")[2], reverse=True)
    wanted = [name for name in ordered if not call or _call_of(name) == call]
    return tuple(found for name in wanted[:limit] if (found := _folder(home / name)) is not None)


def _folder(path: Path) -> Folder | None:
    try:
        files = tuple(File(name=name, size=(path / name).stat().st_size) for name in NAMES if (path / name).is_file())
        at = path.stat().st_mtime
    except OSError:
        return None  # it has just made room
    number = int(path.name.rpartition("-")[2])
    return Folder(name=path.name, at=at, call=_call_of(path.name), attempt=number, files=files)


def _call_of(name: str) -> str:
    """``…_20261121-141859-123-1f2e3d4c-1``."""
    return name.rpartition("-")[0].split("-", 3)[-1].rpartition("-")[2]


RESOURCES = (
    Resource("GET", "stages", stages, page=Page("stages", "stages.html", "stages.title", navigation=False)),
    Resource("GET", "stages/{folder}/{file}", file, download="text/plain"),
)
