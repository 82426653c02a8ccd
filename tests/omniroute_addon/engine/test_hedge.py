"""Two attempts beside each other: who has the call, what becomes of the other, and what both have cost."""

import asyncio
import json
import time

import pytest

from omniroute_addon.config.combos import Hedge
from omniroute_addon.engine.call import SHUTDOWN
from omniroute_addon.engine.hedge import LEAST, TARGETS, Paces
from tests.omniroute_addon.engine.stage import CHAT, HELLO, WHOLE, Collected, Stage, claude, failure, scene
from tests.omniroute_addon.loopback import HOLD, Answer, Gate, Provider, stream
from tests.omniroute_addon.loopback import json as whole
from tests.servers import answers, faults

SOON = "combo_defaults: {hedge: {after: 50ms}}\nprices: {'*': {input: 1, output: 2}}"
LATE = "combo_defaults: {hedge: {after: 1h}}"
OTHER = stream(*answers.events("openai-chat", answers.Answer(pieces=("Other",)), "m"))
BEGUN = stream(*CHAT[:1], HOLD)
"""Headers and an event without a word."""


async def wrote(on: Stage, two: Provider) -> None:
    """Until the client has something."""
    await two.asked.wait()
    while not on.sink.body:
        await on.sink.wrote.wait()
        await asyncio.sleep(0)


def text(body: bytes) -> str:
    lines = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]
    return "".join(one["delta"].get("text", "") for one in lines if one["type"] == "content_block_delta")


@pytest.mark.parametrize("silent", [stream(HOLD), BEGUN, Answer((HOLD,))], ids=["headers", "opening", "nothing"])
def test_the_second_has_the_call_when_the_first_is_silent(silent: Answer) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask()
        assert (got.starts, got.ended, text(got.body)) == (1, "finished", "Other")
        async with asyncio.timeout(1):
            await one.gone.wait()
        first, second = on.record.attempts
        assert (first.outcome, first.used, second.outcome, second.used) == ("overtaken", False, "used", True)
        assert None not in (first.cost, second.cost, first.ended)
        assert first.usage.estimated
        assert on.record.outcome == "done"
        assert "hedged" in on.record.summary()
        assert on.record.usage == second.usage
        assert (on.standing.in_flight("a/m"), on.standing.in_flight("b/m"), len(two.received)) == (0, 0, 1)

    scene(main, [silent], [OTHER], more=SOON)


def test_the_loser_is_closed_at_once() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.create_task(on.ask())
        await wrote(on, two)
        began = time.monotonic()
        await one.gone.wait()
        assert time.monotonic() - began < 0.1
        assert on.record.attempts[0].outcome == "overtaken"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    scene(main, [stream(HOLD)], [stream(*CHAT[:2], HOLD)], more=SOON)


def test_the_first_keeps_the_call_when_it_is_the_first_to_say_something() -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        task = asyncio.create_task(on.ask())
        await two.asked.wait()
        gate.open()
        await task
        await two.gone.wait()
        assert text(on.sink.body) == "Hello"
        assert [attempt.outcome for attempt in on.record.attempts] == ["used", "overtaken"]

    scene(main, [stream(gate, *CHAT)], [stream(HOLD)], more=SOON)


def test_no_second_attempt_before_its_time_or_for_a_whole_answer_or_without_the_rule() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        await on.ask(claude(HELLO if on.snapshot.governance.combo_defaults.hedge is None else WHOLE))
        assert two.received == []

    slow = stream(*CHAT)
    scene(main, [whole(200, answers.whole("openai-chat", answers.Answer(("Hi",)), "m"))], [OTHER], more=SOON)
    scene(main, [slow], [OTHER])

    async def late(on: Stage, one: Provider, two: Provider) -> None:
        del one
        await on.ask()
        assert two.received == []

    scene(late, [slow], [OTHER], more=LATE)


@pytest.mark.parametrize("limit", ["max_attempts: 1", "max_time: 200ms"])
def test_a_second_attempt_counts_for_the_combos_limits(limit: str) -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.create_task(on.ask())
        await one.asked.wait()
        with pytest.raises(TimeoutError):  # by then the second would have been asked
            await asyncio.wait_for(two.asked.wait(), 0.6)
        gate.open()
        await task
        assert (text(on.sink.body), on.targets) == ("Hello", ["a/m"])

    scene(
        main,
        [stream(gate, *CHAT)],
        [OTHER],
        more=SOON.replace("hedge: {after: 50ms}", f"{limit}, hedge: {{after: 300ms}}"),
    )


def test_one_that_fails_leaves_the_call_to_the_other() -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        task = asyncio.create_task(on.ask())
        await two.asked.wait()
        gate.open()
        await task
        assert text(on.sink.body) == "Hello"
        assert [attempt.used for attempt in on.record.attempts] == [True, False]
        assert on.record.attempts[1].outcome.startswith("500")

    scene(main, [stream(gate, *CHAT)], [failure(faults.server_error("openai-chat"))], more=SOON)


def test_when_both_fail_the_third_is_asked_and_there_is_no_second_hedge() -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.create_task(on.ask())
        await two.asked.wait()
        gate.open()
        await task
        assert text(on.sink.body) == "Other"
        assert on.targets == ["a/m", "b/m", "b/n"]
        assert (len(one.received), len(two.received)) == (1, 2)

    refused = failure(faults.server_error("openai-chat"))
    scene(main, [stream(gate, faults.error_event("openai-chat"))], [refused, OTHER], "a/m, b/m, b/n, a/n", SOON)


@pytest.mark.parametrize("fault", ["first", "second"])
def test_when_both_fail_the_client_is_told_whose_fault_the_request_has(fault: str) -> None:
    """In the words of the one that has said so, whichever was the last to fail."""
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        task = asyncio.create_task(on.ask())
        await two.asked.wait()
        gate.open()
        await task
        assert (on.sink.status, b"max_tokens is odd" in on.sink.body) == (400, True)
        assert "max_tokens is odd" in on.record.outcome
        assert on.targets == ["a/m", "b/m"]

    wrong = failure(faults.failure("openai-chat", 400, "invalid_request_error", "max_tokens is odd"))
    broken = failure(faults.server_error("openai-chat"))
    first, second = (wrong, broken) if fault == "first" else (broken, wrong)
    scene(main, [Answer((gate, *first.parts))], [second], "a/m, b/m, b/n", more=SOON)


def test_one_that_may_be_asked_again_stays_when_both_fail() -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        task = asyncio.create_task(on.ask())
        await two.asked.wait()
        gate.open()
        await task
        assert text(on.sink.body) == "Other"
        assert [attempt.account for attempt in on.record.attempts] == ["a-1", "b-1", "b-1"]

    gone = failure(faults.failure("openai-chat", 404, "not_found_error", "no such model"))
    again = "combo_defaults: {hedge: {after: 50ms}, retries: 1, retry_delay: 10ms}"
    scene(main, [Answer((gate, *gone.parts))], [failure(faults.server_error("openai-chat")), OTHER], more=again)


@pytest.mark.parametrize("reason", [SHUTDOWN, "left"])
def test_who_leaves_closes_both_at_once(reason: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.create_task(on.ask())
        await two.asked.wait()
        began = time.monotonic()
        task.cancel(reason)
        await asyncio.gather(task, return_exceptions=True)
        await one.gone.wait()
        await two.gone.wait()
        assert time.monotonic() - began < 0.1
        assert on.sink.status == (529 if reason == SHUTDOWN else None)
        assert [attempt.outcome for attempt in on.record.attempts] == ["cancelled", "cancelled"]
        assert (on.standing.in_flight("a/m"), on.standing.in_flight("b/m")) == (0, 0)

    scene(main, [stream(HOLD)], [stream(HOLD)], more=SOON)


@pytest.mark.parametrize("winner", ["first", "second"])
def test_who_leaves_in_the_answer_closes_it(winner: str) -> None:
    begun = stream(*CHAT[:2], HOLD)

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.create_task(on.ask())
        await (two if winner == "second" else one).asked.wait()
        while not on.sink.body:
            await on.sink.wrote.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await (two if winner == "second" else one).gone.wait()
        assert on.record.outcome == "client left"
        assert [attempt.outcome for attempt in on.record.attempts if attempt.used] == ["used"]
        assert (on.standing.in_flight("a/m"), on.standing.in_flight("b/m")) == (0, 0)

    rules = SOON if winner == "second" else LATE
    scene(main, [stream(HOLD) if winner == "second" else begun], [begun], more=rules)


def test_a_proxy_that_stops_ends_the_winners_stream_in_an_error() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        task = asyncio.create_task(on.ask())
        await wrote(on, two)
        task.cancel(SHUTDOWN)
        await asyncio.gather(task, return_exceptions=True)
        assert (on.sink.ended, on.sink.body.count(b"event: error")) == ("finished", 1)

    scene(main, [stream(HOLD)], [stream(*CHAT[:2], HOLD)], more=SOON)


def test_a_winner_that_breaks_off_is_gone_on_with_by_the_one_it_has_beaten() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask()
        assert text(got.body) == "Hello"
        assert on.targets == ["a/m", "b/m", "a/m"]
        assert on.record.attempts[2].outcome == "resumed"
        assert len(one.received) == 2

    rest = stream(*answers.events("openai-chat", answers.Answer(pieces=("lo",)), "m"))
    both = "combo_defaults: {hedge: {after: 50ms}, on_midstream_failure: resume}"
    scene(main, [stream(HOLD), rest], [stream(*CHAT[:2], end=False)], more=both)


BUDGET = "\nbudgets: [{name: cap, daily: 1, on_exceed: %s}]"


def test_both_are_held_and_paid_for() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.create_task(on.ask())
        await two.asked.wait()
        (bucket,) = on.standing.money.budgets.buckets(time.time())
        assert bucket.reserved == sum(attempt.reserved for attempt in on.record.attempts)
        assert all(attempt.reserved for attempt in on.record.attempts)
        await task
        await one.gone.wait()
        costs = [attempt.cost for attempt in on.record.attempts]
        assert [cost is not None and cost.estimated for cost in costs] == [True, False]
        (bucket,) = on.standing.money.budgets.buckets(time.time())
        assert (bucket.reserved, bucket.spent) == (0, sum(cost.micro or 0 for cost in costs if cost is not None))

    scene(main, [stream(HOLD)], [OTHER], more=SOON + BUDGET % "fallback")


@pytest.mark.parametrize("on_exceed", ["fallback", "deny"])
def test_a_budget_with_room_for_one_lets_the_first_go_on_alone(on_exceed: str) -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.create_task(on.ask())
        await one.asked.wait()
        with pytest.raises(TimeoutError):  # by then the second would have been asked
            await asyncio.wait_for(two.asked.wait(), 0.3)
        gate.open()
        await task
        assert (text(on.sink.body), on.record.outcome, two.received) == ("Hello", "done", [])
        assert "budget cap" in on.record.excluded[0]

    room = BUDGET.replace("daily: 1,", "daily: 0.05,")
    scene(main, [stream(gate, *CHAT)], [OTHER], more=SOON + room % on_exceed)


def test_a_targets_own_time_goes_before_its_combos() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        assert text((await on.ask()).body) == "Other"

    scene(main, [stream(HOLD)], [OTHER], "{target: a/m, hedge: {after: 50ms}}, b/m", LATE)


def test_p95_needs_samples() -> None:
    paces = Paces()
    for number in range(1, LEAST):
        paces.note("a", number)
    assert paces.p95("a") is None
    paces.note("a", LEAST)
    assert paces.p95("a") == 19
    assert paces.p95("b") is None
    for number in range(TARGETS + 5):
        paces.note(f"t{number}", 1)
    assert paces.p95("a") is None


def test_p95_of_what_the_target_has_shown_begins_the_second() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        for _ in range(LEAST):
            await on.ask()
        assert two.received == []
        assert text((await on.ask()).body) == "Other"
        assert len(one.received) == LEAST + 1

    answered = [stream(*CHAT)] * LEAST
    scene(main, [*answered, stream(HOLD)], [OTHER], more="combo_defaults: {hedge: {after: p95}}")


def test_one_that_was_overtaken_counts_as_slow_for_its_next_calls() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        for _ in range(LEAST):
            await on.ask()
        pace = on.standing.paces.p95("a/m")
        assert pace is not None
        assert pace >= 0.05

    scene(main, [stream(HOLD)] * LEAST, [OTHER], more=SOON)


def test_one_that_waits_for_its_place_is_not_called_slow() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        held = asyncio.create_task(on.exchange(claude()).run(Collected()))
        await one.asked.wait()
        for _ in range(LEAST):
            assert text((await on.ask()).body) == "Other"
        assert on.standing.paces.p95("a/m") is None
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)

    rules = SOON.replace("hedge:", "concurrency: 1, hedge:")
    scene(main, [stream(*CHAT[:2], HOLD)], [OTHER], more=rules)


@pytest.mark.parametrize("after", [0, "0s", "p50", "soon"])
def test_other_times_are_refused(after: object) -> None:
    with pytest.raises(ValueError, match="after"):
        Hedge.model_validate({"after": after})
