"""Budgets in the attempt loop: room is made sure of before each attempt, and every attempt has its cost."""

import time
from typing import Any

import pytest

from tests.omniroute_addon.engine.stage import CHAT, CHAT_WHOLE, WHOLE, Stage, claude, failure, scene
from tests.omniroute_addon.loopback import Provider, json, stream
from tests.servers import faults

PRICES = "prices: {m: {input: 1, output: 2}, free: {input: 0, output: 0}}\n"
TIMES = "timeouts: {connect: 20, first_event: 20, idle: 20, whole: 20}\n"
ROOM_FOR_NONE = "budgets: [{name: cap, daily: 0.0001}]\n"


def objects(value: Any) -> list[dict[str, Any]]:
    return value  # type: ignore[no-any-return]


def test_a_target_without_room_is_left_out_and_the_next_one_answers() -> None:
    async def main(on: Stage, first: Provider, second: Provider) -> None:
        out = await on.ask(claude(WHOLE))
        assert (out.status, on.targets) == (200, ["b/free"])
        assert "a/m: budget cap: $0.00 of $0.0001 spent today" in on.record.excluded[0]
        assert on.record.decision is not None
        assert [out["target"] for out in objects(on.record.decision["excluded"])] == ["a/m", "a/m"]  # two accounts
        assert (len(first.received), len(second.received)) == (0, 1)

    scene(main, [], [json(200, CHAT_WHOLE)], "a/m, b/free", TIMES + PRICES + ROOM_FOR_NONE)


def test_a_denial_after_a_failure_ends_the_call() -> None:
    rules = "budgets: [{name: cap, daily: 0.0001, on_exceed: deny, match: {provider: b}}]\n"

    async def main(on: Stage, first: Provider, second: Provider) -> None:
        out = await on.ask(claude(WHOLE))
        assert (out.status, len(first.received), len(second.received)) == (429, 1, 0)
        assert b"budget cap refuses this call" in out.body
        midnight = 86400 - time.time() % 86400
        assert abs(float(out.header("retry-after") or 0) - midnight) < 30

    scene(main, [failure(faults.server_error("openai-chat"))], [], "a/m, b/m", TIMES + PRICES + rules)


def test_no_room_anywhere_is_a_quota_that_ends_with_the_period() -> None:
    async def main(on: Stage, first: Provider, second: Provider) -> None:
        out = await on.ask(claude(WHOLE))
        assert (out.status, len(first.received), len(second.received)) == (429, 0, 0)
        assert b"budget cap" in out.body
        assert out.header("retry-after") is not None

    scene(main, [], [], "a/m, b/m", TIMES + PRICES + ROOM_FOR_NONE)


@pytest.mark.parametrize("streaming", [True, False])
def test_every_attempt_has_its_cost(*, streaming: bool) -> None:
    async def main(on: Stage, first: Provider, second: Provider) -> None:
        del first, second
        await on.ask(claude() if streaming else claude(WHOLE))
        costs = [attempt.cost for attempt in on.record.attempts]
        assert costs[0] is None
        assert costs[1] is not None
        usage = on.record.usage
        assert (costs[1].micro, costs[1].source) == ((usage.input or 0) + 2 * (usage.output or 0), "override")

    good = stream(*CHAT) if streaming else json(200, CHAT_WHOLE)
    scene(main, [failure(faults.server_error("openai-chat"))], [good], "a/m, b/m", TIMES + PRICES)
