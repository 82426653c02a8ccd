"""Starts and stops the engine with mitmproxy, and watches the rule file.

The relay opens when the configuration is first known, before mitmproxy's listeners do: no call can come too early.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from mitmproxy import contentviews, ctx, exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.log import ALERT
from mitmproxy.utils import asyncio_utils

from omniroute_addon import heap, resets
from omniroute_addon.accounts.vault import from_vault
from omniroute_addon.addons.captured import Captured
from omniroute_addon.addons.codex_models import CodexModels
from omniroute_addon.addons.commands import Commands, Plan
from omniroute_addon.addons.contentview import LLM
from omniroute_addon.addons.gate import Gate
from omniroute_addon.addons.inspect import Inspect
from omniroute_addon.addons.intercept import Intercept
from omniroute_addon.addons.turnstile import Turnstile
from omniroute_addon.config import ConfigError, Reloader, Snapshot, load
from omniroute_addon.config.paths import CONFIG_NAME
from omniroute_addon.engine.engine import Engine
from omniroute_addon.engine.request_log import keys_of
from omniroute_addon.home import data_dir
from omniroute_addon.ledger import prices
from omniroute_addon.ledger.ledger import Ledger
from omniroute_addon.logs.writer import LogWriter, audit
from translators import FORMATS

logger = logging.getLogger(__name__)

WARM = 1.0
"""Seconds after the start when what later calls may need is imported; calls that come first are served first."""
SETTLED = 2.0
"""Seconds after which what is there stays: full garbage collections, which stop all streams, look at it no more."""
TRIM = 30.0
"""Seconds between two times that unused memory is looked for and goes back to the system."""
POLL = 0.25
"""Seconds between two looks at the rule file."""


class OmniRoute:
    """The addon: ``addons = [OmniRoute()]`` in a script, or part of our own master."""

    def __init__(self, snapshot: Snapshot | None = None, covered: Callable[[], frozenset[str]] | None = None) -> None:
        """Without a snapshot the option ``omniroute_config`` names the file."""
        self._reloader: Reloader | None = None
        self._covered = covered
        self._own = snapshot is not None
        self._watch: asyncio.Task[None] | None = None
        self._tidy: asyncio.Task[None] | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._garbage = heap.Garbage()
        self.inspect = Inspect()
        self.intercept: Intercept | None = None
        self.engine: Engine | None = None
        self._log: LogWriter | None = None
        self.captured: Captured | None = None
        """Captured calls, for commands and pages; known when the engine is."""
        self.addons: list[object] = []
        self.renewed: list[Callable[[Snapshot], None]] = []
        """Who is told of new rules once they hold."""
        if snapshot is not None:
            self._begin(snapshot)

    def load(self, loader: Loader) -> None:
        loader.add_option(
            "omniroute_config", str, "", "OmniRoute's rule file; empty for the one in OmniRoute's data directory."
        )
        contentviews.add(LLM())

    def configure(self, updated: set[str]) -> None:
        if self.engine is None and "omniroute_config" in updated:
            name = ctx.options.omniroute_config
            try:
                snapshot = load(Path(name) if name else None, secrets=from_vault)
            except ConfigError as error:
                raise exceptions.OptionsError(str(error)) from error
            self._begin(snapshot)
            ctx.master.commands.collect_commands(self.addons[-1])
            ctx.options.update(connection_strategy="lazy", upstream_cert=False)

    async def running(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(WARM, _warm)
        self._settling = loop.call_later(SETTLED, self._garbage.settle)
        if self.engine is not None and (name := self.engine.snapshot.ways.environment.own) is not None:
            logger.log(ALERT, "%s leads to OmniRoute itself: calls to providers do not follow it", name)
        self._watch = asyncio_utils.create_task(self._reload(), name="omniroute: rule file", keep_ref=True)
        self._tidy = asyncio_utils.create_task(self._trim(), name="omniroute: memory", keep_ref=True)

    async def done(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
        self._garbage.leave()
        for task in (self._watch, self._tidy):
            if task is not None:
                task.cancel()
        if self.engine is not None:
            await self.engine.stop()
        if self._log is not None:
            audit("stopped", pid=os.getpid())
            await asyncio.to_thread(self._log.close)

    def _begin(self, snapshot: Snapshot) -> None:
        self._log = LogWriter(
            data_dir(), snapshot.logs, lambda: keys_of(self.engine.snapshot if self.engine else snapshot)
        )
        self._log.open()
        audit("started", pid=os.getpid(), rules=str(snapshot.source or "none"))
        self._reloader = Reloader(
            snapshot.source or data_dir() / CONFIG_NAME, secrets=from_vault, awaited=snapshot.source is None
        )
        self.engine = Engine(snapshot, self._covered() if self._covered else None, Ledger.open(snapshot))
        self.engine.start()
        self.inspect.max_flows, self.inspect.max_bytes = snapshot.view.max_flows, snapshot.view.max_bytes
        gate = Gate(self.engine, strangers=self._own)
        self.intercept = Intercept(self.engine, self.inspect, gate)
        self.captured = Captured(self.engine, self.inspect, self.intercept)
        codex = CodexModels(self.engine)
        self.addons = [Turnstile(), gate, self.intercept, codex, self.inspect, Commands(self.captured)]
        contentviews.add(Plan(self.captured))

    def _reset(self) -> None:
        """What ``omniroute reset`` asks for."""
        assert self.engine is not None
        try:
            done = resets.serve(data_dir(), os.getpid(), self.engine.reset)
        except OSError as error:
            logger.warning("a reset could not be answered: %s", error)
            return
        if done:
            logger.log(ALERT, "reset: %s", ", ".join(done))
            audit("reset", "command line", what=", ".join(done))

    async def _reload(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            self._reset()
            self.look()

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM)
            self._garbage.collect(busy=self.engine is not None and self.engine.relay.running > 0)
            await asyncio.to_thread(heap.trim)

    def look(self, *, again: bool = False) -> None:
        """Use the rule file when it has changed, or ``again`` because what it names has."""
        assert self._reloader is not None
        assert self.engine is not None
        if again:
            self._reloader.forget()
        try:
            found = self._reloader.check()
        except Exception:
            logger.exception("the rule file could not be read; the rules stay as they were")
            return
        match found:
            case None:
                return
            case ConfigError() as error:
                logger.error("the rules stay as they were, the changed file has errors:\n%s", error)
                audit("rules refused", "rule file", errors=str(error))
            case snapshot:
                self.engine.use(snapshot)
                self.inspect.max_flows, self.inspect.max_bytes = snapshot.view.max_flows, snapshot.view.max_bytes
                assert self._log is not None
                self._log.use(snapshot.logs)
                logger.log(ALERT, "new rules from %s", snapshot.source)
                audit("new rules", "rule file", rules=str(snapshot.source))
                missing = self.engine.uncovered
                if missing:
                    logger.warning("not decrypted, the CA does not cover: %s", ", ".join(sorted(missing)))
                for tell in self.renewed:
                    tell(snapshot)


def _warm() -> None:
    """In threads: the price list, and the wire formats that nobody has spoken yet."""
    prices.warm()
    threading.Thread(target=lambda: list(FORMATS.values()), daemon=True, name="wire formats").start()
