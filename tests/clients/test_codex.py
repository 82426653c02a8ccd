"""Codex, unmodified, through ``omniroute run``: each of its three dialects, with an API key and a ChatGPT login.

The model decides the dialect (see ``model``): the default one gets its tools as an input item whose only way to a shell
is a custom tool that takes JavaScript; gpt-5.5 has ordinary tools beside custom ones; an unknown model ordinary ones.
"""

import base64
import json
from pathlib import Path

import pytest

from tests.clients import launch, tools
from tests.clients.agent import FAULTS, agent
from tests.clients.launch import TO_ORIGIN, Tool, rerouted
from tests.clients.tools import CHATGPT_ACCOUNT
from tests.servers.answers import FORMATS
from tests.servers.provider import Provider

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]

MODELS = {"default": (), "gpt-5.5": ("-m", "gpt-5.5"), "unknown": ("-m", "some-unknown-model")}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def codex(clients: Path, provider: Provider, second: Provider, model: str) -> Tool:
    provider.otherwise = second.otherwise = agent
    return tools.codex(clients, *MODELS[model])


@pytest.fixture
def chatgpt(clients: Path, provider: Provider, second: Provider, model: str) -> Tool:
    provider.otherwise = second.otherwise = agent
    access, identity = _token("access"), _token("identity")
    tokens = {"id_token": identity, "access_token": access, "refresh_token": "rt-dummy", "account_id": CHATGPT_ACCOUNT}
    login = {"OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "2099-01-01T00:00:00Z"}
    files = {".codex/auth.json": json.dumps(login)}
    return tools.codex(clients, *MODELS[model], env={}, keys=(access, identity, CHATGPT_ACCOUNT), files=files)


def _token(subject: str) -> str:
    """A JWT that nobody has signed."""
    auth = {"chatgpt_account_id": CHATGPT_ACCOUNT, "chatgpt_plan_type": "plus", "chatgpt_user_id": "user-1"}
    claims = {
        "sub": subject,
        "email": "dev@example.com",
        "exp": 4_102_444_800,
        "https://api.openai.com/auth": auth,
    }
    parts = (json.dumps({"alg": "none", "typ": "JWT"}), json.dumps(claims), "unsigned")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize("rules", ["", TO_ORIGIN], ids=["no rule", "origin"])
def test_uses_its_own_provider(codex: Tool, tmp_path: Path, provider: Provider, rules: str) -> None:
    outcome = launch.run(codex, tmp_path, provider, rules)
    launch.check_own(outcome, codex, provider)


@pytest.mark.parametrize("form", FORMATS)
def test_is_rerouted(codex: Tool, tmp_path: Path, provider: Provider, second: Provider, form: str) -> None:
    outcome = launch.run(codex, tmp_path, provider, rerouted(second, form))
    launch.check_rerouted(outcome, codex, provider, second, form)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "first, then", [("openai-responses", "anthropic-messages"), ("openai-chat", "openai-responses")]
)
@pytest.mark.parametrize("model", ["default"], indirect=True)
def test_falls_back(
    codex: Tool, tmp_path: Path, provider: Provider, second: Provider, *, fault: str, first: str, then: str
) -> None:
    outcome = launch.run(codex, tmp_path, provider, rerouted(second, then, fault=fault, first=first))
    launch.check_fallback(outcome, codex, provider, second, form=then, fault=fault)


@pytest.mark.parametrize("rules", ["", TO_ORIGIN], ids=["no rule", "origin"])
@pytest.mark.parametrize("model", ["default"], indirect=True)
def test_chatgpt_login_uses_its_own_provider(chatgpt: Tool, tmp_path: Path, provider: Provider, rules: str) -> None:
    outcome = launch.run(chatgpt, tmp_path, provider, rules)
    launch.check_own(outcome, chatgpt, provider)
    assert {call.header("content-encoding") for call in provider.calls} == {"zstd"}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("model", ["default"], indirect=True)
def test_chatgpt_login_is_rerouted(
    chatgpt: Tool, tmp_path: Path, provider: Provider, second: Provider, form: str
) -> None:
    outcome = launch.run(chatgpt, tmp_path, provider, rerouted(second, form))
    launch.check_rerouted(outcome, chatgpt, provider, second, form)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("model", ["default"], indirect=True)
def test_chatgpt_login_falls_back(
    chatgpt: Tool, tmp_path: Path, provider: Provider, second: Provider, fault: str
) -> None:
    rules = rerouted(second, "openai-chat", fault=fault, first="openai-responses")
    outcome = launch.run(chatgpt, tmp_path, provider, rules)
    launch.check_fallback(outcome, chatgpt, provider, second, form="openai-chat", fault=fault)
