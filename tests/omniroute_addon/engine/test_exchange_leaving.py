"""An exchange whose client leaves, or whose proxy stops."""

import asyncio

import pytest

from omniroute_addon.engine.call import SHUTDOWN, ClientLeftError
from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import (
    CHAT,
    CLAUDE,
    Collected,
    Stage,
    claude,
    scene,
)
from tests.omniroute_addon.loopback import HOLD, Answer, Provider, within

GOOD = loopback.stream(*CHAT)
CLAUDE_GOOD = loopback.stream(*CLAUDE)
ERROR_HEAD = ("content-type: application/json",)


@pytest.mark.parametrize(
    "said",
    [Answer((HOLD,)), loopback.stream(HOLD), loopback.stream(CHAT[0], HOLD), loopback.stream(*CHAT[:2], HOLD)],
    ids=["before the status", "before an event", "before the commit", "after the commit"],
)
def test_a_client_that_leaves_takes_the_upstream_call_with_it(said: Answer) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.ensure_future(on.ask())
        await within(one.asked.wait())
        if b"Hel" in b"".join(part for part in said.parts if isinstance(part, bytes)):
            await within(on.sink.wrote.wait())
        task.cancel()
        await within(one.gone.wait())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (on.record.outcome, two.received, on.sink.ended) == ("client left", [], None)
        assert on.observer.told[-1] == "exchange ended"

    scene(main, [said], [GOOD])


def test_a_client_that_leaves_after_the_last_event_has_had_its_answer() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        task = asyncio.ensure_future(on.ask())
        await within(one.asked.wait())
        while b"message_stop" not in on.sink.body:
            on.sink.wrote.clear()
            await within(on.sink.wrote.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert on.record.outcome == "done"

    scene(main, [loopback.stream(*CLAUDE, HOLD)], [], "c/m")


def test_a_write_to_a_client_that_has_left_is_no_failure_of_ours() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        exchange = on.exchange(claude())
        with pytest.raises(ClientLeftError):
            await exchange.run(Collected(breaks_with=ClientLeftError()))
        assert exchange.record.outcome == "client left"

    scene(main, [GOOD], [GOOD])


def test_a_stop_before_the_commit_is_an_error_that_says_to_come_back() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.ensure_future(on.ask())
        await within(one.asked.wait())
        task.cancel(SHUTDOWN)
        got = await task
        assert (got.status, got.ended, two.received) == (529, "finished", [])
        await within(one.gone.wait())

    scene(main, [Answer((HOLD,))], [GOOD])


def test_a_stop_after_the_commit_is_an_error_event() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        task = asyncio.ensure_future(on.ask())
        await within(one.asked.wait())
        await within(on.sink.wrote.wait())
        task.cancel(SHUTDOWN)
        got = await task
        assert (got.status, got.ended, two.received) == (200, "finished", [])
        assert b"event: error" in got.body

    scene(main, [loopback.stream(*CHAT[:2], HOLD)], [GOOD])


def test_an_abandoned_exchange_is_recorded_as_such() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        exchange = on.exchange(claude())
        exchange.abandon()
        assert (exchange.record.outcome, one.received, two.received) == ("client left", [], [])

    scene(main, [], [])
