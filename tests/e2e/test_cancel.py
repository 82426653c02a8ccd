"""The client leaves: the provider's connection is closed at once, in every phase of a call (HTTP/2: test_http2)."""

import asyncio
from collections.abc import Callable

import pytest

from tests.e2e.calls import Ask, ask, async_client, post, spoken
from tests.e2e.targets import routes, targets
from tests.servers.answers import Answer, events
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import Gate, Say, Silence, Step, says

type StartProxy = Callable[..., Proxy]

ANSWER = Answer(pieces=("First ", "never"))
WAYS = {
    "untouched": lambda provider: f"providers: {{anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}}}\n",
    "passthrough": lambda provider: targets(up=provider) + routes("up-anthropic-messages/m"),
    "translated": lambda provider: targets(up=provider) + routes("up-openai-chat/m", "up-gemini/m"),
}
FORMS = {"untouched": "anthropic-messages", "passthrough": "anthropic-messages", "translated": "openai-chat"}
ways = pytest.mark.parametrize("way", WAYS)


def _held_inside(form: str) -> Say:
    """An answer that stops for ever before its second piece."""
    never = next(number for number, event in enumerate(events(form, ANSWER, "m")) if b"never" in event)
    return Say(ANSWER, gates={never: Gate()})


async def _leave_before_an_answer(proxy: Proxy, asked: Ask, provider: Provider) -> None:
    async with async_client(proxy, http2=False) as http:
        call = asyncio.create_task(http.post(asked.url, content=asked.content))
        await asyncio.to_thread(provider.wait_calls, 1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.to_thread(provider.calls[0].wait_gone)


@ways
@pytest.mark.parametrize(
    "step, stream",
    [(Silence(), True), (Silence(), False), (Say(ANSWER, gates={0: Gate()}), True)],
    ids=["silent stream", "silent whole", "headers only"],
)
def test_before_the_first_byte(
    step: Step, way: str, provider: Provider, start_proxy: StartProxy, *, stream: bool
) -> None:
    provider.script(step)
    proxy = start_proxy(WAYS[way](provider))
    asyncio.run(_leave_before_an_answer(proxy, ask("anthropic-messages", stream=stream), provider))


@ways
def test_in_the_stream(way: str, provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(_held_inside(FORMS[way]))
    proxy = start_proxy(WAYS[way](provider))
    asked = ask("anthropic-messages", stream=True)

    async def leave() -> None:
        async with async_client(proxy, http2=False) as http:
            async with http.stream("POST", asked.url, content=asked.content) as response:
                read = b""
                chunks = response.aiter_raw()
                while b"First" not in read:
                    read += await anext(chunks)
            await asyncio.to_thread(provider.call.wait_gone)

    asyncio.run(leave())


@ways
def test_the_proxy_goes_on_for_others(way: str, provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(Silence(), says("Still", " here"))
    proxy = start_proxy(WAYS[way](provider))
    asked = ask("anthropic-messages")
    asyncio.run(_leave_before_an_answer(proxy, asked, provider))
    assert spoken(asked.format, post(proxy, asked)) == "Still here"


def test_nobody_else_is_asked_for_a_client_that_left(
    provider: Provider, second: Provider, start_proxy: StartProxy
) -> None:
    provider.script(Silence())
    proxy = start_proxy(targets(up=provider, other=second) + routes("up-openai-chat/m", "other-openai-chat/m"))
    asyncio.run(_leave_before_an_answer(proxy, ask("gemini"), provider))
    assert proxy.stop() == 0
    assert not second.calls
