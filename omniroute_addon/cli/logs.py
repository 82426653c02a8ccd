"""``omniroute logs``: calls, attempts, changes and what the proxy says, with level, search and follow."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.options import ConfigOption, JSONOption
from omniroute_addon.cli.usage import ledger_path
from omniroute_addon.home import data_dir

if TYPE_CHECKING:
    from omniroute_addon.logs.entries import Entry, Level, Query, Tab
    from omniroute_addon.logs.reading import Following

EVERY = 0.5
"""Seconds between two looks when following."""
_STYLES: "dict[Level, str]" = {"debug": "dim", "info": "", "warning": "yellow", "error": "red"}


def logs(
    *,
    tab: Annotated[str, typer.Option("--tab", help="request, proxy (attempts), audit or console.")] = "request",
    level: Annotated[str, typer.Option("--level", help="debug, info, warning or error: this and worse.")] = "debug",
    search: Annotated[str, typer.Option("--search", help="Words that must all occur.")] = "",
    since: Annotated[str | None, typer.Option("--since", help="7d, 12h, today, 2026-11-01, …")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The latest ones.")] = 200,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    config: ConfigOption = None,
    json: JSONOption = False,
) -> None:
    """Show what happened: calls of tools, attempts at targets, changes, and what the proxy says."""
    query = _query(tab, level, search, since, limit)
    from omniroute_addon.ledger.reports import NoLedgerError
    from omniroute_addon.logs.reading import Following

    ledger = ledger_path(config) if tab in ("request", "proxy") else Path()
    following = Following(data_dir(), ledger, query)
    try:
        found = following.first()
        if json and not follow:
            console.as_json([entry.plain() for entry in found])
            return
        _show(found, json=json)
        if follow:
            _follow(following, json=json)
        elif not found:
            console.tell(f"nothing in the {tab} log that fits", "dim")
    except NoLedgerError as error:
        console.fail(str(error))


def _query(tab: str, level: str, search: str, since: str | None, limit: int) -> "Query":
    from omniroute_addon.ledger.reports import instant
    from omniroute_addon.logs.entries import LEVELS, TABS, Query

    known: dict[str, Tab] = {name: name for name in TABS}
    levels: dict[str, Level] = {name: name for name in LEVELS}
    if tab not in known:
        console.fail(f"there is no tab {tab!r}", hint=f"Tabs are {', '.join(TABS)}.", code=2)
    if level not in levels:
        console.fail(f"there is no level {level!r}", hint=f"Levels are {', '.join(LEVELS)}.", code=2)
    try:
        begin = 0.0 if since is None else instant(since, time.time())
    except ValueError as error:
        console.fail(str(error), code=2)
    return Query(known[tab], levels[level], search, begin, limit)


def _follow(following: "Following", *, json: bool) -> None:
    while True:
        time.sleep(EVERY)
        _show(following.poll(), json=json)


def _show(entries: "list[Entry]", *, json: bool) -> None:
    for entry in entries:
        if json:
            console.write(orjson.dumps(entry.plain(), default=str) + b"\n")
            continue
        when = datetime.fromtimestamp(entry.at)  # noqa: DTZ006 -- local
        first, *more = entry.text.splitlines() or [""]
        console.say(f"{when:%d %b %H:%M:%S}  {entry.level:<7}  {entry.source}  {first}", _STYLES[entry.level])
        for line in more:
            console.say(f"    {line}", _STYLES[entry.level])
