"""Accounts and targets that fail, over real HTTP: who is asked, who is left alone, and what a restart remembers."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartProxy
from tests.e2e.calls import ask, post
from tests.e2e.targets import routes, targets
from tests.e2e.test_books import cli, to_be_killed
from tests.servers import faults
from tests.servers.provider import Provider, Received
from tests.servers.proxy import ROOT, Proxy, environment, running
from tests.servers.steps import PATIENCE, Gate, Say, Step, says

FORM = "openai-chat"
MANY = 200
GOOD = says("Hello")
EXHAUSTED = faults.quota(FORM, 7200)
BROKEN = faults.server_error(FORM)
ASKED = ask(FORM)


def two_accounts(provider: Provider, more: str = "") -> str:
    """A provider with the accounts ``one`` and ``two``, tried in this order."""
    url = provider.url(FORM)
    return (
        f"providers: {{up: {{format: {FORM}, base_url: '{url}'}}}}\n"
        "accounts:\n  - {name: one, provider: up, key: key-one}\n  - {name: two, provider: up, key: key-two, priority: 2}\n"
        f"{routes('up/m')}{more}"
    )


def by_key(**steps: Callable[[], Step]) -> Callable[[Received], Step]:
    """What each account gets."""
    return lambda request: steps[(request.header("authorization") or "").removeprefix("Bearer key-")]()


def asked(provider: Provider) -> Counter[str]:
    """How often each account was used."""
    return Counter((call.header("authorization") or "").removeprefix("Bearer key-") for call in provider.calls)


async def together(proxy: Proxy, number: int = MANY) -> Counter[int]:
    """The statuses of so many calls at once, at the gateway."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits) as client:
        said = await asyncio.gather(
            *(
                client.post(proxy.gateway + ASKED.path, content=json.dumps({**ASKED.body, "model": "up/m"}))
                for _ in range(number)
            )
        )
    return Counter(one.status_code for one in said)


def status(home: Path) -> list[dict[str, Any]]:
    """What rests; ``status`` ends with 1 when no proxy runs."""
    command = [sys.executable, "-m", "omniroute_addon", "status", "--json"]
    said = subprocess.run(
        command, capture_output=True, text=True, env=environment(home), cwd=ROOT, timeout=PATIENCE, check=False
    )
    found: list[dict[str, Any]] = json.loads(said.stdout).get("resting", [])
    return found


# ── many at once ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_hundred_calls_after_a_quota_is_gone_ask_its_account_never_again(
    provider: Provider, start_proxy: StartProxy
) -> None:
    provider.otherwise = by_key(one=lambda: EXHAUSTED, two=lambda: GOOD)
    proxy = start_proxy(two_accounts(provider))
    assert post(proxy, ASKED).status_code == 200
    assert asyncio.run(together(proxy)) == {200: MANY}
    assert asked(provider) == {"one": 1, "two": MANY + 1}


def test_two_hundred_calls_at_the_end_of_a_quota_cost_one_refusal(provider: Provider, start_proxy: StartProxy) -> None:
    """The answer before said that nearly nothing is left."""
    nearly = {"x-codex-primary-used-percent": "99", "x-codex-primary-window-minutes": "300"}
    answers = iter([Say(GOOD.answer, headers=nearly)])
    provider.otherwise = by_key(one=lambda: next(answers, EXHAUSTED), two=lambda: GOOD)
    proxy = start_proxy(two_accounts(provider))
    assert post(proxy, ASKED).status_code == 200
    assert asyncio.run(together(proxy)) == {200: MANY}
    assert asked(provider) == {"one": 2, "two": MANY}


def test_two_hundred_calls_in_line_for_one_account_go_on_when_it_is_refused(
    provider: Provider, start_proxy: StartProxy
) -> None:
    provider.otherwise = by_key(one=lambda: EXHAUSTED, two=lambda: GOOD)
    proxy = start_proxy(two_accounts(provider, "rates: {concurrency: 1}\n"))
    assert asyncio.run(together(proxy)) == {200: MANY}
    assert asked(provider) == {"one": 1, "two": MANY}


def test_two_hundred_calls_at_the_reset_send_one_ahead(provider: Provider, start_proxy: StartProxy) -> None:
    """Both accounts are throttled for a moment; when it is over one call of each goes first."""
    provider.script(faults.throttle(FORM, 1), faults.throttle(FORM, 1), GOOD)
    proxy = start_proxy(two_accounts(provider, "limits: {inline_wait: 0}\nrates: {concurrency: 1}\n"))
    assert post(proxy, ASKED).status_code == 429
    provider.otherwise = None
    again = asyncio.run(patient(proxy))
    assert again == {200: MANY}
    assert len(provider.calls) == MANY + 2


async def patient(proxy: Proxy) -> Counter[int]:
    """Calls that come again when they are told to."""
    content = json.dumps({**ASKED.body, "model": "up/m"})

    async def call(client: httpx.AsyncClient) -> int:
        while True:
            said = await client.post(proxy.gateway + ASKED.path, content=content)
            if said.status_code != 429:
                return said.status_code
            await asyncio.sleep(float(said.headers["retry-after"]))

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits) as client:
        return Counter(await asyncio.gather(*(call(client) for _ in range(MANY))))


# ── pace ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_account_has_no_more_calls_than_it_may(provider: Provider, start_proxy: StartProxy) -> None:
    gate = Gate()
    provider.otherwise = by_key(one=lambda: Say(GOOD.answer, gates={0: gate}), two=lambda: GOOD)
    proxy = start_proxy(two_accounts(provider, "rates: {concurrency: 3, max_wait: 0.2}\n"))

    async def calls() -> Counter[int]:
        running_ = asyncio.ensure_future(together(proxy, 12))
        await asyncio.to_thread(provider.wait_calls, 12)
        gate.open()
        return await running_

    assert asyncio.run(calls()) == {200: 12}
    assert asked(provider) == {"one": 3, "two": 9}


def test_what_a_provider_still_allows_is_not_exceeded(provider: Provider, start_proxy: StartProxy) -> None:
    left = {
        "x-ratelimit-limit-requests": "50",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1h",
    }
    provider.otherwise = by_key(one=lambda: Say(GOOD.answer, headers=left), two=lambda: GOOD)
    proxy = start_proxy(two_accounts(provider))
    post(proxy, ASKED)
    assert asyncio.run(together(proxy, 10)) == {200: 10}
    assert asked(provider)["one"] == 1


# ── breakers ────────────────────────────────────────────────────────────────────────────────────────────────────────

BREAKER = "resilience: {local: {failures: 3, reset: 1h}}\n"
PAIR = ("up-openai-chat/m", "other-openai-chat/m")


def broken(proxy: Proxy, provider: Provider, at_once: int = 3) -> None:
    """So many calls are at the first target together when it breaks; the second answers them."""
    gate = Gate()
    provider.otherwise = lambda _: Say(GOOD.answer, gates={0: gate}, cut=0)

    async def calls() -> Counter[int]:
        everybody = asyncio.ensure_future(through(proxy, at_once))
        await asyncio.to_thread(provider.wait_calls, at_once)
        gate.open()
        return await everybody

    assert asyncio.run(calls()) == {200: at_once}


def test_a_target_that_fails_in_a_row_is_left_alone(
    provider: Provider, second: Provider, start_proxy: StartProxy
) -> None:
    proxy = start_proxy(targets(up=provider, other=second) + routes(*PAIR) + BREAKER)
    broken(proxy, provider)
    cli(proxy.home, "reset", "up-openai-chat/m")  # ends its cooldown and closes its breaker, not the provider's
    assert asyncio.run(through(proxy, 10)) == {200: 10}
    assert (len(provider.calls), len(second.calls)) == (3, 13)


def test_the_only_target_is_asked_however_often_it_fails(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(BROKEN)
    proxy = start_proxy(targets(up=provider) + routes("up-openai-chat/m") + BREAKER)
    assert [post(proxy, ASKED).status_code for _ in range(6)] == [503] * 6
    assert len(provider.calls) == 6


def test_a_half_open_target_gets_one_probe_and_nobody_is_refused(
    provider: Provider, second: Provider, start_proxy: StartProxy
) -> None:
    quick = "resilience: {local: {failures: 1, reset: 0}}\n"
    proxy = start_proxy(targets(up=provider, other=second) + routes(*PAIR) + quick)
    broken(proxy, provider, 1)
    cli(proxy.home, "reset", "up-openai-chat/m")  # ends its cooldown; the provider's breaker is half-open
    gate = Gate()
    provider.otherwise = lambda _: Say(GOOD.answer, gates={0: gate})

    async def calls() -> Counter[int]:
        everybody = asyncio.ensure_future(through(proxy, 30))
        await asyncio.to_thread(second.wait_calls, 30)
        gate.open()
        return await everybody

    assert asyncio.run(calls()) == {200: 30}
    assert (len(provider.calls), len(second.calls)) == (2, 30)


async def through(proxy: Proxy, number: int) -> Counter[int]:
    """So many calls at once that the routes apply to."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        said = await asyncio.gather(
            *(client.post(proxy.gateway + ASKED.path, content=ASKED.content) for _ in range(number))
        )
    return Counter(one.status_code for one in said)


# ── restarts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_restart_remembers_what_rests(provider: Provider, tmp_path: Path) -> None:
    provider.otherwise = by_key(one=lambda: EXHAUSTED, two=lambda: GOOD)
    config = two_accounts(provider)
    with running(tmp_path, config) as proxy:
        post(proxy, ASKED)
    with running(tmp_path, config) as proxy:
        post(proxy, ASKED)
    assert asked(provider) == {"one": 1, "two": 2}


def test_a_kill_forgets_at_most_a_second(provider: Provider, tmp_path: Path) -> None:
    provider.otherwise = by_key(one=lambda: EXHAUSTED, two=lambda: GOOD)
    config = two_accounts(provider)
    with to_be_killed(tmp_path, config) as proxy:
        post(proxy, ASKED)
        wait_kept(proxy.home)
        proxy.process.kill()
    assert [one["key"] for one in status(tmp_path / "home")] == ["up:one"]
    with running(tmp_path, config) as proxy:
        post(proxy, ASKED)
    assert asked(provider) == {"one": 1, "two": 2}


def wait_kept(home: Path) -> None:
    """Until the state is written down; a failing test waits long."""
    for _ in range(int(PATIENCE)):
        if status(home):
            return
    pytest.fail("nothing was kept")


def test_an_open_breaker_outlives_a_restart_and_shows_in_the_status(
    provider: Provider, second: Provider, tmp_path: Path
) -> None:
    config = targets(up=provider, other=second) + routes(*PAIR) + BREAKER
    with running(tmp_path, config) as proxy:
        broken(proxy, provider)
    with running(tmp_path, config) as proxy:
        shown = {one["key"]: one["reason"] for one in status(proxy.home) if one.get("breaker")}
        assert post(proxy, ASKED).status_code == 200
    assert (len(provider.calls), set(shown)) == (3, {"up-openai-chat", "up-openai-chat/m"})
    assert shown["up-openai-chat"].startswith("the breaker is open: 3 failures in")


# ── reset ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["one", "up", "--all"])
def test_a_reset_reaches_the_proxy_that_runs(name: str, provider: Provider, start_proxy: StartProxy) -> None:
    provider.otherwise = by_key(one=lambda: EXHAUSTED, two=lambda: GOOD)
    proxy = start_proxy(two_accounts(provider))
    post(proxy, ASKED)
    assert "up:one" in cli(proxy.home, "reset", name)
    post(proxy, ASKED)
    assert asked(provider) == {"one": 2, "two": 2}


def test_a_new_key_is_tried_at_once(provider: Provider, start_proxy: StartProxy) -> None:
    refused = faults.failure(FORM, 401, "authentication_error", "Bad key")
    provider.otherwise = by_key(one=lambda: refused, two=lambda: GOOD, new=lambda: GOOD)
    proxy = start_proxy(two_accounts(provider))
    post(proxy, ASKED)
    proxy.write(two_accounts(provider).replace("key-one", "key-new"))
    for _ in range(int(PATIENCE / 0.1)):
        post(proxy, ASKED)
        if asked(provider)["new"]:
            return
    pytest.fail("the new key was never tried")
