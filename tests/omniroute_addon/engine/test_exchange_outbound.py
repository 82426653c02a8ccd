"""A call whose outbound proxy fails: who is tried next, and who is blamed."""

import time

import pytest

from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import CHAT, Stage, claude, scene
from tests.omniroute_addon.loopback import Provider
from tests.servers.outbound import OutboundProxy, leaving

GOOD = loopback.stream(*CHAT)
TIMEOUTS = "timeouts: {connect: 20, first_event: 20, idle: 20, whole: 20}\n"


def resting(on: Stage) -> list[str]:
    now = time.time()
    return [*(one.key for one in on.health.cooling(now)), *(one.key for one in on.standing.breakers.opened(now))]


def targets(first: str, *others: str) -> str:
    """``a`` and ``c`` leave by the proxy at ``first``; ``b`` goes directly."""
    return ", ".join((f"{{target: a/m, proxy: '{first}'}}", *others))


@pytest.mark.parametrize("says", ["407 Login", "403 No"])
def test_nothing_rests_and_only_another_way_is_tried(says: str) -> None:
    with leaving(OutboundProxy(says=says)) as proxy:

        async def main(on: Stage, _one: Provider, _two: Provider) -> None:
            exchange = on.exchange(claude())
            await exchange.run(on.sink)
            assert b"lo" in on.sink.body
            assert [attempt.target for attempt in on.observer.attempts] == ["a/m", "b/m"]
            assert [line.partition(": leaves by")[0] for line in exchange.record.excluded] == ["a/m", "c/m"]
            assert (len(proxy.connected), resting(on)) == (1, [])

        scene(main, [GOOD], [GOOD], targets(proxy.url, f"{{target: c/m, proxy: '{proxy.url}'}}", "b/m"))


def test_silence_goes_on_to_the_next_target_whatever_its_way() -> None:
    with leaving(OutboundProxy(silent=True)) as proxy:

        async def main(on: Stage, _one: Provider, _two: Provider) -> None:
            await on.exchange(claude()).run(on.sink)
            assert [attempt.target for attempt in on.observer.attempts] == ["a/m", "b/m"]
            assert resting(on) == []

        more = TIMEOUTS.replace("connect: 20", "connect: 0.2")
        scene(main, [GOOD], [GOOD], targets(proxy.url, "b/m"), more)


def test_a_host_that_the_proxy_cannot_reach_rests() -> None:
    with leaving(OutboundProxy(says="502 Bad Gateway")) as proxy:

        async def main(on: Stage, _one: Provider, _two: Provider) -> None:
            await on.exchange(claude()).run(on.sink)
            assert [attempt.target for attempt in on.observer.attempts] == ["a/m", "b/m"]
            assert resting(on) == ["a/m"]

        scene(main, [GOOD], [GOOD], targets(proxy.url, "b/m"))


def test_the_last_one_s_failure_is_told_and_the_next_call_tries_again() -> None:
    with leaving(OutboundProxy(says="407 Login")) as proxy:

        async def main(on: Stage, _one: Provider, _two: Provider) -> None:
            await on.exchange(claude()).run(on.sink)
            assert on.sink.status == 503
            assert f"the outbound proxy {proxy.url} wants a user and a password".encode() in on.sink.body
            proxy.says = None
            on.sink = type(on.sink)()
            await on.exchange(claude()).run(on.sink)
            assert on.sink.status == 200

        scene(main, [GOOD], [GOOD], targets(proxy.url))
