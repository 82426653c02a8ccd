"""Suites that a page has asked for: they run in the proxy, one question a call of the gateway, and may be cancelled.

A run's questions hold to rules, accounts, budgets and ledger as any caller's; its scorecard is kept where ``omniroute
evals`` keeps them. A suite that runs code of its own is not for pages.
"""

import asyncio
import logging
import sqlite3
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from omniroute_addon.addons.inspect import Inspect
from omniroute_addon.addons.intercept import Intercept
from omniroute_addon.engine.engine import Engine
from omniroute_addon.evals import gateway, store
from omniroute_addon.evals.run import Answer, Card, Question, Result, run
from omniroute_addon.evals.suite import Suite
from omniroute_addon.home import data_dir
from omniroute_addon.web.asking import question
from omniroute_addon.web.replays import Heard

logger = logging.getLogger(__name__)

KEPT = 50
AT_ONCE = 2
"""Exams that run together; others wait."""

type State = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(slots=True)
class Exam:
    """One suite at one target."""

    id: str
    suite: Suite
    target: str | None
    """None: each case's own model."""
    began: float
    state: State = "waiting"
    asked: int = 0
    """Answers that have been judged."""
    passed: int = 0
    card: Card | None = None
    trouble: str = ""
    task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self.state in ("waiting", "running")


class Exams:
    """One per proxy; belongs to the event loop."""

    def __init__(self, engine: Engine, inspect: Inspect, intercept: Intercept, ledger: Callable[[], Path]) -> None:
        self._engine = engine
        self._inspect = inspect
        self._intercept = intercept
        self._ledger = ledger
        self._kept: OrderedDict[str, Exam] = OrderedDict()
        self._places = asyncio.Semaphore(AT_ONCE)

    def start(self, suite: Suite, target: str | None) -> Exam:
        exam = Exam(str(uuid.uuid4()), suite, target, time.time())
        self._kept[exam.id] = exam
        for name in list(self._kept):
            if len(self._kept) > KEPT and not self._kept[name].running:
                del self._kept[name]
        exam.task = asyncio.get_running_loop().create_task(self._run(exam))
        return exam

    def latest(self) -> list[Exam]:
        """Newest first."""
        return list(reversed(self._kept.values()))

    def find(self, name: str) -> Exam | None:
        return self._kept.get(name)

    def cancel(self, exam: Exam) -> None:
        """What has not been asked stays so; calls under way end."""
        if exam.running:
            exam.state = "cancelled"
            if exam.task is not None:
                exam.task.cancel()

    async def _run(self, exam: Exam) -> None:
        def told(result: Result) -> None:
            exam.asked += 1
            exam.passed += result.passed

        async with self._places:
            exam.state = "running"
            try:
                card = await run(exam.suite, exam.target, self._ask, told=told)
                exam.card = await gateway.billed(card, self._ledger())
                await asyncio.to_thread(store.keep, data_dir(), exam.card)
            except (sqlite3.Error, OSError) as error:
                exam.trouble = f"the scorecard could not be kept: {error}"
            except Exception:
                logger.exception("an eval failed inside OmniRoute")
                exam.state, exam.trouble = "failed", "it failed inside OmniRoute; the log says why"
                return
            exam.state = "done"

    async def _ask(self, asked: Question) -> Answer:
        flow = question(
            "/v1/chat/completions",
            {"model": asked.model, **asked.case.input},
            {"user-agent": gateway.CLIENT, "x-omniroute-session": asked.session},
        )
        began = time.monotonic()
        try:
            call, ask = self._intercept.again(flow)
        except ValueError as error:
            return Answer(error=str(error))
        heard = Heard(self._engine.snapshot.limits.max_answer)
        exchange = self._engine.replay(call, ask, self._inspect)
        shown = self._inspect.replaying(flow, exchange)
        try:
            await exchange.run(heard)
        finally:
            self._inspect.replayed(shown, exchange, heard.headers)
        took = time.monotonic() - began
        if heard.status is None:
            return Answer(seconds=took, error=exchange.record.outcome)
        return gateway.answered(heard.status, heard.tape.content(), took)
