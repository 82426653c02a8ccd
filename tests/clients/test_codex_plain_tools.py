"""Codex's default model with ``codex: {plain_tools: true}``: the list it fetches gives it ordinary tools."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients import launch
from tests.clients.agent import Tool as Offered
from tests.clients.agent import tools
from tests.clients.launch import TO_ORIGIN, Tool
from tests.clients.test_codex import chatgpt as chatgpt  # noqa: PLC0414 -- a fixture
from tests.clients.test_codex import model as model  # noqa: PLC0414 -- a fixture
from tests.servers.provider import Provider

pytestmark = [
    pytest.mark.client,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("model", ["default"], indirect=True),
]


@pytest.fixture
def listed(chatgpt: Tool, tmp_path: Path) -> Tool:
    """With the list that Codex brings along served as the provider's."""
    home = tmp_path / "catalog"
    home.mkdir()
    command = [chatgpt.command[0], "debug", "models"]
    shown = subprocess.run(command, env={"HOME": str(home)}, capture_output=True, check=True, timeout=60).stdout
    return replace(chatgpt, sides={**chatgpt.sides, "/backend-api/codex/models": json.loads(shown)})


def _offered(provider: Provider) -> list[Offered]:
    return list(tools("openai-responses", provider.calls[0].json))


def test_without_the_option_its_only_tool_takes_javascript(listed: Tool, tmp_path: Path, provider: Provider) -> None:
    outcome = launch.run(listed, tmp_path, provider, TO_ORIGIN)
    launch.check_own(outcome, listed, provider)
    assert "tools" not in provider.calls[0].json
    assert Offered("exec", "custom", "functions") in _offered(provider)


def test_with_the_option_it_sends_functions(listed: Tool, tmp_path: Path, provider: Provider) -> None:
    outcome = launch.run(listed, tmp_path, provider, TO_ORIGIN + "codex: {plain_tools: true}\n")
    launch.check_own(outcome, listed, provider)
    assert {tool["type"] for tool in provider.calls[0].json["tools"]} >= {"function", "custom"}
    assert "exec_command" in {tool.own_name for tool in _offered(provider)}
