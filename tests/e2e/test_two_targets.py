"""Hedged and resumed calls beside what else can happen to a call: joined, kept, told again, left, looked up."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute_addon.ledger.reports import books
from tests.e2e.calls import Ask, ask, async_client, post, spoken
from tests.e2e.targets import targets
from tests.e2e.test_books import cli
from tests.servers.answers import Answer, events
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import Gate, Say

type StartProxy = Callable[..., Proxy]

KEY = {"idempotency-key": "errand-1"}
BEGUN = Answer(pieces=("First ", "never said"))
REST = Answer(pieces=("and ", "last"), input_tokens=20, output_tokens=5)
LOST = Answer(pieces=("Too late",))
TEXT = {"hedge": "and last", "resume": "First and last"}
WAYS = {"hedge": "hedge: {after: 100ms}", "resume": "on_midstream_failure: resume"}
ways = pytest.mark.parametrize("way", WAYS)
CALLERS = 5


def rules(way: str, one: Provider, two: Provider, more: str = "") -> str:
    return (
        targets(one=one, two=two)
        + f"combos: {{both: {{targets: [one-openai-chat/m, two-openai-chat/m], {WAYS[way]}}}}}\n"
        + "routes: [{match: {model: '*'}, to: both}]\nprices: {'m': {input: 1000, output: 2000}}\n"
        + more
    )


def first(way: str, gate: Gate) -> Say:
    """What the first target does: it says nothing, or breaks off, at the gate."""
    if way == "hedge":
        return Say(LOST, gates={0: gate})
    never = next(number for number, event in enumerate(events("openai-chat", BEGUN, "m")) if b"never" in event)
    return Say(BEGUN, gates={never: gate}, cut=never, cut_by="close")


async def at_once(proxy: Proxy, asked: Ask, way: str, gate: Gate) -> list[httpx.Response]:
    """So many of the same call, all of them in before the answer goes on."""
    async with async_client(proxy, http2=False) as http:
        calls = [http.post(asked.url, content=asked.content, headers=KEY) for _ in range(CALLERS)]
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.to_thread(gate.wait_reached)
        if way == "resume":
            gate.open()
        return await asyncio.gather(*tasks)


@ways
@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat", "gemini"])
def test_who_joins_and_who_asks_again_gets_the_whole_answer(
    form: str, way: str, provider: Provider, second: Provider, start_proxy: StartProxy
) -> None:
    gate = Gate()
    provider.script(first(way, gate))
    second.script(Say(REST))
    proxy = start_proxy(rules(way, provider, second, "idempotency: {window: 10m}\n"))
    asked = ask(form, stream=True)
    answers = asyncio.run(at_once(proxy, asked, way, gate))
    answers.append(post(proxy, asked, **KEY))
    assert {spoken(form, one) for one in answers} == {TEXT[way]}
    assert len({one.content for one in answers}) == 1
    assert (len(provider.calls), len(second.calls)) == (1, 1)


def cold(*, stream: bool = True) -> Ask:
    asked = ask("openai-chat", stream=stream)
    return Ask(asked.format, asked.path, asked.body | {"temperature": 0})


def test_the_winners_answer_is_kept_and_the_losers_never(
    provider: Provider, second: Provider, start_proxy: StartProxy
) -> None:
    provider.script(first("hedge", Gate()))
    second.script(Say(REST))
    proxy = start_proxy(rules("hedge", provider, second, "cache: {enabled: true}\n"))
    answers = [post(proxy, cold()), post(proxy, cold()), post(proxy, cold(stream=False))]
    assert [one.headers.get("x-omniroute-cache") for one in answers] == [None, "HIT", "HIT"]
    assert {spoken("openai-chat", one) for one in answers} == {TEXT["hedge"]}
    assert (len(provider.calls), len(second.calls)) == (1, 1)


def test_what_two_targets_have_told_together_is_not_kept(
    provider: Provider, second: Provider, start_proxy: StartProxy
) -> None:
    gate = Gate()
    gate.open()
    provider.script(first("resume", gate))
    second.script(Say(REST))
    proxy = start_proxy(rules("resume", provider, second, "cache: {enabled: true}\n"))
    answers = [post(proxy, cold()) for _ in range(3)]
    assert [one.headers.get("x-omniroute-cache") for one in answers] == [None, None, "HIT"]
    assert [spoken("openai-chat", one) for one in answers] == [TEXT["resume"], "and last", "and last"]


async def _left(proxy: Proxy, asked: Ask, after: Callable[[], object]) -> None:
    async with async_client(proxy, http2=False) as http:
        call = asyncio.create_task(http.post(asked.url, content=asked.content))
        await asyncio.to_thread(after)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


@ways
def test_who_leaves_closes_every_target_and_frees_every_place(
    way: str, provider: Provider, second: Provider, start_proxy: StartProxy
) -> None:
    gate, held = Gate(), Gate()
    if way == "resume":
        gate.open()
    provider.script(first(way, gate), Say(REST))
    second.script(Say(REST, gates={0: held}), Say(REST))
    budget = "budgets: [{name: cap, daily: 1000, on_exceed: deny}]\ncombo_defaults: {concurrency: 1}\n"
    proxy = start_proxy(rules(way, provider, second, budget))
    asyncio.run(_left(proxy, ask("openai-chat", stream=True), held.wait_reached))
    second.calls[0].wait_gone()
    if way == "hedge":
        provider.calls[0].wait_gone()
    assert spoken("openai-chat", post(proxy, ask("openai-chat", stream=True))) == "and last"
    assert proxy.stop() == 0
    ended = {"hedge": ["cancelled", "cancelled", "used"], "resume": ["used until it broke off", "cancelled", "used"]}
    assert [outcome.partition(":")[0] for outcome in _column(proxy.home, "outcome")] == ended[way]


def _column(home: Path, name: str) -> list[Any]:
    with books(home / "ledger.db") as found:
        return [value for (value,) in found.rows(f"SELECT {name} FROM attempts ORDER BY started, number")]


@ways
def test_the_books_tell_of_both(way: str, provider: Provider, second: Provider, start_proxy: StartProxy) -> None:
    gate = Gate()
    if way == "resume":
        gate.open()
    provider.script(first(way, gate))
    second.script(Say(REST))
    proxy = start_proxy(rules(way, provider, second))
    assert spoken("openai-chat", post(proxy, ask("openai-chat", stream=True))) == TEXT[way]
    assert proxy.stop() == 0
    with books(proxy.home / "ledger.db") as found:
        (call,) = found.latest(1)
    assert (call["target"], call["attempts"]) == ("two-openai-chat/m", 2)
    told: dict[str, Any] = json.loads(cli(proxy.home, "explain", "--id", str(call["id"])[:12], "--json"))
    words = {"hedge": ["overtaken", "used"], "resume": ["used until it broke off", "resumed"]}
    assert [one["outcome"].partition(":")[0] for one in told["attempts"]] == words[way]
    assert all(one["micro"] > 0 for one in told["attempts"])
    assert call["micro"] == sum(one["micro"] for one in told["attempts"])
    total = json.loads(cli(proxy.home, "usage", "--json"))["total"]
    assert (total["calls"], total["attempts"], total["failed"]) == (1, 2, 0)
