"""``python -m tests.pages``: every page of ours, with real traffic, as its visitors see it; exit code 1 for any fault."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.clients.conftest import BINARIES, install
from tests.pages.figures import compare
from tests.pages.stops import stops
from tests.pages.traffic import busy
from tests.pages.walk import LOOKS, Look, chromium, walk

DOCS = Look("docs", width=1200, height=760)
OTHERS = {"health": "dark", "quotas": "arabic", "usage": "phone"}
"""Pages that the docs also show in another look."""
IN_DOCS = 120 * 1024
"""Bytes of a picture in the docs."""
_out = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
_progress = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def pages(
    *,
    calls: Annotated[int, typer.Option(min=100, help="In the ledger.")] = 10_000,
    clients: Annotated[bool, typer.Option(help="With the five tools.")] = True,
    only: Annotated[str, typer.Option(help="Pages whose name has this.")] = "",
    looks: Annotated[str, typer.Option(help="Looks whose name has this.")] = "",
    shots: Annotated[Path | None, typer.Option(help="A folder for pictures of all pages in all looks.")] = None,
    write: Annotated[Path | None, typer.Option(help="The docs, for a picture of each page.")] = None,
) -> None:
    """Walk over every page: light, dark, phone, Arabic; compare what they say with the ledger."""
    if clients and (problem := install()):
        _out.print(f"✗ the tools cannot be had: {problem}", style="red", markup=False)
        raise typer.Exit(1)
    if shots is not None:
        shots.mkdir(parents=True, exist_ok=True)
    with (
        _progress.status("starting") as status,
        tempfile.TemporaryDirectory() as directory,
        busy(Path(directory), calls, BINARIES if clients else None, status.update) as found,
        chromium() as browser,
    ):
        places = [stop for stop in stops(found) if only in stop.name]
        chosen = [look for look in LOOKS if looks in look.name]
        seen = walk(browser, found, places, chosen, status.update, shots=shots)
        figures = compare(found)
        faults = [*found.problems, *seen.faults, *(str(one) for one in figures if not one.right)]
        if write is not None:
            folder = write / "pages"
            folder.mkdir(exist_ok=True)
            shown = [stop for stop in places if stop.in_docs]
            walk(browser, found, shown, (DOCS,), status.update, shots=folder, whole=False)
            for taken in folder.glob("*-docs.png"):
                taken.rename(folder / f"{taken.stem.removesuffix('-docs')}.png")
            for look in LOOKS:
                also = [stop for stop in shown if OTHERS.get(stop.name) == look.name]
                walk(browser, found, also, (look,), status.update, shots=folder, whole=False)
            large = [one for one in folder.iterdir() if one.stat().st_size > IN_DOCS]
            faults += [f"{one}: {one.stat().st_size:,} bytes" for one in large]
    _out.print(f"{len(places)} pages in {len(chosen)} looks, {seen.visits} visits, {calls:,} seeded calls")
    for one in figures:
        _out.print(f"  {one}", markup=False)
    for fault in faults:
        _out.print(f"✗ {fault}", style="red", markup=False)
    _out.print("✓ passed" if not faults else f"✗ {len(faults)} faults")
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    app()
