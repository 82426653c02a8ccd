"""Claude Code, unmodified, through ``omniroute run``."""

from pathlib import Path

import pytest

from tests.clients import launch, tools
from tests.clients.agent import FAULTS, agent
from tests.clients.launch import TO_ORIGIN, Tool, rerouted
from tests.servers.answers import FORMATS
from tests.servers.provider import Provider

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]


@pytest.fixture
def claude(clients: Path, provider: Provider, second: Provider) -> Tool:
    provider.otherwise = second.otherwise = agent
    return tools.claude(clients)


@pytest.mark.parametrize("rules", ["", TO_ORIGIN], ids=["no rule", "origin"])
def test_uses_its_own_provider(claude: Tool, tmp_path: Path, provider: Provider, rules: str) -> None:
    outcome = launch.run(claude, tmp_path, provider, rules)
    launch.check_own(outcome, claude, provider)


@pytest.mark.parametrize("form", FORMATS)
def test_is_rerouted(claude: Tool, tmp_path: Path, provider: Provider, second: Provider, form: str) -> None:
    outcome = launch.run(claude, tmp_path, provider, rerouted(second, form))
    launch.check_rerouted(outcome, claude, provider, second, form)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("first, then", [("anthropic-messages", "openai-chat"), ("openai-responses", "gemini")])
def test_falls_back(
    claude: Tool, tmp_path: Path, provider: Provider, second: Provider, *, fault: str, first: str, then: str
) -> None:
    outcome = launch.run(claude, tmp_path, provider, rerouted(second, then, fault=fault, first=first))
    launch.check_fallback(outcome, claude, provider, second, form=then, fault=fault)


def test_subscription_login_is_rerouted(claude: Tool, tmp_path: Path, provider: Provider, second: Provider) -> None:
    token = "sk-ant-oat01-dummy-of-the-client"
    login = Tool(
        command=claude.command,
        format=claude.format,
        env={**claude.env, "ANTHROPIC_API_KEY": ""},
        keys=(token,),
        files={
            ".claude/.credentials.json": f'{{"claudeAiOauth":{{"accessToken":"{token}","refreshToken":"sk-ant-ort01-x",'
            '"expiresAt":4102444800000,"scopes":["user:inference","user:profile"],"subscriptionType":"max"}}'
        },
        sides={},
    )
    outcome = launch.run(login, tmp_path, provider, rerouted(second, "openai-chat"))
    launch.check_rerouted(outcome, login, provider, second, "openai-chat")
