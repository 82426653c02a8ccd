"""What a newcomer's machine has: tools on PATH, their logins, and providers that a key is there for.

A login is looked for where the tool keeps it, and only for whether it is there. What lies in a system's keychain cannot be
seen, so a tool without a login *here* may well have one.
"""

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from omniroute_addon.accounts.vault import Vault, VaultError
from omniroute_addon.config import parse
from omniroute_addon.config.models import Provider
from omniroute_addon.environment import TOOLS, Tool


@dataclass(frozen=True, slots=True)
class Habits:
    """What the rules call a tool, and where it keeps its login."""

    client: str
    file: tuple[str, str, str] | None = None
    """A variable that names the folder, the folder in the home directory without it, and the file in either."""
    variables: tuple[str, ...] = ()
    """What it takes for a login."""
    stand_in: str | None = None
    """A variable with which, whatever it holds, the tool starts without a login of its own."""


HABITS: Mapping[str, Habits] = {
    "claude": Habits(
        "claude-code",
        ("CLAUDE_CONFIG_DIR", ".claude", ".credentials.json"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        "ANTHROPIC_API_KEY",
    ),
    "codex": Habits("codex", ("CODEX_HOME", ".codex", "auth.json"), ("CODEX_API_KEY",), "CODEX_API_KEY"),
    "gemini": Habits("gemini-cli", ("", ".gemini", "oauth_creds.json"), ("GEMINI_API_KEY",)),
    "qwen": Habits("qwen-code", ("", ".qwen", "oauth_creds.json"), ("OPENAI_API_KEY",)),
    "opencode": Habits("opencode", ("XDG_DATA_HOME", ".local/share", "opencode/auth.json")),
    "copilot": Habits("copilot", None, ("COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN")),
}
"""By command, for every tool of ``environment.TOOLS``."""

FIRST_MODEL: Mapping[str, str] = {
    "groq": "openai/gpt-oss-120b",
    "cerebras": "gpt-oss-120b",
    "nvidia": "qwen/qwen3-coder-480b-a35b-instruct",
    "openrouter": "qwen/qwen3-coder:free",
    "gemini": "gemini-3-flash-preview",
    "openai": "gpt-5",
}
"""What to begin with where the registry's first model is not the one for agents; as in ``config/recipes``."""

_TIERS = ("subscription", "cheap", "free", "api-key")
_AHEAD = ("glm", "kimi-coding", "minimax", "deepseek", "kimi", "openrouter", "groq")
"""What most people have; it comes first, whatever its tier."""


@dataclass(frozen=True, slots=True)
class ToolFound:
    tool: Tool
    client: str
    installed: bool
    login: str | None
    """Where its login was seen: a file's or a variable's name."""

    @property
    def command(self) -> str:
        """What starts it through the proxy."""
        return f"omniroute run -- {self.tool.command}"

    @property
    def without_login(self) -> str | None:
        """The same for somebody who has no login there; None where one was seen, or nothing stands in for it."""
        stand_in = HABITS[self.tool.command].stand_in
        return None if self.login is not None or stand_in is None else f"{stand_in}=none {self.command}"


@dataclass(frozen=True, slots=True)
class KeyFound:
    """A provider whose key is here, or could be."""

    provider: str
    title: str
    tier: str
    models: tuple[str, ...]
    """The one to begin with is the first."""
    words: tuple[str, ...]
    """What it goes by, besides its name."""
    variables: tuple[str, ...]
    """That may hold its key."""
    variable: str | None
    """The one that does."""
    vault: bool
    """Whether the vault has one under the provider's name."""

    def goes_by(self, word: str) -> bool:
        return word.lower() in (self.provider, self.title.lower(), *self.words)

    @property
    def there(self) -> bool:
        return self.vault or self.variable is not None

    @property
    def target(self) -> str:
        return f"{self.provider}/{self.models[0]}"

    @property
    def charges(self) -> bool:
        """By use, at full price: nobody should fall back to it unasked."""
        return self.tier == "api-key" and not self.target.endswith(":free")


@dataclass(frozen=True, slots=True)
class Machine:
    """What is here."""

    tools: tuple[ToolFound, ...]
    keys: tuple[KeyFound, ...]


def look(env: Mapping[str, str]) -> Machine:
    """What is here now, by the shipped registry, the environment and the vault."""
    try:
        kept = Vault().list()
    except (VaultError, OSError):
        kept = ()
    return Machine(tools(env), keys(parse(None, None, env={}).providers, env, kept))


def tools(env: Mapping[str, str]) -> tuple[ToolFound, ...]:
    """Every tool that we know, the installed ones first."""
    found = [
        ToolFound(
            tool,
            HABITS[tool.command].client,
            shutil.which(tool.command, path=env.get("PATH", os.defpath)) is not None,
            _login(HABITS[tool.command], env),
        )
        for tool in TOOLS
    ]
    return tuple(sorted(found, key=lambda one: not one.installed))


def keys(providers: Mapping[str, Provider], env: Mapping[str, str], vault: Collection[str]) -> tuple[KeyFound, ...]:
    """Every provider that takes a key and of which a model is known: those with a key first, then what most people have.

    ``vault`` has the names of its entries.
    """
    found = [
        KeyFound(
            provider=one.id,
            title=one.name,
            tier=one.tier,
            models=models,
            words=one.prefixes,
            variables=one.env,
            variable=next((name for name in one.env if env.get(name, "").strip()), None),
            vault=one.id in vault,
        )
        for one in providers.values()
        if one.env and one.enabled and (models := _models(one))
    ]
    return tuple(sorted(found, key=_rank))


def _models(provider: Provider) -> tuple[str, ...]:
    first = FIRST_MODEL.get(provider.id)
    names = [*([first] if first else []), *(one.name for one in provider.models if one.enabled)]
    return tuple(dict.fromkeys(names))


def _rank(one: KeyFound) -> tuple[bool, bool, int, int]:
    ahead = _AHEAD.index(one.provider) if one.provider in _AHEAD else len(_AHEAD)
    return not one.there, one.charges, ahead, _TIERS.index(one.tier)


def _login(habits: Habits, env: Mapping[str, str]) -> str | None:
    if habits.file is not None:
        variable, folder, name = habits.file
        home = Path(env.get("HOME") or Path.home())
        place = Path(env[variable]) if variable and env.get(variable) else home / folder
        if _is_file(place / name):
            return f"${variable}/{name}" if variable and env.get(variable) else f"~/{folder}/{name}"
    return next((variable for variable in habits.variables if env.get(variable, "").strip()), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
