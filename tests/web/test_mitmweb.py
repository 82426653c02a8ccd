"""The page as a user sees it, in the system's Chromium: rows, comments, the LLM view, replay."""

import os
import shutil
from collections.abc import Callable, Generator

import httpx
import pytest

from tests.servers.answers import FORMATS, Answer, Call
from tests.servers.faults import quota, server_error
from tests.servers.provider import Provider
from tests.servers.steps import Say, says
from tests.web.conftest import Open, Opened
from tests.web.mitmweb import Row, role

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = os.environ.get("OMNIROUTE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --disable-component-update"
)
SECONDS = 20_000
ANSWER = Answer(
    pieces=("Let me", " look."),
    thinking="The user wants the file.",
    calls=(Call("call_1", "read_file", '{"path":"README.md"}'),),
)
TOOL = {
    "name": "read_file",
    "description": "Read a file",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}
RULES = """\
providers:
  anthropic: {{base_url: "{first}"}}
  glm:       {{base_url: "{first}"}}
  local:     {{format: openai-chat, base_url: "{second}", auth: bearer, tier: free}}
accounts:
  - {{name: one, provider: glm, key: account-key-1}}
  - {{name: two, provider: local, key: account-key-2}}
combos:
  premium-coding: {{strategy: priority, targets: [glm/glm-4.7, local/qwen3-coder]}}
routes:
  - {{match: {{model: "claude-opus*"}}, to: {target}}}
"""


def rules(provider: Provider, second: Provider, target: str = "premium-coding") -> str:
    return RULES.format(first=provider.url("anthropic-messages"), second=second.url("openai-chat"), target=target)


def ask(opened: Opened, model: str = "claude-opus-4-6") -> httpx.Response:
    body = {
        "model": model,
        "max_tokens": 1024,
        "stream": True,
        "system": "You are a coding agent.",
        "tools": [TOOL],
        "messages": [{"role": "user", "content": "What does README.md say?"}],
    }
    with opened.client() as client:
        return client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": "sk-tool"})


def answered(count: int) -> Callable[[list[Row]], bool]:
    def look(rows: list[Row]) -> bool:
        return sum(bool((row.get("response") or {}).get("timestamp_end")) for row in rows) >= count

    return look


@pytest.fixture
def fallback(open_up: Open, provider: Provider, second: Provider) -> Opened:
    """A call that fell back once, over a 429, to another format."""
    provider.script(quota("anthropic-messages"))
    second.script(Say(ANSWER))
    opened = open_up(rules(provider, second))
    ask(opened)
    opened.web.wait_rows(answered(3))
    return opened


@pytest.fixture
def page(fallback: Opened) -> Generator["playwright.Page"]:
    """The page of a fallback in a fresh Chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        shown = browser.new_page(viewport={"width": 1280, "height": 800})
        shown.goto(fallback.web.url)
        shown.wait_for_selector(".flow-table tbody tr:nth-child(3)", timeout=SECONDS)
        yield shown
        browser.close()


def test_the_list_shows_the_call_and_both_attempts(page: "playwright.Page") -> None:
    text = page.inner_text(".flow-table")
    expected = ("premium-coding → local/qwen3-coder · 2 tries · 11+7 tok · ", "↳ attempt 1 of", "↳ attempt 2 of")
    assert [words for words in expected if words not in text] == []


def test_a_click_on_the_call_shows_the_tools_own_address(page: "playwright.Page") -> None:
    page.click(".flow-table tr:has-text('2 tries')")
    page.click(".flow-detail >> text=Request")
    assert "https://api.anthropic.com/v1/messages" in page.inner_text(".flow-detail .first-line")


def test_the_request_pane_shows_the_conversation(page: "playwright.Page") -> None:
    page.click(".flow-table tr:has-text('2 tries')")
    page.click(".flow-detail >> text=Request")
    page.wait_for_selector(".flow-detail >> text=What does README.md say?", timeout=SECONDS)
    assert "tools (1): read_file" in page.inner_text(".flow-detail")


def test_the_response_pane_shows_the_assembled_answer(page: "playwright.Page") -> None:
    page.click(".flow-table tr:has-text('2 tries')")
    page.click(".flow-detail >> text=Response")
    page.wait_for_selector(".flow-detail >> text=Let me look.", timeout=SECONDS)
    text = page.inner_text(".flow-detail")
    assert [words for words in ("→ read_file", '"path": "README.md"', "input 11, output 7") if words not in text] == []


def test_replay_after_a_changed_rule_goes_to_the_new_target(
    page: "playwright.Page", fallback: Opened, provider: Provider, second: Provider
) -> None:
    second.script(says("The new target speaks."))
    fallback.write(rules(provider, second, "local/other-model"))
    fallback.web.wait_event("new rules from")
    page.click(".flow-table tr:has-text('2 tries')")
    page.click("text=Replay")
    page.wait_for_selector(".flow-table tr:has-text('local/other-model · 1 try')", timeout=SECONDS)
    page.click(".flow-detail >> text=Response")
    page.wait_for_selector(".flow-detail >> text=The new target speaks.", timeout=SECONDS)
    assert second.calls[-1].model == "other-model"


def test_replay_of_an_attempt_goes_straight_to_its_upstream(
    fallback: Opened, provider: Provider, second: Provider
) -> None:
    provider.script(says("Quota is back."))
    attempt = next(row for row in fallback.web.rows() if "↳ attempt 1" in row["comment"])
    shown = fallback.web.replay(attempt)
    got = (len(provider.calls), len(second.calls), "Quota is back." in fallback.web.rendered(shown, "response")["text"])
    key = provider.calls[-1].header("authorization") or provider.calls[-1].header("x-api-key")
    assert (got, "account-key-1" in str(key), "replayed: 200" in shown["comment"]) == ((2, 1, True), True, True)


def test_a_fallback_is_marked_and_so_is_the_failed_attempt(fallback: Opened) -> None:
    marks = {row["comment"].split(" · ")[0].partition(" of")[0]: row["marked"] for row in fallback.web.rows()}
    assert marks == {"premium-coding → local/qwen3-coder": "🔄", "↳ attempt 1": "⚠", "↳ attempt 2": ""}


def test_the_event_log_has_no_line_for_every_call(fallback: Opened) -> None:
    fallback.web.wait_event("client connect")
    assert b"Streaming" not in fallback.web.get("/events")


def test_an_untouched_call_shows_its_answer(open_up: Open, provider: Provider, second: Provider) -> None:
    provider.script(Say(ANSWER))
    opened = open_up(rules(provider, second))
    response = ask(opened, "claude-haiku-4-5")
    (row,) = opened.web.wait_rows(answered(1))
    assert opened.web.content(row, "response") == response.content


def test_an_error_is_readable(open_up: Open, provider: Provider, second: Provider) -> None:
    provider.script(server_error("anthropic-messages"))
    opened = open_up(rules(provider, second, "glm/glm-4.7"))
    ask(opened)
    rows = opened.web.wait_rows(lambda rows: any(role(row) == "call" and row.get("response") for row in rows))
    attempt = next(row for row in rows if role(row) == "attempt")
    shown = opened.web.rendered(attempt, "response")
    assert (shown["view_name"], shown["text"]) == ("LLM", "error 500: server\nInternal server error")


def test_an_intercept_filter_does_not_hang_a_tool(open_up: Open, provider: Provider, second: Provider) -> None:
    provider.script(says("Hi"))
    opened = open_up(rules(provider, second))
    opened.web.put("/options", {"intercept": "~all"})
    assert (ask(opened).status_code, ask(opened, "claude-haiku-4-5").status_code) == (200, 200)


def test_the_oldest_flows_go_when_there_are_too_many(open_up: Open, provider: Provider, second: Provider) -> None:
    provider.script(says("Hi"))
    opened = open_up("view: {max_flows: 2}\n" + rules(provider, second))
    for number in range(4):
        ask(opened, f"claude-haiku-{number}")
    rows = opened.web.wait_rows(lambda rows: len(rows) == 2 and answered(2)(rows))
    assert [b"claude-haiku-3" in opened.web.content(row, "request") for row in rows] == [False, True]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("form", [form for form in FORMATS if form != "gemini-cli"])
def test_the_llm_view_is_chosen_by_itself(open_up: Open, provider: Provider, form: str, streaming: bool) -> None:
    provider.script(Say(ANSWER))
    opened = open_up(
        f'providers:\n  up: {{format: {form}, base_url: "{provider.url(form)}", auth: none}}\nroutes: []\n'
    )
    # A call of the gateway, so that every format is both the client's and the upstream's.
    path, body = call_of(form, streaming)
    httpx.post(f"{opened.gateway}{path}", json=body, trust_env=False, timeout=30).raise_for_status()
    rows = opened.web.wait_rows(answered(2))
    for row in rows:
        asked, said = opened.web.rendered(row, "request"), opened.web.rendered(row, "response")
        assert (asked["view_name"], said["view_name"]) == ("LLM", "LLM")
        for words in ("What does README.md say?", "tools (1): read_file"):
            assert words in asked["text"]
        for words in ("Let me look.", "💭 The user wants the file.", "→ read_file", "usage: input 11", "output 7"):
            assert words in said["text"]


def call_of(form: str, streaming: bool) -> tuple[str, Row]:
    """Path and body of one question with a tool, in each gateway format."""
    schema = TOOL["input_schema"]
    function = {"name": "read_file", "description": "Read a file", "parameters": schema}
    asked = {"role": "user", "content": "What does README.md say?"}
    model = {"model": "up/m", "stream": streaming}
    match form:
        case "anthropic-messages":
            return "/v1/messages", {**model, "max_tokens": 99, "tools": [TOOL], "messages": [asked]}
        case "openai-chat":
            tools = [{"type": "function", "function": function}]
            usage = {"stream_options": {"include_usage": True}} if streaming else {}
            return "/v1/chat/completions", {**model, **usage, "tools": tools, "messages": [asked]}
        case "openai-responses":
            return "/v1/responses", {**model, "tools": [{"type": "function", **function}], "input": [asked]}
        case _:
            method = "streamGenerateContent?alt=sse" if streaming else "generateContent"
            contents = [{"role": "user", "parts": [{"text": asked["content"]}]}]
            body = {"contents": contents, "tools": [{"functionDeclarations": [function]}]}
            return f"/v1beta/models/up/m:{method}", body
