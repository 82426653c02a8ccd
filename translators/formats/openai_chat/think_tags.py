"""Splits ``<think>…</think>`` off the very start of an answer's text, whatever the cuts between the pieces.

Only a tag that is the first thing said counts: later ones are text that the model wrote about tags. White space around
the reasoning belongs to the tags, not to the answer.
"""

from dataclasses import dataclass
from enum import Enum

_OPEN, _CLOSE = "<think>", "</think>"


class _State(Enum):
    UNDECIDED = 0
    THINKING = 1
    AFTER = 2
    TEXT = 3


@dataclass(frozen=True, slots=True)
class Said:
    thinking: bool
    text: str


class ThinkTags:
    def __init__(self) -> None:
        self._state = _State.UNDECIDED
        self._held = ""
        self._begun = False
        """Reasoning has been let through, so white space is part of it."""

    def feed(self, piece: str) -> list[Said]:
        if self._state is _State.TEXT:
            return [Said(False, piece)]
        self._held += piece
        said: list[Said] = []
        if self._state is _State.UNDECIDED:
            start = self._held.lstrip()
            if start.startswith(_OPEN):
                self._state, self._held = _State.THINKING, start[len(_OPEN) :]
            elif not _OPEN.startswith(start):
                self._state = _State.TEXT
                return self._release(thinking=False)
        if self._state is _State.THINKING:
            said += self._think()
        if self._state is _State.AFTER and (rest := self._held.lstrip()):
            self._state, self._held = _State.TEXT, ""
            said.append(Said(False, rest))
        return said

    def close(self) -> list[Said]:
        """What was held back. A tag that never closed leaves everything as reasoning."""
        thinking = self._state is _State.THINKING
        if self._state is _State.AFTER:
            self._held = ""
        self._state = _State.TEXT
        return self._release(thinking=thinking)

    def _think(self) -> list[Said]:
        if not self._begun:
            self._held = self._held.lstrip()
        before, tag, after = self._held.partition(_CLOSE)
        if tag:
            self._state, self._held = _State.AFTER, after
            return [Said(True, before.rstrip())] if before.strip() else []
        spoken = self._held.rstrip()
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if spoken.endswith(_CLOSE[:n])), 0)
        spoken = spoken[: len(spoken) - keep].rstrip()
        self._held = self._held[len(spoken) :]
        self._begun = self._begun or bool(spoken)
        return [Said(True, spoken)] if spoken else []

    def _release(self, *, thinking: bool) -> list[Said]:
        held, self._held = self._held, ""
        return [Said(thinking, held)] if held else []
