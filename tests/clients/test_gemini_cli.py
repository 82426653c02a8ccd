"""Gemini CLI, unmodified, through ``omniroute run``: with an API key and with a Google login."""

import json
from pathlib import Path

import pytest

from tests.clients import launch, tools
from tests.clients.agent import FAULTS, agent
from tests.clients.launch import TO_ORIGIN, Tool, rerouted
from tests.servers.answers import FORMATS
from tests.servers.provider import Provider

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]

ACCESS_TOKEN = "ya29.dummy-of-the-client"
PROJECT = "project-of-the-client"


@pytest.fixture
def gemini(clients: Path, provider: Provider, second: Provider) -> Tool:
    provider.otherwise = second.otherwise = agent
    return tools.gemini(clients)


@pytest.fixture
def google_login(clients: Path, provider: Provider, second: Provider) -> Tool:
    provider.otherwise = second.otherwise = agent
    creds = {
        "access_token": ACCESS_TOKEN,
        "refresh_token": "1//refresh-dummy",
        "token_type": "Bearer",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "expiry_date": 4_102_444_800_000,
    }
    files = {
        ".gemini/oauth_creds.json": json.dumps(creds),
        ".gemini/google_accounts.json": json.dumps({"active": "dev@example.com", "old": []}),
    }
    tier = {"id": "free-tier", "name": "Gemini Code Assist for individuals"}
    sides: dict[str, object] = {
        "/tokeninfo": {"scope": creds["scope"], "expires_in": 3600},
        "/v1internal:loadCodeAssist": {"currentTier": tier, "cloudaicompanionProject": PROJECT},
        "/v1internal:listExperiments": {"experimentIds": [], "flags": []},
        "/v1internal:retrieveUserQuota": {"buckets": []},
    }
    return tools.gemini(
        clients, "gemini-cli", login="oauth-personal", env={}, keys=(ACCESS_TOKEN,), files=files, sides=sides
    )


@pytest.mark.parametrize("rules", ["", TO_ORIGIN], ids=["no rule", "origin"])
def test_uses_its_own_provider(gemini: Tool, tmp_path: Path, provider: Provider, rules: str) -> None:
    outcome = launch.run(gemini, tmp_path, provider, rules)
    launch.check_own(outcome, gemini, provider)


@pytest.mark.parametrize("form", FORMATS)
def test_is_rerouted(gemini: Tool, tmp_path: Path, provider: Provider, second: Provider, form: str) -> None:
    outcome = launch.run(gemini, tmp_path, provider, rerouted(second, form))
    launch.check_rerouted(outcome, gemini, provider, second, form)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("first, then", [("gemini", "openai-responses"), ("anthropic-messages", "openai-chat")])
def test_falls_back(
    gemini: Tool, tmp_path: Path, provider: Provider, second: Provider, *, fault: str, first: str, then: str
) -> None:
    outcome = launch.run(gemini, tmp_path, provider, rerouted(second, then, fault=fault, first=first))
    launch.check_fallback(outcome, gemini, provider, second, form=then, fault=fault)


@pytest.mark.parametrize("rules", ["", TO_ORIGIN], ids=["no rule", "origin"])
def test_google_login_uses_its_own_provider(google_login: Tool, tmp_path: Path, provider: Provider, rules: str) -> None:
    outcome = launch.run(google_login, tmp_path, provider, rules)
    launch.check_own(outcome, google_login, provider)


@pytest.mark.parametrize("form", FORMATS)
def test_google_login_is_rerouted(
    google_login: Tool, tmp_path: Path, provider: Provider, second: Provider, form: str
) -> None:
    outcome = launch.run(google_login, tmp_path, provider, rerouted(second, form))
    launch.check_rerouted(outcome, google_login, provider, second, form)


@pytest.mark.parametrize("fault", FAULTS)
def test_google_login_falls_back(
    google_login: Tool, tmp_path: Path, provider: Provider, second: Provider, fault: str
) -> None:
    rules = rerouted(second, "anthropic-messages", fault=fault, first="gemini-cli")
    outcome = launch.run(google_login, tmp_path, provider, rules)
    launch.check_fallback(outcome, google_login, provider, second, form="anthropic-messages", fault=fault)


def test_runs_with_a_proxy_of_its_own(gemini: Tool, tmp_path: Path, provider: Provider, second: Provider) -> None:
    outcome = launch.run_alone(gemini, tmp_path, provider, rerouted(second, "openai-chat"))
    launch.check_rerouted(outcome, gemini, provider, second, "openai-chat")
