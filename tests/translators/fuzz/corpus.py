"""What the fuzz damages: real calls by format, from ``../shared/recordings`` or else from ``tests/golden``."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from tests import hub_cases as cases
from tests.wires import stream_of, wire_of
from translators import FORMATS, WireRequest, hub
from translators.fold import unfold

ROOT = Path(__file__).resolve().parents[3]
RECORDINGS = ROOT.parent / "shared" / "recordings"
GOLDEN = ROOT / "tests" / "golden"
SIZE = 12_000
"""Larger bodies are left out: damage in them is found as well in small ones, and slower."""


@dataclass(slots=True)
class Seeds:
    """Of one format."""

    requests: list[WireRequest] = field(default_factory=list[WireRequest])
    streams: list[bytes] = field(default_factory=list[bytes])
    answers: list[bytes] = field(default_factory=list[bytes])
    errors: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])


@cache
def seeds() -> dict[str, Seeds]:
    """Every format has seeds of every kind: made ones, and those captured where there are any."""
    found = {name: _made(name) for name in FORMATS}
    for name, call in _captured():
        if name not in found:
            continue
        kept = found[name]
        if call.request is not None and len(call.request.body) <= SIZE:
            kept.requests.append(call.request)
        if len(call.answer) > SIZE:
            continue
        if call.status >= 400:
            kept.errors.append((call.status, call.answer))
        elif call.streams:
            kept.streams.append(call.answer)
        elif call.answer:
            kept.answers.append(call.answer)
    return found


def _made(name: str) -> Seeds:
    answers = cases.ANSWERS.values()
    refused = [FORMATS[name].render_error(failure) for failure in cases.FAILURES.values()]
    return Seeds(
        [wire_of(name, request) for request in cases.REQUESTS.values()],
        [stream_of(FORMATS[name], unfold(answer), cases.TOOLS) for answer in answers],
        [FORMATS[name].render_response(answer, cases.PLAIN, []) for answer in answers],
        [(answer.status, answer.body) for answer in refused],
    )


@dataclass(frozen=True, slots=True)
class _Call:
    request: WireRequest | None
    answer: bytes
    streams: bool
    status: int = 200


def _captured() -> Iterator[tuple[str, _Call]]:
    recordings = sorted(RECORDINGS.glob("*.jsonl")) if RECORDINGS.exists() else []
    if not recordings:
        yield from _golden()
    for path in recordings:
        for line in path.read_text().splitlines():
            call = json.loads(line)
            url = urlsplit(call["uri"])
            wire = WireRequest("POST", url.path, url.query, {}, json.dumps(call["request"]).encode())
            answer = call["response"] or ""
            text = answer if isinstance(answer, str) else json.dumps(answer)
            yield call["format"], _Call(wire, text.encode(errors="replace"), call["stream"], call["status"])


def _golden() -> Iterator[tuple[str, _Call]]:
    for case in sorted(GOLDEN.glob("*/*/")):
        name = case.parent.name
        made = wire_of(name, cases.PLAIN) if name in FORMATS else WireRequest()
        request, streams = case / "request.json", [*case.glob("stream.*")]
        wire = None
        if request.exists():
            wire = WireRequest("POST", made.path, made.query, {}, request.read_bytes())
        for path in [*streams, *case.glob("response.json")]:
            yield name, _Call(wire, path.read_bytes(), path in streams)
        for path in case.glob("error-*.json"):
            status = int(path.stem.partition("-")[2])
            yield name, _Call(None, path.read_bytes(), streams=False, status=status)


def spoken(name: str) -> hub.Request:
    """What a client of this format has asked before the answers come."""
    return FORMATS[name].parse_request(wire_of(name, cases.TOOLS))
