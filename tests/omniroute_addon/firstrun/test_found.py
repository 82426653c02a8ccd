"""What is found on a machine that a test makes: tools on PATH, logins by their files, keys by their variables."""

from pathlib import Path

import pytest

from omniroute_addon.accounts.vault import Vault
from omniroute_addon.config import parse
from omniroute_addon.environment import TOOLS
from omniroute_addon.firstrun.found import FIRST_MODEL, HABITS, KeyFound, ToolFound, keys, look, tools

PROVIDERS = parse(None, None, env={}).providers
CANARY = "sk-canary-0123456789abcdef"


def install(directory: Path, *names: str) -> dict[str, str]:
    """The environment of somebody who has these."""
    for name in names:
        path = directory / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return {"PATH": str(directory / "bin"), "HOME": str(directory)}


def tool(found: tuple[ToolFound, ...], command: str) -> ToolFound:
    return next(one for one in found if one.tool.command == command)


def key(found: tuple[KeyFound, ...], provider: str) -> KeyFound:
    return next(one for one in found if one.provider == provider)


def test_every_known_tool_has_its_habits() -> None:
    assert {one.command for one in TOOLS} == set(HABITS)


def test_the_rules_know_every_tool_by_the_name_that_the_guide_gives_it() -> None:
    surfaces = parse(None, None, env={}).surfaces
    known = {one.client for one in surfaces.all} | {one.client for one in surfaces.clients}
    assert {one.client for one in HABITS.values()} <= known


def test_installed_tools_come_first(tmp_path: Path) -> None:
    found = tools(install(tmp_path, "qwen", "claude"))
    assert [(one.tool.command, one.installed) for one in found][:3] == [
        ("claude", True),
        ("qwen", True),
        ("codex", False),
    ]


@pytest.mark.parametrize(
    "command, file",
    [
        ("claude", ".claude/.credentials.json"),
        ("codex", ".codex/auth.json"),
        ("gemini", ".gemini/oauth_creds.json"),
        ("qwen", ".qwen/oauth_creds.json"),
        ("opencode", ".local/share/opencode/auth.json"),
    ],
)
def test_a_login_is_seen_by_its_file_alone(tmp_path: Path, command: str, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(CANARY)
    path.chmod(0)  # it need not be readable
    found = tools(install(tmp_path))
    assert tool(found, command).login == f"~/{file}"
    assert CANARY not in repr(found)


def test_a_login_is_looked_for_where_the_tool_was_told_to_keep_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "auth.json").touch()
    env = {**install(tmp_path), "CODEX_HOME": str(tmp_path / "elsewhere")}
    assert tool(tools(env), "codex").login == "$CODEX_HOME/auth.json"


def test_a_key_of_the_tool_itself_is_a_login_named_by_its_variable(tmp_path: Path) -> None:
    found = tools({**install(tmp_path), "ANTHROPIC_API_KEY": CANARY})
    assert (tool(found, "claude").login, CANARY in repr(found)) == ("ANTHROPIC_API_KEY", False)


def test_a_tool_that_starts_with_any_key_says_so_where_no_login_was_seen(tmp_path: Path) -> None:
    found = tools(install(tmp_path))
    assert tool(found, "claude").without_login == "ANTHROPIC_API_KEY=none omniroute run -- claude"
    assert tool(found, "gemini").without_login is None
    assert tool(tools({**install(tmp_path), "ANTHROPIC_API_KEY": CANARY}), "claude").without_login is None


def test_a_provider_goes_by_its_prefixes_and_its_title() -> None:
    found = key(keys(PROVIDERS, {}, ()), "glm")
    assert [found.goes_by(word) for word in ("glm", "zai", "glm (Z.AI)", "openai")] == [True, True, True, False]


def test_a_machine_with_nothing_has_no_login(tmp_path: Path) -> None:
    assert [one.login for one in tools(install(tmp_path))] == [None] * len(TOOLS)


def test_a_key_is_known_by_the_name_of_its_variable() -> None:
    found = keys(PROVIDERS, {"ZAI_API_KEY": CANARY, "DEEPSEEK_API_KEY": "  "}, ())
    assert (key(found, "glm").variable, key(found, "glm").there) == ("ZAI_API_KEY", True)
    assert (key(found, "deepseek").there, CANARY in repr(found)) == (False, False)


def test_a_key_in_the_vault_is_one_of_the_provider_s_name() -> None:
    found = keys(PROVIDERS, {}, ("deepseek", "glm-spare"))
    assert [one.provider for one in found if one.there] == ["deepseek"]


def test_what_is_there_comes_first_and_what_charges_last() -> None:
    found = keys(PROVIDERS, {"OPENAI_API_KEY": CANARY, "GROQ_API_KEY": CANARY, "GLM_API_KEY": CANARY}, ())
    assert [one.provider for one in found][:3] == ["glm", "groq", "openai"]
    assert next(one.provider for one in keys(PROVIDERS, {}, ())) == "glm"


def test_only_a_free_model_makes_a_provider_that_charges_harmless() -> None:
    found = keys(PROVIDERS, {}, ())
    assert {name: key(found, name).charges for name in ("openrouter", "openai", "glm")} == {
        "openrouter": False,
        "openai": True,
        "glm": False,
    }


def test_every_provider_that_is_offered_has_a_model_and_a_variable() -> None:
    found = keys(PROVIDERS, {}, ())
    assert len(found) > 15
    assert [one.provider for one in found if not one.models or not one.variables] == []
    assert {one.provider for one in found} >= set(FIRST_MODEL)


def test_a_vault_that_cannot_be_read_has_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIROUTE_HOME", str(tmp_path))
    Vault().set("glm", CANARY)
    assert key(look({}).keys, "glm").vault
    for path in tmp_path.rglob("vault*.json"):
        path.write_text("no vault")
    assert not key(look({}).keys, "glm").vault
