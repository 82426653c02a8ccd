"""Calls as they happen: a page of the ledger first, then batches over a websocket.

A row is rendered here, in both cases by ``live_row.html``, in the visitor's language: the page's script only puts rows
where they belong. A line that is shown and does not fit the filter any more is taken away by its id.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import orjson
from pydantic import Field
from tornado.websocket import WebSocketClosedError

from omniroute_addon.ledger import calls
from omniroute_addon.ledger.calls import Line
from omniroute_addon.ledger.record import BYPASSED, REPLAYED
from omniroute_addon.ledger.reports import Books, NoLedgerError
from omniroute_addon.ledger.schema import RUNNING
from omniroute_addon.web.handlers import Socket, query_of
from omniroute_addon.web.languages import language
from omniroute_addon.web.lines import Call, plain
from omniroute_addon.web.rendering import render
from omniroute_addon.web.resource import Answer, Asked, Page, Resource
from omniroute_addon.web.site import Site

PAGE = 60
"""Rows of the first paint."""
MOST = 500
SHOWN = 200
"""Rows that a page keeps while calls come."""
CHUNK = 250
"""Lines that are looked at first while a filter looks for its own; then four times as many, and so on."""
SCANNED = 20_000
"""Lines that one page looks through for a filter; the next page goes on from there."""
_PLACE = r"^([0-9]{1,12}(\.[0-9]{1,9})?~[0-9a-z-]{1,64})?$"

type State = Literal["all", "running", "ok", "failed", "fallback", "replayed"]

_OUTCOMES: Mapping[State, tuple[str, ...]] = {"running": (RUNNING,), "ok": calls.OK, "replayed": (BYPASSED, REPLAYED)}
_IN_STATE: Mapping[State, Callable[[Line], bool]] = {
    "all": lambda _line: True,
    "running": lambda line: line.running,
    "ok": lambda line: line.ok,
    "failed": lambda line: "failed" in line.marks,
    "fallback": lambda line: "fallback" in line.marks,
    "replayed": lambda line: line.outcome in (BYPASSED, REPLAYED),
}


class Filter(Asked):
    """Which calls."""

    search: str = Field(
        default="", max_length=200, description="Words that are in client, model, target, account, rule or outcome"
    )
    client: str = Field(default="", max_length=200)
    state: State = "all"

    def lets(self, line: Line) -> bool:
        if (self.client and line.client != self.client) or not _IN_STATE[self.state](line):
            return False
        if not self.search:
            return True
        seen = (
            line.id,
            line.client,
            line.model,
            line.target,
            line.account,
            line.route,
            line.combo,
            line.key,
            line.outcome,
        )
        text = " ".join(word for word in seen if word).lower()
        return all(word in text for word in self.search.lower().split())

    def sieve(self) -> calls.Sieve | None:
        """What the ledger can tell of a call that is let; None when all are."""
        if not self.client and not self.search and self.state == "all":
            return None
        tries = 2 if self.state == "fallback" else 0
        return calls.Sieve(self.client, _OUTCOMES.get(self.state, ()), tries, tuple(self.search.lower().split()))


class CallsAsked(Filter):
    before: str = Field(default="", pattern=_PLACE, max_length=100, description="`next` of the page before")
    limit: int = Field(default=PAGE, ge=1, le=MOST)


class Calls(Answer):
    """A page of calls, newest first."""

    calls: tuple[Call, ...]
    next: str | None
    """Ask with ``before`` for the page after this one; None when it is the last."""
    clients: tuple[str, ...]
    """To choose from."""
    recorded: bool
    """Whether there is a ledger."""


@dataclass(frozen=True, slots=True)
class _Found:
    lines: tuple[Line, ...]
    next: str | None
    clients: tuple[str, ...]


async def live(site: Site, asked: CallsAsked) -> Calls:
    """Calls, newest first, page by page."""
    cursor = _cursor(asked.before)
    recorded = True
    try:
        found = await site.ledger(lambda books: _read(books, asked, cursor))
    except NoLedgerError:
        found, recorded = _Found((), None, ()), False
    lines = {line.id: line for line in found.lines}
    if cursor is None:
        # The ledger is written a moment later; what runs is newer here.
        lines |= {line.id: line for line in site.feed.latest() if asked.lets(line)}
    newest = sorted(lines.values(), key=lambda line: (line.started, line.id), reverse=True)
    clients = {*found.clients, *(line.client for line in newest)}
    return Calls(
        calls=tuple(plain(line) for line in newest),
        next=found.next,
        clients=tuple(sorted(clients)),
        recorded=recorded,
    )


def _read(books: Books, asked: CallsAsked, cursor: tuple[float, str] | None) -> _Found:
    if (sieve := asked.sieve()) is None:
        found = calls.before(books, cursor, asked.limit + 1)
        more, at = len(found) > asked.limit, cursor
    else:
        found, at, more = _sieved(books, asked, cursor, sieve)
    if len(found) > asked.limit:
        found = found[: asked.limit]
        at, more = (found[-1].started, found[-1].id), True
    clients = tuple(row[0] for row in books.rows("SELECT DISTINCT client FROM exchanges WHERE client IS NOT NULL"))
    return _Found(tuple(found), f"{at[0]!r}~{at[1]}" if more and at else None, clients)


def _sieved(
    books: Books, asked: CallsAsked, cursor: calls.Cursor | None, sieve: calls.Sieve
) -> tuple[list[Line], calls.Cursor | None, bool]:
    """What the filter lets, where the search has come to, and whether there is more behind."""
    found: list[Line] = []
    at, scanned, chunk, more = cursor, 0, CHUNK, True
    while more and len(found) <= asked.limit and scanned < SCANNED:
        chunk = min(chunk, SCANNED - scanned)
        found += [line for line in calls.before(books, at, chunk, sieve) if asked.lets(line)]
        last = calls.place(books, at, chunk)
        at, more = last or at, last is not None
        scanned += chunk
        chunk *= 4
    return found, at, more


def _cursor(text: str) -> tuple[float, str] | None:
    if not text:
        return None
    started, _, name = text.partition("~")
    return float(started), name


class Updates(Socket):
    """Batches of rows that have changed, for the filter of the query: ``{"rows": {ID: HTML}, "gone": [ID, …]}``.

    To a page that does not read, nothing more is sent until it does; what it is told then is the newest of each call.
    """

    def open(self, *_args: str, **_kwargs: str) -> None:
        self._filter = Filter.model_validate(query_of(self))
        self._language = self.words
        self._waiting: dict[str, Line] = {}
        self._sending: asyncio.Future[None] | None = None
        self._stop: Callable[[], None] = self.site.feed.listen(self._tell)
        self._tell(self.site.feed.latest()[:SHOWN])

    def on_close(self) -> None:
        if hasattr(self, "_stop"):
            self._stop()

    def on_message(self, message: str | bytes) -> None:
        """Pages say nothing."""

    def _tell(self, batch: Sequence[Line]) -> None:
        for line in batch:
            self._waiting.pop(line.id, None)
            self._waiting[line.id] = line
        for name in list(self._waiting)[:-SHOWN]:
            del self._waiting[name]
        if self._sending is None:
            self._send()

    def _send(self) -> None:
        rows: dict[str, str] = {}
        gone: list[str] = []
        for line in sorted(self._waiting.values(), key=lambda line: line.started):
            if self._filter.lets(line):
                rows[line.id] = self.site.redact(row(line, self._language.code))
            else:
                gone.append(line.id)
        self._waiting.clear()
        try:
            self._sending = self.write_message(orjson.dumps({"rows": rows, "gone": gone}).decode())
        except WebSocketClosedError:
            self._stop()
        else:
            self._sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Future[None]) -> None:
        if sending.cancelled() or sending.exception() is not None:
            self._stop()
            return
        self._sending = None
        if self._waiting:
            self._send()


@lru_cache(maxsize=1024)
def row(line: Line, code: str) -> str:
    """A line of the table; several pages may show it. Without the template's line ends, each of which would be a node."""
    return render("live_row.html", language(code), call=plain(line)).replace("\n<", "<")


RESOURCES = (
    Resource(
        "GET",
        "calls",
        live,
        page=Page("", "live.html", "live.title", values={"states": tuple(_IN_STATE), "shown": SHOWN}),
    ),
)
SOCKETS = {"live": Updates}
