"""opencode, unmodified, through ``omniroute run``: with the providers behind whose formats it speaks."""

from pathlib import Path

import pytest

from tests.clients import launch, tools
from tests.clients.agent import FAULTS, agent
from tests.clients.launch import TO_ORIGIN, Tool, rerouted
from tests.servers.answers import FORMATS
from tests.servers.provider import Provider

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]


@pytest.fixture(params=tools.OPENCODE_LOGINS)
def speaks(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def opencode(clients: Path, provider: Provider, second: Provider, speaks: str) -> Tool:
    provider.otherwise = second.otherwise = agent
    return tools.opencode(clients, speaks)


@pytest.mark.parametrize(
    "rules", [pytest.param("", id="no rule", marks=pytest.mark.every_cell), pytest.param(TO_ORIGIN, id="origin")]
)
def test_uses_its_own_provider(opencode: Tool, tmp_path: Path, provider: Provider, rules: str) -> None:
    outcome = launch.run(opencode, tmp_path, provider, rules)
    launch.check_own(outcome, opencode, provider)


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=() if form == "gemini" else pytest.mark.every_cell) for form in FORMATS]
)
@pytest.mark.parametrize("speaks", ["anthropic-messages"], indirect=True)
def test_is_rerouted(opencode: Tool, tmp_path: Path, provider: Provider, second: Provider, form: str) -> None:
    outcome = launch.run(opencode, tmp_path, provider, rerouted(second, form))
    launch.check_rerouted(outcome, opencode, provider, second, form)


@pytest.mark.every_cell
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("first, then", [("anthropic-messages", "openai-chat"), ("openai-responses", "gemini")])
@pytest.mark.parametrize("speaks", ["anthropic-messages"], indirect=True)
def test_falls_back(
    opencode: Tool, tmp_path: Path, provider: Provider, second: Provider, *, fault: str, first: str, then: str
) -> None:
    outcome = launch.run(opencode, tmp_path, provider, rerouted(second, then, fault=fault, first=first))
    launch.check_fallback(outcome, opencode, provider, second, form=then, fault=fault)
