"""Evals: the suites, those that run now with how far they are, scorecards over time, and one scorecard whole."""

import asyncio
import sqlite3

from pydantic import Field

from omniroute_addon.config import ConfigError
from omniroute_addon.evals import store
from omniroute_addon.evals.run import Card, NoTargetError, targets_of
from omniroute_addon.evals.suite import available, load
from omniroute_addon.home import data_dir
from omniroute_addon.logs.writer import audit
from omniroute_addon.web import charts, figures
from omniroute_addon.web.exams import Exam, State
from omniroute_addon.web.replays import choices, known
from omniroute_addon.web.resource import Answer, Asked, Page, RefusedError, Resource
from omniroute_addon.web.site import Site

CARDS = 100
SERIES = 8
"""Targets of the chart, those that were asked last."""


class EvalsAsked(Asked):
    suite: str = Field(default="", max_length=200, description="Only its scorecards, by the id in its file")


class SuiteShown(Answer):
    name: str
    id: str
    title: str
    about: str
    cases: int
    problem: str
    """Why it cannot be run from here; empty when it can."""


class ExamShown(Answer):
    id: str
    suite: str
    target: str | None
    state: State
    total: int
    asked: int
    passed: int
    card: str | None
    trouble: str


class CardLine(Answer):
    id: str
    suite: str
    name: str
    target: str
    started: float
    ended: float
    total: int
    passed: int
    rate: int
    """Per cent."""
    cost: float | None
    elsewhere: tuple[str, ...]
    """Who has answered although another target was asked."""


class Evals(Answer):
    suites: tuple[SuiteShown, ...]
    targets: tuple[str, ...]
    """That the rules name."""
    runs: tuple[ExamShown, ...]
    """Newest first; the latest ones, until the proxy stops."""
    cards: tuple[CardLine, ...]
    """Newest first."""


class RunBody(Asked):
    suite: str = Field(min_length=1, max_length=200, description="A name of the list")
    targets: tuple[str, ...] = Field(default=(), max_length=12, description="Each case's own model when empty")


class Started(Answer):
    runs: tuple[ExamShown, ...]


class RunAsked(Asked):
    id: str = Field(pattern=r"^[0-9a-z-]{1,64}$")


class CaseShown(Answer):
    id: str
    name: str
    passed: bool
    error: bool
    reason: str
    seconds: float
    output: str
    target: str | None
    cost: float | None
    tags: tuple[str, ...]


class Scorecard(Answer):
    card: CardLine
    results: tuple[CaseShown, ...]


async def evals(site: Site, asked: EvalsAsked) -> Evals:
    """Suites, runs and scorecards over time."""
    found = await asyncio.to_thread(_cards, asked.suite or None, None)
    return Evals(
        suites=await asyncio.to_thread(lambda: tuple(_suite(name) for name in available(data_dir()))),
        targets=choices(site.snapshot),
        runs=tuple(_exam(one) for one in site.exams.latest()),
        cards=tuple(_line(card) for card in reversed(found)),
    )


async def start(site: Site, body: RunBody) -> Started:
    """Ask a suite of targets, each for itself."""
    path = available(data_dir()).get(body.suite)
    if path is None:
        raise RefusedError(404, f"there is no suite {body.suite!r}")
    try:
        suite = await asyncio.to_thread(load, path)
    except ConfigError as error:
        raise RefusedError(409, f"the suite cannot be used: {error}") from error
    if suite.runs_code:
        raise RefusedError(409, "this suite runs code of its own: `omniroute evals run --allow-code` does that")
    targets = tuple(dict.fromkeys(body.targets))
    for target in targets:
        if not known(target, site.snapshot):
            raise RefusedError(404, f"{target!r} is no target: say prefix/model or a combo")
    if not targets:
        try:
            targets_of(suite)
        except NoTargetError as error:
            raise RefusedError(409, f"{error}: say whom to ask") from error
    if site.engine.stopping:
        raise RefusedError(409, "the proxy is stopping")
    audit("evals started", "page", suite=body.suite, targets=", ".join(targets))
    return Started(runs=tuple(_exam(site.exams.start(suite, target)) for target in targets or (None,)))


async def look(site: Site, asked: RunAsked) -> ExamShown:
    """How far a run is."""
    return _exam(_find(site, asked.id))


async def cancel(site: Site, asked: RunAsked) -> ExamShown:
    """End a run; nothing is kept of it."""
    exam = _find(site, asked.id)
    site.exams.cancel(exam)
    return _exam(exam)


async def scorecard(site: Site, asked: RunAsked) -> Scorecard:
    """A scorecard with every case."""
    del site
    found = await asyncio.to_thread(_cards, None, asked.id)
    if len(found) != 1:
        raise RefusedError(404, "there is no such scorecard, or more than one begins so")
    return Scorecard(
        card=_line(found[0]),
        results=tuple(
            CaseShown(
                id=one.case,
                name=one.name,
                passed=one.passed,
                error=one.error,
                reason=one.reason,
                seconds=one.seconds,
                output=one.output,
                target=one.billed.target,
                cost=None if one.billed.micro is None else one.billed.micro / 1e6,
                tags=one.tags,
            )
            for one in found[0].results
        ),
    )


def _find(site: Site, name: str) -> Exam:
    exam = site.exams.find(name)
    if exam is None:
        raise RefusedError(404, "there is no such run; the latest few are known, until the proxy stops")
    return exam


def _cards(suite: str | None, name: str | None) -> list[Card]:
    try:
        return store.cards(data_dir(), suite=suite, name=name, limit=CARDS)
    except (sqlite3.Error, OSError) as error:
        raise RefusedError(409, f"the scorecards cannot be read: {error}") from error


def _suite(name: str) -> SuiteShown:
    try:
        suite = load(available(data_dir())[name])
    except (ConfigError, KeyError) as error:
        return SuiteShown(name=name, id=name, title=name, about="", cases=0, problem=str(error))
    return SuiteShown(
        name=name,
        id=suite.id,
        title=suite.title,
        about=suite.description,
        cases=len(suite.cases),
        problem="it runs code of its own: `omniroute evals run --allow-code`" if suite.runs_code else "",
    )


def _exam(exam: Exam) -> ExamShown:
    return ExamShown(
        id=exam.id,
        suite=exam.suite.title,
        target=exam.target,
        state=exam.state,
        total=len(exam.suite.cases),
        asked=exam.asked,
        passed=exam.passed,
        card=None if exam.card is None else exam.card.id,
        trouble=exam.trouble,
    )


def _line(card: Card) -> CardLine:
    return CardLine(
        id=card.id,
        suite=card.suite,
        name=card.name,
        target=card.target,
        started=card.started,
        ended=card.ended,
        total=card.total,
        passed=card.passed,
        rate=card.rate,
        cost=None if card.micro is None else card.micro / 1e6,
        elsewhere=card.elsewhere,
    )


def series(cards: tuple[CardLine, ...]) -> tuple[list[str], dict[str, list[float | None]]]:
    """Points in time, and the rate of each suite at each target at them."""
    found = list(reversed(cards))
    names = list(dict.fromkeys(f"{card.name} · {card.target}" for card in cards))[:SERIES]
    return [figures.date(card.started)[5:16] for card in found], {
        name: [float(card.rate) if f"{card.name} · {card.target}" == name else None for card in found] for name in names
    }


def percent(rate: float) -> str:
    return figures.share(rate / 100)


RESOURCES = (
    Resource(
        "GET",
        "evals",
        evals,
        page=Page(
            "evals", "evals.html", "evals.title", values={"charts": charts, "series": series, "percent": percent}
        ),
    ),
    Resource("POST", "evals/runs", start, status=201),
    Resource("GET", "evals/runs/{id}", look),
    Resource("DELETE", "evals/runs/{id}", cancel),
    Resource(
        "GET", "evals/cards/{id}", scorecard, page=Page("evals/cards/{id}", "card.html", "evals.card", navigation=False)
    ),
)
