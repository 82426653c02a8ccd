"""The semantic tier of the cache: a question may get the answer to one that asks the same in other words.

Theory of operation. Only on routes with ``cache: semantic``, only for questions (temperature 0, no tools, not declined),
only when nothing but the user's last text differs (``wording``), and only when the vectors of both texts are as alike as
the rules want. A question in whose scope nothing is kept cannot have such an answer: it goes out at once, and its vector
is asked for beside it. Else it waits for its vector, at most ``timeout``; whatever fails on the way, it goes out as if
there were no cache. A good answer is kept with its question's vector when both are there. An answer that was given again
is not kept again: else what is alike would wander, step by step, to what is not.

What is on disk is touched by one thread, which nobody waits for longer than for a vector.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from omniroute_addon.config.caching import Semantic
from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.call import SHUTDOWN, Call, Observer, Sink
from omniroute_addon.engine.embedding import Asker, Embedder
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.kept import Kept, told_again
from omniroute_addon.engine.likeness import Question
from omniroute_addon.engine.replayed import SEMANTIC, Repeating
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.upstream import Upstreams
from omniroute_addon.engine.wording import Wording
from omniroute_addon.home import data_dir
from omniroute_addon.ledger import ExchangeRecord
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.plan import Plan
from translators.hub import JSON

if TYPE_CHECKING:
    from omniroute_addon.engine.neighbours import Nearest, Neighbour, Neighbours, Room

logger = logging.getLogger(__name__)

LAST_SECONDS = 1.0
"""For what is still to be kept when the proxy stops."""


class Similar:
    """One per engine."""

    def __init__(self, snapshot: Snapshot, standing: Standing, upstreams: Upstreams, tell: Callable[[], None]) -> None:
        """``tell``: called when there are other figures."""
        self._tell = tell
        self._embedder = Embedder(standing, upstreams)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="semantic-cache")
        self._store: Neighbours | None = None
        """The thread's own."""
        self._failing = False
        self._stopped = False
        self._keeping: dict[str, set[asyncio.Task[None]]] = {}
        """By scope: answers that will be found in a moment."""
        self.figures = {"hits": 0, "misses": 0, "failed": 0, "stored": 0, "entries": 0, "bytes": 0, "evicted": 0}
        self.use(snapshot)

    # ── its life ────────────────────────────────────────────────────────────────────────────────────────────────────

    def use(self, snapshot: Snapshot) -> None:
        """Take over another configuration."""
        rules = snapshot.governance.cache
        self.on = rules.enabled and rules.semantic is not None
        self._snapshot = snapshot
        self._routes = frozenset(route.name for route in snapshot.routes if route.semantic and route.enabled)
        if self._store is not None:
            self._thread.submit(self._fit)

    async def stop(self) -> None:
        """Keep what can be kept in a moment. Safe to repeat."""
        if self._stopped:
            return
        self._stopped = True
        if waiting := [task for tasks in self._keeping.values() for task in tasks]:
            _, late = await asyncio.wait(waiting, timeout=LAST_SECONDS)
            for task in late:
                task.cancel()
        self._thread.submit(self._close)
        await asyncio.to_thread(self._thread.shutdown)

    def covers(self, plan: Plan) -> bool:
        """Whether the rule of a call has opted in."""
        return self.on and plan.route in self._routes

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def counted(self, *, hit: bool) -> None:
        self.figures["hits" if hit else "misses"] += 1
        self._tell()

    async def vector(self, wording: Wording, asker: Asker) -> bytes | None:
        """The vector of a question's text; None when it cannot be had in time."""
        try:
            found = await self._embedder.vector(wording.text, asker)
        except Exception as error:  # noqa: BLE001 -- a call must not fail for it
            log_without_text("an embedding failed", error)
            found = None
        self.figures["failed"] += found is None
        return found

    async def knows(self, scope: str) -> bool:
        """Whether a question of this scope could have an answer."""
        if waiting := self._keeping.get(scope):
            await asyncio.wait(waiting)
        now = time.time()
        since = now - self._snapshot.governance.cache.ttl
        return bool(await self._on_disk(lambda store: store.knows(scope, since=since, until=now)))

    async def nearest(self, scope: str, vector: bytes, rules: Semantic, targets: frozenset[str]) -> "Nearest | None":
        now = time.time()
        since = now - self._snapshot.governance.cache.ttl
        return await self._on_disk(
            lambda store: store.nearest(scope, vector, rules.threshold, targets, since=since, until=now)
        )

    def keep(self, scope: str, vector: "asyncio.Task[bytes | None]", made: "Callable[[bytes], Neighbour]") -> None:
        """Keep an answer as soon as its question's vector is there."""

        async def kept() -> None:
            found = await vector
            if found is None:
                return
            one = made(found)
            if await self._on_disk(lambda store: store.put(one, self._room(), time.time())):
                self.figures["stored"] += 1
                self._tell()

        self._remember(scope, kept())

    def _remember(self, scope: str, keeping: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(keeping)
        self._keeping.setdefault(scope, set()).add(task)

        def done(task: asyncio.Task[None]) -> None:
            tasks = self._keeping[scope]
            tasks.discard(task)
            if not tasks:
                del self._keeping[scope]

        task.add_done_callback(done)

    # ── the thread ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _on_disk[T](self, do: "Callable[[Neighbours], T]") -> T | None:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._within, do)

    def _within[T](self, do: "Callable[[Neighbours], T]") -> T | None:
        """Do something with what is kept; None when that fails, which is said once."""
        try:
            store = self._open()
            try:
                found = do(store)
            except store.DAMAGED as error:
                store.anew(error)
                found = do(store)
            self.figures["entries"], self.figures["bytes"] = store.figures()
            self.figures["evicted"] = store.evicted
        except Exception as error:  # noqa: BLE001 -- a disk, a file, a wheel that does not fit this machine
            if not self._failing:
                logger.warning("the semantic cache cannot be used: %s; calls go out without it", error)
            self._failing = True
            return None
        self._failing = False
        return found

    def _open(self) -> "Neighbours":
        path = _path() if self._snapshot.governance.cache.persist else None
        if self._store is not None and self._store.path != path:
            self._close()
        if self._store is None:
            from omniroute_addon.engine.neighbours import Neighbours  # noqa: PLC0415 -- needs the extra

            self._store = Neighbours(path)
            self._store.fit(self._room(), time.time())
        return self._store

    def _fit(self) -> None:
        """The rules have changed."""
        if self._store is None:
            return
        if not self.on:
            self._close()
        else:
            self._within(lambda store: store.fit(self._room(), time.time()))

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _room(self) -> "Room":
        from omniroute_addon.engine.neighbours import Room  # noqa: PLC0415 -- needs the extra

        rules = self._snapshot.governance.cache
        return Room(rules.ttl, rules.max_entries, int(rules.max_bytes))


class Seeking:
    """An exchange that asks first whether there is an answer to a question like its own."""

    def __init__(  # noqa: PLR0917 -- what every replay has, and where to look
        self,
        exchange: Exchange,
        question: Question,
        snapshot: Snapshot,
        ask: Ask,
        observer: Observer,
        similar: Similar,
        allowed: Callable[[Kept], bool],
    ) -> None:
        """``allowed``: whether the rules still let an answer be given."""
        assert question.wording is not None
        assert snapshot.governance.cache.semantic is not None
        self._exchange = exchange
        self._question = question
        self._wording = question.wording
        self._rules = snapshot.governance.cache.semantic
        self._snapshot = snapshot
        self._ask = ask
        self._observer = observer
        self._similar = similar
        self._allowed = allowed
        self._vector: asyncio.Task[bytes | None] | None = None
        self._doing: Exchange | Resembling = exchange

    @property
    def call(self) -> Call:
        return self._exchange.call

    @property
    def record(self) -> ExchangeRecord:
        return self._doing.record

    async def run(self, sink: Sink) -> None:
        """Answer the call."""
        found: Resembling | None = None
        try:
            found = await self._found()
        except asyncio.CancelledError as error:
            if SHUTDOWN in error.args:
                await self._exchange.refuse(sink)
                return
            self._exchange.abandon()
            raise
        except Exception as error:  # noqa: BLE001 -- a call must not fail for it
            log_without_text("a like question could not be looked for", error)
        if found is not None:
            self._doing = found
        await self._doing.run(sink)

    def abandon(self) -> None:
        """The client left before anything was tried."""
        self._doing.abandon()

    def landed(self, kept: Kept | None) -> None:
        """The exchange is over; ``kept``: its answer, when it is worth keeping."""
        vector = self._vector
        if vector is None or kept is None:
            if vector is not None:
                vector.cancel()
            return
        usage, name, scope = self.record.usage, self.record.id, self._wording.scope

        def made(found: bytes) -> "Neighbour":
            from omniroute_addon.engine.neighbours import Neighbour  # noqa: PLC0415 -- needs the extra

            return Neighbour(kept, scope, found, name, usage.input, usage.output)

        self._similar.keep(scope, vector, made)

    async def _found(self) -> "Resembling | None":
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._rules.timeout
        asker = Asker(self.call, self._exchange.record, self._ask, self._observer, self._snapshot)
        try:
            async with asyncio.timeout_at(ends):
                known = await self._similar.knows(self._wording.scope)
        except TimeoutError:
            known = False
        self._vector = loop.create_task(self._similar.vector(self._wording, asker))
        if not known:
            self._similar.counted(hit=False)
            return None
        try:
            # Not awaited itself: a vector that is late for this call may be in time to keep its answer.
            await asyncio.wait([self._vector], timeout=ends - loop.time())
            vector = self._vector.result() if self._vector.done() else None
            async with asyncio.timeout_at(ends):
                found = None if vector is None else await self._resembling(vector)
        except TimeoutError:
            found = None
        except asyncio.CancelledError:
            self._vector.cancel()
            raise
        self._similar.counted(hit=found is not None)
        return found

    async def _resembling(self, vector: bytes) -> "Resembling | None":
        exchange = self._exchange
        named = targets_of(exchange.plan)
        nearest = await self._similar.nearest(self._wording.scope, vector, self._rules, named)
        if nearest is None:
            return None
        said = told(nearest, self._rules)
        one = nearest.neighbour
        answer = None
        if one is not None and self._allowed(one.kept):
            answer = told_again(one.kept, self.call.wire, self._question.manner)
        if one is None or answer is None:
            exchange.record.decision = {**(exchange.record.decision or {}), "semantic": said}
            return None
        said["tokens"] = [one.input, one.output]
        return Resembling(exchange, self._snapshot, self._ask, self._observer, one.kept, answer, said)


class Resembling(Repeating):
    """A call that gets the answer to another question."""

    def __init__(  # noqa: PLR0917 -- what every replay has, and how alike they are
        self,
        exchange: Exchange,
        snapshot: Snapshot,
        ask: Ask,
        observer: Observer,
        kept: Kept,
        answer: tuple[bytes, str],
        said: dict[str, JSON],
    ) -> None:
        super().__init__(exchange, SEMANTIC, snapshot, ask, observer, kept, answer)
        self.record.started = exchange.record.started
        self.record.decision = {**(self.record.decision or {}), "semantic": said}
        self._marks = (
            *self._marks,
            ("x-omniroute-cache-similarity", f"{said['similarity']}"),
            ("x-omniroute-cache-exchange", f"{said['exchange']}"),
        )


def log_without_text(what: str, error: Exception) -> None:
    """Its message might quote what somebody has said."""
    logger.error("%s, a defect of OmniRoute: %s", what, type(error).__name__)


def told(nearest: "Nearest", rules: Semantic) -> dict[str, JSON]:
    """What was found, for the books."""
    # Never rounded up to a threshold that was not reached.
    similarity = int(nearest.similarity * 10_000) / 10_000
    return {"similarity": similarity, "threshold": rules.threshold, "exchange": nearest.exchange}


def targets_of(plan: Plan) -> frozenset[str]:
    """Whose answers a call may still get: what only rests is named, what a policy forbids is not."""
    resting = (one.target for one in plan.excluded if one.until is not None and one.policy is None)
    return frozenset([*(one.target for one in plan.candidates), *resting])


def _path() -> Path:
    from omniroute_addon.engine.neighbours import NAME  # noqa: PLC0415 -- needs the extra

    return data_dir() / NAME
