"""What changed in the rules while the proxy runs: the rule file's lines, before and after, without secrets."""

import time
from collections import deque
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from omniroute_addon.config.masking import masked
from omniroute_addon.config.models import Snapshot

KEPT = 10
LINES = 400
"""Of one change; more are cut off."""


@dataclass(frozen=True, slots=True)
class Reload:
    at: float
    lines: tuple[str, ...]
    """As ``diff -u`` has them, without the names of files."""


class Changes:
    """One per proxy; belongs to the event loop."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._last = _text(snapshot.source)
        self.latest: deque[Reload] = deque(maxlen=KEPT)

    def renewed(self, snapshot: Snapshot) -> None:
        """New rules hold."""
        text = _text(snapshot.source)
        lines = list(unified_diff(self._last.splitlines(), text.splitlines(), lineterm="", n=2))[2:]
        self._last = text
        self.latest.appendleft(Reload(time.time(), tuple(lines[:LINES])))


def _text(source: Path | None) -> str:
    try:
        return "" if source is None else masked(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
