"""``omniroute translate``: one request, answer or stream, as the other format says it, and what it cannot say."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.options import JSONOption

STDIN = Path("-")


def translate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to translate; - reads stdin.")],
    *,
    source: Annotated[str, typer.Option("--from", metavar="FORMAT", help="The format of FILE.")],
    target: Annotated[str, typer.Option("--to", metavar="FORMAT", help="The format to translate to.")],
    response: Annotated[bool, typer.Option("--response", help="FILE is a whole answer.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="FILE is a streamed answer, as it came over the wire.")
    ] = False,
    request: Annotated[
        Path | None,
        typer.Option(
            "--request",
            metavar="FILE",
            help="With --response or --stream: the request that was asked, in the format of --to; brings back its tools' own names.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model to name in the translated request.")] = None,
    json: JSONOption = False,
) -> None:
    """Translate a request (or with --response / --stream an answer) between two wire formats; losses go to stderr."""
    from omniroute_addon.engine import translated
    from translators import FORMATS

    for name in (source, target):
        if name not in FORMATS:
            console.fail(f"unknown format {name!r}", hint=f"Known are {', '.join(FORMATS)}.", code=2)
    if response and stream:
        console.fail("an answer is either whole (--response) or a stream (--stream)", code=2)
    if request is not None and not (response or stream):
        console.fail("--request belongs to an answer (--response or --stream)", code=2)
    body = _read(file)
    if response or stream:
        asked = None if request is None else _read(request)
        found = translated.answer(source, target, body, asked, stream=stream)
        if found.failure is not None:
            console.tell(f"the answer is an error, {found.failure.kind}: {found.failure.message}")
    else:
        found = translated.request(source, target, body, model)
    shown, losses = found.body, found.losses
    if json:
        console.as_json({**found.facts, "losses": [asdict(loss) for loss in losses]})
        return
    if not (response or stream) and sys.stdout.isatty():
        shown = orjson.dumps(orjson.loads(shown), option=orjson.OPT_INDENT_2)
    console.write(shown if shown.endswith(b"\n") else shown + b"\n")
    if losses:
        console.table(("lost", "why"), [(loss.path, loss.reason) for loss in losses], stderr=True)


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if file == STDIN else file.read_bytes()
