"""The evals' page: run, progress, cancel, scorecards and their chart."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit
from tests.servers.answers import Answer
from tests.servers.provider import Provider
from tests.servers.steps import Gate, Say, says
from tests.web.conftest import Open, Opened
from tests.web.test_mitmweb import rules

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

type Api = Callable[..., httpx.Response]
SCRIPT = "<img src=x onerror=alert(1)>"
CANARY = "sk-canary-0123456789abcdef0123456789"
SUITE = f"""\
id: two
name: Two {SCRIPT}
cases:
  - {{id: a, name: First, input: {{messages: [{{role: user, content: Say it}}]}}, expected: {{strategy: contains, value: "yes"}}}}
  - {{id: b, input: {{messages: [{{role: user, content: Say it}}]}}, expected: {{strategy: contains, value: "yes"}}}}
"""
CODE = SUITE.replace("id: two", "id: code").replace('strategy: contains, value: "yes"', 'strategy: custom, call: "x:y"')


@pytest.fixture
def opened(open_up: Open, provider: Provider, second: Provider) -> Opened:
    opened = open_up(rules(provider, second))
    folder = opened.log.parent / "home" / "evals"
    folder.mkdir(parents=True)
    (folder / "two.yaml").write_text(SUITE)
    (folder / "code.yaml").write_text(CODE)
    (folder / "broken.yaml").write_text("id: [")
    return opened


def run(opened: Opened, api: Api, second: Provider, answers: Sequence[str]) -> dict[str, Any]:
    """A run of two questions to its end."""
    second.script(*map(says, answers))
    started = api(opened, "evals/runs", "POST", {"suite": "two", "targets": ["local/m"]})
    name = started.json()["runs"][0]["id"]
    while (shown := api(opened, f"evals/runs/{name}").json())["state"] in ("waiting", "running"):
        pass
    return shown


def test_a_suite_is_run_and_its_scorecard_shown(opened: Opened, second: Provider, visit: Visit) -> None:
    second.script(says(f"yes {SCRIPT} {CANARY}"), says(f"yes {SCRIPT} {CANARY}"))
    page = visit(opened, "evals")
    page.select_option("[name=suite]", "two")
    for box in page.locator("[name=target]").all():
        box.set_checked(box.get_attribute("value") == "local/qwen3-coder")
    page.click("#start button")
    page.click("#exams a")
    page.wait_for_url("**/omniroute/evals/cards/*")
    text = page.inner_text("main")
    assert ("2/2" in text, SCRIPT in text, CANARY in page.content()) == (True, True, False)
    assert {call.model for call in second.calls} == {"qwen3-coder"}


def test_scorecards_over_time_are_a_chart_and_a_table(opened: Opened, second: Provider, visit: Visit, api: Api) -> None:
    assert run(opened, api, second, ["yes", "no"])["passed"] == 1
    assert run(opened, api, second, ["yes", "yes"])["passed"] == 2
    assert [card["rate"] for card in api(opened, "evals", suite="two").json()["cards"]] == [100, 50]
    assert api(opened, "evals", suite="other").json()["cards"] == []
    page = visit(opened, "evals")
    assert page.locator("#state svg.chart").count() == 1
    assert page.locator("#state tbody tr").count() == 2
    calls = api(opened, "calls").json()["calls"]
    assert (len(calls), calls[0]["target"]) == (4, "local/m")


def test_a_run_shows_its_progress_and_can_be_cancelled(
    opened: Opened, second: Provider, visit: Visit, api: Api
) -> None:
    gate = Gate()
    second.script(*[Say(Answer(pieces=("Never",)), gates={0: gate})] * 2)
    api(opened, "evals/runs", "POST", {"suite": "two", "targets": ["local/m"]})
    gate.wait_reached()
    page = visit(opened, "evals")
    assert "0 of 2 asked" in page.inner_text("#exams")
    page.click("[data-cancel]")
    playwright.expect(page.locator("#exams .mark.cancelled")).to_be_visible()
    gate.open()
    assert api(opened, "evals").json()["cards"] == []


@pytest.mark.parametrize(
    "asked, status",
    [
        ({"suite": "nobody", "targets": ["local/m"]}, 404),
        ({"suite": "../two", "targets": ["local/m"]}, 404),
        ({"suite": "two", "targets": ["nobody"]}, 404),
        ({"suite": "two"}, 409),
        ({"suite": "code", "targets": ["local/m"]}, 409),
        ({"suite": "broken", "targets": ["local/m"]}, 409),
    ],
)
def test_what_cannot_be_run_is_told(opened: Opened, api: Api, asked: dict[str, Any], status: int) -> None:
    answer = api(opened, "evals/runs", "POST", asked)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


def test_runs_and_cards_that_nobody_knows_are_not_found(opened: Opened, api: Api) -> None:
    assert [api(opened, f"evals/{path}").status_code for path in ("runs/ffff", "cards/ffff")] == [404, 404]


@pytest.mark.parametrize("language, theme, width", [("en", "light", 1280), ("ar", "dark", 1280), ("de", "light", 390)])
def test_axe_finds_nothing_serious(
    opened: Opened,
    second: Provider,
    visit: Visit,
    api: Api,
    serious: Callable[[Any], list[str]],
    language: str,
    theme: str,
    width: int,
) -> None:
    card = run(opened, api, second, ["yes", "no"])["card"]
    page = visit(opened, "evals", language=language, theme=theme, viewport={"width": width, "height": 800})
    for path in ("evals", f"evals/cards/{card}"):
        page.goto(f"{opened.web.base}/omniroute/{path}")
        assert serious(page) == []
        wide = "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre')).map(e => [e.getBoundingClientRect().right, e.outerHTML.slice(0, 120)]).filter(e => e[0] > innerWidth)"
        assert page.evaluate(wide) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
