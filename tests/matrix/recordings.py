"""The recorded answers of real providers, from ``../shared/recordings`` next to the repository."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.matrix.wire import ENVELOPED

FOLDER = Path(__file__).parents[3] / "shared" / "recordings"
_FORMATS = {
    "anthropic": "anthropic-messages",
    "gemini": "gemini",
    "openai-chat": "openai-chat",
    "openai-responses": "openai-responses",
}


@dataclass(frozen=True, slots=True)
class Recording:
    id: str
    format: str
    stream: bool
    status: int
    content_type: str
    body: str


@cache
def recordings() -> tuple[Recording, ...]:
    """Those of formats that we translate; Gemini's again in the envelope of Gemini CLI's and of Antigravity's server."""
    return tuple(_read())


def _read() -> Iterator[Recording]:
    for path in sorted(FOLDER.glob("*.jsonl")):
        with path.open() as lines:
            for line in lines:
                raw = json.loads(line)
                if (name := _FORMATS.get(raw["format"])) is None:
                    continue
                found = Recording(
                    raw["id"], name, raw["stream"], raw["status"], raw["content_type"] or "", raw["response"]
                )
                yield found
                if name == "gemini":
                    yield from (_enveloped(found, name) for name in ENVELOPED)


def _enveloped(recording: Recording, format_name: str) -> Recording:
    if recording.status != 200:
        body = recording.body
    elif not recording.stream:
        body = json.dumps({"response": json.loads(recording.body)})
    else:
        lines = recording.body.splitlines()
        body = "\n".join(
            f'data: {{"response": {line.removeprefix("data:").strip()}}}' if line.startswith("data:") else line
            for line in lines
        )
    return replace(recording, format=format_name, body=f"{body}\n" if recording.stream else body)
