"""Policies over real HTTP: who may use what, in each client's format; and what of a call they change."""

from collections.abc import Generator

import pytest

from tests.e2e.calls import HOSTS, ask, post, post_gateway, said_error, spoken
from tests.e2e.targets import targets
from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy, running

FORMS = tuple(HOSTS)
GATEWAY = ("anthropic-messages", "openai-chat", "openai-responses", "gemini")
ALICE, BOB = "key-of-alice-0123456789", "key-of-bob-01234567890"
RULES = f"""
keys: [{{name: alice, key: {ALICE}}}, {{name: bob, key: {BOB}}}]
combos: {{both: {{targets: [up-openai-chat/dear, up-gemini/cheap]}}}}
policies:
  - {{name: no-secret, deny: "secret*"}}
  - {{name: bob-is-cheap, match: {{key: bob}}, allow: "*/cheap"}}
  - {{name: short, match: {{key: bob}}, max_tokens: 50}}
"""


@pytest.fixture(scope="module")
def upstream() -> Generator[Provider]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def module_proxy(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    own = f"  anthropic: {{base_url: '{upstream.url('anthropic-messages')}'}}\n"
    with running(tmp_path_factory.mktemp("policies"), targets(up=upstream) + own + RULES) as proxy:
        yield proxy


@pytest.fixture
def proxy(module_proxy: Proxy, upstream: Provider) -> Proxy:
    upstream.forget()
    return module_proxy


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("form", FORMS)
def test_a_denied_call_of_a_tool_is_a_403_in_its_format(
    form: str, proxy: Proxy, upstream: Provider, *, stream: bool
) -> None:
    response = post(proxy, ask(form, "secret-model", stream=stream))
    assert response.status_code == 403
    assert "policy no-secret denies it" in said_error(form, response.json())
    assert not upstream.received


@pytest.mark.parametrize("form", GATEWAY)
def test_a_denied_call_at_the_gateway_is_one_too(form: str, proxy: Proxy, upstream: Provider) -> None:
    response = post_gateway(proxy, ask(form, "up-openai-chat/dear"), x_api_key=BOB)
    assert response.status_code == 403
    assert "policy bob-is-cheap allows only */cheap" in said_error(form, response.json())
    assert not upstream.received


@pytest.mark.parametrize("key, model", [(ALICE, "dear"), (BOB, "cheap")])
def test_a_policy_leaves_a_key_what_it_may_use(key: str, model: str, proxy: Proxy, upstream: Provider) -> None:
    response = post_gateway(proxy, ask("openai-chat", "both"), x_api_key=key)
    assert spoken("openai-chat", response) == "Hello from upstream"
    assert upstream.call.model == model


@pytest.mark.parametrize("key, limit", [(ALICE, 100), (BOB, 50)])
def test_a_policy_bounds_the_output(key: str, limit: int, proxy: Proxy, upstream: Provider) -> None:
    response = post_gateway(proxy, ask("anthropic-messages", "up-anthropic-messages/cheap"), x_api_key=key)
    assert response.status_code == 200
    assert upstream.call.json["max_tokens"] == limit


def test_what_no_policy_forbids_stays_untouched(proxy: Proxy, upstream: Provider) -> None:
    asked = ask("anthropic-messages", "open-model")
    assert spoken("anthropic-messages", post(proxy, asked)) == "Hello from upstream"
    assert upstream.call.body == asked.content
