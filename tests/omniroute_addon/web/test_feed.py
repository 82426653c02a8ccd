"""Batches for who looks; nothing for nobody."""

import asyncio
from collections.abc import Sequence

from omniroute_addon.ledger import calls
from omniroute_addon.ledger.calls import Line
from omniroute_addon.ledger.record import AttemptRecord, ExchangeRecord, Tape
from omniroute_addon.web.feed import BATCH, EVERY, KEPT, MOST, Feed


def exchange(name: str, started: float = 1.0) -> ExchangeRecord:
    return ExchangeRecord(name, "claude-code", "openai-chat", "generate", "m", "routes[0]", None, started, Tape(0))


def attempt(number: int = 1) -> AttemptRecord:
    return AttemptRecord(f"a{number}", number, "glm/m", None, "openai-chat", "POST", "", (), b"", 1.0, Tape(0))


def begin(feed: Feed, one: ExchangeRecord) -> None:
    one.attempts.append(attempt(len(one.attempts) + 1))
    feed.attempt_started(one, one.attempts[-1], None)


def end(feed: Feed, one: ExchangeRecord) -> None:
    one.outcome, one.ended = "done", one.started + 1
    feed.exchange_ended(one)


def watched(play: object) -> list[list[tuple[str, str, int]]]:
    """What a listener hears while ``play(feed, heard)``, a coroutine function, runs."""
    heard: list[list[tuple[str, str, int]]] = []

    async def run() -> None:
        feed = Feed()
        event = asyncio.Event()

        def listen(batch: Sequence[Line]) -> None:
            heard.append([(line.id, line.outcome, line.tries) for line in batch])
            event.set()

        async def next_batch() -> None:
            event.clear()
            await asyncio.wait_for(event.wait(), 10)

        stop = feed.listen(listen)
        await play(feed, next_batch)  # type: ignore[operator]
        stop()

    asyncio.run(run())
    return heard


def test_a_call_without_an_exchange_is_told_as_it_is_each_time() -> None:
    async def play(feed: Feed, next_batch: object) -> None:
        one = exchange("u")
        feed.show(calls.of_record(one))
        await next_batch()  # type: ignore[operator]
        end(feed, one)
        await next_batch()  # type: ignore[operator]
        assert feed.find("u") == calls.of_record(one)

    assert watched(play) == [[("u", "running", 0)], [("u", "done", 0)]]


def test_what_happens_between_two_looks_comes_as_one_batch() -> None:
    async def play(feed: Feed, next_batch: object) -> None:
        one, two = exchange("1"), exchange("2")
        for some in (one, two):
            begin(feed, some)
        end(feed, one)
        await next_batch()  # type: ignore[operator]

    assert watched(play) == [[("1", "done", 1), ("2", "running", 1)]]


def test_a_running_call_is_told_of_only_when_it_has_changed() -> None:
    async def play(feed: Feed, next_batch: object) -> None:
        one, two = exchange("1"), exchange("2")
        begin(feed, one)
        await next_batch()  # type: ignore[operator]
        begin(feed, two)
        await next_batch()  # type: ignore[operator]
        begin(feed, one)
        await next_batch()  # type: ignore[operator]

    assert watched(play) == [[("1", "running", 1)], [("2", "running", 1)], [("1", "running", 2)]]


def test_the_latest_are_remembered_newest_first_and_bounded() -> None:
    feed = Feed()
    for number in range(KEPT + 20):
        end(feed, exchange(str(number), float(number)))
    begin(feed, exchange("running", 0.5))
    latest = feed.latest()
    assert (len(latest), latest[0].id, latest[-1].id) == (KEPT + 1, str(KEPT + 19), "running")


def test_a_call_is_found_by_how_its_id_begins() -> None:
    feed = Feed()
    end(feed, exchange("1f2e3d4c-5b6a"))
    found = feed.find("1f2e3d4c")
    assert (found and found.id, feed.find("ffff")) == ("1f2e3d4c-5b6a", None)


def test_a_storm_is_told_batch_by_batch_and_what_no_page_would_show_is_left_out() -> None:
    async def play(feed: Feed, next_batch: object) -> None:
        for number in range(MOST + 50):
            end(feed, exchange(str(number), float(number)))
        begin(feed, exchange("running"))
        for _ in range(MOST // BATCH + 1):
            await next_batch()  # type: ignore[operator]

    heard = watched(play)
    assert [len(batch) for batch in heard] == [BATCH] * (MOST // BATCH) + [1]
    assert (heard[0][0][0], heard[-1][0][0]) == ("50", "running")


def test_a_call_that_has_just_begun_is_told_of_in_the_next_batch() -> None:
    heard: list[list[str]] = []

    async def main() -> None:
        times = iter([100.0, 100.0 + EVERY])
        feed = Feed(lambda: next(times))
        feed.listen(lambda batch: heard.append([line.id for line in batch]))
        begin(feed, exchange("old", 100.0 - EVERY))
        begin(feed, exchange("new", 100.0))
        feed._tell()
        feed._tell()

    asyncio.run(main())
    assert heard == [["old"], ["new"]]


def test_nobody_looking_costs_nothing() -> None:
    feed = Feed()  # no event loop runs: a timer would fail
    one = exchange("1")
    begin(feed, one)
    end(feed, one)
    assert feed.latest()[0].ok
