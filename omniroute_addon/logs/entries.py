"""One line of a log as a value, and what somebody looks for. Pure."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from translators.hub import JSON

type Tab = Literal["request", "proxy", "audit", "console"]
type Level = Literal["debug", "info", "warning", "error"]

TABS: tuple[Tab, ...] = get_args(Tab.__value__)
"""``request``: calls of tools; ``proxy``: attempts at targets; ``audit``: who changed what; ``console``: what is said."""
LEVELS: tuple[Level, ...] = get_args(Level.__value__)


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    at: float
    """Unix seconds."""
    tab: Tab
    level: Level
    source: str
    """Who speaks: a client, a target, a part of the program."""
    text: str
    facts: Mapping[str, JSON] = field(default_factory=dict[str, JSON])

    def plain(self) -> dict[str, JSON]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Query:
    tab: Tab = "console"
    level: Level = "debug"
    """This and worse."""
    search: str = ""
    """Words that must all occur somewhere, whatever their case."""
    since: float = 0.0
    limit: int = 200
    """The latest ones."""

    def wants(self, entry: Entry) -> bool:
        if entry.at < self.since or LEVELS.index(entry.level) < LEVELS.index(self.level):
            return False
        words = self.search.lower().split()
        if not words:
            return True
        said = " ".join((entry.source, entry.text, entry.id, *map(str, entry.facts.values()))).lower()
        return all(word in said for word in words)


def level_of(number: int) -> Level:
    """Of a logging level."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
