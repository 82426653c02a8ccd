"""The engine: everything that lives as long as the proxy, and the one way to start an exchange."""

import logging
import time

from omniroute_addon.accounts.health import Health
from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.call import Call, Dial, Observer, Sink
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.relay import Relay
from omniroute_addon.engine.resend import resend
from omniroute_addon.engine.upstream import Upstreams
from omniroute_addon.routing import surfaces
from omniroute_addon.routing.plan import Plan
from translators.memory import BoundedMemory

logger = logging.getLogger(__name__)

MEMORY_ITEMS = 20_000
MEMORY_BYTES = 64 * 1024 * 1024
STREAM_GRACE = 3.0
"""Seconds that running streams get when the proxy stops."""


class Engine:
    def __init__(self, snapshot: Snapshot, covered: frozenset[str] | None = None) -> None:
        """``covered``: the only hosts that may be decrypted, e.g. those our CA may sign; None for no such limit."""
        self._covered = covered
        self.use(snapshot)
        self.stopping = False
        self.relay = Relay()
        self.health = Health()
        self._memory = BoundedMemory(max_items=MEMORY_ITEMS, max_bytes=MEMORY_BYTES)
        self._upstreams: Upstreams | None = None

    def use(self, snapshot: Snapshot) -> None:
        """Swap the configuration whole; exchanges that run keep the one they started with."""
        self.snapshot = snapshot
        hosts = surfaces.hosts(snapshot)
        self.hosts = hosts if self._covered is None else hosts & self._covered
        """The hosts whose TLS is opened."""
        self.uncovered = hosts - self.hosts
        """Hosts of the rules that the CA may not sign; they are tunnelled."""

    def now(self) -> float:
        return time.time()

    def start(self) -> None:
        """Open the relay's ports; needs a running event loop."""
        self._upstreams = Upstreams()
        self.relay.start()

    async def stop(self) -> None:
        """Running exchanges get ``STREAM_GRACE`` seconds, then their error event. Safe to call twice."""
        self.stopping = True
        await self.relay.stop(STREAM_GRACE)
        if self._upstreams is not None:
            await self._upstreams.aclose()
            self._upstreams = None

    def exchange(self, call: Call, plan: Plan, observer: Observer) -> Exchange:
        """A new exchange; the relay runs it when its flow arrives."""
        assert self._upstreams is not None, "start() comes first"
        return Exchange(
            call,
            plan,
            self.snapshot,
            upstreams=self._upstreams,
            health=self.health,
            memory=self._memory,
            observer=observer,
        )

    async def resend(self, call: Dial, form: str, sink: Sink) -> None:
        """One upstream call as it is, straight to its address."""
        assert self._upstreams is not None, "start() comes first"
        await resend(call, form, self._upstreams, self.snapshot.timeouts, sink)
