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
    from translators import hub

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
    body = _read(file)
    losses: list[hub.Loss] = []
    if stream:
        shown, facts = _stream(source, target, body, losses)
    elif response:
        shown, facts = _response(source, target, body, losses)
    else:
        shown, facts = _request(source, target, body, model, losses)
    if json:
        console.as_json({**facts, "losses": [asdict(loss) for loss in losses]})
        return
    console.write(shown if shown.endswith(b"\n") else shown + b"\n")
    if losses:
        console.table(("lost", "why"), [(loss.path, loss.reason) for loss in losses], stderr=True)


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if file == STDIN else file.read_bytes()


def _request(
    source: str, target: str, body: bytes, model: str | None, losses: "list[hub.Loss]"
) -> tuple[bytes, Mapping[str, object]]:
    from translators import WireRequest, bridge

    between = bridge(client=source, upstream=target)
    wire = between.request(WireRequest(path=_path(source, model), body=body), model)
    losses.extend(between.losses)
    shown = wire.body
    if sys.stdout.isatty():
        shown = orjson.dumps(orjson.loads(wire.body), option=orjson.OPT_INDENT_2)
    return shown, {"path": wire.path, "query": wire.query, "headers": dict(wire.headers), "body": _parsed(wire.body)}


def _path(name: str, model: str | None) -> str:
    """Where such a request is sent; Gemini keeps the model there, which a file of its body does not tell."""
    from translators import FORMATS

    base = FORMATS[name].base_path
    match name:
        case "gemini":
            return f"{base}/{model or 'model'}:generateContent"
        case "gemini-cli":
            return f"{base}:generateContent"
        case _:
            return base


def _response(source: str, target: str, body: bytes, losses: "list[hub.Loss]") -> tuple[bytes, Mapping[str, object]]:
    from translators import FORMATS

    failure = FORMATS[source].parse_error(200, {}, body)
    if failure is not None:
        wire = FORMATS[target].render_error(failure)
        return wire.body, {"status": wire.status, "headers": dict(wire.headers), "body": _parsed(wire.body)}
    answer = FORMATS[target].render_response(FORMATS[source].parse_response(body), _nobody(stream=False), losses)
    return answer, {"status": 200, "body": _parsed(answer)}


def _stream(source: str, target: str, body: bytes, losses: "list[hub.Loss]") -> tuple[bytes, Mapping[str, object]]:
    from translators import FORMATS

    parser = FORMATS[source].stream_parser()
    renderer = FORMATS[target].stream_renderer(_nobody(stream=True), losses)
    events = [*parser.feed(body), *parser.close()]
    shown = b"".join(map(renderer.render, events)) + renderer.close()
    return shown, {"stream": shown.decode(errors="replace")}


def _nobody(*, stream: bool) -> "hub.Request":
    """The request behind an answer that stands alone in a file."""
    from translators import hub

    return hub.Request(model="", messages=(), stream=stream)


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")
