"""What the rules change in a call and in its answer, over real HTTP: seen by the provider, and by the client."""

from collections.abc import Generator

import httpx
import pytest

from tests.e2e.calls import ask, post, post_gateway, spoken
from tests.e2e.targets import targets
from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy, running

CLIENTS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini")
TEXT = "Answer in the language of Goethe."
RULES = f"""
system_prompt: {{text: "{TEXT}", position: prepend}}
thinking: {{mode: passthrough, models: {{"*/thinker": {{mode: custom, budget: 2048}}}}}}
shaping: {{sanitize: true, progress: true}}
"""


@pytest.fixture(scope="module")
def upstream() -> Generator[Provider]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def module_proxy(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    own = f"  anthropic: {{base_url: '{upstream.url('anthropic-messages')}'}}\n"
    routes = "routes: [{match: {model: 'own*'}, to: origin}]\n"
    with running(tmp_path_factory.mktemp("shaping"), targets(up=upstream) + own + RULES + routes) as proxy:
        yield proxy


@pytest.fixture
def proxy(module_proxy: Proxy, upstream: Provider) -> Proxy:
    upstream.forget()
    return module_proxy


@pytest.mark.parametrize("up", CLIENTS)
@pytest.mark.parametrize("form", CLIENTS)
def test_the_system_prompt_reaches_every_format_once(form: str, up: str, proxy: Proxy, upstream: Provider) -> None:
    assert spoken(form, post_gateway(proxy, ask(form, f"up-{up}/m"))) == "Hello from upstream"
    assert upstream.call.body.count(TEXT.encode()) == 1


def test_the_tools_own_call_is_not_shaped(proxy: Proxy, upstream: Provider) -> None:
    asked = ask("anthropic-messages", "own-model")
    assert spoken("anthropic-messages", post(proxy, asked)) == "Hello from upstream"
    assert upstream.call.body == asked.content


@pytest.mark.parametrize("form", CLIENTS)
@pytest.mark.parametrize("model, budget", [("m", None), ("thinker", 2048)])
def test_the_thinking_budget_of_a_model_is_the_rules(
    form: str, model: str, budget: int | None, proxy: Proxy, upstream: Provider
) -> None:
    asked = ask(form, f"up-gemini/{model}")
    if "max_tokens" in asked.body:
        asked.body["max_tokens"] = 8000
    assert spoken(form, post_gateway(proxy, asked)) == "Hello from upstream"
    told = upstream.call.json.get("generationConfig", {}).get("thinkingConfig", {})
    assert bool(told.get("thinkingBudget") or told.get("thinkingLevel")) is (budget is not None)


@pytest.mark.parametrize("form", CLIENTS)
@pytest.mark.parametrize("asks", [{}, {"x-omniroute-progress": "true"}], ids=["not asked", "asked"])
def test_progress_is_told_to_who_asks_and_can_read_it(form: str, asks: dict[str, str], proxy: Proxy) -> None:
    response = post_gateway(proxy, ask(form, "up-openai-chat/m", stream=True), **asks)
    assert response.status_code == 200
    assert ("event: progress\n" in response.text) is (bool(asks) and form != "gemini")


def test_an_answer_that_is_passed_on_is_cleaned(proxy: Proxy) -> None:
    response: httpx.Response = post_gateway(proxy, ask("openai-chat", "up-openai-chat/m"))
    assert spoken("openai-chat", response) == "Hello from upstream"
    assert set(response.json()) <= {"id", "object", "created", "model", "choices", "usage", "system_fingerprint"}
