"""Which environment variables bring which tool to the proxy, and which of its habits a user should know. Pure.

Only variables of one child process are set; nobody's files are edited. Observed with real tools:

* every tool follows ``HTTPS_PROXY``; providers speak https only, so ``HTTP_PROXY`` is left alone (with it, Codex sends
  its own loopback MCP calls through the proxy);
* Node tools and Claude Code add ``NODE_EXTRA_CA_CERTS`` to their trust store, Codex adds ``CODEX_CA_CERTIFICATE``;
* ``SSL_CERT_FILE``, ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` *replace* the trust store, also of git and curl that a
  tool starts: they get a full bundle, never our CA alone;
* an entry of ``NO_PROXY`` that holds a provider host would bypass the proxy silently: it is taken out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

type Shell = Literal["bash", "zsh", "fish", "powershell"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Tool:
    """One CLI that we know."""

    command: str
    """The name of its executable."""
    title: str
    trust: tuple[str, ...]
    """The variables through which it learns our CA; one of them is enough."""
    notes: tuple[str, ...] = ()


TOOLS = (
    Tool(
        "claude",
        "Claude Code",
        ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"),
        ("NODE_EXTRA_CA_CERTS in ~/.claude/settings.json is ignored: it must be set before Claude Code starts.",),
    ),
    Tool(
        "codex",
        "Codex",
        ("CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"),
        (
            "OPENAI_API_KEY is not read from the environment: use CODEX_API_KEY or `codex login`.",
            "Its background `codex app-server` keeps the environment it was started with.",
        ),
    ),
    Tool("gemini", "Gemini CLI", ("NODE_EXTRA_CA_CERTS",), ("Headless runs need GEMINI_CLI_TRUST_WORKSPACE=true.",)),
    Tool("qwen", "Qwen Code", ("NODE_EXTRA_CA_CERTS",)),
    Tool(
        "opencode",
        "opencode",
        ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"),
        ("Its Google provider needs GOOGLE_GENERATIVE_AI_API_KEY; GEMINI_API_KEY is not read.",),
    ),
    Tool("copilot", "Copilot CLI", ("NODE_EXTRA_CA_CERTS",)),
)

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")
BYPASS_VARIABLES = ("NO_PROXY", "no_proxy")
ADDED_TRUST = ("NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE")
REPLACED_TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def proxy_address(url: str, key: str | None) -> str:
    """The proxy's address for a tool on this machine: one that can be dialled, with the key that the proxy asks for."""
    parts = urlsplit(url)
    host = {"0.0.0.0": LOOPBACK[0], "::": f"[{LOOPBACK[2]}]"}.get(parts.hostname or "")  # noqa: S104 -- not bound here
    place = parts.netloc if host is None else f"{host}:{parts.port}"
    return parts._replace(netloc=f"omniroute:{quote(key, safe='')}@{place}" if key else place).geturl()


def variables(
    proxy_url: str, *, ca_cert: Path, bundle: Path, base_env: Mapping[str, str], hosts: Iterable[str] = ()
) -> dict[str, str]:
    """What must be set, beside ``base_env``, so that a child's LLM calls come through the proxy and trust it.

    ``ca_cert`` is added to trust stores, ``bundle`` replaces them (``ca.addition`` and ``ca.bundle``); ``hosts`` are the
    surface hosts, which no ``NO_PROXY`` entry may bypass.
    """
    bypass = no_proxy(base_env, hosts)
    return {
        **dict.fromkeys(PROXY_VARIABLES, proxy_url),
        **dict.fromkeys(BYPASS_VARIABLES, bypass),
        **dict.fromkeys(ADDED_TRUST, str(ca_cert)),
        **dict.fromkeys(REPLACED_TRUST, str(bundle)),
    }


def no_proxy(env: Mapping[str, str], hosts: Iterable[str] = ()) -> str:
    """The user's ``NO_PROXY`` with loopback added and without the entries that would bypass a surface."""
    surface_hosts = tuple(hosts)
    kept = [entry for entry in no_proxy_entries(env) if not any(bypasses(entry, host) for host in surface_hosts)]
    return ",".join(dict.fromkeys((*kept, *LOOPBACK)))


def bypassing(env: Mapping[str, str], hosts: Iterable[str]) -> tuple[str, ...]:
    """The entries of ``NO_PROXY`` that keep calls to one of ``hosts`` away from the proxy."""
    surface_hosts = tuple(hosts)
    return tuple(entry for entry in no_proxy_entries(env) if any(bypasses(entry, host) for host in surface_hosts))


def bypasses(entry: str, host: str) -> bool:
    """Whether a ``NO_PROXY`` entry covers ``host``: ``*``, the host, or a domain above it (with dot, ``*.`` or bare)."""
    if entry == "*":
        return True
    domain = entry.lower().rsplit(":", 1)[0] if entry.count(":") == 1 else entry.lower()
    domain = domain.removeprefix("*").removeprefix(".")
    return bool(domain) and (host.lower() == domain or host.lower().endswith("." + domain))


def tool_named(command: str) -> Tool | None:
    """The tool that ``command`` (a name or a path) starts, if we know it."""
    name = Path(command).name.removesuffix(".cmd").removesuffix(".exe")
    return next((tool for tool in TOOLS if tool.command == name), None)


def exports(values: Mapping[str, str], shell: Shell) -> list[str]:
    """One line per variable, to be evaluated by ``shell``."""
    match shell:
        case "bash" | "zsh":
            return [
                f"export {name}={_quoted(value, chr(39) + chr(92) + chr(39) * 2)}" for name, value in values.items()
            ]
        case "fish":
            return [
                f"set -gx {name} {_quoted(value.replace(chr(92), chr(92) * 2), chr(92) + chr(39))}"
                for name, value in values.items()
            ]
        case "powershell":
            return [f"$env:{name} = {_quoted(value, chr(39) * 2)}" for name, value in values.items()]


def _quoted(value: str, quote: str) -> str:
    """``value`` in single quotes; ``quote`` is how the shell writes a single quote inside them."""
    return "'" + value.replace("'", quote) + "'"


def no_proxy_entries(env: Mapping[str, str]) -> list[str]:
    """What the user's ``NO_PROXY`` lists, in either spelling."""
    listed = ",".join(env.get(name, "") for name in BYPASS_VARIABLES)
    return list(dict.fromkeys(entry.strip() for entry in listed.split(",") if entry.strip()))
