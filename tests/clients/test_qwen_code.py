"""Qwen Code, unmodified, through ``omniroute run``."""

from pathlib import Path

import pytest

from tests.clients import launch, tools
from tests.clients.agent import FAULTS, agent
from tests.clients.launch import TO_ORIGIN, Tool, rerouted
from tests.servers.answers import FORMATS
from tests.servers.provider import Provider

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]


@pytest.fixture
def qwen(clients: Path, provider: Provider, second: Provider) -> Tool:
    provider.otherwise = second.otherwise = agent
    return tools.qwen(clients)


@pytest.mark.parametrize(
    "rules", [pytest.param("", id="no rule", marks=pytest.mark.every_cell), pytest.param(TO_ORIGIN, id="origin")]
)
def test_uses_its_own_provider(qwen: Tool, tmp_path: Path, provider: Provider, rules: str) -> None:
    outcome = launch.run(qwen, tmp_path, provider, rules)
    launch.check_own(outcome, qwen, provider)


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=() if form == "gemini" else pytest.mark.every_cell) for form in FORMATS]
)
def test_is_rerouted(qwen: Tool, tmp_path: Path, provider: Provider, second: Provider, form: str) -> None:
    outcome = launch.run(qwen, tmp_path, provider, rerouted(second, form))
    launch.check_rerouted(outcome, qwen, provider, second, form)


@pytest.mark.every_cell
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("first, then", [("openai-chat", "anthropic-messages"), ("gemini", "openai-chat")])
def test_falls_back(
    qwen: Tool, tmp_path: Path, provider: Provider, second: Provider, *, fault: str, first: str, then: str
) -> None:
    outcome = launch.run(qwen, tmp_path, provider, rerouted(second, then, fault=fault, first=first))
    launch.check_fallback(outcome, qwen, provider, second, form=then, fault=fault)
