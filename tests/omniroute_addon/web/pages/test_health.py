"""Health in Chromium against a proxy with an open breaker, a resting account and an address that is locked out."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit, in_every_look
from tests.omniroute_addon.web.pages.test_live import many
from tests.servers.faults import quota, server_error
from tests.servers.provider import Provider
from tests.servers.steps import says
from tests.web.conftest import Open, Opened

type Api = Callable[..., httpx.Response]
SCRIPT = "<script>document.title='stolen'</script>"
CANARY = "sk-canary-0123456789abcdef0123456789"
RULES = """\
providers:
  glm:   {{base_url: "{first}"}}
  local: {{format: openai-chat, base_url: "{second}", auth: bearer, tier: free}}
accounts:
  - {{name: "{script}", provider: glm, key: {canary}}}
  - {{name: main, provider: local, key: {canary}}}
keys: [{{name: me, key: {canary}-mine}}]
resilience: {{local: {{failures: 2, reset: 600}}}}
routes:
  - {{match: {{model: "claude-broken*"}}, to: [local/a, local/b, local/c]}}
  - {{match: {{model: "claude-opus*"}}, to: [glm/glm-4.7, local/good]}}
"""


def ask(opened: Opened, model: str) -> httpx.Response:
    body = {"model": model, "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
    with opened.client() as client:
        return client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": CANARY})


@pytest.fixture
def used(open_up: Open, provider: Provider, second: Provider) -> Opened:
    provider.script(quota("anthropic-messages"))
    rules = RULES.format(
        first=provider.url("anthropic-messages"), second=second.url("openai-chat"), canary=CANARY, script=SCRIPT
    )
    opened = open_up(rules)
    second.script(says("Hi"), server_error("openai-chat"), says("Hi"))
    ask(opened, "claude-opus-4-6")
    ask(opened, "claude-broken")
    for number in range(5):
        wrong = {"x-api-key": f"sk-wrong-{number}"}
        httpx.post(f"{opened.gateway}/v1/messages", json={}, headers=wrong, trust_env=False)
    return opened


def found(opened: Opened, api: Api, **query: object) -> dict[str, Any]:
    return api(opened, "health", **query).json()


def test_the_system_tells_of_itself(used: Opened, api: Api) -> None:
    system = found(used, api)["system"]
    assert (system["stopping"], system["running"], system["rules"]) == (False, 0, str(used.config))
    assert system["memory"] > 20_000_000
    assert 0 < system["uptime"] < 120


def test_what_rests_is_told_with_its_reason(used: Opened, api: Api) -> None:
    lockouts = {one["scope"]: one for one in found(used, api)["lockouts"]}
    assert lockouts["account"]["key"] == f"glm:{SCRIPT}"
    assert "quota" in lockouts["account"]["reason"]
    assert lockouts["address"]["key"] == "127.0.0.1"


def test_latency_and_successes_are_of_the_ledger(open_up: Open, tmp_path: Any, api: Api) -> None:
    answer = found(open_up(many(tmp_path) + "routes: []\n"), api, since="7d")
    providers = {one["name"]: one for one in answer["providers"]}
    assert {"glm", "minimax", "openai"} <= providers.keys()
    assert sum(one["used"] + one["failed"] for one in providers.values()) == 11_000
    for one in (*answer["latency"], *answer["targets"]):
        assert 0 < one["first_p50"] < one["first_p95"] <= one["first_p99"] < one["whole_p99"]
    assert 0 < answer["caches"]["prompt_share"] < 1


def test_an_open_breaker_is_shown_and_closed_by_its_button(
    open_up: Open, provider: Provider, second: Provider, visit: Visit, api: Api
) -> None:
    rules = RULES.format(
        first=provider.url("anthropic-messages"), second=second.url("openai-chat"), canary=CANARY, script="one"
    )
    opened = open_up(rules)
    second.script(server_error("openai-chat"), server_error("openai-chat"), server_error("openai-chat"))
    ask(opened, "claude-broken")
    states = {one["name"]: one["state"] for one in found(opened, api)["providers"]}
    assert states["local"] == "open"
    page = visit(opened, "health")
    row = page.locator("#providers tr", has_text="local").first
    assert "open" in row.inner_text()
    page.once("dialog", lambda dialog: dialog.accept())
    row.locator("button").click()
    page.wait_for_selector("#done:has-text('local')")
    page.wait_for_selector("#providers tr:has-text('local'):has-text('closed')")


def test_the_page_renews_itself(used: Opened, second: Provider, visit: Visit) -> None:
    page = visit(used, "health")
    page.evaluate("window.mine = true")
    second.script(says("Hi"))
    ask(used, "claude-opus-later")
    page.wait_for_function("() => document.querySelector('#latency td').textContent === '3'")
    assert page.evaluate("window.mine")
    assert page.is_visible("#fresh[data-state=open]")


def test_a_lockout_is_lifted_by_its_button(used: Opened, visit: Visit, api: Api) -> None:
    page = visit(used, "health")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#lockouts li", has_text="127.0.0.1").locator("button").click()
    page.wait_for_selector("#done:has-text('127.0.0.1')")
    page.wait_for_function("() => !document.getElementById('lockouts').textContent.includes('127.0.0.1')")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("#all")
    page.wait_for_function("() => !document.querySelector('#lockouts li')")
    assert found(used, api)["lockouts"] == []


def test_what_a_button_has_done_keeps_its_own_direction_from_right_to_left(used: Opened, visit: Visit) -> None:
    page = visit(used, "health", language="he")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#lockouts li", has_text="127.0.0.1").locator("button").click()
    page.wait_for_selector("#done:has-text('\\2068 127.0.0.1\\2069')")


def test_a_proxy_that_is_gone_is_said_to_be(used: Opened, visit: Visit) -> None:
    page = visit(used, "health")
    page.route("**/omniroute/health", lambda route: route.fulfill(status=200, body="<p>something else</p>"))
    page.wait_for_selector("#fresh[data-state=wait]")
    assert page.is_visible("#system")


def test_a_script_in_a_name_is_text_and_a_key_is_nowhere(used: Opened, visit: Visit, api: Api) -> None:
    page = visit(used, "health")
    assert (page.title(), SCRIPT in page.inner_text("#shown")) == ("Health · OmniRoute", True)
    assert CANARY not in page.content() + api(used, "health").text


@in_every_look
def test_axe_finds_nothing_serious(
    used: Opened, visit: Visit, serious: Callable[[Any], list[str]], theme: str, language: str, size: tuple[int, int]
) -> None:
    page = visit(used, "health", theme=theme, language=language, viewport={"width": size[0], "height": size[1]})
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_proxy_without_a_ledger_has_health_all_the_same(open_up: Open, visit: Visit) -> None:
    page = visit(open_up("ledger: {path: /proc/none/ledger.db}\nroutes: []\n"), "health")
    assert page.locator("#shown > section").count() == 6
