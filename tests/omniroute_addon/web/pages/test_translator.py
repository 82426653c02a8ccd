"""The translator's page: playground, chat and test bench, against a running proxy."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit
from tests.servers.answers import Answer
from tests.servers.provider import Provider
from tests.servers.steps import Gate, Say, says
from tests.web.conftest import Open, Opened
from tests.web.test_mitmweb import ANSWER, ask, rules

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

type Api = Callable[..., httpx.Response]
CANARY = "sk-canary-0123456789abcdef0123456789"
SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.fixture
def opened(open_up: Open, provider: Provider, second: Provider) -> Opened:
    return open_up(rules(provider, second))


@pytest.fixture
def captured(opened: Opened, provider: Provider) -> Opened:
    """Two calls that glm has answered."""
    provider.script(Say(ANSWER), says("A cat."))
    ask(opened)
    ask(opened)
    return opened


def test_what_is_pasted_is_translated_with_its_losses(opened: Opened, visit: Visit) -> None:
    page = visit(opened, "translator")
    page.click("#play button")
    page.wait_for_selector("#lost:not([hidden])")
    after = page.input_value("#after")
    assert after.startswith("POST /v1/chat/completions")
    assert '"role": "system"' in after
    assert "top_k" in page.inner_text("#lost")


def test_a_captured_request_and_its_streamed_answer_are_translated(captured: Opened, visit: Visit) -> None:
    page = visit(captured, "translator")
    page.select_option("#play [name=call]", index=2)
    expect(page.locator("#play [name=text]")).to_have_value(re.compile("README.md"))
    page.select_option("#play [name=kind]", "answer")
    expect(page.locator("#play [name=kind]")).to_have_value("stream")
    page.click("#play button")
    page.wait_for_selector("#lost:not([hidden])")
    assert "chat.completion.chunk" in page.input_value("#after")


@pytest.mark.parametrize(
    "asked, status",
    [
        ({"source": "nobody", "target": "openai-chat", "text": "{}"}, 404),
        ({"source": "anthropic-messages", "target": "openai-chat", "text": SCRIPT}, 409),
        ({"source": "anthropic-messages", "target": "openai-chat", "text": "[1]"}, 409),
    ],
)
def test_what_cannot_be_translated_is_told(opened: Opened, api: Api, asked: dict[str, str], status: int) -> None:
    answer = api(opened, "translator/translate", "POST", asked)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


@pytest.mark.parametrize("form", ["openai-chat", "anthropic-messages", "openai-responses", "gemini"])
def test_a_chat_goes_through_the_engine_and_into_the_ledger(
    opened: Opened, second: Provider, visit: Visit, form: str
) -> None:
    second.script(says(f"I am here {SCRIPT}"))
    page = visit(opened, "translator")
    page.select_option("#chat [name=form]", form)
    page.fill("#chat [name=model]", "local/m")
    page.fill("#chat [name=text]", f"Who is there? {SCRIPT}")
    page.click("#chat button.primary")
    page.wait_for_selector("#answers .assistant")
    assert f"I am here {SCRIPT}" in page.inner_text("#answers")
    assert second.calls[-1].model == "m"
    page.click("#answers a")
    page.wait_for_url("**/omniroute/calls/*")
    assert "local/m" in page.inner_text("h1")


def test_a_chat_can_be_stopped(opened: Opened, second: Provider, visit: Visit) -> None:
    gate = Gate()
    second.script(Say(Answer(pieces=("Never",)), gates={0: gate}))
    page = visit(opened, "translator")
    page.fill("#chat [name=model]", "local/m")
    page.fill("#chat [name=text]", "Hello?")
    page.click("#chat button.primary")
    gate.wait_reached()
    page.click("#stop")
    page.wait_for_selector("#answers .assistant")
    assert "Never" not in page.inner_text("#answers")
    expect(page.locator("#stop")).to_be_hidden()
    gate.open()


def test_a_bench_asks_every_call_of_every_target(
    captured: Opened, provider: Provider, second: Provider, visit: Visit
) -> None:
    provider.script(says("A cat."), says("A cat."))
    second.script(says("A dog."), says("A dog."))
    page = visit(captured, "translator")
    page.check("#bench [value='local/qwen3-coder']")
    page.click("#bench button.primary")
    page.wait_for_selector("#matrix td .mark.done >> nth=3")
    assert page.locator("#matrix tbody tr").count() == 2
    text = page.inner_text("#matrix")
    assert ("same words" in text, "other words" in text, "glm/glm-4.7" in text) == (True, True, True)
    assert len(second.calls) == 2


@pytest.mark.parametrize(
    "path, body, status",
    [
        ("chats", {"text": "x", "targets": ["nobody"]}, 404),
        ("benches", {"calls": ["ffffffff"]}, 404),
        ("benches", {"calls": ["ffffffff"], "rules": False}, 409),
    ],
)
def test_what_cannot_be_asked_is_told(opened: Opened, api: Api, path: str, body: dict[str, Any], status: int) -> None:
    assert api(opened, f"translator/{path}", "POST", body).status_code == status


def test_keys_are_nowhere(opened: Opened, provider: Provider, visit: Visit, api: Api) -> None:
    provider.script(says(f"You said {CANARY} account-key-1"))
    body = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": CANARY}]}
    with opened.client() as client:
        client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": "the-tools-own-key"})
    call = api(opened, "translator").json()["calls"][0]["id"]
    seen = "".join(api(opened, f"translator/calls/{call}", side=side).text for side in ("request", "answer"))
    seen += visit(opened, "translator").content()
    assert [key for key in (CANARY, "account-key-1", "the-tools-own-key") if key in seen] == []


@pytest.mark.parametrize("language, theme, width", [("en", "light", 1280), ("ar", "dark", 1280), ("de", "light", 390)])
def test_axe_finds_nothing_serious(
    captured: Opened, visit: Visit, serious: Callable[[Any], list[str]], language: str, theme: str, width: int
) -> None:
    page = visit(captured, "translator", language=language, theme=theme, viewport={"width": width, "height": 800})
    page.click("#play button")
    page.wait_for_selector("#lost:not([hidden])")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
