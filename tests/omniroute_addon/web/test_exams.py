"""Suites in the proxy's own loop: to their end, as many together as there are places, cancelled, and with nowhere to be kept."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from omniroute_addon.evals import gateway, store
from omniroute_addon.evals.suite import Case, Expected, Suite
from omniroute_addon.home import data_dir
from omniroute_addon.ledger.ledger import path_of
from omniroute_addon.web import exams as exams_module
from omniroute_addon.web.exams import AT_ONCE, Exam, Exams
from tests.omniroute_addon import loopback
from tests.omniroute_addon.addons.proxied import Proxied, proxied
from tests.omniroute_addon.engine.stage import CLAUDE_WHOLE, SAID
from tests.omniroute_addon.loopback import HOLD, Answer, Gate, Provider, run, within

GOOD = loopback.json(200, CLAUDE_WHOLE)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIROUTE_HOME", str(tmp_path))
    monkeypatch.setattr(gateway, "WAIT", 0.0)  # what the questions cost is not looked at here


def suite(cases: int = 2) -> Suite:
    """The first is passed, the others are not."""
    asked = {"messages": [{"role": "user", "content": "Say it"}]}
    values = [SAID.text, *["something else"] * (cases - 1)]
    found = [
        Case(id=f"c{number}", input=asked, expected=Expected(strategy="contains", value=value))
        for number, value in enumerate(values)
    ]
    return Suite(id="two", name="Two", cases=tuple(found))


def scene(main: Callable[[Exams, Proxied], Awaitable[None]], *answers: Answer) -> None:
    async def whole() -> None:
        async with proxied(list(answers)) as on:
            await main(Exams(on.engine, on.inspect, on.intercept, lambda: path_of(on.engine.snapshot)), on)

    run(whole)


async def ended(exam: Exam) -> Exam:
    assert exam.task is not None
    await within(asyncio.wait([exam.task]))
    return exam


async def called(provider: Provider, count: int) -> None:
    while len(provider.received) < count:
        provider.asked.clear()
        await provider.asked.wait()


def test_a_run_judges_every_answer_and_keeps_its_card() -> None:
    async def main(exams: Exams, _: Proxied) -> None:
        exam = await ended(exams.start(suite(), "c/m"))
        assert (exam.state, exam.asked, exam.passed, exam.trouble) == ("done", 2, 1, "")
        assert exams.find(exam.id) is exam
        (kept,) = store.cards(data_dir())
        assert exam.card is not None
        assert (kept.id, kept.passed, kept.total) == (exam.card.id, 1, 2)

    scene(main, GOOD, GOOD)


def test_an_answer_that_never_came_is_not_passed() -> None:
    async def main(exams: Exams, _: Proxied) -> None:
        exam = await ended(exams.start(suite(1), "c/m"))
        assert (exam.state, exam.asked, exam.passed) == ("done", 1, 0)

    scene(main, loopback.json(500, b"{}"))


def test_what_is_cancelled_ends_at_once_and_has_no_card() -> None:
    async def main(exams: Exams, on: Proxied) -> None:
        exam = exams.start(suite(1), "c/m")
        await within(called(on.provider, 1))
        exams.cancel(exam)
        await ended(exam)
        assert (exam.state, exam.running, exam.card, store.cards(data_dir())) == ("cancelled", False, None, [])

    scene(main, Answer((HOLD,)))


def test_more_runs_than_places_wait_their_turn() -> None:
    async def main(exams: Exams, on: Proxied) -> None:
        started = [exams.start(suite(1), "c/m") for _ in range(AT_ONCE + 1)]
        await within(called(on.provider, AT_ONCE))
        assert [one.state for one in started] == [*["running"] * AT_ONCE, "waiting"]
        assert exams.latest() == started[::-1]
        gate.open()
        for one in started:
            await ended(one)
        assert {one.state for one in started} == {"done"}

    gate = Gate()
    held = Answer((gate, *GOOD.parts))
    scene(main, *[held] * (AT_ONCE + 1))


def test_a_card_that_cannot_be_kept_is_said_so(tmp_path: Path) -> None:
    async def main(exams: Exams, _: Proxied) -> None:
        (tmp_path / store.NAME).mkdir()
        exam = await ended(exams.start(suite(1), "c/m"))
        assert (exam.state, exam.passed) == ("done", 1)
        assert "could not be kept" in exam.trouble

    scene(main, GOOD)


def test_only_the_latest_runs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exams_module, "KEPT", 2)

    async def main(exams: Exams, _: Proxied) -> None:
        first = await ended(exams.start(suite(1), "c/m"))
        for _ in range(2):
            last = await ended(exams.start(suite(1), "c/m"))
        assert (exams.find(first.id), len(exams.latest()), exams.latest()[0]) == (None, 2, last)

    scene(main, GOOD)
