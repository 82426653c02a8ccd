"""What mitmweb is shown and what is kept for it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from mitmproxy import http
from mitmproxy.flow import Error

from tests.omniroute_addon import loopback
from tests.omniroute_addon.addons.proxied import CANARY, Proxied, flow, proxied, text
from tests.omniroute_addon.engine.stage import CHAT, CLAUDE
from tests.omniroute_addon.loopback import Answer, run

GOOD = loopback.stream(*CLAUDE)
BAD = loopback.json(500, b'{"error":{"message":"boom"}}')


def scene(
    main: Callable[[Proxied], Awaitable[None]],
    *answers: Answer,
    targets: str = "c/m",
    headless: bool = False,
    origin: bool = True,
) -> None:
    async def whole() -> None:
        async with proxied(list(answers), targets, headless=headless, origin=origin) as on:
            await main(on)

    run(whole)


def shown(on: Proxied) -> list[http.HTTPFlow]:
    assert on.view is not None
    return [entry for entry in on.view if isinstance(entry, http.HTTPFlow)]


async def finished(on: Proxied, asked: http.HTTPFlow | None = None) -> http.HTTPFlow:
    asked = on.ask(asked or flow())
    await on.answer(asked)
    return asked


def test_a_call_and_each_of_its_attempts_are_shown_side_by_side() -> None:
    async def main(on: Proxied) -> None:
        asked = await finished(on)
        ours = shown(on)
        assert ours[0] is asked
        assert [entry.metadata["omniroute"]["role"] for entry in ours] == ["exchange", "attempt", "attempt"]
        assert [entry.response.status_code for entry in ours if entry.response] == [200, 500, 200]
        assert asked.metadata["omniroute"]["attempts"] == [entry.id for entry in ours[1:]]

    scene(main, BAD, loopback.stream(*CHAT), targets="c/m, a/m")


def test_the_comment_and_the_marker_say_how_it_went() -> None:
    async def main(on: Proxied) -> None:
        asked = await finished(on)
        assert asked.comment.startswith("combo → a/m · 2 tries")
        assert asked.marked == ":arrows_counterclockwise:"
        assert shown(on)[1].marked == ":warning:"

    scene(main, BAD, loopback.stream(*CHAT), targets="c/m, a/m")


def test_a_hedge_is_marked_as_one_and_is_no_failure() -> None:
    async def main(on: Proxied) -> None:
        asked = await finished(on)
        assert (" · 2 tries" in asked.comment, " · hedged · " in asked.comment) == (True, True)
        assert asked.marked == ":arrows_counterclockwise:"
        slow, quick = shown(on)[1:]
        assert slow.comment.endswith("c/m · overtaken")
        assert quick.comment.endswith("a/m · used")
        assert (slow.marked, quick.marked) == ("", "")

    targets = "{target: c/m, hedge: {after: 50ms}}, a/m"
    scene(main, loopback.stream(loopback.HOLD), loopback.stream(*CHAT), targets=targets)


def test_the_answer_is_shown_as_the_client_got_it() -> None:
    async def main(on: Proxied) -> None:
        asked = await finished(on)
        assert asked.response is not None
        assert asked.response.raw_content == b"".join(CLAUDE)

    scene(main, GOOD)


def test_no_credential_is_ever_in_the_view() -> None:
    async def main(on: Proxied) -> None:
        await finished(on, flow("https://api.anthropic.com/v1/messages?key=client-canary"))
        assert shown(on)
        for entry in shown(on):
            assert CANARY not in text(entry)
            assert "key-canary" not in text(entry)

    said = loopback.stream(*CLAUDE, headers=("set-cookie: client-canary-cookie",))
    scene(main, BAD, said, targets="c/m, origin")


def test_credentials_are_kept_in_memory_only_as_long_as_their_flow_is_shown() -> None:
    async def main(on: Proxied) -> None:
        await finished(on)
        assert len(on.inspect._secrets) == 2
        assert on.view is not None
        on.view.clear()
        assert (on.inspect._secrets, on.inspect._paths, on.inspect._bytes) == ({}, {}, 0)

    scene(main, GOOD)


def test_without_a_view_nothing_is_kept() -> None:
    async def main(on: Proxied) -> None:
        await finished(on)
        assert (on.inspect._secrets, on.inspect._paths, dict(on.inspect._kept)) == ({}, {}, {})
        assert not on.leftovers()

    scene(main, GOOD, headless=True)


def test_the_oldest_flows_go_when_there_are_too_many() -> None:
    async def main(on: Proxied) -> None:
        on.inspect.max_flows = 3
        calls = [await finished(on) for _ in range(4)]
        assert len(shown(on)) <= 3
        assert calls[-1] in shown(on)
        assert calls[0] not in shown(on)
        assert set(on.inspect._secrets) <= {entry.id for entry in shown(on)}

    scene(main, GOOD)


def test_the_oldest_flows_go_when_they_are_too_large() -> None:
    async def main(on: Proxied) -> None:
        on.inspect.max_bytes = 5000
        for _ in range(8):
            await finished(on)
        assert on.inspect._bytes <= 5000
        assert on.inspect._bytes == sum(size for _, size in on.inspect._kept.values())

    scene(main, GOOD)


def test_a_live_flow_is_not_evicted() -> None:
    async def main(on: Proxied) -> None:
        on.inspect.max_flows = 1
        live = on.ask(flow())
        await on.relayed(live)
        await finished(on)
        assert live in shown(on)
        on.inspect.response(live)
        live.live = False

    scene(main, GOOD)


def test_a_client_that_hangs_up_after_the_last_event_is_no_error() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        await on.relayed(asked)
        asked.error = Error("Client disconnected.")
        on.intercept.error(asked)
        on.inspect.error(asked)
        asked.live = False
        assert asked.error is None

    scene(main, GOOD)


def test_a_call_that_nobody_could_answer_is_marked() -> None:
    async def main(on: Proxied) -> None:
        asked = await finished(on)
        assert asked.marked == ":warning:"
        assert "failed: " in asked.comment

    scene(main, BAD)


@pytest.mark.parametrize("headless", [True, False])
def test_an_untouched_answer_is_passed_on_and_shown(headless: bool) -> None:
    async def main(on: Proxied) -> None:
        asked = flow()
        asked.metadata["omniroute"] = {"role": "untouched", "format": "anthropic-messages"}
        asked.response = http.Response.make(200, headers={"set-cookie": CANARY})
        on.intercept.responseheaders(asked)
        passed = asked.response.stream
        if callable(passed):
            assert [passed(chunk) for chunk in CLAUDE] == list(CLAUDE)
        asked.live = False
        on.inspect.response(asked)
        await asyncio.sleep(0)
        assert CANARY not in text(asked)
        if not headless:
            assert asked.response.raw_content == b"".join(CLAUDE)
            assert shown(on) == [asked]
        assert not on.leftovers()

    scene(main, headless=headless)
