"""Being let in: probes, lines, and everything given back however it ends."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from omniroute_addon.accounts.breakers import Breakers
from omniroute_addon.accounts.limits import Limits, SentOn
from omniroute_addon.config.governance import Breaker, Rates
from omniroute_addon.engine.entry import Door, Entry, breaker_keys, rates_of
from omniroute_addon.routing.candidate import Candidate
from tests.omniroute_addon.routing.rules import planned, snapshot

RULES = snapshot("""
providers: {p: {format: openai-chat, base_url: 'https://p.example/v1/chat/completions'}}
accounts: [{name: one, provider: p, key: k1, rates: {concurrency: 1}}, {name: two, provider: p, key: k2}]
combos: {c: {targets: [p/m, origin], concurrency: 2, queue_timeout: 10ms}}
routes: [{match: {client: claude-code}, to: c}]
""")
ONE, TWO, ORIGIN = sorted(planned(RULES).candidates, key=lambda one: (one.origin, one.account_key))
ONCE = Breaker(failures=1, reset=0)


@dataclass
class Hall:
    breakers: Breakers = field(default_factory=Breakers)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.door = Door(self.breakers, self.limits)

    async def enter(self, candidate: Candidate, patience: float = 20, *, hurry: bool = False) -> Entry | SentOn:
        return await self.door.enter(candidate, patience, time.time, careful=False, hurry=hurry)

    async def entry(self, candidate: Candidate) -> Entry:
        found = await self.enter(candidate)
        assert isinstance(found, Entry)
        return found

    def half_open(self) -> None:
        self.breakers.failed(ONE.target_key, None, ONCE, "500 server", time.time())


def scene(main: Callable[[Hall], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await main(Hall())

    asyncio.run(whole())


def test_a_place_is_taken_and_given_back() -> None:
    async def main(on: Hall) -> None:
        (await on.entry(ONE)).close()
        assert isinstance(await on.enter(ONE), Entry)

    scene(main)


def test_giving_back_twice_gives_back_once() -> None:
    async def main(on: Hall) -> None:
        entry = await on.entry(ONE)
        entry.close()
        entry.close()
        assert on.limits.lane(ONE.account_key).pace.open == 0

    scene(main)


def test_the_account_has_its_own_limit() -> None:
    async def main(on: Hall) -> None:
        await on.entry(ONE)
        assert isinstance(await on.enter(ONE, 0.01), SentOn)

    scene(main)


def test_the_target_of_a_combo_has_its_limit_over_all_accounts() -> None:
    async def main(on: Hall) -> None:
        await on.entry(ONE)
        await on.entry(TWO)
        assert await on.enter(TWO) == SentOn("no place within 0.01 s")

    scene(main)


def test_who_is_sent_on_by_the_account_holds_no_place_at_the_target() -> None:
    async def main(on: Hall) -> None:
        await on.entry(ONE)
        await on.enter(ONE, 0.001)
        assert isinstance(await on.enter(TWO), Entry)

    scene(main)


def test_a_tools_own_login_keeps_its_own_pace() -> None:
    async def main(on: Hall) -> None:
        await on.entry(ORIGIN)
        assert on.door.account_lane(ORIGIN) is None

    scene(main)


def test_a_cancelled_caller_holds_nothing() -> None:
    async def main(on: Hall) -> None:
        held = await on.entry(ONE)
        waiting = asyncio.ensure_future(on.enter(ONE))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        held.close()
        assert [on.limits.lane(key).pace.open for key in on.limits.names()] == [0, 0]

    scene(main)


def test_one_call_is_the_probe() -> None:
    async def main(on: Hall) -> None:
        on.half_open()
        await on.entry(ONE)
        said = await on.enter(TWO, hurry=True)
        assert said == SentOn("the breaker of p/m waits for its probe", soon=True, kind="overloaded")

    scene(main)


def test_who_has_nowhere_else_to_go_waits_for_the_probe() -> None:
    async def main(on: Hall) -> None:
        on.half_open()
        probe = await on.entry(ONE)
        waiting = asyncio.ensure_future(on.enter(TWO))
        await asyncio.sleep(0)
        on.breakers.succeeded(breaker_keys(ONE))
        probe.close()
        assert isinstance(await waiting, Entry)

    scene(main)


def test_who_waits_for_the_probe_learns_that_it_has_failed() -> None:
    async def main(on: Hall) -> None:
        on.half_open()
        probe = await on.entry(ONE)
        waiting = asyncio.ensure_future(on.enter(TWO))
        await asyncio.sleep(0)
        on.breakers.failed(ONE.target_key, probe, Breaker(failures=1, reset=60), "500 server", time.time())
        probe.close()
        said = await waiting
        assert isinstance(said, SentOn)
        assert said.reason.startswith("the breaker of p/m is open")

    scene(main)


def test_a_probe_is_not_waited_for_without_end() -> None:
    async def main(on: Hall) -> None:
        on.half_open()
        await on.entry(ONE)
        assert isinstance(await on.enter(TWO, 0.01), SentOn)

    scene(main)


def test_a_probe_that_finds_no_place_lets_another_be_it() -> None:
    async def main(on: Hall) -> None:
        await on.entry(ONE)
        on.half_open()
        await on.enter(ONE, 0.001)
        assert isinstance(await on.enter(TWO, hurry=True), Entry)

    scene(main)


def test_the_pace_is_the_accounts_else_the_providers() -> None:
    assert ONE.provider is not None
    keyless = replace(ONE, account=None, provider=replace(ONE.provider, rates=Rates(rpm=7)))
    assert (rates_of(ONE).concurrency, rates_of(keyless).rpm) == (1, 7)


def test_nobody_stands_between_a_tool_and_its_own_provider_when_that_is_the_last() -> None:
    async def main(on: Hall) -> None:
        on.breakers.failed(ORIGIN.provider_key, None, Breaker(failures=1, reset=60), "500 server", time.time())
        assert isinstance(await on.enter(ORIGIN), Entry)
        assert isinstance(await on.enter(ORIGIN, hurry=True), SentOn)

    scene(main)
