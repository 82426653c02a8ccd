"""The logs: calls, attempts, changes and what the proxy says, by level and words; the script looks again and again."""

import asyncio
from typing import Literal

from pydantic import Field, JsonValue

from omniroute_addon.home import data_dir
from omniroute_addon.ledger.reports import NoLedgerError
from omniroute_addon.logs import reading
from omniroute_addon.logs.entries import LEVELS, TABS, Entry, Query
from omniroute_addon.web.resource import Answer, Asked, Page, Resource
from omniroute_addon.web.site import Site

SHOWN = 200


class LogsAsked(Asked):
    tab: Literal["request", "proxy", "audit", "console"] = "request"
    level: Literal["debug", "info", "warning", "error"] = Field(default="debug", description="This and worse")
    search: str = Field(default="", max_length=500, description="Words that must all occur")
    since: float = Field(default=0, ge=0, le=1e11, description="Unix seconds")
    limit: int = Field(default=SHOWN, ge=1, le=2000, description="The latest ones")


class Line(Answer):
    id: str
    at: float
    level: Literal["debug", "info", "warning", "error"]
    source: str
    """A client, a target, a part of the program, or who changed something."""
    text: str
    call: str | None
    """The call that it belongs to."""
    facts: dict[str, JsonValue]


class Logs(Answer):
    lines: tuple[Line, ...]
    """Newest first."""
    recorded: bool
    """Whether calls and attempts are: that is the ledger's doing."""


async def logs(site: Site, asked: LogsAsked) -> Logs:
    """The latest lines of a log."""
    query = Query(asked.tab, asked.level, asked.search, asked.since, asked.limit)
    try:
        found = await asyncio.to_thread(reading.read, data_dir(), site.ledger_path, query)
    except NoLedgerError:
        return Logs(lines=(), recorded=False)
    recorded = bool(found) or asked.tab in ("audit", "console") or site.snapshot.governance.ledger.enabled
    return Logs(lines=tuple(_line(entry) for entry in reversed(found)), recorded=recorded)


def _line(entry: Entry) -> Line:
    call = entry.id if entry.tab == "request" else entry.facts.get("exchange")
    return Line(
        id=entry.id,
        at=entry.at,
        level=entry.level,
        source=entry.source,
        text=entry.text,
        call=call if isinstance(call, str) else None,
        facts=dict(entry.facts),
    )


RESOURCES = (
    Resource(
        "GET", "logs", logs, page=Page("logs", "logs.html", "logs.title", values={"tabs": TABS, "levels": LEVELS})
    ),
)
