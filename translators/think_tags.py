"""Splits reasoning off the start of an answer's text, for models that write it there between tags.

``ThinkTags`` cuts text, whatever the cuts between its pieces; ``TagSplitter`` does so for hub events. Only a tag that is the
first thing said counts: later ones are text that the model wrote about tags, and an answer whose reasoning came as such
holds none. White space around the reasoning belongs to the tags, not to the answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from translators import hub

_WORDS = ("think", "thinking", "thought", "antThinking", "internal_thought")
_OPENINGS = tuple(f"<{word}>" for word in _WORDS)


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
        self._closing = ""
        self._held = ""
        self._blank: list[str] = []
        """White space behind what is held: what it means is told by what follows it."""
        self._begun = False
        """Reasoning has been let through, so white space is part of it."""

    def feed(self, piece: str) -> list[Said]:
        if self._state is _State.TEXT:
            return [Said(False, piece)]
        if not piece.strip():
            self._blank.append(piece)
            return []
        self._held = "".join((self._held, *self._blank, piece))
        self._blank.clear()
        said: list[Said] = []
        if self._state is _State.UNDECIDED:
            start = self._held.lstrip()
            opening = next((tag for tag in _OPENINGS if start.startswith(tag)), None)
            if opening is not None:
                self._state, self._held = _State.THINKING, start[len(opening) :]
                self._closing = f"</{opening[1:]}"
            elif not any(tag.startswith(start) for tag in _OPENINGS):
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
        self._held = "".join((self._held, *self._blank))
        self._blank.clear()
        if self._state is _State.AFTER:
            self._held = ""
        self._state = _State.TEXT
        return self._release(thinking=thinking)

    def _think(self) -> list[Said]:
        if not self._begun:
            self._held = self._held.lstrip()
        before, tag, after = self._held.partition(self._closing)
        if tag:
            self._state, self._held = _State.AFTER, after
            return [Said(True, before.rstrip())] if before.strip() else []
        spoken = self._held.rstrip()
        keep = next((n for n in range(len(self._closing) - 1, 0, -1) if spoken.endswith(self._closing[:n])), 0)
        spoken = spoken[: len(spoken) - keep].rstrip()
        self._held = self._held[len(spoken) :]
        self._begun = self._begun or bool(spoken)
        return [Said(True, spoken)] if spoken else []

    def _release(self, *, thinking: bool) -> list[Said]:
        held, self._held = self._held, ""
        return [Said(thinking, held)] if held else []


class TagSplitter:
    """One object per answer. Parts get new indexes, since one part may become two."""

    def __init__(self) -> None:
        self._tags: ThinkTags | None = None
        self._watched: int | None = None
        """The part that opens the answer, while it is not ended."""
        self._text = hub.Text("")
        """How that part began."""
        self._open: tuple[int, bool] | None = None
        """What it is now: an index of ours, and whether reasoning."""
        self._waiting: list[hub.Delta] = []
        """What is known of its text before there is any."""
        self._seen = False
        """A part has begun, so that a later one does not open the answer."""
        self._indexes: dict[int, int] = {}
        self._next = 0

    def split(self, events: Iterable[hub.Event]) -> list[hub.Event]:
        return [made for event in events for made in self._take(event)]

    def _take(self, event: hub.Event) -> list[hub.Event]:
        match event:
            case hub.PartStarted(index, hub.Text() as text) if not self._seen:
                self._seen, self._watched, self._tags = True, index, ThinkTags()
                self._text = replace(text, text="")
                return self._say(self._tags.feed(text.text)) if text.text else []
            case hub.PartStarted(index, part):
                self._seen = True
                self._indexes[index] = self._new()
                return [hub.PartStarted(self._indexes[index], part)]
            case hub.PartDelta(index, delta) if index == self._watched:
                return self._delta(delta)
            case hub.PartDelta(index, delta):
                return [hub.PartDelta(self._indexes[index], delta)]
            case hub.PartEnded(index) if index == self._watched:
                return self._end()
            case hub.PartEnded(index):
                return [hub.PartEnded(self._indexes[index])]
            case hub.Finished() | hub.Failed():
                return [*self._end(), event]
            case _:
                return [event]

    def _new(self) -> int:
        self._next += 1
        return self._next - 1

    def _delta(self, delta: hub.Delta) -> list[hub.Event]:
        if isinstance(delta, hub.TextDelta) and self._tags is not None:
            return self._say(self._tags.feed(delta.text))
        if self._open is not None and not self._open[1]:
            return [hub.PartDelta(self._open[0], delta)]
        self._waiting.append(delta)
        return []

    def _say(self, pieces: Iterable[Said]) -> list[hub.Event]:
        events: list[hub.Event] = []
        for piece in pieces:
            events += self._become(thinking=piece.thinking)
            if self._open is not None:
                events.append(hub.PartDelta(self._open[0], hub.TextDelta(piece.text)))
        return events

    def _become(self, *, thinking: bool) -> list[hub.Event]:
        if self._open is not None and self._open[1] == thinking:
            return []
        events: list[hub.Event] = [hub.PartEnded(self._open[0])] if self._open is not None else []
        index = self._new()
        self._open = (index, thinking)
        events.append(hub.PartStarted(index, hub.Thinking() if thinking else self._text))
        if not thinking:
            events += [hub.PartDelta(index, delta) for delta in self._waiting]
            self._waiting.clear()
        return events

    def _end(self) -> list[hub.Event]:
        if self._watched is None:
            return []
        self._watched = None
        events = self._say(self._tags.close() if self._tags is not None else [])
        if self._waiting or self._open is None:
            events += self._become(thinking=False)
        if self._open is not None:
            events.append(hub.PartEnded(self._open[0]))
        return events
