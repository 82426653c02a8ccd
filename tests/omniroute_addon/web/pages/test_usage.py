"""Usage and costs: what the page, its JSON and its CSV say is what the ledger has; nothing in a name is markup."""

import csv
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute_addon.ledger.store import connect, write
from omniroute_addon.web.pages.usage import UsageAsked, drill
from tests.omniroute_addon.web.conftest import Visit, in_every_look
from tests.omniroute_addon.web.seeding import seed
from tests.servers.proxy import running
from tests.web.conftest import Open, Opened
from tests.web.mitmweb import Mitmweb

type Api = Callable[..., httpx.Response]
NAMES = "model-<script>document.title='stolen'</script>"
CANARY = "sk-canary-0123456789abcdef0123456789"
RULES = f"""\
accounts: [{{name: glm-main, provider: glm, key: {CANARY}}}]
routes: [{{match: {{client: claude-code}}, to: glm/glm-4.7}}]
budgets:
  - {{name: company, monthly: 1000, on_exceed: fallback}}
  - {{name: small, daily: 0.01, on_exceed: deny}}
"""


def attempt(number: int, started: float, **changed: object) -> tuple[str, dict[str, Any]]:
    return (
        "attempt",
        {
            "id": f"extra-{number}", "exchange": f"extra-{number}", "number": 1, "started": started, "ended": started + 1,
            "target": "glm/x", "provider": "glm", "model": "x", "account": "glm-main", "tier": "api-key", "used": True,
            "outcome": "used", "input": 10, "output": 5, "micro": 7, "worth": 9, "client": "codex", **changed,
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """10,000 calls of the last 30 days, and some with names that are no names."""
    path, now = tmp_path_factory.mktemp("seeded") / "ledger.db", time.time()
    seed(path, 10_000, end=now - 60, every=250)
    connection = connect(path)
    odd = {"model": NAMES, "account": NAMES, "key": NAMES, "combo": "=cmd()"}
    write(connection, [attempt(1, now - 50, **odd), attempt(2, now - 40, key="alice", micro=None)])
    connection.close()
    rules = RULES + f"ledger: {{path: {json.dumps(str(path))}, retention: 365d}}\n"
    with running(tmp_path_factory.mktemp("proxy"), rules, headless=False) as proxy:
        assert proxy.web is not None
        with Mitmweb(proxy.web) as web:
            yield Opened(proxy.url, proxy.gateway, proxy.ca, proxy.config, proxy.log, web)


def test_the_sums_are_those_of_the_ledger(used: Opened, api: Api) -> None:
    found = api(used, "usage", since="40d", by="provider").json()
    assert (found["total"]["calls"], found["total"]["attempts"], found["total"]["unknown"]) == (10_002, 11_002, 1)
    assert {row["name"] for row in found["rows"]} == {"glm", "minimax", "openai"}
    assert sum(row["share"] for row in found["rows"]) == pytest.approx(1)
    assert sum(value for slot in found["slots"] for value in slot["values"]) == pytest.approx(found["total"]["cost"])


@pytest.mark.parametrize(
    "by", ["provider", "model", "account", "client", "key", "tier", "combo", "target", "asked", "day", "hour"]
)
def test_every_group_adds_up(used: Opened, api: Api, by: str) -> None:
    found = api(used, "usage", since="40d", by=by, limit=5000, measure="tokens").json()
    rows = found["rows"]
    assert sum(row["input"] + row["output"] for row in rows) == found["total"]["input"] + found["total"]["output"]
    assert sum(sum(slot["values"]) for slot in found["slots"]) == found["total"]["input"] + found["total"]["output"]


@pytest.mark.parametrize("since, unit", [("24h", "hour"), ("7d", "day"), ("90d", "month")])
def test_the_longer_the_span_the_wider_the_bars(used: Opened, api: Api, since: str, unit: str) -> None:
    found = api(used, "usage", since=since).json()
    assert (found["unit"], 1 < len(found["slots"]) <= 62) == (unit, True)


def test_filters_hold_for_everything(used: Opened, api: Api) -> None:
    found = api(used, "usage", since="40d", by="model", provider="minimax").json()
    assert [row["name"] for row in found["rows"]] == ["MiniMax-M2.1"]
    assert found["total"]["attempts"] == found["rows"][0]["attempts"]


def test_rows_that_are_not_shown_are_counted(used: Opened, api: Api) -> None:
    found = api(used, "usage", since="40d", by="hour", limit=10).json()
    assert (len(found["rows"]), found["more"] > 600) == (10, True)


def test_budgets_tell_what_is_left(used: Opened, api: Api) -> None:
    budgets = {one["name"]: one for one in api(used, "usage").json()["budgets"]}
    month = datetime.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ005 -- UTC in tests
    assert budgets["company"]["limit"] == 1000
    assert budgets["company"]["left"] == pytest.approx(1000 - budgets["company"]["spent"])
    assert budgets["company"]["spent"] > 0 or time.time() - month.timestamp() < 3600
    assert budgets["small"]["on_exceed"] == "deny"


def test_the_csv_has_all_rows_and_no_formula(used: Opened, api: Api) -> None:
    got = api(used, "usage/csv", since="40d", by="combo")
    rows = list(csv.DictReader(got.text.splitlines()))
    assert got.headers["content-type"] == "text/csv"
    assert 'filename="omniroute-usage-by-combo.csv"' in got.headers["content-disposition"]
    assert {row["combo"] for row in rows} == {"premium-coding", "'=cmd()", "-"}
    assert len(list(csv.DictReader(api(used, "usage/csv", since="40d", by="hour").text.splitlines()))) > 600


def test_the_page_shows_the_figures_and_leads_into_a_group(used: Opened, visit: Visit) -> None:
    page = visit(used, "usage?since=40d")
    assert page.inner_text(".tiles dd").replace("\N{NARROW NO-BREAK SPACE}", "") == "10002"
    assert page.locator(".chart .bar rect").count() > 50
    page.click(".sums a:has-text('glm')")
    page.wait_for_url("**provider=glm**")
    assert page.locator(".sums tbody tr").count() == 1
    page.click(".chips a")
    page.wait_for_url(lambda url: "provider=" not in url)


def test_a_choice_is_an_address(used: Opened, visit: Visit) -> None:
    page = visit(used, "usage")
    page.select_option("select[name=by]", "model")
    page.wait_for_url("**by=model**")
    assert "glm-4.7" in page.inner_text(".sums")


def test_the_csv_can_be_kept_from_the_page(used: Opened, visit: Visit) -> None:
    page = visit(used, "usage?by=client")
    with page.expect_download() as waiting:
        page.click("a[download]")
    assert "claude-code" in Path(waiting.value.path()).read_text()


@pytest.mark.parametrize("by", ["model", "account", "key", "combo"])
def test_a_script_in_a_name_is_text_and_a_key_is_nowhere(used: Opened, visit: Visit, api: Api, by: str) -> None:
    page = visit(used, f"usage?since=24h&by={by}")
    assert page.title() == "Usage · OmniRoute"
    assert by == "combo" or NAMES in page.inner_text(".sums")
    shown = page.content() + api(used, "usage", by=by).text + api(used, "usage/csv", by=by).text
    assert CANARY not in shown


@in_every_look
@pytest.mark.parametrize("path", ["usage?since=30d&by=account", "usage?by=hour"])
def test_axe_finds_nothing_serious(
    used: Opened,
    visit: Visit,
    serious: Callable[[Any], list[str]],
    theme: str,
    language: str,
    size: tuple[int, int],
    path: str,
) -> None:
    page = visit(used, path, theme=theme, language=language, viewport={"width": size[0], "height": size[1]})
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_no_calls_are_said_to_be_none(open_up: Open, visit: Visit) -> None:
    page = visit(open_up("routes: []\n"), "usage")
    assert page.is_visible(".empty")


@pytest.mark.parametrize(
    "by, name, found",
    [
        ("provider", "glm", {"provider": "glm"}),
        ("account", "a/b/main", {"provider": "a/b", "account": "main"}),
        ("account", "glm/-", None),
        ("key", "-", None),
        ("day", "2026-11-01", None),
    ],
)
def test_a_group_is_a_filter_where_it_has_a_name(by: str, name: str, found: dict[str, str] | None) -> None:
    assert drill(by, name) == found


def test_a_link_says_only_what_is_not_as_always() -> None:
    asked = UsageAsked(by="model", provider="glm")
    assert asked.query(measure="tokens") == {"by": "model", "provider": "glm", "measure": "tokens"}
