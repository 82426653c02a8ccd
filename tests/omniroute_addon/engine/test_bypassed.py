"""The exchange of a call that is answered here: one answer, one record, whatever happens."""

import asyncio

import orjson
import pytest

from omniroute_addon.config import parse
from omniroute_addon.engine.bypass import Canned
from omniroute_addon.engine.bypassed import Bypassed
from omniroute_addon.engine.call import Call, ClientLeftError
from omniroute_addon.routing import Ask
from omniroute_addon.routing.ask import Told
from tests.omniroute_addon.engine.stage import WHOLE, Collected, Watched, claude

SNAPSHOT = parse("version: 1", None, env={})
ASK = Ask("claude-code", "anthropic-messages", key="ci", source="10.0.0.7", facts=Told(session="s-1"))


def bypassed(call: Call, observer: Watched) -> Bypassed:
    return Bypassed(call, Canned("titles", "A title"), SNAPSHOT, observer, ASK)


def test_it_answers_and_is_recorded_as_bypassed() -> None:
    observer, sink = Watched(), Collected()
    exchange = bypassed(claude(WHOLE), observer)
    asyncio.run(exchange.run(sink))
    assert (sink.status, sink.ended) == (200, "finished")
    assert orjson.loads(sink.body)["content"] == [{"type": "text", "text": "A title"}]
    assert sink.header("content-length") == str(len(sink.body))
    record = exchange.record
    assert (record.outcome, record.route, record.ok, record.attempts) == ("bypassed", "bypass.titles", True, [])
    assert (record.key, record.source, record.session, record.status) == ("ci", "10.0.0.7", "s-1", 200)
    assert record.summary() == "bypass.titles · answered here"
    assert record.response_body.content() == sink.body
    assert record.ended is not None
    assert observer.told == ["exchange ended"]


def test_a_call_that_cannot_be_read_gets_its_format_s_error() -> None:
    sink = Collected()
    exchange = bypassed(claude(b'{"messages": 5}'), Watched())
    asyncio.run(exchange.run(sink))
    assert sink.status == 400
    assert orjson.loads(sink.body)["type"] == "error"
    assert exchange.record.outcome.startswith("failed: ")


def test_a_client_that_leaves_is_recorded() -> None:
    observer = Watched()
    exchange = bypassed(claude(), observer)
    with pytest.raises(ClientLeftError):
        asyncio.run(exchange.run(Collected(breaks_with=ClientLeftError())))
    assert (exchange.record.outcome, observer.told) == ("client left", ["exchange ended"])


def test_a_client_that_left_before_is_recorded_too() -> None:
    observer = Watched()
    exchange = bypassed(claude(), observer)
    exchange.abandon()
    assert (exchange.record.outcome, observer.told) == ("client left", ["exchange ended"])


def test_an_observer_that_fails_costs_nobody_the_answer() -> None:
    class Broken(Watched):
        def exchange_ended(self, exchange: object) -> None:
            raise OSError(exchange)

    sink = Collected()
    asyncio.run(bypassed(claude(), Broken()).run(sink))
    assert sink.ended == "finished"
