"""Starts and stops the engine with mitmproxy, and watches the rule file.

The relay opens when the configuration is first known, before mitmproxy's listeners do: no call can come too early.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from mitmproxy import contentviews, ctx, exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.log import ALERT
from mitmproxy.utils import asyncio_utils

from omniroute_addon.accounts.vault import from_vault
from omniroute_addon.addons.contentview import LLM
from omniroute_addon.addons.inspect import Inspect
from omniroute_addon.addons.intercept import Intercept
from omniroute_addon.config import ConfigError, Reloader, Snapshot, load
from omniroute_addon.engine.engine import Engine

logger = logging.getLogger(__name__)

POLL = 0.25
"""Seconds between two looks at the rule file."""


class OmniRoute:
    """The addon: ``addons = [OmniRoute()]`` in a script, or part of our own master."""

    def __init__(self, snapshot: Snapshot | None = None, covered: Callable[[], frozenset[str]] | None = None) -> None:
        """Without a snapshot the option ``omniroute_config`` names the file."""
        self._reloader: Reloader | None = None
        self._covered = covered
        self._watch: asyncio.Task[None] | None = None
        self._inspect = Inspect()
        self.engine: Engine | None = None
        self.addons: list[object] = []
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
            ctx.options.update(connection_strategy="lazy", upstream_cert=False)

    async def running(self) -> None:
        self._watch = asyncio_utils.create_task(self._reload(), name="omniroute: rule file", keep_ref=True)

    async def done(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self.engine is not None:
            await self.engine.stop()

    def _begin(self, snapshot: Snapshot) -> None:
        self._reloader = Reloader(snapshot.source, secrets=from_vault)
        self.engine = Engine(snapshot, self._covered() if self._covered else None)
        self.engine.start()
        self._inspect.max_flows, self._inspect.max_bytes = snapshot.view.max_flows, snapshot.view.max_bytes
        self.addons = [Intercept(self.engine, self._inspect), self._inspect]

    async def _reload(self) -> None:
        assert self._reloader is not None
        assert self.engine is not None
        while True:
            await asyncio.sleep(POLL)
            try:
                found = self._reloader.check()
            except Exception:
                logger.exception("the rule file could not be read; the rules stay as they were")
                continue
            match found:
                case None:
                    continue
                case ConfigError() as error:
                    logger.error("the rules stay as they were, the changed file has errors:\n%s", error)
                case snapshot:
                    self.engine.use(snapshot)
                    self._inspect.max_flows, self._inspect.max_bytes = snapshot.view.max_flows, snapshot.view.max_bytes
                    logger.log(ALERT, "new rules from %s", snapshot.source)
                    missing = self.engine.uncovered
                    if missing:
                        logger.warning("not decrypted, the CA does not cover: %s", ", ".join(sorted(missing)))
