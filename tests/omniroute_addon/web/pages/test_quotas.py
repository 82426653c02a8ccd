"""Quotas in Chromium against a proxy that has learned some: windows and countdowns, resets and tests of accounts."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit, in_every_look
from tests.servers.answers import Answer
from tests.servers.faults import quota, server_error
from tests.servers.provider import Provider
from tests.servers.steps import Say, says
from tests.web.conftest import Open, Opened

type Api = Callable[..., httpx.Response]
SCRIPT = "<script>document.title='stolen'</script>"
CANARY = "sk-canary-0123456789abcdef0123456789"
RULES = """\
providers:
  glm:   {{base_url: "{first}"}}
  local: {{format: openai-chat, base_url: "{second}", auth: bearer, tier: free}}
accounts:
  - {{name: main, provider: glm, key: {canary}}}
  - {{name: spare, provider: glm, key: "${{NOT_SET_ANYWHERE}}"}}
  - {{name: "{script}", provider: local, key: {canary}, quota: {{windows: [{{window: day, requests: 100, tokens: 10000}}]}}}}
prices: {{"glm/*": {{input: 1, output: 2}}}}
routes:
  - {{match: {{model: "claude-opus*"}}, to: [glm/glm-4.7, local/qwen3-coder]}}
"""
LIMITS = {
    "anthropic-ratelimit-unified-status": "allowed",
    "anthropic-ratelimit-unified-5h-status": "allowed",
    "anthropic-ratelimit-unified-5h-utilization": "0.6",
    "anthropic-ratelimit-unified-7d-status": "allowed",
    "anthropic-ratelimit-unified-7d-utilization": "0.9",
}


def limits() -> dict[str, str]:
    now = int(time.time())
    return {
        **LIMITS,
        "anthropic-ratelimit-unified-5h-reset": str(now + 7200),
        "anthropic-ratelimit-unified-7d-reset": str(now + 400_000),
    }


def ask(opened: Opened) -> httpx.Response:
    body = {"model": "claude-opus-4-6", "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
    with opened.client() as client:
        return client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": CANARY})


@pytest.fixture
def used(open_up: Open, provider: Provider, second: Provider) -> Opened:
    """One account has told its windows and then that the shorter is gone; the other one's are counted."""
    provider.script(Say(Answer(pieces=("Hi",)), headers=limits()), quota("anthropic-messages"))
    second.script(says("Hi"))
    rules = RULES.format(
        first=provider.url("anthropic-messages"), second=second.url("openai-chat"), canary=CANARY, script=SCRIPT
    )
    opened = open_up(rules)
    assert [ask(opened).status_code for _ in range(2)] == [200, 200]
    return opened


def accounts(opened: Opened, api: Api) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in api(opened, "quotas").json()["accounts"]}


def test_windows_are_told_with_their_source_and_reset(used: Opened, api: Api) -> None:
    found = accounts(used, api)
    windows = {one["window"]: one for one in found["glm:main"]["windows"]}
    assert [(one["share"], one["source"]) for one in windows.values()] == [
        (0, "headers"),
        (pytest.approx(0.1), "headers"),
    ]
    assert windows["5h"]["resets"] - time.time() == pytest.approx(3600, abs=60)
    assert (windows["5h"]["length"], windows["week"]["length"]) == (18000, 604800)
    counted = {one["window"]: one for one in found[f"local:{SCRIPT}"]["windows"]}
    assert (counted["day requests"]["left"], counted["day requests"]["source"]) == (99, "counted")


def test_an_account_says_whether_it_can_be_used(used: Opened, api: Api) -> None:
    found = accounts(used, api)
    assert "5h" in found["glm:main"]["resting"]["reason"] or found["glm:main"]["resting"]["until"] > time.time()
    assert "NOT_SET_ANYWHERE" in found["glm:spare"]["missing"]
    assert (found["glm:spare"]["test"], found["glm:main"]["test"]["target"]) == (None, "glm/glm-4.7")


def test_the_page_counts_down_and_a_reset_is_asked_for_first(used: Opened, visit: Visit, api: Api) -> None:
    page = visit(used, "quotas")
    card = page.locator("section.account", has_text="main")
    assert "resting" in card.inner_text()
    count = card.locator("time.count").first
    before = count.inner_text()
    page.wait_for_function("([one, was]) => one.textContent !== was", arg=[count.element_handle(), before])
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    card.locator("button:has-text('Reset')").click()
    assert "glm:main" in asked[0]
    assert accounts(used, api)["glm:main"]["resting"]
    page.once("dialog", lambda dialog: dialog.accept())
    card.locator("button:has-text('Reset')").click()
    page.wait_for_selector("#done:has-text('glm:main')")
    page.wait_for_selector("section.account:has-text('main') .mark:has-text('ready')")
    assert accounts(used, api)["glm:main"]["resting"] is None


def test_a_test_is_a_real_call_past_what_rests(
    used: Opened, provider: Provider, visit: Visit, api: Api, serious: Callable[[Any], list[str]]
) -> None:
    provider.script(Say(Answer(pieces=("OK",)), headers=limits()))
    page = visit(used, "quotas")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.locator("section.account", has_text="main").locator("button:has-text('Test')").click()
    page.wait_for_selector("#done:has-text('glm/glm-4.7 has answered')")
    assert ("glm/glm-4.7" in asked[0], "$" in asked[0]) == (True, True)
    assert "OK" in page.inner_text("#done")
    assert serious(page) == []
    sent = provider.calls[-1]
    assert (b'"max_tokens":512' in sent.body.replace(b" ", b""), CANARY in str(sent.headers)) == (True, True)
    assert accounts(used, api)["glm:main"]["resting"]
    assert next(one["client"] for one in api(used, "calls").json()["calls"]) == "omniroute-test"


def test_a_test_that_fails_says_why(used: Opened, second: Provider, api: Api) -> None:
    second.script(server_error("openai-chat"))
    found = api(used, "accounts/test", method="POST", json={"account": f"local:{SCRIPT}"}).json()
    assert (found["ok"], found["status"]) == (False, 500)
    assert accounts(used, api)[f"local:{SCRIPT}"]["resting"] is None


@pytest.mark.parametrize(
    "account, status", [("glm:spare", 409), ("origin:anthropic", 404), ("glm:nobody", 404), ("", 422)]
)
def test_what_cannot_be_tested_is_said(used: Opened, api: Api, account: str, status: int) -> None:
    assert api(used, "accounts/test", method="POST", json={"account": account}).status_code == status


def test_a_reset_without_names_is_of_all(used: Opened, api: Api) -> None:
    found = api(used, "reset", method="POST", json={"names": []}).json()
    assert "glm:main" in found["reset"]
    assert accounts(used, api)["glm:main"]["windows"] == []


def test_a_script_in_a_name_is_text_and_a_key_is_nowhere(used: Opened, visit: Visit, api: Api) -> None:
    page = visit(used, "quotas")
    assert (page.title(), SCRIPT in page.inner_text("#shown")) == ("Quotas · OmniRoute", True)
    assert CANARY not in page.content() + api(used, "quotas").text


@in_every_look
def test_axe_finds_nothing_serious(
    used: Opened, visit: Visit, serious: Callable[[Any], list[str]], theme: str, language: str, size: tuple[int, int]
) -> None:
    page = visit(used, "quotas", theme=theme, language=language, viewport={"width": size[0], "height": size[1]})
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
