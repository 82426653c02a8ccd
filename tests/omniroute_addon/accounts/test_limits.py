"""Places for calls: pace, concurrency, first come first served, and no herd after a refusal."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count, pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute_addon.accounts.limits import HERD, MAX_LANES, MINUTE, Lane, Limits, Pace, SentOn
from omniroute_addon.config.governance import Rates

FREE = Rates()
WALL = 1_800_000_000.0


@dataclass(eq=False)
class Alarm:
    at: float
    call: Callable[[], None]
    off: bool = False

    def cancel(self) -> None:
        self.off = True


@dataclass
class Clock:
    """Time that passes when the test says so; timers go off on the way."""

    now: float = 1000.0
    alarms: list[tuple[float, int, Alarm]] = field(default_factory=list)
    number: Iterator[int] = field(default_factory=count)

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, call: Callable[[], None]) -> Alarm:
        alarm = Alarm(self.now + seconds, call)
        heapq.heappush(self.alarms, (alarm.at, next(self.number), alarm))
        return alarm

    async def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        while self.alarms and self.alarms[0][0] <= end:
            at, _, alarm = heapq.heappop(self.alarms)
            self.now = max(self.now, at)
            if not alarm.off:
                alarm.call()
                await settled()
        self.now = end
        await settled()


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@dataclass
class Callers:
    """Calls that ask for a place in one lane."""

    clock: Clock = field(default_factory=Clock)
    lane: Lane = field(init=False)
    went: list[str] = field(default_factory=list)
    sent_on: dict[str, SentOn] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.lane = Lane(self.clock, self.clock.later)

    @property
    def under_way(self) -> list[str]:
        return [name for name in self.went if name not in self.ended]

    def end(self, name: str) -> None:
        self.ended.add(name)
        self.lane.end(name)

    async def ask(
        self, name: str, rates: Rates = FREE, patience: float = 30, *, careful: bool = False, hurry: bool = False
    ) -> asyncio.Task[None]:
        async def call() -> None:
            said = await self.lane.take(name, rates, patience, careful=careful, hurry=hurry)
            if said is None:
                self.went.append(name)
            else:
                self.sent_on[name] = said

        task = asyncio.create_task(call())
        await settled()
        return task


def scene(main: Callable[[Callers], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        await main(Callers())

    asyncio.run(whole())


# ── pace ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_rules_nobody_waits() -> None:
    pace = Pace()
    for number in range(1000):
        assert pace.wait(FREE, 0) == 0
        pace.start(number, FREE, 0)


def test_calls_keep_their_distance() -> None:
    pace, rates = Pace(), Rates(min_gap=2)
    pace.start(1, rates, 100)
    assert (pace.wait(rates, 100.5), pace.wait(rates, 102)) == (1.5, 0)


def test_a_minute_holds_its_calls_and_no_more() -> None:
    pace, rates = Pace(), Rates(rpm=3)
    for now in (0, 10, 20):
        pace.start(now, rates, now)
    assert (pace.wait(rates, 20), pace.wait(rates, 60)) == (40, 0)


def test_only_the_end_of_a_call_makes_room() -> None:
    pace, rates = Pace(), Rates(concurrency=1)
    pace.start("a", rates, 0)
    before = pace.wait(rates, 1e9)
    pace.end("a")
    assert (before, pace.wait(rates, 1e9)) == (inf, 0)


def test_what_the_provider_still_allows_may_be_out_unheard() -> None:
    pace = Pace()
    pace.learn(2, 60)
    pace.start("a", FREE, 0)
    pace.start("b", FREE, 0)
    before = pace.wait(FREE, 1)
    pace.heard("a", good=True)
    assert (before, pace.wait(FREE, 1)) == (inf, 0)


def test_when_nothing_is_allowed_the_reset_is_awaited() -> None:
    pace = Pace()
    pace.learn(0, 60)
    assert (pace.wait(FREE, 1), pace.wait(FREE, 60)) == (59, 0)


def test_who_has_nowhere_else_to_go_waits_for_a_reset_that_is_near_and_asks_before_one_that_is_far() -> None:
    pace = Pace()
    pace.learn(0, 20)
    near = pace.wait(FREE, 0, alone=True)
    pace.learn(0, 3600)
    assert (near, pace.wait(FREE, 0, alone=True), pace.wait(FREE, 0)) == (20, 0, 3600)


def test_learning_can_be_switched_off() -> None:
    pace = Pace()
    pace.learn(0, 60)
    assert pace.wait(Rates(learn=False), 1) == 0


def test_after_a_pause_one_goes_first() -> None:
    pace = Pace()
    pace.pause(10)
    before = pace.wait(FREE, 4)
    pace.start("probe", FREE, 10)
    meanwhile = pace.wait(FREE, 10)
    pace.heard("probe", good=True)
    assert (before, meanwhile, pace.wait(FREE, 10)) == (6, HERD, 0)


def test_a_refusal_lets_the_next_go_alone_again() -> None:
    pace = Pace()
    pace.caution()
    pace.start("probe", FREE, 0)
    pace.heard("probe", good=False)
    pace.start("next", FREE, 1)
    assert pace.wait(FREE, 1) == HERD


def test_a_head_that_stays_away_holds_nobody_up_for_ever() -> None:
    pace = Pace()
    pace.caution()
    pace.start("slow", FREE, 0)
    assert pace.wait(FREE, HERD) == 0


@given(
    rpm=st.one_of(st.none(), st.integers(1, 5)),
    gap=st.sampled_from([0.0, 0.5, 7.0]),
    concurrency=st.one_of(st.none(), st.integers(1, 3)),
    steps=st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=60),
)
def test_no_order_of_calls_breaks_the_rules(
    rpm: int | None, gap: float, concurrency: int | None, steps: list[tuple[float, bool]]
) -> None:
    rates, pace, now = Rates(rpm=rpm, min_gap=gap, concurrency=concurrency), Pace(), 0.0
    starts: list[float] = []
    under_way: list[int] = []
    for number, (seconds, ends) in enumerate(steps):
        now += seconds
        if ends and under_way:
            pace.end(under_way.pop(0))
        elif pace.wait(rates, now) <= 0:
            pace.start(number, rates, now)
            starts.append(now)
            under_way.append(number)
        assert concurrency is None or len(under_way) <= concurrency
    assert all(later - earlier >= gap - 1e-6 for earlier, later in pairwise(starts))
    if rpm is not None:
        assert all(starts[at + rpm] - starts[at] >= MINUTE - 1e-6 for at in range(len(starts) - rpm))


@given(st.floats(0, 100), st.integers(1, 3))
def test_a_finite_wait_is_enough(now: float, rpm: int) -> None:
    rates, pace = Rates(rpm=rpm, min_gap=3), Pace()
    for number in range(4):
        now += pace.wait(rates, now)
        pace.start(number, rates, now)
        now += pace.wait(rates, now)
        assert pace.wait(rates, now) <= 1e-9


# ── the line ────────────────────────────────────────────────────────────────────────────────────────────────────────

ONE = Rates(concurrency=1)


def test_who_came_first_goes_first() -> None:
    async def main(on: Callers) -> None:
        for name in "abcd":
            await on.ask(name, ONE)
        for name in "abc":
            on.lane.end(name)
            await settled()
        assert on.went == ["a", "b", "c", "d"]

    scene(main)


def test_nobody_overtakes_the_line() -> None:
    async def main(on: Callers) -> None:
        await on.ask("a", ONE)
        await on.ask("b", ONE)
        await on.ask("free", FREE)
        assert on.went == ["a"]
        on.lane.end("a")
        await settled()
        assert on.went == ["a", "b", "free"]

    scene(main)


def test_time_alone_lets_the_next_go() -> None:
    async def main(on: Callers) -> None:
        for name in "abc":
            await on.ask(name, Rates(min_gap=2))
        await on.clock.pass_by(1.9)
        before = list(on.went)
        await on.clock.pass_by(2.2)
        assert (before, on.went) == (["a"], ["a", "b", "c"])

    scene(main)


def test_who_has_waited_long_enough_is_sent_on() -> None:
    async def main(on: Callers) -> None:
        await on.ask("a", ONE)
        await on.ask("b", ONE, 5)
        await on.clock.pass_by(5)
        assert on.sent_on == {"b": SentOn("no place within 5 s")}
        assert on.lane.waiting == 0

    scene(main)


def test_who_would_wait_too_long_is_sent_on_at_once() -> None:
    async def main(on: Callers) -> None:
        await on.ask("a", Rates(rpm=1))
        await on.ask("b", Rates(rpm=1), 30)
        assert on.sent_on == {"b": SentOn("its pace allows no call for 60 s", 60)}

    scene(main)


def test_a_caller_that_leaves_gives_up_its_place_in_line() -> None:
    async def main(on: Callers) -> None:
        await on.ask("a", ONE)
        leaver = await on.ask("b", ONE)
        await on.ask("c", ONE)
        leaver.cancel()
        await settled()
        on.lane.end("a")
        await settled()
        assert on.went == ["a", "c"]

    scene(main)


def test_a_place_that_comes_as_the_caller_leaves_is_given_back() -> None:
    async def main(on: Callers) -> None:
        await on.ask("a", ONE)
        leaver = await on.ask("b", ONE)
        await on.ask("c", ONE)
        on.lane.end("a")
        leaver.cancel()
        await settled()
        assert on.went == ["a", "c"]

    scene(main)


def test_after_a_refusal_the_line_is_sent_on() -> None:
    async def main(on: Callers) -> None:
        await on.ask("a", ONE)
        for name in "bcd":
            await on.ask(name, ONE)
        on.lane.send_on("429 quota", 60)
        await settled()
        assert (on.went, set(on.sent_on.values())) == (["a"], {SentOn("429 quota", 60)})

    scene(main)


def test_of_two_hundred_at_recovery_one_goes_first() -> None:
    async def main(on: Callers) -> None:
        on.lane.send_on("429 quota", 60)
        for number in range(200):
            await on.ask(str(number))
        before = list(on.went)
        on.lane.heard("0", good=True)
        await settled()
        assert (before, len(on.went)) == (["0"], 200)

    scene(main)


def test_who_is_in_a_hurry_does_not_wait_for_another_to_find_out() -> None:
    async def main(on: Callers) -> None:
        await on.ask("a", careful=True, hurry=True)
        await on.ask("b", careful=True, hurry=True)
        assert (on.went, on.sent_on["b"].soon) == (["a"], True)

    scene(main)


def test_a_reset_lets_the_line_go_even_when_no_head_comes() -> None:
    async def main(on: Callers) -> None:
        on.lane.learn(1, 10)
        await on.ask("a")
        await on.ask("b")
        await on.clock.pass_by(9)
        before = list(on.went)
        await on.clock.pass_by(HERD)
        assert (before, on.went) == (["a"], ["a", "b"])

    scene(main)


def test_a_pause_holds_the_line_and_lets_it_go() -> None:
    async def main(on: Callers) -> None:
        on.lane.pause(3)
        await on.ask("a")
        await on.clock.pass_by(2.9)
        before = list(on.went)
        await on.clock.pass_by(0.1)
        assert (before, on.went) == ([], ["a"])

    scene(main)


@settings(max_examples=60, deadline=None)
@given(
    rates=st.builds(
        Rates,
        concurrency=st.one_of(st.none(), st.integers(1, 3)),
        rpm=st.one_of(st.none(), st.integers(1, 4)),
        min_gap=st.sampled_from([0.0, 1.0]),
    ),
    steps=st.lists(st.sampled_from(["ask", "end", "leave", "time", "heard", "refused"]), max_size=50),
    data=st.data(),
)
def test_everybody_is_answered_and_no_place_is_lost(rates: Rates, steps: list[str], data: st.DataObject) -> None:
    async def main(on: Callers) -> None:
        tasks: dict[str, asyncio.Task[None]] = {}
        for number, step in enumerate(steps):
            if step == "ask":
                tasks[str(number)] = await on.ask(str(number), rates)
            else:
                await happens(step, on, tasks, data)
            assert len(on.under_way) == on.lane.pace.open
            assert rates.concurrency is None or len(on.under_way) <= rates.concurrency
        while on.under_way:
            on.end(on.under_way[0])
            await on.clock.pass_by(61)
        await on.clock.pass_by(1000)
        assert all(task.done() for task in tasks.values())
        assert on.lane.waiting == 0

    scene(main)


async def happens(step: str, on: Callers, tasks: dict[str, asyncio.Task[None]], data: st.DataObject) -> None:
    waiting = [name for name, task in tasks.items() if not task.done()]
    match step:
        case "leave" if waiting:
            tasks[data.draw(st.sampled_from(waiting))].cancel()
        case "heard" if on.under_way:
            on.lane.heard(data.draw(st.sampled_from(on.under_way)), good=data.draw(st.booleans()))
        case "end" if on.under_way:
            on.end(data.draw(st.sampled_from(on.under_way)))
        case "refused":
            on.lane.send_on("refused", 1)
        case "time":
            await on.clock.pass_by(data.draw(st.sampled_from([0.5, 10.0, 61.0])))
        case _:
            pass
    await settled()


# ── lanes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

HEADERS = [
    (
        {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"},
        2,
    ),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}, 90),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "500ms"}, 0.5),
    ({"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:09Z"}, 9),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(WALL) + 7)}, 7),
    ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "2s"}, 0),
    ({"x-ratelimit-remaining-requests": "0"}, 0),
    ({"x-ratelimit-remaining-requests": "none", "x-ratelimit-reset-requests": "soon"}, 0),
    ({}, 0),
]


@pytest.mark.parametrize("headers, wait", HEADERS)
def test_headers_slow_down(headers: dict[str, str], wait: float) -> None:
    clock = Clock()
    limits = Limits(clock, clock.later)
    limits.learned("glm:main", headers, WALL)
    assert limits.lane("glm:main").pace.wait(FREE, clock.now) == pytest.approx(wait)


def test_a_reset_forgets_what_was_learned_and_lets_the_line_go() -> None:
    async def main(on: Callers) -> None:
        limits = Limits(on.clock, on.clock.later)
        on.lane = limits.lane("glm:main")
        on.lane.pause(20)
        await on.ask("a")
        limits.reset("glm:main")
        await settled()
        assert on.went == ["a"]

    scene(main)


def test_memory_is_bounded_and_calls_under_way_are_kept() -> None:
    clock = Clock()
    limits = Limits(clock, clock.later)
    limits.lane("busy").pace.start("a", FREE, clock.now)
    for number in range(MAX_LANES):
        limits.lane(str(number))
    assert limits.lane("busy").pace.open == 1


def test_people_see_where_something_goes_on() -> None:
    now = 0.0
    limits = Limits(lambda: now)
    for name in ("quiet", "busy", "paused", "told"):
        limits.lane(name)
    limits.lane("busy").pace.start("call", FREE, 0.0)
    limits.lane("paused").pace.pause(30.0)
    limits.lane("told").pace.learn(7, 20.0)
    found = [(one.key, one.open, one.waiting, one.paused, one.left, one.left_for) for one in limits.busy()]
    assert found == [("busy", 1, 0, 0, None, None), ("paused", 0, 0, 30, None, None), ("told", 0, 0, 0, 7, 20)]
    now = 31.0
    assert [one.key for one in limits.busy()] == ["busy"]
