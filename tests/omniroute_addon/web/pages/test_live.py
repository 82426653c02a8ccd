"""The live page in Chromium against a proxy that serves calls; its rows, filters, pause, words and limits."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tornado.websocket import WebSocketClosedError

from omniroute_addon.ledger import calls
from omniroute_addon.ledger.reports import books
from omniroute_addon.web.languages import language
from omniroute_addon.web.pages import live
from omniroute_addon.web.pages.live import CallsAsked
from tests.omniroute_addon.web.conftest import Visit, in_every_look
from tests.omniroute_addon.web.seeding import seed
from tests.servers.faults import quota, server_error
from tests.servers.provider import Provider
from tests.servers.steps import says
from tests.web.conftest import Open, Opened
from tests.web.test_mitmweb import rules

type Api = Callable[..., httpx.Response]
SCRIPT = "claude-opus-<script>document.title='stolen'</script>"
CANARY = "sk-canary-0123456789abcdef0123456789"


def ask(opened: Opened, model: str = "claude-opus-4-6", words: str = "Hi") -> httpx.Response:
    body = {"model": model, "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": words}]}
    with opened.client() as client:
        return client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": CANARY})


def many(tmp_path: Path) -> str:
    """The rules of a proxy whose ledger has had 10,000 calls."""
    path = seed(tmp_path / "seeded" / "ledger.db", 10_000, end=time.time() - 60, every=20)
    return f"ledger: {{path: {json.dumps(str(path))}, retention: 365d}}\n"


@pytest.fixture
def used(open_up: Open, provider: Provider, second: Provider) -> Opened:
    """One call that fell back, one that failed, one whose model name is a script."""
    opened = open_up(rules(provider, second))
    provider.script(quota("anthropic-messages"))
    second.script(says("Hi"), server_error("openai-chat"), says("Hi"))
    for model in ("claude-opus-4-6", "claude-opus-4-6", SCRIPT):
        ask(opened, model)
    return opened


def test_rows_of_the_ledger_without_a_client_are_shown(tmp_path: Path, open_up: Open, visit: Visit, api: Api) -> None:
    path = seed(tmp_path / "seeded" / "ledger.db", 3)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE exchanges SET client = NULL, route = NULL, outcome = NULL WHERE id LIKE '00000001%'")
        connection.execute(
            "UPDATE attempts SET target = NULL, used = NULL, outcome = NULL WHERE exchange LIKE '00000001%'"
        )
    opened = open_up(f"ledger: {{path: {json.dumps(str(path))}, retention: 3650d}}\nroutes: []\n")
    assert visit(opened).locator("#calls tr").count() == 3
    assert api(opened, "calls", client="codex").status_code == 200
    assert api(opened, "calls/00000001").json()["call"]["client"] == ""
    assert visit(opened, "calls/00000001").inner_text("h1") == "gpt-5.1-codex → –"


def test_a_call_that_no_rule_touches_is_shown_with_a_mark(
    open_up: Open, provider: Provider, second: Provider, visit: Visit, api: Api
) -> None:
    opened = open_up(rules(provider, second))
    provider.script(says("Nobody", " touched this."))
    page = visit(opened)
    page.wait_for_selector("#link[data-state=open]")
    ask(opened, "claude-haiku-4-5")
    page.wait_for_selector("#calls .mark.untouched")
    (call,) = api(opened, "calls").json()["calls"]
    assert (call["target"], call["status"], call["marks"]) == ("api.anthropic.com", 200, ["untouched"])
    page.click("#calls td.time a")
    page.wait_for_selector(".body")
    assert "Nobody touched this." in page.inner_text("main")
    assert (page.locator(".body").count(), page.locator("#replay").count()) == (2, 0)
    assert CANARY not in api(opened, f"calls/{call['id']}/har").text
    assert api(opened, f"flows/{call['id']}").json() == {"call": call["id"]}


def texts(page: Any) -> list[str]:
    return page.locator("#calls tr").all_inner_texts()


def test_a_call_is_a_row_with_its_figures(used: Opened, visit: Visit) -> None:
    page = visit(used)
    page.wait_for_selector("#link[data-state=open]")
    rows = texts(page)
    assert len(rows) == 3
    assert all(words in rows[2] for words in ("claude-opus-4-6", "local/qwen3-coder", "(two)", "200", "fallback", "2"))
    assert all(words in rows[1] for words in ("failed", "50"))


def test_a_call_that_comes_later_appears_by_itself(used: Opened, second: Provider, visit: Visit) -> None:
    page = visit(used)
    page.wait_for_selector("#link[data-state=open]")
    second.script(says("Hi"))
    ask(used, "claude-opus-later")
    page.wait_for_selector("#calls tr:first-child:has-text('claude-opus-later'):has-text('200')")


def test_a_script_in_a_model_name_is_text(used: Opened, visit: Visit) -> None:
    page = visit(used)
    page.wait_for_selector("#link[data-state=open]")
    ask(used, SCRIPT + "2")
    page.wait_for_selector("#calls tr:nth-child(4)")
    assert (page.title(), sum(SCRIPT in text for text in texts(page))) == ("Live · OmniRoute", 2)


def test_pause_holds_the_rows_and_resume_brings_them(used: Opened, second: Provider, visit: Visit) -> None:
    page, other = visit(used), visit(used)
    for one in (page, other):
        one.wait_for_selector("#link[data-state=open]")
    page.click("#pause")
    second.script(says("Hi"))
    ask(used, "claude-opus-held")
    other.wait_for_selector("#calls tr:has-text('claude-opus-held')")
    assert len(texts(page)) == 3
    page.click("#pause")
    page.wait_for_selector("#calls tr:has-text('claude-opus-held')")


def test_filters_choose_rows_also_among_those_that_come(used: Opened, second: Provider, visit: Visit) -> None:
    page = visit(used, "?state=fallback")
    page.wait_for_selector("#link[data-state=open]")
    assert ["fallback" in text for text in texts(page)] == [True]
    page = visit(used, "?search=special")
    page.wait_for_selector("#link[data-state=open]")
    second.script(says("Hi"), says("Hi"))
    for model in ("claude-opus-plain", "claude-opus-special"):
        ask(used, model)
    page.wait_for_selector("#calls tr")
    assert ["special" in text for text in texts(page)] == [True]


def test_choosing_a_filter_goes_to_its_own_address(used: Opened, visit: Visit) -> None:
    page = visit(used)
    page.select_option("select[name=state]", "failed")
    page.wait_for_url("**/omniroute/?state=failed")
    assert len(texts(page)) == 1


def test_a_key_is_on_no_page_and_in_no_answer(
    open_up: Open, provider: Provider, second: Provider, visit: Visit, api: Api
) -> None:
    opened = open_up(rules(provider, second))
    second.script(says(f"Your key is {CANARY}"))
    provider.script(quota("anthropic-messages"))
    ask(opened, words=f"My key is {CANARY}")
    page = visit(opened)
    shown = page.content() + api(opened, "calls").text
    assert [key for key in (CANARY, "account-key-1", "account-key-2") if key in shown] == []


@in_every_look
def test_axe_finds_nothing_serious(
    used: Opened, visit: Visit, serious: Callable[[Any], list[str]], theme: str, language: str, size: tuple[int, int]
) -> None:
    page = visit(used, theme=theme, language=language, viewport={"width": size[0], "height": size[1]})
    page.wait_for_selector("#link[data-state=open]")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("language", ["ar", "he"])
def test_a_figure_stays_in_one_piece_beside_its_label_from_right_to_left(
    used: Opened, visit: Visit, language: str
) -> None:
    page = visit(used, language=language, viewport={"width": 390, "height": 844})
    pieces = """[...document.querySelectorAll("#calls td[data-label]:not(.none)")].map(cell => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return [cell.textContent, range.getClientRects().length];
    })"""
    found = page.evaluate(pieces)
    assert len(found) > 10
    assert [text for text, count in found if count != 1] == []


def test_ten_thousand_calls_are_read_page_by_page(open_up: Open, tmp_path: Path, visit: Visit, api: Api) -> None:
    opened = open_up(many(tmp_path) + "routes: []\n")
    page = visit(opened)
    assert len(texts(page)) == 60
    oldest = texts(page)[-1]
    page.click("#more")
    page.wait_for_url("**before=**")
    assert (len(texts(page)), oldest in texts(page)) == (60, False)
    failed = api(opened, "calls", state="failed", limit=500).json()
    assert (len(failed["calls"]), failed["next"]) == (250, None)


def test_a_page_without_a_ledger_says_so(open_up: Open, visit: Visit) -> None:
    opened = open_up("ledger: {path: /proc/none/ledger.db}\nroutes: []\n")
    page = visit(opened)
    assert page.is_visible(".note")
    assert page.is_visible("#empty")


def test_the_table_stays_bounded_and_keeps_up_with_fifty_calls_a_second(
    open_up: Open, provider: Provider, second: Provider, visit: Visit
) -> None:
    opened = open_up(rules(provider, second, "local/qwen3-coder"))
    second.script(*[says("Hi") for _ in range(500)])
    page = visit(opened)
    page.wait_for_selector("#link[data-state=open]")
    done = threading.Event()

    def call() -> None:
        for number in range(400):
            ask(opened, f"claude-opus-{number}")
        done.set()

    thread = threading.Thread(target=call)
    thread.start()
    while not done.is_set():
        page.wait_for_timeout(100)
    thread.join()
    page.wait_for_selector("#calls tr:first-child:has-text('claude-opus-399')")
    assert page.locator("#calls tr").count() == live.SHOWN


@pytest.mark.parametrize(
    "asked, count",
    [
        ({}, 3),
        ({"search": "CLAUDE opus"}, 3),
        ({"search": "nothing"}, 0),
        ({"client": "codex"}, 0),
        ({"state": "ok"}, 2),
    ],
)
def test_a_script_gets_the_same_as_the_page(used: Opened, api: Api, asked: dict[str, str], count: int) -> None:
    assert len(api(used, "calls", **asked).json()["calls"]) == count


FILTERS: tuple[dict[str, Any], ...] = (
    {"search": "OPUS glm"},
    {"search": "glm-main"},
    {"search": "candidate failed"},
    {"client": "codex"},
    {"state": "failed"},
    {"state": "ok", "client": "codex"},
    {"state": "fallback"},
    {"state": "replayed"},
    {"search": "größe"},
)


@pytest.mark.parametrize("asked", FILTERS, ids=str)
def test_a_filter_finds_page_by_page_what_it_lets(tmp_path: Path, asked: dict[str, Any]) -> None:
    path = seed(tmp_path / "ledger.db", 1500)
    found: list[str] = []
    with books(path) as ledger:
        every = [line.id for line in calls.before(ledger, None, 1500) if live.Filter(**asked).lets(line)]
        before: str | None = ""
        while before is not None:
            page = CallsAsked(**asked, before=before, limit=40)
            one = live._read(ledger, page, live._cursor(before))
            assert len(one.lines) <= 40
            found += [line.id for line in one.lines]
            before = one.next
    assert found == every


class Slow(live.Updates):
    """A socket whose messages leave when the test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._filter, self._language = live.Filter(), language("en")
        self._waiting, self._sending = {}, None
        self.stopped = False
        self._stop = self.stop
        self.site = SimpleNamespace(redact=str)  # type: ignore[assignment]
        self.sent: list[list[str]] = []

    def stop(self) -> None:
        self.stopped = True

    def write_message(self, message: Any, binary: bool = False) -> "asyncio.Future[None]":
        self.sent.append(list(json.loads(message)["rows"]))
        return self._loop.create_future()

    def leave(self, error: Exception | None = None) -> None:
        sending = self._sending
        assert sending is not None
        sending.set_exception(error) if error else sending.set_result(None)
        self._sent(sending)


def test_a_page_that_does_not_read_is_told_the_newest_when_it_does(tmp_path: Path) -> None:
    path = seed(tmp_path / "ledger.db", live.SHOWN + 100)
    with books(path) as ledger:
        lines = calls.before(ledger, None, live.SHOWN + 100)[::-1]

    with closing(asyncio.new_event_loop()) as loop:
        slow = Slow(loop)
        for line in lines:
            slow._tell([line])
        assert slow.sent == [[lines[0].id]]
        slow.leave()
        assert slow.sent[1:] == [[line.id for line in lines[-live.SHOWN :]]]
        slow.leave(WebSocketClosedError())
        assert slow.stopped


def test_a_page_begins_where_the_one_before_ended() -> None:
    assert CallsAsked(before="1795259114.9464~e3e55e7d-a42d").before
