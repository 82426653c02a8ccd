"""A suite asked of a target: what the card says."""

import asyncio
from collections.abc import Mapping

import pytest

from omniroute_addon.evals.run import (
    Answer,
    Billed,
    Card,
    NoTargetError,
    Question,
    Result,
    best,
    plain,
    run,
    with_bills,
)
from omniroute_addon.evals.suite import Suite


def suite(count: int = 3, **more: object) -> Suite:
    asked = {"messages": [{"role": "user", "content": "?"}]}
    cases = [
        {"id": f"c{number}", "input": asked, "expected": {"strategy": "exact", "value": "yes"}, **more}
        for number in range(count)
    ]
    return Suite.model_validate({"id": "s", "cases": cases})


async def _yes(_: Question) -> Answer:
    return Answer("yes", 200, 0.5)


def card(passed: int, failed: int, target: str = "glm/x", **more: object) -> Card:
    results = [Result(f"{number}", "", number < passed, 1.0, "") for number in range(passed + failed)]
    return Card("id", "s", "s", target, 0.0, 10.0, tuple(results), **more)  # type: ignore[arg-type]


def test_all_cases_are_asked_of_the_target_in_their_order() -> None:
    asked: list[Question] = []

    async def ask(question: Question) -> Answer:
        asked.append(question)
        return Answer("yes" if question.case.id != "c1" else "no", 200, 0.5)

    told: list[str] = []
    found = asyncio.run(run(suite(), "glm/x", ask, told=lambda result: told.append(result.case)))
    assert ([result.passed for result in found.results], sorted(told)) == ([True, False, True], ["c0", "c1", "c2"])
    assert ({question.model for question in asked}, len({question.session for question in asked})) == ({"glm/x"}, 3)
    assert (found.total, found.passed, found.failed, found.rate) == (3, 2, 1, 67)


def test_no_more_than_allowed_are_under_way() -> None:
    now, most = 0, 0

    async def ask(_: Question) -> Answer:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _turn in range(5):
            await asyncio.sleep(0)
        now -= 1
        return Answer("yes")

    asyncio.run(run(suite(20), "glm/x", ask, parallel=3))
    assert most == 3


def test_no_answer_is_a_failure_with_its_reason_and_without_keys() -> None:
    async def ask(_: Question) -> Answer:
        return Answer(status=401, error="status 401: no such key sk-0123456789abcdef0123")

    (result, *_) = asyncio.run(run(suite(), "glm/x", ask)).results
    assert (result.passed, result.error, result.reason) == (False, True, "status 401: no such key [redacted]")


def test_a_case_without_a_target_is_asked_of_its_model() -> None:
    asked: list[str] = []

    async def ask(question: Question) -> Answer:
        asked.append(question.model)
        return Answer("yes")

    found = asyncio.run(run(suite(2, model="groq/m"), None, ask))
    assert (asked, found.target) == (["groq/m"] * 2, "groq/m")


def test_a_suite_without_any_model_needs_a_target() -> None:
    with pytest.raises(NoTargetError):
        asyncio.run(run(suite(), None, _yes))


def test_cancelling_leaves_what_is_not_asked() -> None:
    asked: list[str] = []

    async def main() -> None:
        both = asyncio.Barrier(3)

        async def ask(question: Question) -> Answer:
            asked.append(question.case.id)
            await both.wait()
            await asyncio.Event().wait()
            return Answer("never")

        task = asyncio.create_task(run(suite(50), "glm/x", ask, parallel=2))
        await both.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(asked) == 2


@pytest.mark.parametrize("passed, failed, rate", [(0, 3, 0), (3, 0, 100), (999, 1, 99), (2, 1, 67), (0, 0, 0)])
def test_the_rate_is_rounded_but_never_up_to_a_hundred(passed: int, failed: int, rate: int) -> None:
    assert card(passed, failed).rate == rate


def test_what_the_ledger_knows_comes_to_its_case() -> None:
    bills: Mapping[str, Billed] = {"eval-id-1": Billed("glm/y", "main", 10, 5, 700)}
    found = with_bills(card(2, 0), bills)
    assert (found.results[0].billed, found.results[1].billed.account, found.micro) == (Billed(), "main", 700)


def test_a_target_that_others_answered_for_says_so() -> None:
    bills = {"eval-id-0": Billed("groq/z"), "eval-id-1": Billed("glm/x")}
    assert with_bills(card(2, 0), bills).elsewhere == ("groq/z",)
    assert with_bills(card(2, 0, "premium"), bills).elsewhere == ()


def test_the_best_come_first() -> None:
    assert [one.target for one in best([card(1, 1, "b"), card(2, 0, "a")])] == ["a", "b"]


def test_a_card_in_plain_values() -> None:
    found = plain(with_bills(card(1, 0), {"eval-id-0": Billed("glm/x", None, 1, 2, 1_500_000)}))
    assert (found["passRate"], found["cost"], found["total"], found["failed"]) == (100, 1.5, 1, 0)
