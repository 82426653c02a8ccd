"""Every request that was recorded, from its own format into each other one, measured.

A request is *equal* in the target when the target's official SDK would send it (``request_types``), its provider would
take it (``request_rules``), and everything it says has arrived or is listed as a loss (``request_compare``).
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.matrix.request_compare import Comparison
from tests.matrix.request_readers import read
from tests.matrix.request_rules import broken_rules
from tests.matrix.request_types import problems
from translators import FormatError, Profile, Unsupported, WireRequest, bridge

SHARED = Path(__file__).resolve().parents[3] / "shared"
TARGETS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli", "antigravity")
_RECORDINGS = {
    "open-anthropic": "anthropic-messages",
    "open-openai-chat": "openai-chat",
    "open-openai-responses": "openai-responses",
    "open-gemini": "gemini",
}
_ENDINGS = {
    "/v1/messages": "anthropic-messages",
    "/chat/completions": "openai-chat",
    "/responses": "openai-responses",
}

PROFILES = {"openai-chat": Profile(reasoning_field="none")}
"""What the makers of the SDKs tolerate themselves; ``reasoning_content`` is a word of others' dialects of chat."""

EXPLAINED = {
    "the first turn is not the user's": (
        "the client begins with a turn of the assistant, which Anthropic takes; a question before it would be invented"
    ),
}
"""Why a difference stands."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a client."""

    id: str
    format: str
    wire: WireRequest


@dataclass(slots=True)
class Cell:
    """One pair of formats; ``remaining`` names what is not equal, and why."""

    source_format: str
    target_format: str
    total: int = 0
    equal: int = 0
    remaining: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def share(self) -> float:
        return self.equal / self.total if self.total else 1.0


def recorded() -> Iterator[Asked]:
    for stem, name in _RECORDINGS.items():
        for row in _rows(SHARED / "recordings" / f"{stem}.jsonl"):
            yield Asked(row["id"], name, wire_of(row["uri"], row["request"], streams=row["stream"] is True))
    for file in sorted((SHARED / "client-requests").glob("*.jsonl")):
        for number, row in enumerate(_rows(file)):
            name = _spoken(row["path"].partition("?")[0])
            if name is not None and isinstance(row["body"], dict) and "_dropped" not in row["body"]:
                yield Asked(f"{file.stem}-{number}", name, wire_of(row["path"], row["body"]))


def wire_of(address: str, body: dict[str, Any], *, streams: bool = False) -> WireRequest:
    uri = urlsplit(address)
    query = uri.query or ("alt=sse" if streams and "streamGenerate" in uri.path else "")
    return WireRequest(path=uri.path, query=query, body=json.dumps(body).encode())


def _spoken(path: str) -> str | None:
    """The format of a captured call; None for what is no model call (telemetry, token counts)."""
    if path.endswith("enerateContent"):
        return "gemini-cli" if "v1internal" in path else "gemini"
    return next((name for ending, name in _ENDINGS.items() if path.endswith(ending)), None)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    if file.exists():
        with file.open() as lines:
            yield from map(json.loads, lines)


def requests() -> list[Cell]:
    """All pairs for which there is anything recorded; measured once per process."""
    return list(_measured())


def verdict(asked: Asked, target: str) -> list[str]:
    """Everything that is wrong with the translation; empty when it is equal."""
    body = json.loads(asked.wire.body)
    source = read(asked.format, body, asked.wire.path)
    joined = bridge(asked.format, target, profile=PROFILES.get(target))
    try:
        sent = joined.request(asked.wire)
    except Unsupported as error:
        return [] if source.state else [f"refused: {error}"]
    except FormatError as error:
        return [f"not understood: {error}"]
    made = json.loads(sent.body)
    wrong = problems(target, made, sent.headers) or broken_rules(target, made)
    return wrong or Comparison(source, read(target, made, sent.path), joined.losses).problems()


def _explained(wrong: str) -> str:
    reason = EXPLAINED.get(wrong)
    return f"{wrong} ({reason})" if reason else wrong


@functools.cache
def _measured() -> tuple[Cell, ...]:
    cells = {(source, target): Cell(source, target) for source in TARGETS for target in TARGETS if source != target}
    for asked in recorded():
        for target in TARGETS:
            if target == asked.format:
                continue
            cell = cells[asked.format, target]
            cell.total += 1
            wrong = verdict(asked, target)
            if wrong:
                cell.remaining.append((asked.id, "; ".join(map(_explained, wrong))))
            else:
                cell.equal += 1
    return tuple(cell for cell in cells.values() if cell.total)
