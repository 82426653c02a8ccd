"""Exchanges that wait for each other: places, retries, breakers, and the end of a quota with many calls under way."""

import asyncio
import time
from collections.abc import Callable

import pytest

from omniroute_addon.config.governance import Breaker, Rates
from omniroute_addon.engine.call import SHUTDOWN
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.verdict import Verdict
from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import CHAT, Collected, Stage, claude, failure, scene
from tests.omniroute_addon.loopback import HOLD, Answer, Gate, Provider, within
from tests.servers import faults

GOOD = loopback.stream(*CHAT)
BROKEN = failure(faults.server_error("openai-chat"))
GONE = failure(faults.quota("openai-chat"))
REFUSED = loopback.json(400, b'{"error":{"message":"temperature must be at most 2","type":"invalid_request_error"}}')
CLOSED = Answer((), reset=True)
MANY = 40


async def together(on: Stage, number: int = MANY) -> tuple[list[Exchange], list[Collected]]:
    exchanges = [on.exchange(claude()) for _ in range(number)]
    sinks = [Collected() for _ in exchanges]
    await within(asyncio.gather(*(one.run(sink) for one, sink in zip(exchanges, sinks, strict=True))))
    return exchanges, sinks


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.001)


def statuses(sinks: list[Collected]) -> set[int | None]:
    return {sink.status for sink in sinks}


# ── retries ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_combo_may_try_a_broken_target_again() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask()
        assert (got.status, on.targets, len(one.received), two.received) == (200, ["a/m", "a/m"], 2, [])

    scene(main, [BROKEN, GOOD], [GOOD], more="combo_defaults: {retries: 1, retry_delay: 1ms}")


def test_retries_end() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        await on.ask()
        assert (on.targets, len(one.received)) == (["a/m", "a/m", "a/m", "b/m"], 3)

    more = "combo_defaults: {retries: 2, retry_delay: 1ms}\nresilience: {enabled: false}"
    scene(main, [BROKEN], [GOOD], more=more)


def test_a_quota_is_never_tried_again() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        await on.ask()
        assert on.targets == ["a/m", "a/m", "b/m"]  # both accounts, once each

    scene(main, [GONE], [GOOD], more="combo_defaults: {retries: 3, retry_delay: 1ms}")


def test_the_delay_is_on_record() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        await on.ask()
        assert on.record.waited >= 0.05

    scene(main, [BROKEN, GOOD], [], "a/m", more="combo_defaults: {retries: 1, retry_delay: 50ms}")


def test_a_combo_may_bound_its_attempts() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask()
        assert (got.status, len(one.received), two.received) == (503, 1, [])

    scene(main, [BROKEN], [GOOD], more="combo_defaults: {max_attempts: 1}")


def test_a_combo_may_bound_its_time() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        await on.ask()
        assert two.received == []

    scene(main, [BROKEN], [GOOD], more="combo_defaults: {max_time: 10ms, retries: 1, retry_delay: 500ms}")


# ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_calls_than_allowed_are_at_a_target() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        gates = [part for said in one.answers for part in said.parts if isinstance(part, Gate)]
        running = [asyncio.ensure_future(on.exchange(claude()).run(Collected())) for _ in range(3)]
        await within(one.asked.wait())
        before = len(one.received)
        for gate in gates:
            gate.open()
        await within(asyncio.gather(*running))
        assert (before, len(one.received), two.received) == (1, 3, [])

    held = [loopback.stream(Gate(), *CHAT) for _ in range(3)]
    scene(main, held, [GOOD], more="combo_defaults: {concurrency: 1}")


def test_who_waits_too_long_for_a_place_goes_on() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        first = asyncio.ensure_future(on.exchange(claude()).run(Collected()))
        await within(one.asked.wait())
        got = await on.ask()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (got.status, on.targets, len(two.received)) == (200, ["b/m"], 1)
        assert on.record.excluded == ("a/m: no place within 0.02 s", "a/m: no place within 0.02 s")

    scene(main, [Answer((HOLD,))], [GOOD], more="combo_defaults: {concurrency: 1, queue_timeout: 20ms}")


def test_a_client_that_leaves_the_line_makes_room() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        (gate,) = (part for part in one.answers[0].parts if isinstance(part, Gate))
        calls = [asyncio.ensure_future(on.exchange(claude()).run(Collected())) for _ in range(3)]
        await within(one.asked.wait())
        calls[1].cancel()
        gate.open()
        await within(asyncio.gather(*calls, return_exceptions=True))
        assert (len(one.received), calls[1].cancelled(), calls[2].exception()) == (2, True, None)

    scene(main, [loopback.stream(Gate(), *CHAT), GOOD], [], "a/m", more="combo_defaults: {concurrency: 1}")


def test_a_throttled_account_is_asked_by_one_call_first() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        first = asyncio.ensure_future(on.exchange(claude()).run(Collected()))
        await within(one.asked.wait())
        key = on.exchange(claude()).plan.candidates[0].account_key
        await until(lambda: on.standing.limits.lane(key).pace.wait(Rates(), time.monotonic()) > 0)
        exchanges, sinks = await together(on)
        await within(first)
        assert statuses(sinks) == {200}
        assert max(one.record.waited for one in exchanges) > 0.05

    throttled = loopback.json(429, b'{"error":{"message":"slow down","type":"rate_limit"}}', "retry-after: 0.2")
    scene(main, [throttled, GOOD], [], "a/m")


def test_when_all_rest_for_a_moment_it_is_waited_for() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        (candidate, _) = on.exchange(claude()).plan.candidates
        on.standing.health.note(Verdict("next-target", "target", 0.1, "500 server", 0.1), candidate, time.time())
        got = await on.ask()
        assert (got.status, len(one.received), on.record.waited > 0.05) == (200, 1, True)

    scene(main, [GOOD], [], "a/m")


def test_when_all_rest_for_longer_the_client_is_told_at_once() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        (candidate, _) = on.exchange(claude()).plan.candidates
        on.standing.health.note(Verdict("next-target", "target", 60, "500 server", 60), candidate, time.time())
        got = await on.ask()
        assert (got.status, one.received) == (429, [])

    scene(main, [GOOD], [], "a/m")


# ── the end of a quota ──────────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_quota_is_gone_nobody_asks_that_account_again() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        await on.ask()
        asked = len(one.received)
        _, sinks = await together(on)
        assert (statuses(sinks), len(one.received), len(two.received)) == ({200}, asked, 1 + MANY)

    scene(main, [GONE], [GOOD])


def test_those_in_line_for_an_account_that_is_refused_go_on_without_asking_it() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        _, sinks = await together(on)
        assert (statuses(sinks), len(one.received), len(two.received)) == ({200}, 2, MANY)

    scene(main, [GONE], [GOOD], more="rates: {concurrency: 1}")


NEARLY = (
    "anthropic-ratelimit-unified-5h-status: allowed",
    "anthropic-ratelimit-unified-5h-utilization: 0.99",
)


def test_when_a_quota_is_nearly_gone_its_end_costs_one_refusal_for_each_account() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        for candidate in on.exchange(claude()).plan.candidates[:2]:
            told = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in NEARLY))
            on.standing.learned(candidate, 200, told, None, time.time())
        _, sinks = await together(on)
        assert (statuses(sinks), len(one.received), len(two.received)) == ({200}, 2, MANY)

    scene(main, [GONE], [GOOD])


def test_at_recovery_one_call_asks_first_and_none_is_lost() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        candidates = on.exchange(claude()).plan.candidates
        for candidate in candidates:
            on.standing.limits.lane(candidate.account_key).send_on("429 quota", 0.0)
        _, sinks = await together(on)
        assert len(one.received) >= MANY
        assert statuses(sinks) == {200}

    scene(main, [GOOD], [], "a/m")


# ── breakers ────────────────────────────────────────────────────────────────────────────────────────────────────────

BREAKER = "resilience: {local: {failures: 2, reset: 60s}}"


def test_a_target_that_fails_in_a_row_is_left_alone() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        for _ in range(4):
            on.standing.health.reset()  # the cooldown of a single failure is over
            got = await on.ask()
        assert (got.status, len(one.received), len(two.received)) == (200, 2, 4)
        assert "the breaker of a is open: 2 failures in 1 s" in on.record.excluded[0]

    scene(main, [BROKEN], [GOOD], more=BREAKER)


@pytest.mark.parametrize("target", ["a/m", "origin"])
def test_the_only_target_is_asked_however_often_it_fails(target: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        for _ in range(4):
            await on.ask()
        assert len(one.received) == 4

    form = "anthropic-messages" if target == "origin" else "openai-chat"
    scene(main, [failure(faults.server_error(form))], [], target, more=BREAKER)


def test_a_clients_own_mistake_opens_nothing() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        for _ in range(4):
            await on.ask()
        assert (len(one.received), bool(on.standing.breakers)) == (4, False)

    scene(main, [REFUSED], [], "a/m", more=BREAKER)


def test_a_client_that_leaves_opens_nothing() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        for message in ("", SHUTDOWN):
            task = asyncio.ensure_future(on.ask())
            one.asked.clear()
            await within(one.asked.wait())
            task.cancel(message)
            await asyncio.gather(task, return_exceptions=True)
        assert not on.standing.breakers

    scene(main, [Answer((HOLD,))], [], "a/m", more="resilience: {local: {failures: 1, reset: 60s}}")


def half_open(on: Stage) -> None:
    """The breaker of ``a/m`` was open just now."""
    on.standing.breakers.failed("a/m", None, Breaker(failures=1, reset=0), "500 server", time.time())


def test_a_half_open_target_is_asked_by_one_call_and_the_others_go_on() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        (gate,) = (part for part in one.answers[-1].parts if isinstance(part, Gate))
        half_open(on)
        probe = asyncio.ensure_future(on.exchange(claude()).run(Collected()))
        await until(lambda: len(one.received) == 1)
        _, sinks = await together(on, 10)
        gate.open()
        await within(probe)
        assert (statuses(sinks), len(one.received), len(two.received)) == ({200}, 1, 10)

    scene(main, [loopback.stream(Gate(), *CHAT)], [GOOD])


def test_the_only_target_is_waited_for_until_its_probe_is_back() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        half_open(on)
        _, sinks = await together(on, 10)
        assert (statuses(sinks), len(one.received)) == ({200}, 10)

    scene(main, [GOOD], [], "a/m")


def test_a_probe_that_its_client_leaves_lets_the_next_call_be_it() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        half_open(on)
        probe = asyncio.ensure_future(on.exchange(claude()).run(Collected()))
        await within(one.asked.wait())
        waiting = asyncio.ensure_future(on.ask())
        await asyncio.sleep(0)
        probe.cancel()
        got = await within(waiting)
        assert got.status == 200

    scene(main, [Answer((HOLD,)), GOOD], [], "a/m")
