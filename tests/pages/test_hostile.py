"""What strangers write is text on every page, and no key is on any: script and canaries wherever somebody can put them.

Models, prompts, tools, user agents and headers are the client's; error texts, answers and headers the provider's; names of accounts,
routes, combos, budgets and suites those of a rule file that somebody has pasted.
"""

import html
import json
import re
from collections.abc import Iterator

import httpx
import pytest

from omniroute_addon.web import bodies, pages
from tests.omniroute_addon.web.conftest import CHROMIUM
from tests.servers.answers import Answer, Call
from tests.servers.faults import failure
from tests.servers.provider import Received, serving
from tests.servers.proxy import running
from tests.servers.steps import PATIENCE, Say, Step

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

from tests.pages.stops import Stop, stops  # they need playwright
from tests.pages.traffic import Busy, examined  # the same
from tests.pages.walk import TRAP, Look, chromium, walk  # the same

XSS = "\"'></textarea></script><img src=x onerror=window.__xss=1><script>window.__xss=2</script>{{7*7}}"
COMBO = "\"'><img src=x onerror=window.__xss=3>"
"""A combo has no slash in its name."""
ACCOUNT_KEY, SECOND_KEY = "canary-7f3a-of-an-account", "canary-7f3a-of-another"
TOOL_KEY = "canary-7f3a-of-the-tool-itself"
PASTED = "sk-canary7f3a0123456789abcdef"
CANARIES = ("canary-7f3a", "canary7f3a")
TOOL = {"name": "read_file", "description": XSS, "input_schema": {"type": "object", "description": XSS}}
RULES = """\
providers:
  anthropic: {{base_url: {origin}}}
  glm: {{base_url: {first}}}
  local: {{format: openai-chat, base_url: {second}, auth: bearer, tier: free}}
accounts:
  - {{name: {xss}, provider: glm, key: {key}}}
  - {{name: two, provider: local, key: {other}}}
combos:
  {combo}: {{strategy: priority, targets: [glm/glm-4.7, local/m]}}
routes:
  - {{name: {xss}, match: {{model: "claude-*"}}, to: {combo}}}
  - {{name: own, match: {{model: "own-*"}}, to: origin}}
budgets:
  - {{name: {xss}, monthly: 500, on_exceed: fallback}}
logs: {{requests: {{enabled: true}}}}
"""
SUITE = {
    "id": "hostile",
    "name": XSS,
    "cases": [
        {
            "id": "a",
            "name": XSS,
            "input": {"messages": [{"role": "user", "content": f"{XSS} {PASTED}"}]},
            "expected": {"strategy": "contains", "value": XSS},
        }
    ],
}


def _fails(request: Received) -> Step:
    """As providers do: with the key in their words."""
    assert request.format is not None
    words = f"{XSS} Incorrect key: {ACCOUNT_KEY}, {SECOND_KEY}, {TOOL_KEY}, {PASTED}"
    return failure(request.format, 500, XSS, words, x_evil=XSS.encode("ascii", "replace").decode(), set_cookie=TOOL_KEY)


def _answers(request: Received) -> Step:
    pasted = TOOL_KEY if TOOL_KEY.encode() in request.body else ""  # a model knows what it was told
    said = f"{XSS} {ACCOUNT_KEY} {SECOND_KEY} {pasted} {PASTED}"
    call = Call(f"call_{XSS}", XSS, json.dumps({"path": said}))
    return Say(Answer(pieces=(said,), thinking=XSS, calls=(call,)), headers={"x-evil": XSS, "set-cookie": PASTED})


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    """Calls that fell back, failed, came untouched, by the gateway and by `origin`."""
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (apt-get install chromium)")
    directory = tmp_path_factory.mktemp("hostile")
    suites = directory / "home" / "evals"
    suites.mkdir(parents=True)
    (suites / "hostile.yaml").write_text(json.dumps(SUITE))
    with serving() as first, serving() as second:
        first.otherwise, second.otherwise = _fails, _answers
        rules = RULES.format(
            origin=json.dumps(first.url("anthropic-messages")),
            first=json.dumps(first.url("anthropic-messages")),
            second=json.dumps(second.url("openai-chat")),
            xss=json.dumps(XSS),
            combo=json.dumps(COMBO),
            key=ACCOUNT_KEY,
            other=SECOND_KEY,
        )
        with running(directory, rules, headless=False) as proxy:
            assert proxy.web is not None
            base, _, token = proxy.web.partition("?token=")
            busy = Busy(proxy, directory / "home" / "ledger.db", base.rstrip("/"), token)
            busy.cards += examined(busy, "hostile", "local/m")
            for model in (f"own-{XSS}", f"nobody-{XSS}", f"claude-{XSS}"):
                _ask(busy, model)
            yield busy


def _ask(busy: Busy, model: str) -> None:
    body = {
        "model": model,
        "max_tokens": 99,
        "system": XSS,
        "tools": [TOOL, {**TOOL, "name": XSS}],
        "messages": [{"role": "user", "content": f"{XSS} {TOOL_KEY} {ACCOUNT_KEY} {SECOND_KEY} {PASTED}"}],
        "metadata": {"user_id": XSS},
    }
    headers = {"x-api-key": TOOL_KEY, "user-agent": XSS, "x-omniroute-session": XSS, "x-evil": XSS, "cookie": TOOL_KEY}
    with httpx.Client(proxy=busy.proxy.url, verify=busy.proxy.trust, timeout=PATIENCE, trust_env=False) as client:
        client.post("https://api.anthropic.com/v1/messages", json=body, headers=headers)


@pytest.fixture(scope="module")
def places(hostile: Busy) -> list[Stop]:
    found = stops(hostile)
    asked = httpx.QueryParams({"search": XSS})
    return [
        *found,
        Stop("search", f"?{asked}"),
        Stop("log-search", f"logs?tab=console&{asked}"),
        Stop("nowhere", "calls/%3Cscript%3E", status=422),
    ]


@pytest.mark.timeout(300)
def test_no_text_of_a_stranger_runs_on_any_page(hostile: Busy, places: list[Stop]) -> None:
    with chromium() as browser:
        seen = walk(browser, hostile, places, (Look("light"),), print)
    assert seen.faults == []
    assert seen.visits == len(places)


def _served(busy: Busy, path: str) -> str:
    answer = httpx.get(
        f"{busy.base}/{path}", headers={"authorization": f"Bearer {busy.token}"}, trust_env=False, timeout=PATIENCE
    )
    assert answer.status_code < 500, f"{path}: {answer.text[:500]}"
    return answer.text


def test_it_is_shown_as_the_text_that_it_is(hostile: Busy, places: list[Stop]) -> None:
    by_name = {stop.name: stop.path for stop in places}
    for name in ("live", "calls", "replays", "usage", "quotas", "rules", "logs", "evals", "evals-cards"):
        path = by_name[name] if name != "usage" else "usage?by=account&since=7d"
        text = html.unescape(_served(hostile, f"omniroute/{path}"))
        assert "onerror=window.__xss" in text, name


def test_no_page_and_no_json_has_a_key(hostile: Busy, places: list[Stop]) -> None:
    found = {stop.path: _served(hostile, f"omniroute/{stop.path}") for stop in places if stop.status == 200}
    found |= {path: _served(hostile, f"omniroute/api/{path}") for path in _answers_of_all(hostile, places)}
    leaks = {
        path: re.findall(f".{{0,60}}(?:{'|'.join(CANARIES)}).{{0,40}}", text)
        for path, text in found.items()
        if any(one in text for one in CANARIES)
    }
    told = [f"{path}: {each}" for path, leaked in leaks.items() for each in leaked]
    assert "\n".join(told) == ""
    assert len(found) > 30


def _answers_of_all(busy: Busy, places: list[Stop]) -> list[str]:
    """Everything that can be asked for, of every call, with each of its bodies."""
    names = [call["id"] for call in busy.api("calls", limit=60)["calls"]]
    replay = next(stop.path for stop in places if stop.name == "replays").partition("/")[2]
    runs = [run["id"] for run in busy.api("evals")["runs"]]
    values = {"calls": names, "flows": [busy.api(f"calls/{names[0]}")["flow"]], "replays": [replay]}
    values |= {"translator/calls": names, "evals/runs": runs, "evals/cards": busy.cards}
    found = ["openapi.json"]
    for one in pages.resources():
        if one.method != "GET":
            continue
        before, parameter, after = one.path.partition("/{id}")
        paths = [f"{before}/{name}{after}" for name in values[before]] if parameter else [one.path]
        found += [
            path.replace("{side}", side) for path in paths for side in (bodies.SIDES if "{side}" in path else ("",))
        ]
    return [*found, *(f"logs?tab={tab}" for tab in ("proxy", "audit", "console"))]


def test_mitmweb_s_own_page_shows_it_as_text_too(hostile: Busy) -> None:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(TRAP)
        page.goto(f"{hostile.base}/?token={hostile.token}")
        comments = page.locator(".flow-table td.col-comment")
        comments.first.wait_for()
        said = comments.all_inner_texts()
        assert any("onerror=window.__xss" in words for words in said)
        assert re.findall(f".{{0,99}}(?:{'|'.join(CANARIES)}).{{0,40}}", page.content()) == []
        for row in comments.all():
            row.click()
            page.locator(".flow-detail").wait_for()
        assert page.evaluate("[window.__xss, window.__violations]") == [None, []]
