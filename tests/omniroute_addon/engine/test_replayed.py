"""Calls that get another's answer: what the client gets, and what the books get."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from omniroute_addon.config import parse
from omniroute_addon.engine.call import ClientLeftError
from omniroute_addon.engine.flight import Flight
from omniroute_addon.engine.kept import Kept
from omniroute_addon.engine.replayed import AGAIN, HIT, JOINED, Joining, Leading, Repeating
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.routing import Ask
from tests.omniroute_addon.engine.stage import CHAT_WHOLE, HELLO, WHOLE, Collected, Stage, Watched, claude, scene
from tests.omniroute_addon.loopback import Answer, Provider, answer

SNAPSHOT = parse("version: 1", None, env={})
ASK = Ask("claude-code", "anthropic-messages", key="ci")
KEPT = Kept("k", "m", "anthropic-messages", "text/plain", b"x" * 100_000, False, 0.0, "a/m", worth=1_500)
GOOD = answer(200, CHAT_WHOLE, "content-type: application/json", "set-cookie: canary", "x-ratelimit-remaining: 3")


class Books(Watched):
    """An observer that keeps the attempts it is told of."""

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None:
        super().attempt_ended(exchange, attempt)
        self.attempts.append(attempt)


def on_stage(main: Callable[[Stage], Awaitable[None]], *answers: Answer) -> None:
    async def whole(on: Stage, *_providers: Provider) -> None:
        await main(on)

    scene(whole, list(answers), [], targets="a/m")


def test_a_kept_answer_is_sent_with_its_marks_and_saves_what_it_was_worth() -> None:
    async def main(on: Stage) -> None:
        observer, sink = Books(), Collected()
        body = KEPT.body, KEPT.content_type
        one = Repeating(on.exchange(claude(WHOLE)), HIT, SNAPSHOT, ASK, observer, KEPT, body)
        await one.run(sink)
        assert (sink.status, sink.body, sink.ended) == (200, KEPT.body, "finished")
        assert sink.header("x-omniroute-cache") == "HIT"
        assert sink.header("content-length") == "100000"
        record, attempt = one.record, observer.attempts[0]
        assert (record.route, record.outcome, record.ok, record.attempts) == (HIT, "replayed", True, [])
        assert record.summary() == "cache.hit · answered here · saved $0.0015"
        assert attempt.cost is not None
        assert (attempt.target, attempt.cost.micro, attempt.cost.worth) == ("cache", 0, 1_500)
        assert (attempt.usage.input, attempt.usage.output) == (0, 0)
        assert observer.told == ["ended cache", "exchange ended"]

    on_stage(main)


def test_a_client_that_leaves_a_kept_answer_is_recorded() -> None:
    async def main(on: Stage) -> None:
        observer = Books()
        exchange = on.exchange(claude(HELLO))
        left = [Repeating(exchange, AGAIN, SNAPSHOT, ASK, observer, KEPT, (b"x", "a/b")) for _ in range(2)]
        with pytest.raises(ClientLeftError):
            await left[0].run(Collected(breaks_with=ClientLeftError()))
        left[1].abandon()
        assert [one.record.outcome for one in left] == ["client left"] * 2
        assert observer.told == ["exchange ended"] * 2

    on_stage(main)


def test_who_joins_gets_the_answer_without_what_is_the_first_one_s_own() -> None:
    async def main(on: Stage) -> None:
        observer = Books()
        exchange = on.exchange(claude(WHOLE))
        flight = Flight(exchange, 1 << 20, [].append)
        leading = Leading(flight)
        joining = Joining(exchange, JOINED, SNAPSHOT, ASK, observer, flight)
        sinks = Collected(), Collected()
        await asyncio.gather(leading.run(sinks[0]), joining.run(sinks[1]))
        assert sinks[0].body == sinks[1].body
        assert sinks[1].header("x-omniroute-idempotent") == "true"
        assert {name for name, _ in sinks[1].headers} <= {"content-type", "x-omniroute-idempotent", "cache-control"}
        assert leading.record is exchange.record
        assert (leading.record.outcome, joining.record.outcome) == ("done", "replayed")
        assert joining.record.key == "ci"
        assert joining.record.response_body.content() == sinks[1].body

    on_stage(main, GOOD)


def test_who_joins_a_failure_has_failed() -> None:
    async def main(on: Stage) -> None:
        observer = Books()
        exchange = on.exchange(claude(WHOLE))
        flight = Flight(exchange, 1 << 20, [].append)
        leading = Leading(flight)
        joining = Joining(exchange, JOINED, SNAPSHOT, ASK, observer, flight)
        sinks = Collected(), Collected()
        await asyncio.gather(leading.run(sinks[0]), joining.run(sinks[1]))
        assert sinks[0].status == sinks[1].status == 400
        assert joining.record.outcome == leading.record.outcome
        assert not joining.record.ok
        assert observer.told == ["exchange ended"]

    on_stage(main, answer(400, b'{"error":{"message":"no"}}', "content-type: application/json"))


def test_both_may_die_on_their_way_in() -> None:
    async def main(on: Stage) -> None:
        observer = Books()
        exchange = on.exchange(claude(WHOLE))
        flight = Flight(exchange, 1 << 20, [].append)
        leading, joining = Leading(flight), Joining(exchange, JOINED, SNAPSHOT, ASK, observer, flight)
        joining.abandon()
        assert exchange.record.outcome == "running"
        leading.abandon()
        assert (exchange.record.outcome, joining.record.outcome) == ("client left", "client left")

    on_stage(main)
