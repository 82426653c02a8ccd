"""Many who leave, and a clean call beside them that must get its answer: at every moment of a call's way, on one connection.

What one stream leaves behind must not stand in the way of the next on the same client connection or the same upstream
connection.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.calls import ask, client, spoken
from tests.e2e.http2_client import connected
from tests.e2e.targets import routes, targets
from tests.e2e.test_leaving import by_http1, rules
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy

type StartProxy = Callable[..., Proxy]

LEAVERS = 120
ROUNDS = 3
ASKED = ask("anthropic-messages", stream=True)
GOOD = ask("anthropic-messages")


@pytest.mark.parametrize("behind", [0, 1, 7], ids=["at once", "after the next", "after seven more"])
def test_a_call_beside_streams_that_were_left_gets_its_answer(
    provider: Provider, start_proxy: StartProxy, behind: int
) -> None:
    """HTTP/2: each stream is reset when so many more have been opened, wherever it has got to by then."""
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m"))
    with connected(proxy, ASKED) as connection:
        for _ in range(ROUNDS):
            open_streams: list[int] = []
            for _ in range(LEAVERS // ROUNDS):
                open_streams.append(connection.post(ASKED))
                if len(open_streams) > behind:
                    connection.leave(open_streams.pop(0))
            for stream in open_streams:
                connection.leave(stream)
            assert b"Hello from upstream" in connection.until_end(connection.post(GOOD))
    assert "Traceback" not in proxy.log.read_text()


@pytest.mark.parametrize("rates", ["", ", rates: {concurrency: 2}"], ids=["free", "in line"])
def test_calls_beside_connections_that_are_closed_get_their_answers(
    provider: Provider, start_proxy: StartProxy, rates: str
) -> None:
    """HTTP/1.1: they share the account's places and the kept connections to the provider."""
    proxy = start_proxy(rules(provider, rates))

    def leave(_number: int) -> None:
        with by_http1(proxy, ASKED):
            pass

    def call(_number: int) -> list[str]:
        with client(proxy) as kept:
            return [spoken(GOOD.format, kept.post(GOOD.url, content=GOOD.content)) for _ in range(ROUNDS * 4)]

    with ThreadPoolExecutor(8) as crowd:
        left = [crowd.submit(leave, number) for number in range(LEAVERS)]
        answers = [text for texts in crowd.map(call, range(4)) for text in texts]
        for one in left:
            one.result()
    assert set(answers) == {"Hello from upstream"}
    assert "Traceback" not in proxy.log.read_text()
