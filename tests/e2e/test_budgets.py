"""Budgets through the whole proxy: they hold under load, refuse in the client's own words, and survive what happens."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute_addon.ledger.reports import Line, books, select
from tests.e2e.calls import Ask, ask, post, post_gateway, said_error, spoken
from tests.e2e.sdks import SDKS, through
from tests.e2e.targets import routes, targets
from tests.e2e.test_books import kill_under_load, to_be_killed
from tests.e2e.test_exhausted import CLASSES
from tests.e2e.test_reload import log_says
from tests.servers.answers import FORMATS, Answer
from tests.servers.provider import Provider, Received, serving
from tests.servers.proxy import Proxy, running
from tests.servers.steps import PATIENCE, Gate, Say, Silence

type StartProxy = Callable[..., Proxy]

PRICED = "prices: {'m*': {input: 1000, output: 2000}}\n"
"""Micro-dollars: 1000 for a token of input, 2000 for one of output."""
CALLERS = 100
LIMIT = 5_000_000
MOST_OUTPUT = 50
QUESTION = "What is the meaning of all this? " * 12
CLIENTS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini")


def budget(dollars: float, on_exceed: str = "deny", more: str = "") -> str:
    return f"budgets: [{{name: cap, daily: {dollars}, on_exceed: {on_exceed}{more}}}]\n"


class Meter:
    """A provider's own books: what it has counted for every call that it answered."""

    def __init__(self, provider: Provider) -> None:
        self.micro: list[int] = []
        provider.otherwise = self._answer

    def _answer(self, request: Received) -> Say:
        given, said = len(QUESTION) // 4 + 3, 1 + len(self.micro) * 7 % MOST_OUTPUT
        self.micro.append(1000 * given + 2000 * said)
        return Say(Answer(pieces=("Well", "."), input_tokens=given, output_tokens=said))


def limited(form: str, *, stream: bool) -> Ask:
    """A call that names the most it wants."""
    asked = ask(form, f"up-{form}/m", stream=stream, question=QUESTION)
    match form:
        case "anthropic-messages" | "openai-chat":
            more: dict[str, Any] = {"max_tokens": MOST_OUTPUT}
        case "openai-responses":
            more = {"max_output_tokens": MOST_OUTPUT}
        case _:
            more = {"generationConfig": {"maxOutputTokens": MOST_OUTPUT}}
    return replace(asked, body=asked.body | more)


async def all_at_once(proxy: Proxy) -> list[int]:
    asked = [limited(CLIENTS[n % 4], stream=n % 3 == 0) for n in range(CALLERS)]
    limits = httpx.Limits(max_connections=CALLERS)
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits) as client:
        found = await asyncio.gather(*(client.post(proxy.gateway + one.path, content=one.content) for one in asked))
    return [one.status_code for one in found]


def sums(proxy: Proxy) -> Line:
    with books(proxy.home / "ledger.db") as found:
        return found.sums(select("1d", "now", {}))[0]


def test_a_budget_holds_to_the_cent_under_a_hundred_parallel_calls(start_proxy: StartProxy, provider: Provider) -> None:
    meter = Meter(provider)
    proxy = start_proxy(targets(up=provider) + PRICED + budget(LIMIT / 1e6))
    statuses: list[int] = []
    while 200 in (found := asyncio.run(all_at_once(proxy))):
        statuses += found
    assert set(statuses) == {200, 429}, found
    assert statuses.count(200) == len(meter.micro)
    assert LIMIT - 300_000 < sum(meter.micro) <= LIMIT
    proxy.stop()
    found_in_books = sums(proxy)
    assert (found_in_books.micro, found_in_books.estimated, found_in_books.unknown) == (sum(meter.micro), 0, 0)


def test_a_budget_holds_over_restarts_after_kills(tmp_path: Path) -> None:
    """What was interrupted counts as what was held for it: never less than the provider has counted."""
    limit = 40_000_000
    asked = limited("openai-chat", stream=True)
    with serving() as provider:
        meter = Meter(provider)
        config = targets(up=provider) + PRICED + budget(limit / 1e6)
        for after in (2, 50):
            with to_be_killed(tmp_path, config) as proxy:
                asyncio.run(kill_under_load(proxy, provider, after, asked))
        with running(tmp_path, config) as proxy:
            while 200 in asyncio.run(all_at_once(proxy)):
                pass
        assert sum(meter.micro) <= sums(proxy).micro <= limit
        assert limit - sums(proxy).micro < 300_000


@pytest.mark.parametrize("client", FORMATS)
def test_the_refusal_is_said_in_the_client_s_format(client: str, start_proxy: StartProxy, provider: Provider) -> None:
    proxy = start_proxy(targets(up=provider) + PRICED + budget(0) + routes("up-openai-chat/m"))
    response = post(proxy, ask(client))
    assert response.status_code == 429
    said = said_error(client, response.json())
    assert "budget cap refuses this call: $0.00 of $0.00 spent today; resets" in said
    midnight = 86400 - time.time() % 86400
    assert abs(int(response.headers["retry-after"]) - midnight) < 30
    assert not provider.calls


@pytest.mark.parametrize("client", SDKS)
def test_the_sdks_raise_their_rate_limit_error(
    client: str, start_proxy: StartProxy, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = start_proxy(targets(up=provider) + PRICED + budget(0) + routes("up-openai-chat/m"))
    through(proxy, monkeypatch)
    with SDKS[client]() as sdk, pytest.raises(CLASSES["quota"][client][0], match="budget cap refuses"):
        sdk.stream("model-0")


def test_when_the_money_is_spent_a_free_target_answers(
    start_proxy: StartProxy, provider: Provider, second: Provider
) -> None:
    Meter(provider)
    config = targets(up=provider, free=second) + PRICED + budget(0.3, "fallback")
    proxy = start_proxy(config + routes("up-openai-chat/m", "free-openai-chat/costs-nothing"))
    asked = replace(
        limited("openai-chat", stream=False), body=limited("openai-chat", stream=False).body | {"model": "x"}
    )
    answers = [post_gateway(proxy, asked) for _ in range(5)]
    assert [one.status_code for one in answers] == [200] * 5
    assert (len(provider.calls) > 0, len(second.calls) > 0) == (True, True)
    assert len(provider.calls) + len(second.calls) == 5


def test_calls_under_way_leave_no_room_for_others(start_proxy: StartProxy, provider: Provider) -> None:
    """The plan still sees room; the reservation decides, and the client is told to come back in a moment."""
    gate = Gate()
    provider.script(Say(Answer(pieces=("Held",), output_tokens=9), gates={0: gate}))
    proxy = start_proxy(targets(up=provider) + PRICED + budget(0.3))
    asked = limited("anthropic-messages", stream=False)

    async def main() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            first = asyncio.create_task(client.post(proxy.gateway + asked.path, content=asked.content))
            await asyncio.to_thread(gate.wait_reached)
            refused = await client.post(proxy.gateway + asked.path, content=asked.content)
            gate.open()
            await first
            return first.result(), refused, await client.post(proxy.gateway + asked.path, content=asked.content)

    first, refused, third = asyncio.run(main())
    assert (first.status_code, refused.status_code, third.status_code) == (200, 429, 200)
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert "is held for calls under way" in said_error("anthropic-messages", refused.json())


def test_a_client_that_leaves_gives_back_what_was_held(start_proxy: StartProxy, provider: Provider) -> None:
    provider.script(Silence(), Say(Answer(pieces=("Here",), output_tokens=9)))
    proxy = start_proxy(targets(up=provider) + PRICED + budget(0.35))
    asked = limited("anthropic-messages", stream=True)

    async def leave() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            call = asyncio.create_task(client.post(proxy.gateway + asked.path, content=asked.content))
            await asyncio.to_thread(provider.wait_calls, 1)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await asyncio.to_thread(provider.calls[0].wait_gone)

    asyncio.run(leave())
    assert spoken("anthropic-messages", post_gateway(proxy, asked)) == "Here"
    proxy.stop()
    found = sums(proxy)
    assert found.estimated == 1  # the input that the provider has read


def test_other_rules_keep_what_is_spent(start_proxy: StartProxy, provider: Provider) -> None:
    meter = Meter(provider)
    proxy = start_proxy(targets(up=provider) + PRICED)
    post_gateway(proxy, limited("openai-chat", stream=False))
    proxy.write(targets(up=provider) + PRICED + budget(sum(meter.micro) / 1e6, more=", match: {client: gateway}"))
    log_says(proxy, "new rules from")
    refused = post_gateway(proxy, limited("openai-chat", stream=False))
    assert refused.status_code == 429
    assert len(meter.micro) == 1
