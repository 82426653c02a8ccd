"""Starts a real tool with ``omniroute run`` in a home of its own, and says what came of it.

Nothing but loopback is reached. A proxy runs with mitmproxy's ``map_remote``, which sends every side call of the tools
(settings, telemetry, model lists, login) to the tool's own loopback provider; ``omniroute run`` joins that proxy.
"""

import json
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.agent import CALL_ID, NOTE, results, url
from tests.servers.provider import Provider, Received
from tests.servers.proxy import LISTEN, Proxy, environment, running
from tests.servers.steps import Gate, Whole

TOOL_SECONDS = 180
TOKEN = "kingfisher-4711"
"""What the note says: a tool prints it only when its own tool call has read the file."""
PROVIDER_KEY = "sk-provider-own-key"

SIDE_HOSTS = (
    "oauth2.googleapis.com",
    "www.googleapis.com",
    "play.googleapis.com",
    "ab.chatgpt.com",
    "auth.openai.com",
    "api.github.com",
    "github.com",
    "raw.githubusercontent.com",
    "downloads.claude.ai",
    "platform.claude.com",
    "http-intake.logs.us5.datadoghq.com",
    "registry.npmjs.org",
    "models.opencode.ai",
    "models.dev",
    "opencode.ai",
)
"""Where the tools call beside their providers."""
CALLS = "(/v1/messages|/chat/completions$|/responses$|enerateContent|countTokens)"
"""The calls that are not side calls."""


@dataclass(frozen=True, slots=True)
class Tool:
    """How a test starts a tool that is logged in with ``keys``."""

    command: tuple[str, ...]
    format: str
    env: Mapping[str, str]
    keys: tuple[str, ...]
    """Its secrets; no provider but its own may ever see one."""
    files: Mapping[str, str]
    """Files in its home, by path."""
    sides: Mapping[str, object]
    """Side calls, by path, that it needs answered."""


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    stdout: str
    stderr: str
    log: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.stdout}\n{self.stderr[-4000:]}\nproxy:\n{self.log[-4000:]}"


def run(tool: Tool, directory: Path, own: Provider, config: str) -> Outcome:
    """Let the tool do its task with ``config``; its provider's address is ``own``, also for side calls."""
    with _proxy(tool, directory, own, config) as proxy:
        return start(tool, directory, proxy.config, proxy.home)


def run_killed(tool: Tool, directory: Path, own: Provider, config: str, moment: Gate) -> Outcome:
    """As :func:`run`; at ``moment`` the proxy is killed, and one on the same port and data dir started."""
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(AssertionError, match="exit code -9"), _proxy(tool, directory, own, config) as proxy:
            outcome = _killed(proxy, moment, pool.submit(start, tool, directory, proxy.config, proxy.home))
        with _proxy(tool, directory, own, config, port=proxy.port):
            moment.open()
            return outcome.result()


def _killed(proxy: Proxy, moment: Gate, outcome: Future[Outcome]) -> Future[Outcome]:
    moment.wait_reached(TOOL_SECONDS)
    proxy.process.kill()
    return outcome


@contextmanager
def _proxy(tool: Tool, directory: Path, own: Provider, config: str, *, port: int = 0) -> Generator[Proxy]:
    with proxy_for((tool,), directory, own, config, port=port) as proxy:
        yield proxy


@contextmanager
def proxy_for(
    tools: Sequence[Tool],
    directory: Path,
    own: Provider,
    config: str,
    *,
    port: int = 0,
    headless: bool = True,
    env: Mapping[str, str] | None = None,
) -> Generator[Proxy]:
    """A proxy that these tools may join; the addresses of all their own providers, and of side calls, are ``own``."""
    own.sides |= {
        f"/side{path}": Whole(200, {"content-type": "application/json"}, json.dumps(body).encode())
        for tool in tools
        for path, body in tool.sides.items()
    }
    place = directory / "proxy"
    place.mkdir(exist_ok=True)
    options = (f'map_remote=;~u ^https & !~u "{CALLS}";^https://[^/]+;{own.url()}/side',)
    rules = _own(own) + config
    with running(place, rules, options=options, port=port, headless=headless, env=env) as proxy:
        yield proxy


def run_alone(tool: Tool, directory: Path, own: Provider, config: str) -> Outcome:
    """As :func:`run`, with the private proxy and mitmweb that ``omniroute run`` starts; for a tool without side calls."""
    path = directory / "omniroute.yaml"
    path.write_text(LISTEN + _own(own) + config)
    return start(tool, directory, path, directory / "omniroute")


def start(tool: Tool, directory: Path, config: Path, data: Path) -> Outcome:
    """Let the tool do its task, by the proxy that has the data dir ``data``."""
    home, work = directory / "home", directory / "work"
    home.mkdir()
    work.mkdir()
    (work / NOTE).write_text(f"{TOKEN}\n")
    for name, text in tool.files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "omniroute_addon", "run", "--config", str(config), "--", *tool.command],
        env=environment(data, {"HOME": str(home), "PWD": str(work), **tool.env}),
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
        check=False,
    )
    log = directory / "proxy" / "up.log"
    return Outcome(done.returncode, done.stdout, done.stderr, log.read_text() if log.exists() else "")


def _own(provider: Provider) -> str:
    return f"""
surfaces:
  side-calls:
    {{client: side, format: openai-chat, provider: openai, paths: {{generate: /never}}, hosts: [{", ".join(SIDE_HOSTS)}]}}
providers:
  anthropic: {{base_url: "{url(provider, "anthropic-messages")}"}}
  claude: {{base_url: "{url(provider, "anthropic-messages")}"}}
  openai: {{base_url: "{url(provider, "openai-responses")}"}}
  dashscope-cn: {{base_url: "{url(provider, "openai-chat")}"}}
  codex: {{base_url: "{provider.url()}/backend-api/codex/responses"}}
  gemini: {{base_url: "{url(provider, "gemini")}"}}
  gemini-cli: {{base_url: "{url(provider, "gemini-cli")}"}}
"""


def rerouted(other: Provider, form: str, *, fault: str = "", first: str = "") -> str:
    """Every call goes to a provider of format ``form``; with ``fault``, after one of format ``first`` has failed."""
    targets = "other/some-model"
    rules = f'  other: {{format: {form}, base_url: "{url(other, form)}", auth: bearer}}\n'
    accounts = f"  - {{name: other, provider: other, key: {PROVIDER_KEY}}}\n"
    if fault:
        targets = f"bad/some-model, {targets}"
        rules += f'  bad: {{format: {first}, base_url: "{url(other, first, fault)}", auth: bearer}}\n'
        accounts += f"  - {{name: bad, provider: bad, key: {PROVIDER_KEY}}}\n"
    return f"""{rules}accounts:
{accounts}combos:
  chosen: {{strategy: priority, targets: [{targets}]}}
routes:
  - {{match: {{model: "*"}}, to: chosen}}
"""


def spread(other: Provider, forms: Sequence[str]) -> str:
    """Every call goes to ``other`` in the first of the formats, then, while it refuses, in the next ones."""
    rules = "".join(
        f'  in-{form}: {{format: {form}, base_url: "{url(other, form)}", auth: bearer}}\n' for form in forms
    )
    accounts = "".join(f"  - {{name: {form}, provider: in-{form}, key: {PROVIDER_KEY}}}\n" for form in forms)
    targets = ", ".join(f"in-{form}/some-model" for form in forms)
    return f"""{rules}accounts:
{accounts}combos:
  spread: {{strategy: priority, targets: [{targets}]}}
routes:
  - {{match: {{model: "*"}}, to: spread}}
"""


TO_ORIGIN = """routes:
  - {match: {model: "*"}, to: origin}
"""


# ── what must have happened ─────────────────────────────────────────────────────────────────────────────────────────


def check(outcome: Outcome, answering: Provider, form: str) -> None:
    """The task is done, and the provider that answered has seen the tool's result in its own format."""
    assert outcome.code == 0, str(outcome)
    assert TOKEN in outcome.stdout, str(outcome)
    found = [result for call in answering.calls if call.format == form for result in results(form, call.json)]
    assert found, f"no tool result at the provider: {[call.path for call in answering.calls]}\n{outcome}"
    assert TOKEN in found[-1].text
    if "gemini" not in form:
        assert found[-1].answers == CALL_ID


def check_rerouted(outcome: Outcome, tool: Tool, own: Provider, other: Provider, form: str) -> None:
    """As :func:`check`; the tool's own provider has got no call, and the other one no key but its own."""
    check(outcome, other, form)
    assert own.calls == []
    for call in other.received:
        leaked = [key for key in tool.keys if key in _everything(call)]
        assert leaked == [], f"{call.method} {call.path}"
        assert f"Bearer {PROVIDER_KEY}" == call.header("authorization")


def check_fallback(outcome: Outcome, tool: Tool, own: Provider, other: Provider, *, form: str, fault: str) -> None:
    """As :func:`check_rerouted`, and the first target has really failed."""
    check_rerouted(outcome, tool, own, other, form)
    assert other.calls[0].path.startswith(f"/{fault}/")


def check_own(outcome: Outcome, tool: Tool, own: Provider) -> None:
    """As :func:`check`, by the tool's own provider and with the tool's own key."""
    check(outcome, own, tool.format)
    assert all(any(key in _everything(call) for key in tool.keys) for call in own.calls)


def _everything(call: Received) -> str:
    heads = "\n".join(f"{name}: {value}" for name, value in call.headers)
    return f"{call.path}?{call.query}\n{heads}\n{call.body.decode(errors='replace')}"
