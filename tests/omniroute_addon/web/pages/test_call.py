"""One call's page: what was decided, attempts, bodies, export; and what is no longer there."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit
from tests.servers.answers import Answer, Call
from tests.servers.faults import quota
from tests.servers.provider import Provider
from tests.servers.steps import Say, says
from tests.web.conftest import Open, Opened
from tests.web.test_mitmweb import ANSWER, ask, rules

type Api = Callable[..., httpx.Response]
CANARY = "sk-canary-0123456789abcdef0123456789"
SCRIPT = "<script>document.title='stolen'</script><img src=x onerror=\"document.title='stolen'\">"


@pytest.fixture
def fallback(open_up: Open, provider: Provider, second: Provider) -> Opened:
    """A call that fell back over a quota to another format."""
    provider.script(quota("anthropic-messages"))
    second.script(Say(ANSWER))
    opened = open_up(rules(provider, second))
    ask(opened)
    return opened


def newest(opened: Opened, api: Api) -> str:
    return api(opened, "calls").json()["calls"][0]["id"]


def test_the_page_tells_the_decision_the_attempts_and_four_bodies(fallback: Opened, visit: Visit, api: Api) -> None:
    page = visit(fallback, f"calls/{newest(fallback, api)}")
    text = page.inner_text("main")
    words = ("premium-coding", "glm/glm-4.7", "(one)", "429", "fallback", "What does README.md say?", "Let me look.")
    assert [one for one in words if one not in text] == []
    assert page.locator(".body").count() == 4
    page.click("[data-view=raw]")
    assert '"model": "qwen3-coder"' in page.locator(".body").nth(1).inner_text()


def test_another_attempt_s_bodies_can_be_chosen(fallback: Opened, visit: Visit, api: Api) -> None:
    page = visit(fallback, f"calls/{newest(fallback, api)}?attempt=1")
    assert "429" in page.locator(".body").nth(2).inner_text()


def test_the_id_of_a_comment_and_a_flow_of_mitmweb_lead_to_the_page(fallback: Opened, visit: Visit, api: Api) -> None:
    name = newest(fallback, api)
    row = next(row for row in fallback.web.rows() if name[:8] in row["comment"])
    page = visit(fallback, f"flows/{row['id']}")
    page.wait_for_url(f"**/omniroute/calls/{name}")
    assert api(fallback, f"calls/{name[:8]}").json()["call"]["id"] == name


def test_mitmweb_s_page_links_to_the_selected_call(fallback: Opened, visit: Visit, api: Api) -> None:
    page = visit(fallback)
    page.goto(fallback.web.base)
    page.click(".flow-table tr:has-text('2 tries')")
    page.wait_for_selector("#omniroute:has-text('this call')")
    page.click("#omniroute")
    page.wait_for_url(f"**/omniroute/calls/{newest(fallback, api)}")


def test_the_exports_have_the_call_without_its_keys(fallback: Opened, api: Api) -> None:
    name = newest(fallback, api)
    har, curl = api(fallback, f"calls/{name}/har"), api(fallback, f"calls/{name}/curl")
    assert len(har.json()["log"]["entries"]) == 3
    assert curl.text.startswith("curl ")
    assert "https://api.anthropic.com/v1/messages" in curl.text
    assert all("[redacted]" in text for text in (har.text, curl.text))
    for key in ("sk-tool", "account-key-1", "account-key-2"):
        assert key not in har.text + curl.text


def test_keys_pasted_and_echoed_are_nowhere(open_up: Open, provider: Provider, second: Provider, api: Api) -> None:
    opened = open_up(rules(provider, second, "local/m"))
    own = "the-tools-own-login-0123456789"
    second.script(says(f"You said {own} and account-key-2 and {CANARY}"))
    body = {
        "model": "claude-opus-4-6",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": f"{own} {CANARY} account-key-1"}],
    }
    with opened.client() as client:
        client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": own})
    name = newest(opened, api)
    seen = "".join(api(opened, f"calls/{name}{end}").text for end in ("", "/har", "/curl"))
    page = httpx.get(
        f"{opened.web.base}/omniroute/calls/{name}",
        headers={"authorization": f"Bearer {opened.web.url.partition('token=')[2]}"},
        trust_env=False,
    )
    assert [key for key in (own, CANARY, "account-key-1", "account-key-2") if key in seen + page.text] == []


def test_scripts_in_prompt_answer_and_error_are_text(
    open_up: Open, provider: Provider, second: Provider, visit: Visit, api: Api
) -> None:
    opened = open_up(rules(provider, second, "local/m"))
    second.script(Say(Answer(pieces=(SCRIPT,), thinking=SCRIPT, calls=(Call("c", "read_file", f'{{"path":"{1}"}}'),))))
    body = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": SCRIPT}]}
    with opened.client() as client:
        client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": "sk-tool"})
    page = visit(opened, f"calls/{newest(opened, api)}")
    page.click("[data-view=raw]")
    page.click("[data-view=talk]")
    assert page.title() == "Call · OmniRoute"
    said = page.text_content("main") or ""  # what is far below has no inner text: it is not laid out
    assert said.count("document.title='stolen'") >= 4


@pytest.mark.parametrize("words, turns", [(20_000_000, 1), (1_000, 5_000)], ids=["20 MB", "5,000 turns"])
def test_a_body_that_would_freeze_a_browser_is_cut_and_can_be_downloaded(
    open_up: Open, provider: Provider, second: Provider, visit: Visit, api: Api, words: int, turns: int
) -> None:
    opened = open_up(rules(provider, second, "local/m"))
    said = [{"role": ("user", "assistant")[turn % 2], "content": "lark " * (words // 5)} for turn in range(turns)]
    body = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": [*said, {"role": "user", "content": "The end."}]}
    with opened.client() as client:
        client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": "sk-tool"})
    name = newest(opened, api)
    page = visit(opened, f"calls/{name}")
    assert len(page.content()) < 3_000_000
    assert page.evaluate("document.getElementsByTagName('*').length") < 5_000
    asked = page.locator("[aria-labelledby=b-client_request]")
    said = asked.text_content() or ""
    assert ("left out" in said, said.count("lark") < 100_000) == (turns > 1, True)
    assert page.locator(".talk", has_text="The end.").count() == (2 if turns > 1 else 0)
    if turns > 1:
        page.click("[data-view=raw]")
    with page.expect_download() as download:
        asked.get_by_text("Download the whole body").click()
    assert json.loads(Path(download.value.path()).read_bytes()) == body


def test_a_body_that_is_not_there_is_not_found(fallback: Opened, api: Api) -> None:
    name = newest(fallback, api)
    statuses = [api(fallback, f"calls/{name}/bodies/{side}").status_code for side in ("client_answer", "nobody")]
    assert (statuses, api(fallback, f"calls/{name}/bodies/upstream_answer", attempt=9).status_code) == ([200, 422], 404)


def test_what_is_evicted_is_said_so(
    open_up: Open, provider: Provider, second: Provider, visit: Visit, api: Api
) -> None:
    opened = open_up("view: {max_flows: 2}\n" + rules(provider, second, "local/m"))
    second.script(*[says("Hi") for _ in range(3)])
    for _ in range(3):
        ask(opened)
    first = api(opened, "calls").json()["calls"][-1]["id"]
    opened.web.wait_rows(lambda rows: all(first[:8] not in row["comment"] for row in rows))
    page = visit(opened, f"calls/{first}")
    assert "no longer kept" in page.inner_text(".note")
    assert "local/m" in page.inner_text("main")
    assert api(opened, f"calls/{first}/har").status_code == 409


def test_a_call_that_nobody_knows_is_not_found(fallback: Opened, api: Api) -> None:
    assert (api(fallback, "calls/ffffffff").status_code, api(fallback, "flows/ffffffff").status_code) == (404, 404)


@pytest.mark.parametrize("language, theme, width", [("en", "light", 1280), ("ar", "dark", 1280), ("de", "light", 390)])
def test_axe_finds_nothing_serious(
    fallback: Opened, visit: Visit, api: Api, serious: Callable[[Any], list[str]], language: str, theme: str, width: int
) -> None:
    page = visit(
        fallback,
        f"calls/{newest(fallback, api)}",
        language=language,
        theme=theme,
        viewport={"width": width, "height": 800},
    )
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not re.search(r"\bcall\.[a-z_]+\b", page.inner_text("main"))
