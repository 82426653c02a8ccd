"""``omniroute translate``: one request, answer or stream, as the other format says it, and what it cannot say."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.options import JSONOption

if TYPE_CHECKING:
    from translators import WireRequest, hub

STDIN = Path("-")

type _Translated = "tuple[bytes, Mapping[str, object], list[hub.Loss]]"
"""What to show, the same as facts for ``--json``, and what was lost."""


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
        shown, facts, losses = _answer(source, target, body, request, stream=stream)
    else:
        shown, facts, losses = _request(source, target, body, model)
    if json:
        console.as_json({**facts, "losses": [asdict(loss) for loss in losses]})
        return
    console.write(shown if shown.endswith(b"\n") else shown + b"\n")
    if losses:
        console.table(("lost", "why"), [(loss.path, loss.reason) for loss in losses], stderr=True)


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if file == STDIN else file.read_bytes()


def _request(source: str, target: str, body: bytes, model: str | None) -> "_Translated":
    from translators import WireRequest, bridge

    between = bridge(client=source, upstream=target)
    wire = between.request(WireRequest(path=_path(source, model), body=body), model)
    shown = wire.body
    if sys.stdout.isatty():
        shown = orjson.dumps(orjson.loads(wire.body), option=orjson.OPT_INDENT_2)
    facts = {"path": wire.path, "query": wire.query, "headers": dict(wire.headers), "body": _parsed(wire.body)}
    return shown, facts, between.losses


def _path(name: str, model: str | None, *, stream: bool = False) -> str:
    """Where such a request is sent; Gemini keeps the model there, which a file of its body does not tell."""
    from translators import FORMATS

    base = FORMATS[name].base_path
    verb = "streamGenerateContent" if stream else "generateContent"
    match name:
        case "gemini":
            return f"{base}/{model or 'model'}:{verb}"
        case "gemini-cli" | "antigravity":
            return f"{base}:{verb}"
        case _:
            return base


def _answer(source: str, target: str, body: bytes, asked: Path | None, *, stream: bool) -> "_Translated":
    """As the proxy does it: the answer of a provider of ``source`` for a client of ``target``."""
    from translators import WireRequest, bridge

    between = bridge(client=target, upstream=source)
    query = "alt=sse" if stream else ""  # as Google's clients ask for a stream
    path = _path(target, None, stream=stream)
    between.request(
        _nothing(target, stream=stream) if asked is None else WireRequest(path=path, query=query, body=_read(asked))
    )
    asking = len(between.losses)
    shown = between.feed(body, "text/event-stream" if stream else "application/json") + between.close()
    if between.failure is not None:
        console.tell(f"the answer is an error, {between.failure.kind}: {between.failure.message}")
    facts = {"stream": shown.decode(errors="replace")} if between.streaming else {"body": _parsed(shown)}
    return shown, facts, between.losses[asking:]


def _nothing(target: str, *, stream: bool) -> "WireRequest":
    """The request behind an answer that stands alone in a file."""
    from translators import FORMATS, Profile, hub

    asked = hub.Request("model", (hub.Message("user", (hub.Text("-"),)),), stream=stream)
    return FORMATS[target].render_request(asked, Profile(), [])


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")
