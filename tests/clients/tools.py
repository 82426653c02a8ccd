"""The five tools, each as it is started for a small task and logged in with a key. No pytest: tests.pages uses it, too."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.clients.launch import Tool

ANTHROPIC_KEY = "sk-ant-api03-dummy-of-the-client"
OPENAI_KEY = "sk-proj-dummy-of-the-client"
GEMINI_KEY = "AIzaSy-dummy-of-the-client"
DASHSCOPE_KEY = "sk-dashscope-dummy-of-the-client"
CHATGPT_ACCOUNT = "7c9d1c1e-account-of-the-client"
OPENCODE_LOGINS = {
    "anthropic-messages": ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY", ANTHROPIC_KEY),
    "openai-responses": ("openai/gpt-5.2", "OPENAI_API_KEY", OPENAI_KEY),
    "gemini": ("google/gemini-2.5-pro", "GOOGLE_GENERATIVE_AI_API_KEY", GEMINI_KEY),
}
"""By the format that opencode then speaks."""
_CODEX_CONFIG = "check_for_update_on_startup = false\n"
_GEMINI_QUIET = {"privacy": {"usageStatisticsEnabled": False}, "general": {"enableAutoUpdate": False}}
_NOTHING: Mapping[str, str] = MappingProxyType({})


def claude(clients: Path) -> Tool:
    return Tool(
        command=(str(clients / "claude"), "-p", "Read the note", "--dangerously-skip-permissions"),
        format="anthropic-messages",
        # IS_SANDBOX: as root it takes --dangerously-skip-permissions only then.
        env={"ANTHROPIC_API_KEY": ANTHROPIC_KEY, "IS_SANDBOX": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
        keys=(ANTHROPIC_KEY,),
        files={},
        sides={},
    )


def codex(
    clients: Path,
    *model: str,
    env: Mapping[str, str] = MappingProxyType({"CODEX_API_KEY": OPENAI_KEY}),
    keys: tuple[str, ...] = (OPENAI_KEY,),
    files: Mapping[str, str] = _NOTHING,
) -> Tool:
    """``model``: the options that choose one."""
    options = ("--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check", *model)
    place = {
        "id": CHATGPT_ACCOUNT,
        "workspace_backend_origin": "NO_CONSTRAINT",
        "account_routing_override": "NO_CONSTRAINT",
    }
    return Tool(
        command=(str(clients / "codex"), "exec", *options, "Read the note"),
        format="openai-responses",
        env=env,
        keys=keys,
        files={".codex/config.toml": _CODEX_CONFIG, **files},
        sides={"/backend-api/wham/accounts/check": {"accounts": [place]}},
    )


def gemini(
    clients: Path,
    form: str = "gemini",
    *,
    login: str = "gemini-api-key",
    env: Mapping[str, str] = MappingProxyType({"GEMINI_API_KEY": GEMINI_KEY}),
    keys: tuple[str, ...] = (GEMINI_KEY,),
    files: Mapping[str, str] = _NOTHING,
    sides: Mapping[str, object] = MappingProxyType({}),
) -> Tool:
    settings = {**_GEMINI_QUIET, "security": {"auth": {"selectedType": login}}}
    return Tool(
        command=(str(clients / "gemini"), "-p", "Read the note", "--yolo"),
        format=form,
        env={"GEMINI_CLI_TRUST_WORKSPACE": "true", **env},
        keys=keys,
        files={".gemini/settings.json": json.dumps(settings), **files},
        sides=sides,
    )


def qwen(clients: Path) -> Tool:
    return Tool(
        command=(str(clients / "qwen"), "--yolo", "--auth-type", "openai", "Read the note"),
        format="openai-chat",
        env={"OPENAI_API_KEY": DASHSCOPE_KEY, "OPENAI_MODEL": "qwen3-coder-plus"},
        keys=(DASHSCOPE_KEY,),
        files={},
        sides={},
    )


def opencode(clients: Path, speaks: str) -> Tool:
    model, variable, key = OPENCODE_LOGINS[speaks]
    return Tool(
        command=(str(clients / "opencode"), "run", "--auto", "-m", model, "Read the note"),
        format=speaks,
        env={variable: key},
        keys=(key,),
        files={},
        sides={},
    )
