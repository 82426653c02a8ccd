"""``kill -9`` again and again in the middle of streams, whole answers and held budgets: nothing is half, the books balance."""

import asyncio
import contextlib
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import Ask, ask, post_gateway, spoken
from tests.e2e.targets import routes, targets
from tests.e2e.test_books import outcomes, rows, to_be_killed, usage
from tests.e2e.test_calamities import half_written
from tests.servers.provider import Provider
from tests.servers.proxy import Proxy, running
from tests.servers.steps import PATIENCE

CALLERS = 24
KILLS = (40, 7, 160)
"""After how many calls more the proxy is killed."""
PRICED = "prices: {'m*': {input: 1000, output: 2000}}\n"
ONE_CALL = 40
"""Dollars that a call may cost at most."""
FORMS = ("openai-chat", "anthropic-messages", "gemini", "openai-responses")
WORDS = b"Hello", b"upstream"
MIX = [ask(form, "any", stream=stream) for form in FORMS for stream in (False, True)]


async def _load(proxy: Proxy, provider: Provider, after: int) -> list[bytes]:
    """Calls of all kinds until the kill; the bodies of those that were answered whole."""
    whole: list[bytes] = []

    async def call(asked: Ask) -> None:
        with contextlib.suppress(httpx.TransportError):
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
                while True:
                    response = await client.post(proxy.gateway + asked.path, content=asked.content)
                    assert response.status_code == 200, response.text
                    whole.append(response.content)

    seen = len(provider.calls)
    callers = [asyncio.create_task(call(MIX[number % len(MIX)])) for number in range(CALLERS)]
    await asyncio.to_thread(provider.wait_calls, seen + after)
    proxy.process.kill()
    await asyncio.gather(*callers)
    return whole


def test_kill_after_kill_nothing_is_half_and_the_books_balance(tmp_path: Path, provider: Provider) -> None:
    def rules(budget: float) -> str:
        limit = f"budgets: [{{name: cap, daily: {budget}, on_exceed: deny}}]\n"
        return targets(up=provider) + PRICED + limit + routes("up-openai-chat/m")

    home = tmp_path / "home"
    answered: list[bytes] = []
    for after in KILLS:
        with to_be_killed(tmp_path, rules(1e6)) as proxy:
            answered += asyncio.run(_load(proxy, provider, after))
        assert half_written(home) == []
    assert all(word in body for body in answered for word in WORDS)
    assert "running" not in outcomes(home)
    ((paid,),) = rows(home, "SELECT sum(micro) FROM attempts")
    assert isinstance(paid, int)
    # Nothing is held for those who were killed: there is room for this one.
    with running(tmp_path, rules(paid / 1e6 + ONE_CALL)) as proxy:
        assert spoken("openai-chat", post_gateway(proxy, MIX[0])) == "Hello from upstream"
    found = outcomes(home)
    known, unsure, counted = sum(found.values()), found.get("interrupted", 0), len(provider.calls)
    assert known - unsure <= counted <= known, (found, counted)
    assert found["used"] >= len(answered), (found, len(answered))
    ((paid,),) = rows(home, "SELECT sum(micro) FROM attempts")
    assert usage(home)["cost"] * 1e6 == pytest.approx(paid)
