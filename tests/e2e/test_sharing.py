"""A call that comes twice is asked once, over real HTTP: joined under way, told again within the window, never shared."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.e2e.calls import Ask, ask, async_client, post, post_gateway, said_error, spoken
from tests.e2e.targets import routes, targets
from tests.servers.answers import Answer, events
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy
from tests.servers.steps import Gate, Hangup, Say, Silence, Whole, says

type StartProxy = Callable[..., Proxy]

FORMATS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli")
formats = pytest.mark.parametrize("form", FORMATS)
manners = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
LONG = "idempotency: {window: 10m}\n"
KEY = {"idempotency-key": "errand-1"}
REFUSAL = Whole(400, {"content-type": "application/json"}, b'{"error":{"message":"no","type":"invalid_request_error"}}')
SAID = Answer(pieces=("First ", "and ", "last"))


def _rules(provider: Provider) -> str:
    return targets(up=provider) + routes("up-openai-chat/m")


def _held(form: str = "openai-chat") -> tuple[Say, Gate]:
    """An answer that waits for the test before its last piece."""
    gate = Gate()
    last = next(number for number, event in enumerate(events(form, SAID, "m")) if b"last" in event)
    return Say(SAID, gates={last: gate, **({0: gate} if last == 0 else {})}), gate


def _books(proxy: Proxy) -> list[tuple[str, str, int]]:
    assert proxy.stop() == 0
    with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
        return books.execute("SELECT route, outcome, attempts FROM exchanges ORDER BY started").fetchall()


async def _read_until(chunks: Any, text: bytes) -> bytes:
    read = b""
    while text not in read:
        read += await anext(chunks)
    return read


async def _together(proxy: Proxy, asked: Ask, count: int, gate: Gate, provider: Provider) -> list[httpx.Response]:
    """So many of the same call at once, the answer held until all of them are in."""
    async with async_client(proxy, http2=False) as http:
        calls = [asyncio.create_task(http.post(asked.url, content=asked.content, headers=KEY)) for _ in range(count)]
        await asyncio.to_thread(provider.wait_calls, 1)
        await asyncio.to_thread(gate.wait_reached)
        gate.open()
        return await asyncio.gather(*calls)


@formats
@manners
def test_calls_at_once_are_one_call(form: str, stream: bool, provider: Provider, start_proxy: StartProxy) -> None:
    gate = Gate()
    provider.script(Say(SAID, gates={0: gate}))
    proxy = start_proxy(_rules(provider) + LONG)
    answers = asyncio.run(_together(proxy, ask(form, stream=stream), 5, gate, provider))
    assert {spoken(form, one) for one in answers} == {SAID.text}
    assert len({one.content for one in answers}) == 1
    assert sorted(one.headers.get("x-omniroute-idempotent", "") for one in answers) == ["", *["true"] * 4]
    assert len(provider.calls) == 1
    kept = [row[:2] for row in _books(proxy)]
    assert kept.count(("routes[0]", "done")) == 1
    assert sum(outcome == "replayed" and route.startswith("idempotency.") for route, outcome in kept) == 4


@formats
@manners
def test_a_call_again_within_the_window_gets_the_same_bytes(
    form: str, stream: bool, provider: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(_rules(provider) + LONG)
    asked = ask(form, stream=stream)
    first, again = (post(proxy, asked, **KEY) for _ in range(2))
    assert spoken(form, again) == "Hello from upstream"
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-omniroute-idempotent"] == "true"
    assert len(provider.calls) == 1
    assert _books(proxy) == [("routes[0]", "done", 1), ("idempotency.again", "replayed", 0)]


def test_after_the_window_it_is_asked_anew(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider) + "idempotency: {window: 0}\n")
    for _ in range(2):
        assert spoken("gemini", post(proxy, ask("gemini"), **KEY)) == "Hello from upstream"
    assert len(provider.calls) == 2


OTHERS: dict[str, tuple[Ask, dict[str, str]]] = {
    "another question": (ask("openai-chat", question="Say bye."), KEY),
    "another model": (ask("openai-chat", model="other"), KEY),
    "another manner": (ask("openai-chat", stream=True), KEY),
    "another key": (ask("openai-chat"), {"idempotency-key": "errand-2"}),
    "no key": (ask("openai-chat"), {}),
    "another credential": (ask("openai-chat"), {**KEY, "authorization": "Bearer somebody-else"}),
    "another account": (ask("openai-chat"), {**KEY, "openai-organization": "other"}),
    "another tool": (ask("openai-chat"), {**KEY, "user-agent": "codex_cli_rs/0.1"}),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_call_under_the_same_key_is_never_given_that_answer(
    case: str, provider: Provider, start_proxy: StartProxy
) -> None:
    provider.script(says("For the first"), says("For the second"))
    proxy = start_proxy(_rules(provider) + LONG)
    other, headers = OTHERS[case]
    assert (
        spoken("openai-chat", post(proxy, ask("openai-chat"), authorization="Bearer first", **KEY)) == "For the first"
    )
    assert spoken("openai-chat", post(proxy, other, **{"authorization": "Bearer first", **headers})) == "For the second"


def test_callers_of_the_gateway_are_told_apart_by_their_keys(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(says("For ada"), says("For bob"))
    keys = "keys: [{name: ada, key: the-key-of-ada-1234}, {name: bob, key: the-key-of-bob-1234}]\n"
    proxy = start_proxy(_rules(provider) + LONG + keys)
    asked = ask("openai-chat")
    for name, said in (("ada", "For ada"), ("bob", "For bob"), ("ada", "For ada"), ("bob", "For bob")):
        answer = post_gateway(proxy, asked, authorization=f"Bearer the-key-of-{name}-1234", **KEY)
        assert spoken("openai-chat", answer) == said
    assert len(provider.calls) == 2


def test_a_request_id_counts_only_when_the_rules_say_so(provider: Provider, start_proxy: StartProxy) -> None:
    named = {"x-request-id": "request-1"}
    plain, opted = (
        start_proxy(_rules(provider) + LONG),
        start_proxy(_rules(provider) + "idempotency: {window: 10m, request_id: true}\n"),
    )
    for proxy, count in ((plain, 2), (opted, 3)):
        for _ in range(2):
            assert post(proxy, ask("openai-chat"), **named).status_code == 200
        assert len(provider.calls) == count


def test_it_can_be_switched_off(provider: Provider, start_proxy: StartProxy) -> None:
    proxy = start_proxy(_rules(provider) + "idempotency: {enabled: false}\n")
    for _ in range(2):
        assert post(proxy, ask("openai-chat"), **KEY).status_code == 200
    assert len(provider.calls) == 2


@formats
@manners
def test_an_error_is_for_all_who_wait_and_for_nobody_later(
    form: str, stream: bool, provider: Provider, start_proxy: StartProxy
) -> None:
    provider.script(Silence(), says("Better now"))
    proxy = start_proxy(_rules(provider) + LONG + "timeouts: {first_event: 3, whole: 3}\n")
    asked = ask(form, stream=stream)

    async def both() -> list[httpx.Response]:
        async with async_client(proxy, http2=False) as http:
            return await asyncio.gather(*(http.post(asked.url, content=asked.content, headers=KEY) for _ in range(2)))

    answers = asyncio.run(both())
    assert [one.status_code for one in answers] == [answers[0].status_code] * 2
    assert answers[0].status_code >= 500
    assert all(said_error(form, one.json()) for one in answers)
    assert len(provider.calls) == 1
    proxy.stop()


def test_a_failure_is_not_told_again(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(REFUSAL, says("Better now"))
    proxy = start_proxy(_rules(provider) + LONG)
    assert post(proxy, ask("openai-chat"), **KEY).status_code == 400
    assert spoken("openai-chat", post(proxy, ask("openai-chat"), **KEY)) == "Better now"


@formats
def test_a_cut_answer_breaks_for_all_and_is_not_told_again(
    form: str, provider: Provider, start_proxy: StartProxy
) -> None:
    last = next(number for number, event in enumerate(events("openai-chat", SAID, "m")) if b"last" in event)
    provider.script(Say(SAID, cut=last), says("Whole now"))
    proxy = start_proxy(_rules(provider) + LONG)
    broken = post(proxy, ask(form, stream=True), **KEY)
    assert b"last" not in broken.content
    assert spoken(form, post(proxy, ask(form, stream=True), **KEY)) == "Whole now"
    assert len(provider.calls) == 2


@formats
def test_who_came_second_goes_on_when_the_first_leaves(form: str, provider: Provider, start_proxy: StartProxy) -> None:
    step, gate = _held()
    provider.script(step)
    proxy = start_proxy(_rules(provider) + LONG)
    asked = ask(form, stream=True)

    async def leave() -> bytes:
        async with async_client(proxy, http2=False) as first, async_client(proxy, http2=False) as second:
            async with first.stream("POST", asked.url, content=asked.content, headers=KEY) as one:
                held = one.aiter_raw()  # httpx closes what nobody holds
                await _read_until(held, b"First")
                joined = await second.send(
                    second.build_request("POST", asked.url, content=asked.content, headers=KEY), stream=True
                )
                chunks = joined.aiter_raw()
                read = await _read_until(chunks, b"First")
            gate.open()
            async for chunk in chunks:
                read += chunk
            await joined.aclose()
            assert joined.headers["x-omniroute-idempotent"] == "true"
            return read

    read = asyncio.run(leave())
    assert spoken(form, httpx.Response(200, headers={"content-type": "text/event-stream"}, content=read)) == SAID.text
    assert not provider.call.gone.is_set()
    assert [row[:2] for row in _books(proxy)] == [("routes[0]", "done"), ("idempotency.joined", "replayed")]


def test_when_all_have_left_the_provider_is_left_at_once(provider: Provider, start_proxy: StartProxy) -> None:
    step, _ = _held()
    provider.script(step)
    proxy = start_proxy(_rules(provider) + LONG)
    asked = ask("anthropic-messages", stream=True)

    async def leave() -> None:
        async with async_client(proxy, http2=False) as first, async_client(proxy, http2=False) as second:
            async with first.stream("POST", asked.url, content=asked.content, headers=KEY) as one:
                held = one.aiter_raw()  # httpx closes what nobody holds
                await _read_until(held, b"First")
                async with second.stream("POST", asked.url, content=asked.content, headers=KEY) as two:
                    joined = two.aiter_raw()
                    await _read_until(joined, b"First")
                assert not provider.call.gone.is_set()
            await asyncio.to_thread(provider.call.wait_gone)

    asyncio.run(leave())
    assert [row[:2] for row in _books(proxy)] == [("routes[0]", "client left"), ("idempotency.joined", "client left")]


def test_who_came_second_is_answered_when_the_first_leaves_before_any_of_it(
    provider: Provider, start_proxy: StartProxy
) -> None:
    gate = Gate()
    provider.script(Say(SAID, gates={0: gate}))
    proxy = start_proxy(_rules(provider) + LONG)
    asked = ask("openai-responses")

    async def leave() -> httpx.Response:
        async with async_client(proxy, http2=False) as first, async_client(proxy, http2=False) as second:
            early = asyncio.create_task(first.post(asked.url, content=asked.content, headers=KEY))
            await asyncio.to_thread(provider.wait_calls, 1)
            late = asyncio.create_task(second.post(asked.url, content=asked.content, headers=KEY))
            for _ in range(20):  # the second call's way in has no sign of its own
                await second.get(proxy.gateway + "/v1/models")
            early.cancel()
            await asyncio.gather(early, return_exceptions=True)
            gate.open()
            return await late

    assert spoken(asked.format, asyncio.run(leave())) == SAID.text


@formats
def test_all_who_wait_are_told_when_the_proxy_stops(form: str, provider: Provider, start_proxy: StartProxy) -> None:
    step, gate = _held()
    provider.script(step)
    proxy = start_proxy(_rules(provider) + LONG)
    asked = ask(form, stream=True)

    async def stop() -> list[bytes]:
        async with (
            async_client(proxy, http2=False) as http,
            http.stream("POST", asked.url, content=asked.content, headers=KEY) as one,
            http.stream("POST", asked.url, content=asked.content, headers=KEY) as two,
        ):
            pair = [one.aiter_raw(), two.aiter_raw()]
            read = [await _read_until(chunks, b"First") for chunks in pair]
            stopping = asyncio.create_task(asyncio.to_thread(proxy.stop))
            for number, chunks in enumerate(pair):
                async for chunk in chunks:
                    read[number] += chunk
            assert await stopping == 0
            return read

    first, second = asyncio.run(stop())
    assert len(provider.calls) == 1
    assert first == second
    assert b"OmniRoute was stopped" in first
    gate.open()


def test_both_get_the_fallback_s_answer(provider: Provider, second: Provider, start_proxy: StartProxy) -> None:
    provider.script(Hangup())
    proxy = start_proxy(
        targets(up=provider, other=second) + routes("up-openai-chat/m", "other-anthropic-messages/m") + LONG
    )
    asked = ask("openai-chat", stream=True)

    async def both() -> list[httpx.Response]:
        async with async_client(proxy, http2=False) as http:
            return await asyncio.gather(*(http.post(asked.url, content=asked.content, headers=KEY) for _ in range(3)))

    assert {spoken("openai-chat", one) for one in asyncio.run(both())} == {"Hello from upstream"}
    assert len(second.calls) == 1
