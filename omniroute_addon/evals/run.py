"""Asking the cases of a suite of one target, several at once, and what came of it. The asking itself is an argument."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omniroute_addon.evals.judge import Verdict, judge
from omniroute_addon.evals.suite import Case, Suite
from omniroute_addon.logs.redaction import Redaction

LONGEST = 2000
"""Characters of an answer that are kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``error`` when it is no answer."""

    text: str = ""
    status: int | None = None
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Billed:
    """What the ledger has of a case."""

    target: str | None = None
    """Who has answered."""
    account: str | None = None
    input: int | None = None
    output: int | None = None
    micro: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    case: str
    name: str
    passed: bool
    seconds: float
    output: str
    """The beginning of the answer, without what looks like a key."""
    reason: str = ""
    """Why it has not passed."""
    error: bool = False
    """There was no answer to judge."""
    billed: Billed = Billed()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One suite at one target."""

    id: str
    suite: str
    name: str
    target: str
    started: float
    ended: float
    results: tuple[Result, ...]

    @property
    def total(self) -> int:
        return len(self.results)

    @property
    def passed(self) -> int:
        return sum(result.passed for result in self.results)

    @property
    def failed(self) -> int:
        return self.total - self.passed

    @property
    def rate(self) -> int:
        """Per cent, rounded; 100 only when all have passed."""
        rounded = round(100 * self.passed / self.total) if self.total else 0
        return min(rounded, 99) if self.failed else rounded

    @property
    def micro(self) -> int | None:
        """Millionths of a dollar; None when nobody knows of any."""
        known = [result.billed.micro for result in self.results if result.billed.micro is not None]
        return sum(known) if known else None

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Targets that have answered although another one, of the form ``prefix/model``, was asked."""
        if "/" not in self.target:
            return ()
        answered = dict.fromkeys(one.billed.target for one in self.results if one.billed.target is not None)
        return tuple(one for one in answered if one != self.target)


@dataclass(frozen=True, slots=True)
class Question:
    """One case at one target; ``session`` finds it again in the ledger."""

    model: str
    case: Case
    session: str


type Ask = Callable[[Question], Awaitable[Answer]]


class NoTargetError(ValueError):
    """A case names no model, and no target was given."""


def targets_of(suite: Suite) -> str:
    """Whom a suite asks when nobody else is named. Raises NoTargetError."""
    models = {case.model or suite.model for case in suite.cases}
    if None in models:
        raise NoTargetError(f"suite {suite.id} names no model")
    return next(iter(models)) or "" if len(models) == 1 else "each case's own model"


async def run(
    suite: Suite,
    target: str | None,
    ask: Ask,
    *,
    code: Mapping[str, Path] | None = None,
    parallel: int = 4,
    told: Callable[[Result], None] = lambda _: None,
) -> Card:
    """Ask everything and judge it. ``told`` hears of each result as it comes; cancelling leaves what is not asked yet.

    Raises NoTargetError.
    """
    named = target or targets_of(suite)
    started = time.time()
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(started))}-{secrets.token_hex(3)}"
    room = asyncio.Semaphore(parallel)

    async def one(number: int, case: Case) -> Result:
        async with room:
            model = target or case.model or suite.model or ""
            answer = await ask(Question(model, case, session(name, number)))
            result = await asyncio.to_thread(_judged, case, answer, dict(code or {}))
        told(result)
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number, case)) for number, case in enumerate(suite.cases)]
    results = tuple(task.result() for task in tasks)
    return Card(name, suite.id, suite.title, named, started, time.time(), results)


def session(run_id: str, number: int) -> str:
    """The session under which the ledger has a case."""
    return f"eval-{run_id}-{number}"


def with_bills(card: Card, bills: Mapping[str, Billed]) -> Card:
    """The card with what the ledger knows, by session."""
    found = tuple(
        replace(result, billed=bills.get(session(card.id, number), result.billed))
        for number, result in enumerate(card.results)
    )
    return replace(card, results=found)


def plain(card: Card) -> dict[str, object]:
    """For scripts and pages."""
    micro = card.micro
    return {
        "id": card.id,
        "suite": card.suite,
        "name": card.name,
        "target": card.target,
        "started": card.started,
        "ended": card.ended,
        "total": card.total,
        "passed": card.passed,
        "failed": card.failed,
        "passRate": card.rate,
        "cost": None if micro is None else micro / 1e6,
        "elsewhere": list(card.elsewhere),
        "results": [_plain(result) for result in card.results],
    }


def _plain(result: Result) -> dict[str, object]:
    billed = result.billed
    return {
        "id": result.case,
        "name": result.name,
        "passed": result.passed,
        "error": result.error,
        "reason": result.reason,
        "durationMs": round(result.seconds * 1000),
        "output": result.output,
        "tags": list(result.tags),
        "target": billed.target,
        "account": billed.account,
        "input": billed.input,
        "tokens": billed.output,
        "cost": None if billed.micro is None else billed.micro / 1e6,
    }


def best(cards: Sequence[Card]) -> list[Card]:
    """The cards, the best first: by rate, then by cost, then by time."""
    return sorted(cards, key=lambda card: (-card.rate, card.micro or 0, card.ended - card.started))


def _judged(case: Case, answer: Answer, code: dict[str, Path]) -> Result:
    if answer.error is not None:
        verdict = Verdict(False, Redaction().text(answer.error))
    else:
        verdict = judge(case, answer.text, code)
    return Result(
        case=case.id,
        name=case.title,
        passed=verdict.passed,
        seconds=answer.seconds,
        output=Redaction().text(answer.text)[:LONGEST],
        reason=verdict.reason,
        error=answer.error is not None,
        tags=case.tags,
    )
