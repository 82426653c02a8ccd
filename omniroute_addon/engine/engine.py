"""The engine: everything that lives as long as the proxy, and the one way to start an exchange."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from omniroute_addon.config.models import Snapshot
from omniroute_addon.config.ways import Outbound
from omniroute_addon.engine import bypass
from omniroute_addon.engine.bypassed import Bypassed
from omniroute_addon.engine.call import Call, Dial, Observer, Observers, Sink
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.keeper import Barred, Keeper
from omniroute_addon.engine.memory_file import MemoryFile
from omniroute_addon.engine.money import Money
from omniroute_addon.engine.relay import Relay
from omniroute_addon.engine.request_log import RequestLog
from omniroute_addon.engine.resend import resend
from omniroute_addon.engine.sharing import Shared, Sharing
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.upstream import Upstreams
from omniroute_addon.gateway.lockout import Lockouts
from omniroute_addon.home import data_dir
from omniroute_addon.ledger.ledger import Ledger
from omniroute_addon.routing import surfaces
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.forced import forced
from omniroute_addon.routing.plan import Plan, plan
from translators.memory import BoundedMemory

logger = logging.getLogger(__name__)

MEMORY_ITEMS = 20_000
MEMORY_BYTES = 64 * 1024 * 1024
STREAM_GRACE = 3.0
"""Seconds that running streams get when the proxy stops."""


class Engine:
    def __init__(self, snapshot: Snapshot, covered: frozenset[str] | None = None, ledger: Ledger | None = None) -> None:
        """``covered``: the only hosts that may be decrypted, e.g. those our CA may sign; None for no such limit.

        Without a ledger nothing is recorded.
        """
        self._covered = covered
        self.ledger = ledger or Ledger(snapshot)
        self.money = Money(snapshot, self.now(), self.ledger.spent)
        self.snapshot = snapshot
        self.standing = Standing(lambda: self.snapshot, self.now, self.money)
        self._sharing = Sharing(snapshot, self.ledger)
        self._requests = RequestLog(data_dir(), snapshot)
        self._upstreams: Upstreams | None = None
        self.use(snapshot)
        self.watchers: list[Observer] = []
        """Who else is told of every exchange."""
        self.lockouts = Lockouts()
        self.stopping = False
        self.relay = Relay()
        self._rng = random.Random()  # noqa: S311 -- which target is tried first is no secret
        self._keeper = Keeper(self.ledger, self.standing, Barred(self.lockouts, lambda: self.snapshot, self.now))
        self._keeper.load()
        self._memory = MemoryFile(data_dir(), BoundedMemory(max_items=MEMORY_ITEMS, max_bytes=MEMORY_BYTES))

    def use(self, snapshot: Snapshot) -> None:
        """Swap the configuration whole; exchanges that run keep the one they started with."""
        self.standing.use(self.snapshot, snapshot)
        self.snapshot = snapshot
        self.ledger.use(snapshot)
        self.money.use(snapshot, self.now())
        self._sharing.use(snapshot)
        self._requests.use(snapshot)
        hosts = surfaces.hosts(snapshot)
        self.hosts = hosts if self._covered is None else hosts & self._covered
        """The hosts whose TLS is opened."""
        if self._upstreams is not None:
            self._upstreams.keep(snapshot.outbounds())
        self.uncovered = hosts - self.hosts
        """Hosts of the rules that the CA may not sign; they are tunnelled."""

    def now(self) -> float:
        return time.time()

    def start(self) -> None:
        """Open the relay's ports; needs a running event loop."""
        self._memory.start()
        self._upstreams = Upstreams()
        self._sharing.start(self._upstreams, self.standing)
        self.relay.start()
        self._keeper.start()

    async def stop(self) -> None:
        """Running exchanges get ``STREAM_GRACE`` seconds, then their error event. Safe to call twice."""
        self.stopping = True
        await self.relay.stop(STREAM_GRACE)
        if self._upstreams is not None:
            await self._upstreams.aclose()
            self._upstreams = None
        self._keeper.stop()
        await self._sharing.stop()
        self._memory.stop()
        await asyncio.to_thread(self._requests.close)
        await asyncio.to_thread(self.ledger.close)

    def reset(self, name: str | None) -> list[str]:
        """Forget what is held against an account, provider, target or caller's address, or against all (None); which."""
        return [*self.standing.reset(name), *self.lockouts.lift(name)]

    def plan(self, ask: Ask, target: str | None = None) -> Plan:
        """Where a call goes, as things stand; to ``target``, whatever the rules say of it, when one is given."""
        return plan(ask, self._rules(target), self.standing, self.now(), self._rng)

    def _rules(self, target: str | None) -> Snapshot:
        return self.snapshot if target is None else forced(self.snapshot, target)

    def caches(self) -> dict[str, object]:
        """What is kept in memory, and how often it was of use: answers, signatures of reasoning, sessions."""
        return {
            **self._sharing.figures(),
            "signatures": len(self._memory),
            "signature_bytes": self._memory.size,
            "sessions": self.standing.sessions,
        }

    def exchange(
        self,
        call: Call,
        plan: Plan,
        observer: Observer,
        ask: Ask | None = None,
        target: str | None = None,
        *,
        rules: Snapshot | None = None,
        standing: Standing | None = None,
    ) -> Exchange:
        """A new exchange; the relay runs it when its flow arrives. ``target`` as the plan was made with; ``rules`` and
        ``standing`` are the engine's own unless given.
        """
        assert self._upstreams is not None, "start() comes first"
        return Exchange(
            call,
            plan,
            rules or self.snapshot,
            upstreams=self._upstreams,
            standing=standing or self.standing,
            memory=self._memory,
            observer=self._observers(call, observer),
            ask=ask,
            again=None if ask is None else self._again(ask, self._rules(target)),
        )

    def replay(self, call: Call, ask: Ask, observer: Observer, target: str | None = None) -> Exchange:
        """A call once more: by the rules of now, or to one target (or combo) whatever they say about where.

        Policies, budgets and limits hold as for any call.
        """
        assert self._upstreams is not None, "start() comes first"
        rules = self._rules(target)
        again = self._again(ask, rules)
        return Exchange(
            call,
            again(),
            rules,
            upstreams=self._upstreams,
            standing=self.standing,
            memory=self._memory,
            observer=self._observers(call, observer),
            ask=ask,
            again=again,
        )

    def _again(self, ask: Ask, snapshot: Snapshot) -> Callable[[], Plan]:
        return lambda: plan(ask, snapshot, self.standing, self.now(), self._rng)

    def shared(self, exchange: Exchange, observer: Observer, ask: Ask) -> Exchange | Shared:
        """The exchange, or what gets the answer to a call like it instead."""
        return self._sharing.share(exchange, ask, self._observers(exchange.call, observer))

    def _observers(self, call: Call, observer: Observer) -> Observers:
        return Observers(self.ledger, *self.watchers, *self._requests.observers(call), observer)

    def bypassed(self, call: Call, observer: Observer, ask: Ask) -> Bypassed | None:
        """The exchange of a call that the rules let us answer ourselves; None for all others."""
        if not self.snapshot.governance.bypass.model_fields_set:
            return None
        found = bypass.canned(call, self.snapshot.governance.bypass)
        if found is None:
            return None
        return Bypassed(call, found, self.snapshot, self._observers(call, observer), ask)

    async def resend(self, call: Dial, form: str, sink: Sink) -> None:
        """One upstream call as it is, straight to its address."""
        assert self._upstreams is not None, "start() comes first"
        parts = urlsplit(call.url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        leaving = replace(call, proxy=self.way(parts.scheme, parts.hostname or "", port))
        await resend(leaving, form, self._upstreams, self.snapshot.timeouts, sink)

    def way(self, scheme: str, host: str, port: int) -> Outbound | None:
        """The outbound proxy on the way to an address that no rule has chosen: as its provider says, or all others."""
        providers, surfaces_of = self.snapshot.providers, self.snapshot.surfaces.by_host
        names = [surface.provider for surface in surfaces_of.get(host, ())]
        return self.snapshot.ways.to(scheme, host, port, *(providers[name].proxy for name in names))
