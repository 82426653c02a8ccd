"""Claude Code with every kind of bypass on: it works as ever, and its provider sees turns of the user alone."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients import launch
from tests.clients.agent import NOTE, agent, results
from tests.clients.launch import CALLS, TOKEN, Tool, rerouted
from tests.clients.terminal import show
from tests.servers.provider import Provider
from tests.servers.proxy import running

pytestmark = [pytest.mark.client, pytest.mark.timeout(600)]

BYPASS = "bypass: {warmup: true, titles: true, quota_probe: true, count_tokens: true}\n"
API_KEY = "sk-ant-api03-dummy-of-the-client"


@pytest.fixture
def claude(clients: Path, provider: Provider, second: Provider) -> Tool:
    provider.otherwise = second.otherwise = agent
    return Tool(
        command=(str(clients / "claude"), "-p", "Read the note", "--dangerously-skip-permissions"),
        format="anthropic-messages",
        env={"ANTHROPIC_API_KEY": API_KEY, "IS_SANDBOX": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
        keys=(API_KEY,),
        files={},
        sides={},
    )


def _all_turns(provider: Provider) -> bool:
    return all(call.json.get("tools") for call in provider.calls)


def test_with_its_own_provider(claude: Tool, tmp_path: Path, provider: Provider) -> None:
    outcome = launch.run(claude, tmp_path, provider, BYPASS)
    launch.check_own(outcome, claude, provider)
    assert _all_turns(provider)


def test_rerouted(claude: Tool, tmp_path: Path, provider: Provider, second: Provider) -> None:
    outcome = launch.run(claude, tmp_path, provider, rerouted(second, "openai-chat") + BYPASS)
    launch.check_rerouted(outcome, claude, provider, second, "openai-chat")
    assert _all_turns(second)


def test_in_a_terminal_title_and_quota_probe_are_answered_here(
    clients: Path, tmp_path: Path, provider: Provider
) -> None:
    provider.otherwise = agent
    home, work, place = tmp_path / "home", tmp_path / "work", tmp_path / "proxy"
    for directory in (home / ".claude", work, place):
        directory.mkdir(parents=True)
    (work / NOTE).write_text(f"{TOKEN}\n")
    (home / ".claude.json").write_text(json.dumps(_known(work)))
    (home / ".claude" / ".credentials.json").write_text(json.dumps(LOGIN))
    mapped = f';~u ^https & !~u "{CALLS}";^https://[^/]+;{provider.url()}/side'
    rules = launch._own(provider) + BYPASS
    command = (str(clients / "claude"), "--dangerously-skip-permissions", "Read the note")

    def done() -> bool:
        return any(results("anthropic-messages", call.json) for call in provider.calls)

    with running(place, rules, options=(f"map_remote={mapped}",)) as proxy:
        show(command, proxy, {"HOME": str(home), "IS_SANDBOX": "1", "ANTHROPIC_API_KEY": ""}, work, done)
        assert proxy.stop() == 0
        with closing(sqlite3.connect(proxy.home / "ledger.db")) as books:
            found = set(books.execute("SELECT route, outcome, status FROM exchanges"))
    assert {("bypass.titles", "bypassed", 200), ("bypass.quota_probe", "bypassed", 200)} <= found
    assert _all_turns(provider)


LOGIN = {
    "claudeAiOauth": {
        "accessToken": "sk-ant-oat01-dummy",
        "refreshToken": "sk-ant-ort01-dummy",
        "expiresAt": 4102444800000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
}


def _known(work: Path) -> dict[str, object]:
    """The settings of somebody who has answered all first questions."""
    return {
        "hasCompletedOnboarding": True,
        "lastOnboardingVersion": "2.1.0",
        "theme": "dark",
        "bypassPermissionsModeAccepted": True,
        "projects": {str(work): {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}},
    }
