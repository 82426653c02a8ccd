"""Quotas over real HTTP: accounts are used to their end, taken over from in the same call, and come back at their reset."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.calls import ask, post, spoken
from tests.e2e.targets import routes, targets
from tests.servers.answers import Answer
from tests.servers.faults import failure, quota, throttle
from tests.servers.provider import Provider, Received
from tests.servers.proxy import Proxy, environment, running
from tests.servers.steps import PATIENCE, Say, Step, Whole, says

type StartProxy = Callable[..., Proxy]

UNIFIED = "anthropic-ratelimit-unified-"
FAR = 3600


@dataclass(slots=True)
class Meter:
    """A subscription as its provider keeps it: so many calls in a window, and how often it was asked in vain."""

    name: str
    calls: int
    seconds: int = FAR
    """From the first refusal to the reset."""
    claim: str = "five_hour"
    used: int = 0
    refused: int = 0
    reset: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self) -> Step:
        with self.lock:
            now = time.time()
            if self.refused and now >= self.reset:
                self.used = 0
            if self.used < self.calls:
                self.used += 1
                return Say(Answer(pieces=(self.name,)), headers=self._headers("allowed", int(now) + FAR))
            if self.refused == 0:
                self.reset = int(now) + 1 + self.seconds
            self.refused += 1
            step = failure("anthropic-messages", 429, "rate_limit_error", "This request would exceed your rate limit.")
            return Whole(429, {**step.headers, **self._headers("rejected", self.reset)}, step.body)

    def _headers(self, status: str, reset: int) -> dict[str, str]:
        window = {"five_hour": "5h", "seven_day_opus": "7d_opus"}[self.claim]
        return {
            f"{UNIFIED}status": status,
            f"{UNIFIED}reset": str(reset),
            f"{UNIFIED}representative-claim": self.claim,
            f"{UNIFIED}{window}-status": status,
            f"{UNIFIED}{window}-utilization": f"{self.used / self.calls:.4f}",
            f"{UNIFIED}{window}-reset": str(reset),
        }


def meter(provider: Provider, *meters: Meter) -> None:
    """The provider tells its accounts apart by their keys."""
    owners = {f"key-of-{one.name}": one for one in meters}

    def answer(request: Received) -> Step:
        return owners[request.header("x-api-key") or ""].answer()

    provider.otherwise = answer


def rules(provider: Provider, more: str = "", *, second: int = 2, to: str = "up/*") -> str:
    return f"""
providers:
  up: {{format: anthropic-messages, base_url: '{provider.url("anthropic-messages")}', auth: x-api-key}}
accounts:
  - {{name: main, provider: up, key: key-of-main}}
  - {{name: spare, provider: up, key: key-of-spare, priority: {second}}}
{more}
{routes(to)}"""


def said(proxy: Proxy, **options: Any) -> str:
    """Which account has answered a call."""
    return spoken("anthropic-messages", post(proxy, ask("anthropic-messages", **options)))


def known(proxy: Proxy) -> list[dict[str, Any]]:
    """What ``omniroute quota`` says of a proxy."""
    command = [sys.executable, "-m", "omniroute_addon", "quota", "--json", "--config", str(proxy.config)]
    done = subprocess.run(command, env=environment(proxy.home), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_account_is_used_to_its_end_and_comes_back_at_its_reset(
    stream: bool,
    provider: Provider,
    start_proxy: StartProxy,
) -> None:
    main, spare = Meter("main", 3, seconds=1), Meter("spare", 10_000)
    meter(provider, main, spare)
    proxy = start_proxy(rules(provider))
    assert [said(proxy, stream=stream) for _ in range(4)] == ["main", "main", "main", "spare"]
    assert len(provider.calls) == 5  # the fourth call has asked both
    until = time.monotonic() + PATIENCE
    while (answered := said(proxy, stream=stream)) == "spare":
        assert time.monotonic() < until, "the first account never came back"
    assert (answered, main.refused) == ("main", 1)


def test_sessions_stay_on_their_account_and_move_only_when_its_quota_is_gone(
    provider: Provider, start_proxy: StartProxy
) -> None:
    main, spare = Meter("main", 10_000), Meter("spare", 10_000)
    meter(provider, main, spare)
    proxy = start_proxy(rules(provider, second=1))
    sessions = [f"Question {number}" for number in range(12)]
    first = [said(proxy, question=one) for one in sessions]
    assert set(first) == {"main", "spare"}
    assert [said(proxy, question=one) for one in sessions] == first
    main.calls = main.used
    assert [said(proxy, question=one) for one in sessions] == ["spare"] * len(sessions)
    assert main.refused == 1


def test_a_reserve_is_left_untouched(provider: Provider, start_proxy: StartProxy) -> None:
    main, spare = Meter("main", 10), Meter("spare", 10_000)
    meter(provider, main, spare)
    proxy = start_proxy(rules(provider, "quota: {keep: 20%}"))
    assert [said(proxy) for _ in range(10)] == ["main"] * 8 + ["spare"] * 2
    assert main.refused == 0


def test_the_weekly_limit_of_one_model_leaves_the_account_to_the_others(
    provider: Provider, start_proxy: StartProxy
) -> None:
    main, spare = Meter("main", 1, claim="seven_day_opus"), Meter("spare", 10_000)
    meter(provider, main, spare)
    proxy = start_proxy(rules(provider))
    assert [said(proxy, model="claude-opus-4-6") for _ in range(3)] == ["main", "spare", "spare"]
    main.calls = 10_000
    assert [said(proxy, model=model) for model in ("claude-sonnet-4-5", "claude-opus-4-6")] == ["main", "spare"]


def test_a_throttle_of_an_account_with_quota_left_is_waited_out(provider: Provider, start_proxy: StartProxy) -> None:
    spare = Meter("spare", 10)
    slow = throttle("anthropic-messages", 0)
    provider.script(
        Whole(429, {**slow.headers, f"{UNIFIED}status": "allowed", f"{UNIFIED}5h-status": "allowed"}, slow.body)
    )
    meter(provider, Meter("main", 10), spare)
    assert said(start_proxy(rules(provider))) == "main"
    assert (len(provider.calls), spare.used) == (2, 0)


@pytest.mark.parametrize("limit, calls", [("requests: 2", 2), ("tokens: 1", 1)])
def test_what_is_counted_here_runs_out_without_a_word_of_the_provider(
    limit: str, calls: int, provider: Provider, start_proxy: StartProxy
) -> None:
    window = f"{{window: day, {limit}, timezone: America/Los_Angeles}}"
    entry = f"{{name: main, provider: up, key: key-of-main, quota: {{windows: [{window}]}}}}"
    config = rules(provider).replace("{name: main, provider: up, key: key-of-main}", entry)
    provider.otherwise = lambda request: Say(
        Answer(pieces=((request.header("x-api-key") or "").removeprefix("key-of-"),))
    )
    proxy = start_proxy(config)
    assert [said(proxy) for _ in range(4)] == ["main"] * calls + ["spare"] * (4 - calls)


def test_googles_day_is_not_over_in_the_seconds_that_it_names(provider: Provider, start_proxy: StartProxy) -> None:
    provider.script(quota("gemini", 24))
    proxy = start_proxy(targets(up=provider) + routes("up-gemini/m"))
    now = datetime.now(ZoneInfo("America/Los_Angeles"))
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    response = post(proxy, ask("anthropic-messages"))
    assert int(response.headers["retry-after"]) == pytest.approx((midnight - now).total_seconds(), abs=PATIENCE)
    post(proxy, ask("anthropic-messages"))
    assert len(provider.calls) == 1


def test_a_restart_remembers_what_is_gone(provider: Provider, tmp_path: Path) -> None:
    main, spare = Meter("main", 1), Meter("spare", 10)
    meter(provider, main, spare)
    with running(tmp_path, rules(provider)) as proxy:
        assert [said(proxy), said(proxy)] == ["main", "spare"]
    with running(tmp_path, rules(provider)) as proxy:
        assert said(proxy) == "spare"
    assert main.refused == 1


@pytest.mark.parametrize("rule", ["", routes("origin")], ids=["no rule", "origin"])
def test_the_tools_own_answers_tell_of_its_subscription(rule: str, provider: Provider, start_proxy: StartProxy) -> None:
    """Also where no rule touches them; the command shows it, with the proxy or without."""
    provider.otherwise = lambda _: Meter("own", 4).answer()
    proxy = start_proxy(f"providers:\n  anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}\n{rule}")
    for way in ("whole", "stream"):
        assert said(proxy, stream=way == "stream") == "own"
    proxy.stop()
    (window,) = known(proxy)
    assert (window["account"], window["window"], window["share"]) == ("origin:anthropic", "5h", 0.75)
    assert window["resets"] == pytest.approx(time.time() + FAR, abs=PATIENCE)


def test_the_tools_own_call_is_refused_by_its_own_provider_and_nobody_else(
    provider: Provider, start_proxy: StartProxy
) -> None:
    """Its user may have logged in anew or bought more: without another target there is nothing to spare it for."""
    refused = Meter("own", 1, used=1)
    provider.script(refused.answer(), refused.answer(), says("Bought", " more."))
    proxy = start_proxy(
        f"providers:\n  anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}\n{routes('origin')}"
    )
    for _ in range(2):
        response = post(proxy, ask("anthropic-messages"))
        assert (response.status_code, response.headers[f"{UNIFIED}status"]) == (429, "rejected")
    assert said(proxy) == "Bought more."


def test_when_all_are_gone_the_client_learns_the_soonest_reset(provider: Provider, start_proxy: StartProxy) -> None:
    main, spare = Meter("main", 1, seconds=900, used=1), Meter("spare", 1, seconds=300, used=1)
    meter(provider, main, spare)
    proxy = start_proxy(rules(provider))
    for asked in (2, 2):  # the second time nobody is asked
        response = post(proxy, ask("anthropic-messages"))
        assert response.status_code == 429
        assert 200 < int(response.headers["retry-after"]) <= 301
        assert len(provider.calls) == asked
