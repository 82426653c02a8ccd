"""The generated parts of ``docs/translation.md``; ``python -m tests.translators.losses --write`` writes them anew.

The losses of every ordered pair of formats come from one loaded call of each format (``loaded/``), the scores from the
recordings in ``../shared``, without which that part of the page is left as it is.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tests import hub_cases as cases
from tests.matrix.requests import Cell as RequestCell
from tests.matrix.requests import requests
from tests.matrix.score import Cell as AnswerCell
from tests.matrix.score import answers
from tests.wires import wire_of
from translators import FORMATS, WireRequest, bridge, hub, jsonvalue

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "translation.md"
LOADED = Path(__file__).parent / "loaded"
RECORDINGS = ROOT.parent / "shared" / "recordings"
COMMAND = ".venv/bin/python -m tests.translators.losses --write"

_INDEX = re.compile(r"\[\d+\]")
_ENVELOPES = {"gemini-cli": "session_id", "antigravity": "sessionId"}
"""Formats that speak Gemini in an envelope, with their word for the session in it."""
_MODES: Mapping[str, str] = {
    "whole": "whole answers",
    "stream": "streams",
    "folded": "streams for clients that do not stream",
    "unfolded": "whole answers for clients that stream",
}
_REASON = 160
"""Characters of a remaining difference; the matrix has it in full."""

type Lines = dict[tuple[str, str], list[str]]
"""(path pattern, reason) → the formats on the other side."""


def loaded_requests(name: str) -> list[WireRequest]:
    """Requests that together say all that the format can say: some words of it exclude each other."""
    envelope = _ENVELOPES.get(name)
    paths = sorted(LOADED.glob(f"{'gemini' if envelope else name}.request*.json"))
    return [_request(name, path, envelope) for path in paths]


def _request(name: str, path: Path, envelope: str | None) -> WireRequest:
    wire = wire_of(name, replace(cases.PLAIN, stream=True))
    body = path.read_bytes()
    if envelope:
        inner = jsonvalue.read(body, path.name)
        assert isinstance(inner, dict)
        kept: dict[str, hub.JSON] = {"model": "gemini-3-pro", "project": "demo-1", "user_prompt_id": "prompt-1"}
        body = jsonvalue.write({**kept, "request": {**inner, envelope: "session-1"}})
    return replace(wire, body=body)


def loaded_answer(name: str) -> bytes | None:
    path = LOADED / f"{'gemini' if name in _ENVELOPES else name}.answer.json"
    if not path.exists():
        return None
    body = path.read_bytes()
    return b'{"response":' + body + b',"traceId":"trace-1"}' if name in _ENVELOPES else body


def request_losses(client: str, upstream: str) -> list[hub.Loss]:
    losses: list[hub.Loss] = []
    for wire in loaded_requests(client):
        joined = bridge(client, upstream)
        joined.request(wire, "other-model")
        losses += joined.losses
    return losses


def answer_losses(client: str, upstream: str) -> list[hub.Loss]:
    """Of the whole and of the streamed answer to the client."""
    body = loaded_answer(upstream)
    assert body is not None
    losses: list[hub.Loss] = []
    for streams in (False, True):
        joined = bridge(client, upstream)
        joined.request(wire_of(client, replace(cases.PLAIN, stream=streams)), "other-model")
        joined.losses.clear()
        joined.feed(body, "application/json")
        joined.close()
        assert joined.failure is None, joined.failure
        losses += joined.losses
    return losses


def pattern(path: str) -> str:
    return _INDEX.sub("[…]", path)


def _lines(losses: Callable[[str], list[hub.Loss]], others: list[str]) -> Lines:
    found: Lines = defaultdict(list)
    for other in others:
        for loss in losses(other):
            names = found[pattern(loss.path), loss.reason]
            if other not in names:
                names.append(other)
    return dict(sorted(found.items()))


def _table(lines: Lines, others: list[str]) -> list[str]:
    if not lines:
        return ["Nothing is lost.", ""]
    rows = ["| where | to | why |", "|---|---|---|"]
    for (path, reason), names in lines.items():
        whom = "all" if names == others else ", ".join(f"`{name}`" for name in names)
        rows.append(f"| `{path or '(the request)'}` | {whom} | {_cell(reason)} |")
    return [*rows, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def losses_part() -> str:
    names = sorted(FORMATS)
    out = ["### Requests", ""]
    for client in names:
        if loaded_requests(client):
            others = [name for name in names if name != client]
            out += [f"#### A client of `{client}`", ""]
            out += _table(_lines(lambda upstream, c=client: request_losses(c, upstream), others), others)
    out += ["### Answers", ""]
    for upstream in names:
        if loaded_answer(upstream) is not None:
            others = [name for name in names if name != upstream]
            out += [f"#### An upstream of `{upstream}`", ""]
            out += _table(_lines(lambda client, u=upstream: answer_losses(client, u), others), others)
    return "\n".join(out).rstrip() + "\n"


def scores_part() -> str:
    """How the recordings come through, and what does not; slow."""
    cells: list[tuple[str, AnswerCell | RequestCell]] = [("requests", cell) for cell in requests()]
    cells += [(_MODES[cell.mode], cell) for cell in answers()]
    return (
        "\n".join([line for title in ("requests", *_MODES.values()) for line in _scored(title, cells)]).rstrip() + "\n"
    )


def _scored(title: str, cells: list[tuple[str, AnswerCell | RequestCell]]) -> list[str]:
    mine = [cell for kind, cell in cells if kind == title]
    rows = [f"### Recorded {title}", "", "| from | to | equal | of | share |", "|---|---|---:|---:|---:|"]
    for cell in mine:
        other = cell.target_format if isinstance(cell, RequestCell) else cell.client_format
        rows.append(
            f"| `{cell.source_format}` | `{other}` | {cell.equal} | {cell.total} | {_percent(cell.equal, cell.total)} |"
        )
    equal, total = sum(cell.equal for cell in mine), sum(cell.total for cell in mine)
    rows += [f"| all | all | {equal} | {total} | {_percent(equal, total)} |", ""]
    remaining: dict[str, set[str]] = defaultdict(set)
    for cell in mine:
        for name, why in cell.remaining:
            remaining[name].add(_cell(_shortened(why)))
    if remaining:
        rows += [
            "Remaining:",
            "",
            *(f"- `{name}`: {'; '.join(sorted(why))}" for name, why in sorted(remaining.items())),
            "",
        ]
    return rows


def _percent(equal: int, total: int) -> str:
    """Rounded down: 100 % is all."""
    return f"{1000 * equal // total / 10} %" if total else "–"


def _shortened(text: str) -> str:
    return text if len(text) <= _REASON else f"{text[:_REASON]}…"


PARTS: Mapping[str, Callable[[], str]] = {"losses": losses_part, "scores": scores_part}


def part_of(page: str, name: str) -> str:
    """What stands between the marks of a generated part."""
    return page.partition(_start(name))[2].partition(_end(name))[0].strip() + "\n"


def with_part(page: str, name: str, text: str) -> str:
    before, _, rest = page.partition(_start(name))
    after = rest.partition(_end(name))[2]
    return f"{before}{_start(name)}\n{text}\n{_end(name)}{after}"


def _start(name: str) -> str:
    return f"<!-- generated: {name} -->\n"


def _end(name: str) -> str:
    return f"<!-- end of {name} -->\n"


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.translators.losses", description=__doc__)
    options.add_argument("--write", action="store_true", help="write the page instead of comparing it")
    chosen = options.parse_args()
    page = new = PAGE.read_text()
    for name, make in PARTS.items():
        if name != "scores" or RECORDINGS.exists():
            new = with_part(new, name, make())
    if chosen.write:
        PAGE.write_text(new)
    return 0 if chosen.write or new == page else 1


if __name__ == "__main__":
    sys.exit(main())
