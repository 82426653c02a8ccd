"""Turns of new connections, by the rounds of a real event loop."""

import asyncio
from collections.abc import Awaitable, Callable

from mitmproxy.options import Options
from mitmproxy.proxy import context, layer
from mitmproxy.test import tflow

from omniroute_addon.addons.turnstile import LONG, MOST, Step, Turnstile


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        async def whole() -> None:
            await test()

        asyncio.run(whole())

    return run


async def _wait(turn: Awaitable[None] | None, into: list[str], name: str) -> None:
    if turn is not None:
        await turn
    into.append(name)


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@in_a_loop
async def test_whoever_comes_alone_waits_for_nothing() -> None:
    turnstile = Turnstile()
    for _ in range(3):
        assert turnstile.turn("start") is None
        await _rounds(2)


@in_a_loop
async def test_there_is_one_turn_in_a_round_of_the_loop() -> None:
    turnstile, done = Turnstile(), list[str]()
    assert turnstile.turn("start") is None
    tasks = [asyncio.create_task(_wait(turnstile.turn("start"), done, str(n))) for n in range(20)]
    counts = list[int]()
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        counts.append(len(done))
    assert done == [str(n) for n in range(20)]
    assert max(after - before for before, after in zip([0, *counts], counts, strict=False)) == 1
    await _rounds(1)
    assert turnstile.turn("start") is None


@in_a_loop
async def test_a_long_round_has_some_turns_more() -> None:
    turnstile, done = Turnstile(), list[str]()
    assert turnstile.turn("start") is None
    tasks = [asyncio.create_task(_wait(turnstile.turn("start"), done, str(n))) for n in range(50)]
    turnstile._used -= 100 * LONG
    await _rounds(3)
    assert MOST <= len(done) < 50
    await asyncio.gather(*tasks)


@in_a_loop
async def test_no_kind_of_step_waits_for_all_of_another() -> None:
    turnstile, done = Turnstile(), list[str]()
    assert turnstile.turn("start") is None
    steps: list[Step] = ["start", "start", "start", "handshake", "handshake", "request"]
    await asyncio.gather(*(_wait(turnstile.turn(step), done, step) for step in steps))
    assert sorted(done[:3]) == ["handshake", "request", "start"]
    assert sorted(done[3:5]) == ["handshake", "start"]


@in_a_loop
async def test_who_leaves_takes_nobody_s_turn_with_them() -> None:
    turnstile, done = Turnstile(), list[str]()
    assert turnstile.turn("start") is None
    tasks = [asyncio.create_task(_wait(turnstile.turn("start"), done, str(n))) for n in range(9)]
    await _rounds(1)
    for task in tasks[::2]:
        task.cancel()  # some while they wait, the first just when it is its turn
    await asyncio.gather(*tasks, return_exceptions=True)
    await _rounds(3)
    assert set(done) >= {"1", "3", "5", "7"}
    assert turnstile.turn("start") is None


@in_a_loop
async def test_only_the_first_request_of_a_connection_takes_a_turn() -> None:
    turnstile, flow = Turnstile(), tflow.tflow()
    turnstile.client_connected(flow.client_conn)
    assert turnstile.next_layer(layer.NextLayer(context.Context(flow.client_conn, Options()))) is None
    first = turnstile.requestheaders(flow)
    assert first is not None, "the start has just had its turn"
    assert turnstile.requestheaders(flow) is None
    await first


@in_a_loop
async def test_nothing_is_kept_of_a_connection_that_has_gone() -> None:
    turnstile, client = Turnstile(), tflow.tclient_conn()
    turnstile.client_connected(client)
    turnstile.client_disconnected(client)
    assert not turnstile._new | turnstile._connected
