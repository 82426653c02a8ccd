"""Calls that are asked once more: by today's rules, or of targets that somebody has chosen, several at a time.

Each run is an exchange like any other: it holds to budgets and limits, is in the ledger and has its rows in mitmweb. Only
its answer goes here instead of to a tool. The latest ``KEPT`` replays are remembered.
"""

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mitmproxy import http

from omniroute_addon.addons.inspect import Inspect
from omniroute_addon.addons.intercept import Intercept
from omniroute_addon.config.models import ORIGIN, Snapshot
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.engine import Engine
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.ledger.record import Tape
from omniroute_addon.routing.ask import Ask

logger = logging.getLogger(__name__)

KEPT = 20
AT_ONCE = 4
"""Runs of a replay that are under way together."""
MOST = 12
"""Runs of one replay."""

type State = Literal["waiting", "running", "done", "failed", "cancelled"]


class Heard:
    """A sink that keeps the answer, up to ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.tape = Tape(limit)
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.status, self.headers = status, tuple(headers)

    async def write(self, chunk: bytes) -> None:
        self.tape.add(chunk)

    def finish(self) -> None:
        """The record says how it ended."""

    def abort(self) -> None:
        """The record says how it ended."""


@dataclass(slots=True)
class Run:
    """One asking."""

    target: str | None
    """None: by today's rules."""
    heard: Heard
    state: State = "waiting"
    exchange: Exchange | None = None
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Replay:
    id: str
    call: str
    """The exchange that is asked again."""
    form: str
    """Its format."""
    runs: list[Run]
    hidden: frozenset[str]
    """The tool's own credentials, which a model may say."""
    before: tuple[str, int, str, bytes] | None = None
    """Format, status, content type and body of the answer that the tool got; None when it is not there."""
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @property
    def running(self) -> bool:
        return any(run.state in ("waiting", "running") for run in self.runs)


class Replays:
    """One per proxy; belongs to the event loop."""

    def __init__(self, engine: Engine, inspect: Inspect, intercept: Intercept) -> None:
        self._engine = engine
        self._inspect = inspect
        self._intercept = intercept
        self._kept: OrderedDict[str, Replay] = OrderedDict()

    def start(self, name: str, flow: http.HTTPFlow, targets: Sequence[str | None]) -> Replay:
        """Ask the call of ``flow`` again. Raises ValueError when it cannot be read any more."""
        call, ask = self._intercept.again(flow)
        limit = self._engine.snapshot.view.max_body
        runs = [Run(target, Heard(limit)) for target in targets]
        hidden = frozenset(header_rules.secret_values(call.headers))
        started = Replay(str(uuid.uuid4()), name, call.format, runs, hidden)
        if flow.response is not None:
            kind = flow.response.headers.get("content-type", "")
            started.before = (
                call.format,
                flow.response.status_code,
                kind,
                flow.response.get_content(strict=False) or b"",
            )
        self._kept[started.id] = started
        self._forget()
        for run in started.runs:
            run.task = asyncio.get_running_loop().create_task(self._run(started, run, flow, call, ask))
        return started

    def find(self, name: str) -> Replay | None:
        return self._kept.get(name)

    def cancel(self, replay: Replay) -> None:
        """What has not ended ends now; its upstream connections are closed."""
        for run in replay.runs:
            if run.state in ("waiting", "running"):
                run.state = "cancelled"
                if run.task is not None:
                    run.task.cancel()

    async def _run(self, replay: Replay, run: Run, flow: http.HTTPFlow, call: Call, ask: Ask) -> None:
        async with replay.places:
            again = replace(call, id=str(uuid.uuid4()))
            run.exchange = exchange = self._engine.replay(again, ask, self._inspect, run.target)
            run.state = "running"
            shown = self._inspect.replaying(flow, exchange)
            try:
                await exchange.run(run.heard)
            except Exception:
                logger.exception("a replay failed inside OmniRoute")
            finally:
                if run.state == "running":
                    run.state = "done" if exchange.record.ok else "failed"
                self._inspect.replayed(shown, exchange, run.heard.headers)

    def _forget(self) -> None:
        for name in list(self._kept):
            if len(self._kept) <= KEPT:
                return
            if not self._kept[name].running:
                del self._kept[name]


def known(target: str, snapshot: Snapshot) -> bool:
    """Whether a call can be sent to ``target``."""
    prefix, slash, model = target.partition("/")
    return target == ORIGIN or target in snapshot.combos or bool(slash and model and snapshot.provider_of(prefix))


def choices(snapshot: Snapshot) -> tuple[str, ...]:
    """Targets that the rules name, combos first."""
    combos = [name for name, combo in snapshot.combos.items() if combo.enabled]
    named = [entry.target for combo in snapshot.combos.values() for entry in combo.targets]
    routed = [target for route in snapshot.routes for target in route.to]
    found = dict.fromkeys([*combos, *named, *routed, *snapshot.aliases.values()])
    return tuple(
        target for target in found if target != ORIGIN and known(target, snapshot) and not target.endswith("/*")
    )
