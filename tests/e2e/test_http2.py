"""HTTP/2 clients: many streams on one connection, all running at the same time, each of which may be left."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.e2e.calls import ask, async_client, spoken
from tests.e2e.http2_client import connected
from tests.e2e.targets import routes, targets
from tests.servers.answers import Answer, events
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import Gate, Say, Silence, Step, says

type StartProxy = Callable[..., Proxy]

STREAMS = 30
ANSWER = Answer(pieces=("Held ", "open."))
WAYS = {
    "untouched": ("anthropic-messages", ""),
    "passthrough": ("anthropic-messages", routes("up-anthropic-messages/m")),
    "translated": ("openai-chat", routes("up-openai-chat/m")),
}
ways = pytest.mark.parametrize("way", WAYS)


def _rules(way: str, provider: Provider) -> str:
    return f"{targets(up=provider)}  anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}\n{WAYS[way][1]}"


def _held_by(gate: Gate, way: str) -> Say:
    """Stops before the second piece."""
    said = events(WAYS[way][0], ANSWER, "m")
    return Say(ANSWER, gates={next(number for number, event in enumerate(said) if b"open." in event): gate})


@ways
def test_thirty_streams_on_one_connection_are_all_open_at_once(
    way: str, provider: Provider, start_proxy: StartProxy
) -> None:
    gate = Gate()
    provider.script(_held_by(gate, way))
    proxy = start_proxy(_rules(way, provider))
    asked = ask("anthropic-messages", stream=True)
    with connected(proxy, asked) as connection:
        streams = [connection.post(asked) for _ in range(STREAMS)]
        for stream in streams:
            connection.until(stream, b"Held")
        gate.open()
        answers = [connection.until_end(stream) for stream in streams]
    assert [(answer.count(b"open."), answer.count(b"message_stop")) for answer in answers] == [(1, 2)] * STREAMS
    assert len(provider.calls) == STREAMS


@pytest.mark.parametrize(
    "step, stream",
    [(Silence(), True), (Silence(), False), (Say(ANSWER, gates={0: Gate()}), True)],
    ids=["silent stream", "silent whole", "headers only"],
)
@ways
def test_a_stream_that_is_left_before_its_first_byte_is_closed_upstream(
    way: str, step: Step, provider: Provider, start_proxy: StartProxy, *, stream: bool
) -> None:
    provider.script(step, says("Others", " go on"))
    proxy = start_proxy(_rules(way, provider))
    asked = ask("anthropic-messages", stream=stream)
    with connected(proxy, asked) as connection:
        number = connection.post(asked)
        left = provider.wait_calls(1)[0]
        connection.leave(number)
        left.wait_gone()
        assert b"Others" in connection.until_end(connection.post(asked))


@ways
def test_a_stream_that_is_left_in_the_middle_is_closed_upstream(
    way: str, provider: Provider, start_proxy: StartProxy
) -> None:
    provider.script(_held_by(Gate(), way), says("Others", " go on"))
    proxy = start_proxy(_rules(way, provider))
    asked = ask("anthropic-messages", stream=True)
    with connected(proxy, asked) as connection:
        number = connection.post(asked)
        connection.until(number, b"Held")
        connection.leave(number)
        provider.calls[0].wait_gone()
        assert b"Others" in connection.until_end(connection.post(asked))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@ways
def test_an_answer_over_http2(way: str, provider: Provider, start_proxy: StartProxy, *, stream: bool) -> None:
    proxy = start_proxy(_rules(way, provider))
    asked = ask("anthropic-messages", stream=stream)

    async def call() -> httpx.Response:
        async with async_client(proxy, http2=True) as http:
            return await http.post(asked.url, content=asked.content)

    response = asyncio.run(call())
    assert (response.http_version, spoken(asked.format, response)) == ("HTTP/2", "Hello from upstream")
