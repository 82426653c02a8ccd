"""The logs' page: four tabs, level, search, follow."""

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

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

type Api = Callable[..., httpx.Response]
SCRIPT = "<img src=x onerror=alert(1)>"
CANARY = "sk-canary-0123456789abcdef0123456789"


@pytest.fixture
def opened(open_up: Open, provider: Provider, second: Provider) -> Opened:
    """A call that fell back; its model is markup and has a key in it."""
    provider.script(quota("anthropic-messages"))
    second.script(says("Hi"), says("Hi"))
    opened = open_up(rules(provider, second))
    ask(opened, f"claude-opus-{SCRIPT}{CANARY}")
    return opened


def wait(opened: Opened, api: Api, tab: str, words: str) -> list[dict[str, Any]]:
    """The log is written behind the call."""
    while not (lines := api(opened, "logs", tab=tab, search=words).json()["lines"]):
        pass
    return lines


def test_calls_and_attempts_have_a_tab_each_and_lead_to_the_call(opened: Opened, visit: Visit, api: Api) -> None:
    (call,) = wait(opened, api, "request", "claude-opus")
    attempts = wait(opened, api, "proxy", "")
    assert (call["level"], len(attempts), {one["call"] for one in attempts}) == ("warning", 2, {call["id"]})
    page = visit(opened, "logs")
    assert SCRIPT in page.inner_text("#log")
    page.click(".tabs a:has-text('Proxy')")
    assert "glm/glm-4.7" in page.inner_text("#log")
    page.click("#log a")
    page.wait_for_url(f"**/omniroute/calls/{call['id']}")


def test_changes_and_the_console_have_theirs(opened: Opened, visit: Visit, api: Api) -> None:
    version = api(opened, "rules").json()["version"]
    api(opened, "rules/switch", "POST", {"path": ["routes", 0], "enabled": False, "version": version})
    assert "routes[0]" in str(wait(opened, api, "audit", "switched off"))
    assert wait(opened, api, "console", "new rules from")
    assert "switched off" in visit(opened, "logs?tab=audit").inner_text("#log")


def test_level_and_words_choose(opened: Opened, visit: Visit, api: Api) -> None:
    wait(opened, api, "request", "")
    page = visit(opened, "logs")
    playwright.expect(page.locator("#log tbody tr")).to_have_count(1)
    page.select_option("[name=level]", "error")
    playwright.expect(page.locator("#log .empty")).to_be_visible()
    assert "level=error" in page.url
    page.select_option("[name=level]", "debug")
    page.fill("[name=search]", "nonsense")
    playwright.expect(page.locator("#log .empty")).to_be_visible()


def test_what_is_new_comes_while_one_follows(opened: Opened, visit: Visit, api: Api) -> None:
    wait(opened, api, "request", "")
    page = visit(opened, "logs")
    ask(opened, "claude-opus-new")
    playwright.expect(page.locator("#log")).to_contain_text("claude-opus-new")
    page.click("#follow")
    assert page.get_attribute("#follow", "aria-pressed") == "false"


def test_keys_are_nowhere(opened: Opened, visit: Visit, api: Api) -> None:
    wait(opened, api, "request", "claude-opus")
    seen = visit(opened, "logs").content() + "".join(
        api(opened, "logs", tab=tab).text for tab in ("request", "proxy", "audit", "console")
    )
    assert [key for key in (CANARY, "account-key-1", "sk-tool") if key in seen] == []


def test_without_a_ledger_the_page_says_so(open_up: Open, visit: Visit, api: Api) -> None:
    opened = open_up("ledger: {enabled: false}\n")
    assert api(opened, "logs").json() == {"lines": [], "recorded": False}
    assert visit(opened, "logs").is_visible(".note")


@pytest.mark.parametrize("language, theme, width", [("en", "light", 1280), ("ar", "dark", 1280), ("de", "light", 390)])
def test_axe_finds_nothing_serious(
    opened: Opened, visit: Visit, api: Api, serious: Callable[[Any], list[str]], language: str, theme: str, width: int
) -> None:
    wait(opened, api, "proxy", "")
    page = visit(opened, "logs?tab=proxy", language=language, theme=theme, viewport={"width": width, "height": 800})
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
