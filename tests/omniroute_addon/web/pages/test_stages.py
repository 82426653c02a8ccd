"""The seven stages: their folders by call, their files; nothing else of the disk, and no key."""

from collections.abc import Callable

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit
from tests.servers.faults import quota
from tests.servers.provider import Provider
from tests.servers.steps import says
from tests.web.conftest import Open, Opened
from tests.web.test_mitmweb import ask, rules

type Api = Callable[..., httpx.Response]
SCRIPT = "<img src=x onerror=alert(1)>"
CANARY = "sk-canary-0123456789abcdef0123456789"
ON = "logs: {requests: {enabled: true}}\n"


@pytest.fixture
def opened(open_up: Open, provider: Provider, second: Provider, api: Api) -> Opened:
    """A call that fell back, all of it written."""
    provider.script(quota("anthropic-messages"))
    second.script(says(f"Hi {SCRIPT} {CANARY}"))
    opened = open_up(ON + rules(provider, second))
    ask(opened)
    while sum(len(one["files"]) for one in api(opened, "stages").json()["folders"]) < 13:
        pass
    return opened


def test_every_attempt_has_a_folder_that_leads_to_its_call(opened: Opened, visit: Visit, api: Api) -> None:
    found = api(opened, "stages").json()
    call = api(opened, "calls").json()["calls"][0]["id"]
    folders = {(one["call"], one["attempt"], len(one["files"])) for one in found["folders"]}
    assert (found["enabled"], folders) == (True, {(call[:8], 1, 6), (call[:8], 2, 7)})
    page = visit(opened, "logs")
    page.click("text=Stages")
    page.click(f"a:has-text('{call[:8]}') >> nth=0")
    page.wait_for_url(f"**/omniroute/calls/{call[:8]}")


def test_only_a_call_s_own_can_be_asked_for(opened: Opened, api: Api) -> None:
    call = api(opened, "calls").json()["calls"][0]["id"]
    of = [len(api(opened, "stages", call=name).json()["folders"]) for name in (call, call[:8], "0" * 8)]
    assert (of, len(api(opened, "stages", limit=1).json()["folders"])) == ([2, 2, 0], 1)


def test_a_file_is_a_download_without_keys(opened: Opened, api: Api) -> None:
    last = next(one for one in api(opened, "stages").json()["folders"] if one["attempt"] == 2)
    texts = [api(opened, f"stages/{last['name']}/{one['name']}") for one in last["files"]]
    assert {one.headers["content-disposition"].partition(";")[0] for one in texts} == {"attachment"}
    assert SCRIPT in texts[-1].text
    assert not any(CANARY in one.text for one in texts)


@pytest.mark.parametrize(
    "path, status",
    [
        ("a_b_c_20260101-000000-000-12345678-1/1_req_client.json", 404),
        ("a_b_c_20260101-000000-000-12345678-1/secret", 422),
        ("../1_req_client.json", 404),
        ("..%2Fhome/1_req_client.json", 422),
    ],
)
def test_nothing_else_of_the_disk_is_served(open_up: Open, api: Api, path: str, status: int) -> None:
    assert api(open_up("routes: []\n"), f"stages/{path}").status_code == status


def test_without_a_request_log_the_page_says_how_to_have_one(open_up: Open, visit: Visit) -> None:
    page = visit(open_up("routes: []\n"), "stages")
    assert "ENABLE_REQUEST_LOGS=true" in page.inner_text("main")


@pytest.mark.parametrize("language, theme, width", [("en", "light", 1280), ("ar", "dark", 390)])
def test_axe_finds_nothing_serious(
    opened: Opened, visit: Visit, serious: Callable[[object], list[str]], language: str, theme: str, width: int
) -> None:
    page = visit(opened, "stages", language=language, theme=theme, viewport={"width": width, "height": 800})
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
