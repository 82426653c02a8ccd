"""The rules' page: picture, switches that edit the file, errors at their lines, explanations, what changed."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit
from tests.servers.faults import quota
from tests.servers.provider import Provider
from tests.servers.steps import says
from tests.web.conftest import Open, Opened
from tests.web.test_mitmweb import ask, rules

type Api = Callable[..., httpx.Response]
CANARY = "the-canary-key-0123456789"
SCRIPT = "<img src=x onerror=alert(1)>"
MORE = """\
  # the night is cheap
  - {name: night, match: {client: claude-code}, to: [local/m, origin], enabled: false}   # not yet
"""


@pytest.fixture
def opened(open_up: Open, provider: Provider, second: Provider) -> Opened:
    return open_up(rules(provider, second).replace("account-key-1", CANARY) + MORE)


def state(opened: Opened, api: Api) -> dict[str, Any]:
    return api(opened, "rules").json()


def turn(opened: Opened, api: Api, path: list[str | int], on: bool, **given: Any) -> httpx.Response:
    version = state(opened, api)["version"]
    return api(opened, "rules/switch", "POST", {"path": path, "enabled": on, "version": version, **given})


def test_the_picture_shows_routes_combos_targets_and_accounts(opened: Opened, visit: Visit) -> None:
    page = visit(opened, "rules")
    drawn = page.locator(".picture").text_content()
    assert [
        one for one in ("night", "premium-coding", "glm/glm-4.7", "origin", "one", "two", "ready") if one not in drawn
    ] == []


def test_health_is_that_of_now(opened: Opened, provider: Provider, second: Provider, api: Api, visit: Visit) -> None:
    provider.script(quota("anthropic-messages"))
    second.script(says("Hi"))
    ask(opened)
    shown = {one["target"]: one for one in state(opened, api)["targets"]}
    assert (shown["glm/glm-4.7"]["health"], shown["local/qwen3-coder"]["health"]) == ("bad", "good")
    assert shown["glm/glm-4.7"]["until"] is not None
    assert "cooling down" in visit(opened, "rules").inner_text("main")


def test_a_switch_edits_the_file_and_the_rules_follow(opened: Opened, visit: Visit, api: Api) -> None:
    before = opened.config.read_text()
    mode = opened.config.stat().st_mode
    page = visit(opened, "rules")
    with page.expect_navigation():
        page.locator("label.toggle", has_text="night").click()
    assert page.locator("label.toggle", has_text="night").locator("input").is_checked()
    assert page.evaluate("document.activeElement.dataset.path") == '["routes",1]'
    assert opened.config.read_text() == before.replace("enabled: false}   # not", "enabled: true}   # not")
    assert opened.config.stat().st_mode == mode
    assert state(opened, api)["routes"][1]["enabled"]
    assert page.locator(".patch .plus").inner_text().strip().endswith("enabled: true}   # not yet")


def test_a_switch_works_from_the_keyboard(opened: Opened, visit: Visit, api: Api) -> None:
    page = visit(opened, "rules")
    page.locator("input[aria-label='premium-coding: glm/glm-4.7']").focus()
    with page.expect_navigation():
        page.keyboard.press("Space")
    assert "{target: glm/glm-4.7, enabled: false}, local/qwen3-coder]" in opened.config.read_text()
    assert [one["enabled"] for one in state(opened, api)["combos"][0]["targets"]] == [False, True]


def test_what_a_switch_leaves_without_use_is_warned_of(opened: Opened, api: Api, visit: Visit) -> None:
    for index in (0, 1):
        assert turn(opened, api, ["combos", "premium-coding", "targets", index], on=False).status_code == 200
    assert "every target is disabled" in visit(opened, "rules").inner_text("main")


def test_a_file_that_has_changed_meanwhile_is_not_overwritten(opened: Opened, api: Api) -> None:
    before = opened.config.read_bytes()
    refused = turn(opened, api, ["routes", 0], on=False, version="0" * 16)
    assert (refused.status_code, opened.config.read_bytes()) == (409, before)


@pytest.mark.parametrize("path", [["listen"], ["routes", 9], ["accounts", 0, "key"], ["routes", 0, "to", 0]])
def test_what_has_no_switch_is_refused(opened: Opened, api: Api, path: list[str | int]) -> None:
    before = opened.config.read_bytes()
    assert (turn(opened, api, path, on=False).status_code, opened.config.read_bytes()) == (409, before)


def test_keys_are_hidden_and_survive_a_switch(opened: Opened, visit: Visit, api: Api) -> None:
    assert turn(opened, api, ["accounts", 0], on=False).status_code == 200
    assert f"key: {CANARY}, enabled: false" in opened.config.read_text()
    page = visit(opened, "rules")
    for seen in (page.content(), api(opened, "rules").text):
        assert (CANARY in seen, "account-key-2" in seen) == (False, False)
    assert "[hidden]" in page.inner_text(".source")


def test_errors_stand_at_their_lines_and_the_old_rules_hold(opened: Opened, visit: Visit, api: Api) -> None:
    good = opened.config.read_text()
    opened.config.write_text(good.replace("to: premium-coding", f"to: premium-codin, nonsense: {CANARY}"))
    opened.web.wait_event("the rules stay as they were")
    page = visit(opened, "rules")
    line = 1 + next(n for n, text in enumerate(opened.config.read_text().splitlines()) if "nonsense" in text)
    assert page.locator(f"#line-{line}.wrong .message").count() >= 1
    assert f"Line {line}" in page.inner_text(".problems")
    shown = state(opened, api)
    assert (shown["used"], shown["routes"][0]["to"]) == (False, ["premium-coding"])
    assert turn(opened, api, ["routes", 0], on=False).status_code == 409


def test_the_way_of_a_route_points_as_the_language_is_read(opened: Opened, visit: Visit) -> None:
    ways = [visit(opened, "rules", language=code).inner_text("section:has(#routes) ol") for code in ("en", "he")]
    assert [("→" in way, "←" in way) for way in ways] == [(True, False), (False, True)]


def test_a_described_call_is_explained(opened: Opened, visit: Visit) -> None:
    page = visit(opened, "rules")
    page.fill("[name=model]", f"claude-opus-{SCRIPT}")
    page.click("#ask button")
    page.wait_for_selector("#explained:not([hidden])")
    text = page.inner_text("#explained")
    assert [one for one in ("premium-coding", "glm/glm-4.7", "local/qwen3-coder", SCRIPT) if one not in text] == []


def test_a_whole_request_and_a_captured_call_are_explained(opened: Opened, second: Provider, api: Api) -> None:
    raw = 'POST /v1/messages HTTP/1.1\nHost: api.anthropic.com\n\n{"model":"claude-opus-4-6","messages":[]}'
    found = api(opened, "rules/explain", "POST", {"body": raw}).json()
    assert [one["target"] for one in found["ways"]] == ["glm/glm-4.7", "local/qwen3-coder"]
    opened.write(opened.config.read_text().partition("\n")[2].partition("\n")[2].replace("[glm/glm-4.7, ", "["))
    opened.web.wait_event("new rules from")
    second.script(says("Hi"))
    ask(opened)
    call = state(opened, api)["calls"][0]["id"]
    found = api(opened, "rules/explain", "POST", {"call": call}).json()
    assert [one["target"] for one in found["ways"]] == ["local/qwen3-coder"]


@pytest.mark.parametrize("body", ["{", "hello", "[]", "POST / HTTP/1.1\n\n"])
def test_a_request_that_means_nothing_is_told(opened: Opened, api: Api, body: str) -> None:
    answer = api(opened, "rules/explain", "POST", {"body": body, "client": "claude-code"})
    assert (answer.status_code, bool(answer.json()["error"])) == (409, True)


def test_without_a_file_and_without_rules_the_page_says_so(open_up: Open, visit: Visit) -> None:
    assert "None." in visit(open_up("routes: []\n"), "rules").inner_text("main")


@pytest.mark.parametrize("language, theme, width", [("en", "light", 1280), ("ar", "dark", 1280), ("de", "light", 390)])
def test_axe_finds_nothing_serious(
    opened: Opened, visit: Visit, serious: Callable[[Any], list[str]], language: str, theme: str, width: int
) -> None:
    opened.config.write_text(opened.config.read_text() + "nonsense: 1\n")
    page = visit(opened, "rules", language=language, theme=theme, viewport={"width": width, "height": 800})
    assert serious(page) == []
    wide = "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre')).map(e => [e.getBoundingClientRect().right, e.outerHTML.slice(0, 90)]).filter(e => e[0] > innerWidth)"
    assert page.evaluate(wide) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
