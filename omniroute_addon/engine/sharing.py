"""One answer for several calls that are the same: joined while it is under way, given again for a while afterwards.

Asked at the start of every exchange of an answer, before anything is tried, in this order:

1. An errand (``Idempotency-Key``) that has just been answered gets that answer again, for ``idempotency.window``.
2. A question (temperature 0, where ``cache`` is on) that has been answered gets the kept answer, when the rules still
   name the target that gave it.
3. Either joins a call like it that is under way.
4. Else the call goes out, and others may join it. A question on a route that wants so first looks for the answer to one
   in other words, see ``similar``.

What is kept is kept when its exchange has ended: only answers with a proper end and a reason for it, never an error, a
refusal or a piece. What two targets have told together is no target's answer to the question: it is told again to the
same errand only. See ``likeness`` for what is the same, ``flight`` for those who leave.
"""

import asyncio
import logging
import time
from functools import partial

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine import likeness, progress
from omniroute_addon.engine.cache_file import NAME, CacheFile
from omniroute_addon.engine.call import Observer
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.flight import Flight
from omniroute_addon.engine.keeper import Keeping
from omniroute_addon.engine.kept import Answers, Kept, told_again
from omniroute_addon.engine.likeness import Question
from omniroute_addon.engine.replayed import AGAIN, HIT, JOINED, Joining, Leading, Repeating
from omniroute_addon.engine.similar import Seeking, Similar, targets_of
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.upstream import Upstreams
from omniroute_addon.home import data_dir
from omniroute_addon.routing.ask import Ask

logger = logging.getLogger(__name__)

type Shared = Leading | Repeating | Joining

STATE = "cache"
"""The key of the cache's figures in the ledger's state."""
ROOM = 8 * 1024 * 1024
"""Bytes of an answer up to which a call may join another."""
RECENT_ENTRIES, RECENT_BYTES = 10_000, 32 * 1024 * 1024
"""Of errands' answers within their window."""

_WHOLE = ("end", "max_tokens", "stop_sequence", "tool_calls")


class Sharing:
    """One per engine."""

    def __init__(self, snapshot: Snapshot, ledger: Keeping) -> None:
        self._ledger = ledger
        self._flights: dict[str, Flight] = {}
        self._recent = Answers()
        self._answers = Answers(self._dropped)
        self._file: CacheFile | None = None
        self._similar: Similar | None = None
        self._figures = {"hits": 0, "misses": 0, "joined": 0, "again": 0, "stored": 0}
        self._started = False
        self._generation = 0
        """Of the rules: under others, a question may have another answer."""
        self._snapshot = snapshot
        self.use(snapshot)

    # ── its life ────────────────────────────────────────────────────────────────────────────────────────────────────

    def use(self, snapshot: Snapshot) -> None:
        """Take over another configuration."""
        self._snapshot = snapshot
        self._generation += 1
        rules = snapshot.governance
        self._shape = repr((rules.system_prompt, rules.thinking, rules.policies, rules.shaping))
        window, rules = snapshot.governance.idempotency, snapshot.governance.cache
        now = time.time()
        self._recent.limit(window.window if window.enabled else 0, RECENT_ENTRIES, RECENT_BYTES, now)
        self._answers.limit(rules.ttl if rules.enabled else 0, rules.max_entries, int(rules.max_bytes), now)
        if self._started:
            self._use_file()
        if self._similar is not None:
            self._similar.use(snapshot)

    def start(self, upstreams: Upstreams | None = None, standing: Standing | None = None) -> None:
        """Read what is kept on disk, if anything is. Questions in other words need upstreams and a standing."""
        self._started = True
        self._use_file()
        if upstreams is not None and standing is not None:
            self._similar = Similar(self._snapshot, standing, upstreams, self._tell)

    async def stop(self) -> None:
        """Safe to repeat."""
        for flight in list(self._flights.values()):
            flight.stop()
            await flight.ended()
        if self._similar is not None:
            await self._similar.stop()
        if self._snapshot.governance.cache.enabled and self._started:
            self._tell()
        self._similar = None
        self._started = False
        if self._file is not None:
            await asyncio.to_thread(self._file.close)
            self._file = None

    def _use_file(self) -> None:
        rules = self._snapshot.governance.cache
        wanted = rules.enabled and rules.persist
        if self._file is not None and not wanted:
            self._file.close()
            self._file = None
        elif self._file is None and wanted:
            now = time.time()
            self._file = CacheFile(data_dir() / NAME)
            for one in self._file.read(now - rules.ttl, int(rules.max_bytes)):
                self._answers.put(one, now)

    def _dropped(self, key: str) -> None:
        if self._file is not None:
            self._file.drop(key)

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def share(self, exchange: Exchange, ask: Ask, observer: Observer) -> Exchange | Shared:
        """Who answers: the exchange itself, or what stands for it."""
        call, plan = exchange.call, exchange.plan
        rules = self._snapshot.governance
        if call.operation != "generate" or plan.denied is not None or plan.error is not None:
            return exchange
        errand = likeness.errand(call, ask, rules.idempotency)
        reworded = self._similar is not None and self._similar.covers(plan)
        question = likeness.question(call, ask, rules.cache, self._shape, reworded=reworded)
        if errand is None and question is None:
            return exchange
        found = self._kept(exchange, errand, question, ask, observer)
        if found is not None:
            return found
        key = errand or f"{question} {self._generation}"
        flight = self._flights.get(key)
        if flight is not None:
            if not flight.open:
                return exchange
            self._figures["joined"] += 1
            route = JOINED if errand is not None else HIT
            return Joining(exchange, route, self._snapshot, ask, observer, flight)
        if question is not None:
            self._figures["misses"] += 1
        flight = Flight(
            self._seeking(exchange, question, ask, observer), ROOM, partial(self._landed, key, errand, question)
        )
        self._flights[key] = flight
        return Leading(flight)

    def _kept(
        self, exchange: Exchange, errand: str | None, question: Question | None, ask: Ask, observer: Observer
    ) -> Repeating | None:
        now = time.time()
        if errand is not None and (kept := self._recent.get(errand, now)) is not None:
            self._figures["again"] += 1
            answer = kept.body, kept.content_type
            return Repeating(exchange, AGAIN, self._snapshot, ask, observer, kept, answer)
        if question is None or (kept := self._answers.get(question.key, now)) is None:
            return None
        if kept.target not in targets_of(exchange.plan) or not self._there(kept):
            return None
        answer = told_again(kept, exchange.call.wire, question.manner)
        if answer is None:
            return None
        self._figures["hits"] += 1
        return Repeating(exchange, HIT, self._snapshot, ask, observer, kept, answer)

    def _seeking(
        self, exchange: Exchange, question: Question | None, ask: Ask, observer: Observer
    ) -> Exchange | Seeking:
        if question is None or question.wording is None or self._similar is None:
            return exchange
        return Seeking(exchange, question, self._snapshot, ask, observer, self._similar, self._there)

    def _landed(self, key: str, errand: str | None, question: Question | None, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        kept: Kept | None = None
        try:
            kept = self._keep(errand, question, flight)
        except Exception:
            logger.exception("an answer could not be kept")
        if isinstance(flight.exchange, Seeking):
            flight.exchange.landed(kept)

    def _keep(self, errand: str | None, question: Question | None, flight: Flight) -> Kept | None:
        """The answer to a question that is kept."""
        exchange = flight.exchange
        used, body, call = exchange.record.used, flight.kept, exchange.call
        good = flight.status == 200 and exchange.record.outcome == "done"
        if not good or body is None or used is None or used.stop is None or used.stop.reason not in _WHOLE:
            return None
        headers = {name.lower(): value for name, value in flight.headers}
        if "content-encoding" in headers:
            return None
        now = time.time()

        def kept(name: str, manner: str) -> Kept:
            return Kept(
                key=name,
                manner=manner,
                format=call.format,
                content_type=headers.get("content-type", "application/json"),
                body=body,
                streamed=call.streaming,
                stored=now,
                target=used.target,
                address=self._address(used.provider),
                provider=used.provider,
                model=used.model,
                worth=used.cost.worth if used.cost else None,
            )

        if errand is not None:
            self._recent.put(kept(errand, ""), now)
        rules = self._snapshot.governance.cache
        if (
            question is None
            or not rules.enabled
            or exchange.record.resumed
            or len(body) > rules.max_answer
            or progress.HEADER in call.wire.headers
        ):
            return None
        one = kept(question.key, question.manner)
        if self._answers.put(one, now):
            self._figures["stored"] += 1
            if self._file is not None:
                self._file.put(one)
            self._tell()
        return one

    def _there(self, kept: Kept) -> bool:
        """Whether its provider is still at the same address."""
        return kept.address == self._address(kept.provider)

    def _address(self, provider: str | None) -> str:
        found = self._snapshot.providers.get(provider or "")
        return "" if found is None else found.base_url or ""

    def _tell(self) -> None:
        """For ``omniroute status``."""
        self._ledger.put_state(STATE, self.figures())

    def figures(self) -> dict[str, object]:
        """How often an answer was given again, by this process, and what is kept."""
        answers = self._answers
        figures: dict[str, object] = {
            **self._figures,
            "entries": len(answers),
            "bytes": answers.bytes,
            "evicted": answers.evicted,
        }
        if self._similar is not None and self._similar.on:
            figures["semantic"] = dict(self._similar.figures)
        return figures
