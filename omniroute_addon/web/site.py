"""What pages may see of the running proxy: the engine, the flows in mitmweb's view, and the ledger."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mitmproxy import http

from omniroute_addon.addons.inspect import KEY, Inspect
from omniroute_addon.addons.intercept import Intercept
from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.engine import Engine
from omniroute_addon.ledger import reports
from omniroute_addon.ledger.ledger import path_of
from omniroute_addon.web import secrets
from omniroute_addon.web.changes import Changes
from omniroute_addon.web.exams import Exams
from omniroute_addon.web.feed import Feed
from omniroute_addon.web.passing import of_flow
from omniroute_addon.web.replays import Replays

READERS = 2
"""Threads that read the ledger, so that no report holds up a call."""


class Site:
    """One per proxy. Everything but ``ledger`` belongs to the event loop."""

    def __init__(
        self, engine: Engine, inspect: Inspect, intercept: Intercept, look: Callable[..., None] = lambda **_: None
    ) -> None:
        """``look``: use the rule file when it has changed, or with ``again=True`` when what it names has."""
        self.engine = engine
        self.inspect = inspect
        inspect.redact = self.redact
        inspect.untouched = lambda flow: self.feed.show(of_flow(flow))
        self.intercept = intercept
        self.look = look
        self.changes = Changes(engine.snapshot)
        self.exams = Exams(engine, inspect, intercept, lambda: self.ledger_path)
        self.replays = Replays(engine, inspect, intercept)
        self.feed = Feed()
        engine.watchers.append(self.feed)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ledger-reader")
        self._known: tuple[Snapshot | None, frozenset[str]] = (None, frozenset())

    @property
    def snapshot(self) -> Snapshot:
        """The rules that hold now."""
        return self.engine.snapshot

    @property
    def ledger_path(self) -> Path:
        store = self.engine.ledger.store
        return path_of(self.snapshot) if store is None else store.path

    async def ledger[T](self, read: Callable[[reports.Books], T]) -> T:
        """What ``read`` finds in the books; it runs in a thread. Raises NoLedgerError."""
        path = self.ledger_path

        def work() -> T:
            with reports.books(path) as books:
                return read(books)

        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def flows(self, exchange: str) -> list[http.HTTPFlow]:
        """The flows of an exchange that mitmweb still has: the call's, and those of its attempts."""
        return [flow for flow in self.inspect.flows() if flow.metadata.get(KEY, {}).get("exchange") == exchange]

    def redact(self, text: str) -> str:
        """The text without keys; every answer goes through here."""
        snapshot = self.snapshot
        if self._known[0] is not snapshot:
            self._known = (snapshot, secrets.of_snapshot(snapshot))
        return secrets.without(text, self._known[1])
