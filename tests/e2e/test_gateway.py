"""The gateway: the same calls at a base URL, model lists, and an unknown model in each client's own shape."""

from collections.abc import Generator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.calls import EVENT_STREAM, ask, post_gateway, said_error, spoken
from tests.e2e.targets import targets
from tests.servers.answers import FORMATS
from tests.servers.provider import Provider, serving
from tests.servers.proxy import Proxy, running

CLIENTS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini")


@pytest.fixture(scope="module")
def upstream() -> Generator[Provider]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def module_gateway(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Generator[Proxy]:
    config = (
        targets(up=upstream)
        + f"  named: {{format: openai-chat, base_url: '{upstream.url('openai-chat')}', auth: none, models: [qwen3-coder]}}\n"
        + "combos: {coding: {targets: [up-gemini/m, up-openai-chat/m]}}\n"
        + "aliases: {fast: up-anthropic-messages/small}\n"
    )
    with running(tmp_path_factory.mktemp("gateway"), config) as proxy:
        yield proxy


@pytest.fixture
def gateway(module_gateway: Proxy, upstream: Provider) -> Proxy:
    upstream.forget()
    return module_gateway


def _get(proxy: Proxy, path: str) -> Any:
    return httpx.get(proxy.gateway + path, trust_env=False).json()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("asked_by", CLIENTS)
def test_every_endpoint_reaches_every_format(
    asked_by: str, form: str, gateway: Proxy, upstream: Provider, *, stream: bool
) -> None:
    response = post_gateway(gateway, ask(asked_by, f"up-{form}/m", stream=stream))
    assert spoken(asked_by, response) == "Hello from upstream"
    assert (upstream.call.format, upstream.call.model) == (form, "m")


@pytest.mark.parametrize("name, model", [("coding", "m"), ("fast", "small"), ("named/qwen3-coder", "qwen3-coder")])
def test_combos_aliases_and_targets_are_model_names(name: str, model: str, gateway: Proxy, upstream: Provider) -> None:
    assert spoken("openai-chat", post_gateway(gateway, ask("openai-chat", name))) == "Hello from upstream"
    assert upstream.call.model == model


@pytest.mark.parametrize("asked_by", CLIENTS)
def test_stream_defaults_to_false(asked_by: str, gateway: Proxy) -> None:
    response = post_gateway(gateway, ask(asked_by, "up-openai-chat/m"))
    assert not response.headers["content-type"].startswith(EVENT_STREAM)


@pytest.mark.parametrize("asked_by", CLIENTS)
def test_an_unknown_model_is_a_404_that_names_near_ones(asked_by: str, gateway: Proxy, upstream: Provider) -> None:
    response = post_gateway(gateway, ask(asked_by, "codign"))
    assert response.status_code == 404
    assert "coding" in said_error(asked_by, response.json())
    assert not upstream.calls


def test_the_openai_sdk_raises_not_found(gateway: Proxy) -> None:
    client = openai.OpenAI(api_key="any", base_url=f"{gateway.gateway}/v1", max_retries=0)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="codign", input="Hi")


def test_the_anthropic_sdk_raises_not_found(gateway: Proxy) -> None:
    client = anthropic.Anthropic(api_key="any", base_url=gateway.gateway, max_retries=0)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="codign", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])


def test_the_model_list_names_models_combos_and_aliases(gateway: Proxy) -> None:
    names = {entry["id"] for entry in _get(gateway, "/v1/models")["data"]}
    assert {"named/qwen3-coder", "coding", "fast"} <= names


def test_the_openai_sdk_reads_the_model_list(gateway: Proxy) -> None:
    client = openai.OpenAI(api_key="any", base_url=f"{gateway.gateway}/v1", max_retries=0)
    assert "coding" in [model.id for model in client.models.list()]


def test_the_gemini_model_list(gateway: Proxy) -> None:
    models = {entry["name"]: entry for entry in _get(gateway, "/v1beta/models")["models"]}
    assert "generateContent" in models["models/coding"]["supportedGenerationMethods"]


def test_the_path_may_name_the_provider(gateway: Proxy, upstream: Provider) -> None:
    body = ask("openai-chat", "qwen3-coder").body
    address = f"{gateway.gateway}/v1/providers/named/chat/completions"
    response = httpx.post(address, json=body, trust_env=False)
    assert (response.status_code, upstream.call.model) == (200, "qwen3-coder")


@pytest.mark.parametrize("form, exact", [("anthropic-messages", True), ("openai-chat", False)])
def test_tokens_are_counted_upstream_or_estimated(form: str, exact: bool, gateway: Proxy) -> None:
    body = {"model": f"up-{form}/m", "messages": [{"role": "user", "content": "Count me, please."}]}
    response = httpx.post(f"{gateway.gateway}/v1/messages/count_tokens", json=body, trust_env=False)
    assert response.status_code == 200
    assert (response.json()["input_tokens"] == 42) is exact


@pytest.mark.parametrize("path, shape", [("/v1/nothing", "openai-chat"), ("/v1beta/nothing", "gemini")])
def test_a_path_that_nobody_serves_is_a_404(path: str, shape: str, gateway: Proxy) -> None:
    response = httpx.get(gateway.gateway + path, trust_env=False)
    assert response.status_code == 404
    assert path in said_error(shape, response.json())
