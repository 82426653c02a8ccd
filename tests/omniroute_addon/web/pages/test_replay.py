"""Asking again: by the rules and of chosen targets, with progress, cancel and what changed."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.omniroute_addon.web.conftest import Visit
from tests.servers.answers import Answer
from tests.servers.faults import server_error
from tests.servers.provider import Provider
from tests.servers.steps import Gate, Say, says
from tests.web.conftest import Open, Opened
from tests.web.test_mitmweb import ask, rules

type Api = Callable[..., httpx.Response]


@pytest.fixture
def asked(open_up: Open, provider: Provider, second: Provider) -> Opened:
    """A call that glm has answered with: I see a cat."""
    provider.script(says("I see a cat."))
    opened = open_up(rules(provider, second))
    ask(opened)
    return opened


def newest(opened: Opened, api: Api) -> str:
    return api(opened, "calls").json()["calls"][0]["id"]


def ended(opened: Opened, api: Api, name: str) -> dict[str, Any]:
    while (shown := api(opened, f"replays/{name}").json())["running"]:
        pass
    return shown


def test_answers_of_several_targets_stand_side_by_side(
    asked: Opened, provider: Provider, second: Provider, visit: Visit, api: Api
) -> None:
    provider.script(says("I see a cat."))
    second.script(says("I see a dog."))
    page = visit(asked, f"calls/{newest(asked, api)}")
    page.check("input[value='local/qwen3-coder']")
    page.click("#again button")
    page.wait_for_url("**/omniroute/replays/*")
    page.wait_for_selector("#runs[data-running='']")
    assert page.inner_text("#progress") == "2 of 2 done"
    assert page.locator("del").all_text_contents() == ["gone: cat"]
    assert page.locator("ins").all_text_contents() == ["new: dog"]
    assert "The same words as then." in page.inner_text("#runs")
    assert second.calls[-1].model == "qwen3-coder"


def test_the_keys_of_the_first_call_go_with_it_and_are_shown_nowhere(
    asked: Opened, provider: Provider, api: Api, visit: Visit
) -> None:
    provider.script(says("Mine."))
    started = api(asked, f"calls/{newest(asked, api)}/replays", "POST", {"rules": False, "targets": ["origin"]})
    assert started.status_code == 201
    shown = ended(asked, api, started.json()["id"])
    assert (shown["runs"][0]["state"], provider.calls[-1].header("x-api-key")) == ("done", "sk-tool")
    page = visit(asked, f"replays/{shown['id']}")
    assert "sk-tool" not in page.content() + started.text + str(shown)


def test_a_replay_is_a_call_with_its_own_page_and_bodies(asked: Opened, provider: Provider, api: Api) -> None:
    provider.script(says("Again."))
    started = api(asked, f"calls/{newest(asked, api)}/replays", "POST", {"targets": []}).json()
    shown = ended(asked, api, started["id"])
    detail = api(asked, f"calls/{shown['runs'][0]['call']['id']}").json()
    assert [body["side"] for body in detail["bodies"]] == [
        "client_request",
        "upstream_request",
        "upstream_answer",
        "client_answer",
    ]
    assert detail["bodies"][3]["talk"]["turns"][0]["pieces"][0]["text"] == "Again."


def test_what_runs_can_be_cancelled(asked: Opened, second: Provider, visit: Visit, api: Api) -> None:
    gate = Gate()
    second.script(Say(Answer(pieces=("Never",)), gates={0: gate}))
    body = {"rules": False, "targets": ["local/slow"]}
    started = api(asked, f"calls/{newest(asked, api)}/replays", "POST", body).json()
    gate.wait_reached()
    page = visit(asked, f"replays/{started['id']}")
    page.wait_for_selector(".mark.running")
    page.click("#cancel")
    page.wait_for_selector(".mark.cancelled")
    page.wait_for_selector("#runs[data-running='']")
    gate.open()


def test_a_failure_is_shown_as_such(asked: Opened, second: Provider, api: Api) -> None:
    second.script(server_error("openai-chat"))
    body = {"rules": False, "targets": ["local/broken"]}
    started = api(asked, f"calls/{newest(asked, api)}/replays", "POST", body).json()
    run = ended(asked, api, started["id"])["runs"][0]
    assert (run["state"], run["call"]["marks"], run["talk"]["turns"][0]["pieces"][0]["kind"]) == (
        "failed",
        ["failed"],
        "error",
    )


@pytest.mark.parametrize(
    "body, status",
    [
        ({"rules": False}, 409),
        ({"targets": ["nobody/m"]}, 404),
        ({"targets": ["glm/m"] * 40}, 422),
        ({"target": "glm/m"}, 422),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: Opened, api: Api, body: dict[str, object], status: int) -> None:
    assert api(asked, f"calls/{newest(asked, api)}/replays", "POST", body).status_code == status


def test_trouble_is_told_on_the_page(asked: Opened, visit: Visit, api: Api) -> None:
    page = visit(asked, f"calls/{newest(asked, api)}")
    page.uncheck("input[name=rules]")
    page.fill("input[name=others]", " ")
    page.evaluate("() => { window.ask = async () => { throw new Error('nothing to ask') } }")
    page.click("#again button")
    page.wait_for_selector("#trouble:has-text('nothing to ask')")


@pytest.mark.parametrize("language, theme, width", [("en", "light", 1280), ("ar", "dark", 1280), ("de", "dark", 390)])
def test_axe_finds_nothing_serious(
    asked: Opened,
    second: Provider,
    visit: Visit,
    api: Api,
    serious: Callable[[Any], list[str]],
    language: str,
    theme: str,
    width: int,
) -> None:
    second.script(says("I see a dog."))
    body = {"rules": False, "targets": ["local/m"]}
    name = api(asked, f"calls/{newest(asked, api)}/replays", "POST", body).json()["id"]
    ended(asked, api, name)
    page = visit(asked, f"replays/{name}", language=language, theme=theme, viewport={"width": width, "height": 800})
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
