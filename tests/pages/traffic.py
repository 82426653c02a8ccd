"""A proxy that people have worked with: a month in its ledger, and calls of real tools through it.

The tools are those of tests.clients, in homes of their own; without them (no npm) SDK-like calls do what they can. GLM
has used up its quota, so what is routed to it falls back; Qwen Code keeps its own provider by rule, opencode has none.
"""

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.clients import tools
from tests.clients.agent import agent, url
from tests.clients.launch import Tool, proxy_for, start
from tests.omniroute_addon.web.seeding import seed
from tests.servers.answers import Answer
from tests.servers.provider import Received, serving
from tests.servers.proxy import Proxy
from tests.servers.steps import PATIENCE, Say, Step

KNOWN = {
    "word hello": "Oh, hello there!",
    "2 + 2": "4",
    "capital of France": "It is Paris.",
    "larks": "Nobody has counted them.",
    "kingfishers": "They dive for fish and nest in river banks.",
    "Spanish": "Buenos días",
}
"""By words of a question."""
KEY = "key-of-an-account-0123456789"
RULES = """\
  glm: {{base_url: "{glm}"}}
  minimax: {{base_url: "{minimax}"}}
  deepseek: {{base_url: "{deepseek}"}}
  local: {{format: openai-chat, base_url: "{deepseek}", auth: bearer, tier: free, models: [qwen3-coder]}}
accounts:
  - {{name: glm-main, provider: glm, key: {key}-1}}
  - {{name: minimax-main, provider: minimax, key: {key}-2}}
  - {{name: deepseek-main, provider: deepseek, key: {key}-3, quota: {{windows: [{{window: day, requests: 500}}]}}}}
  - {{name: local, provider: local, key: {key}-4}}
combos:
  premium-coding: {{strategy: priority, targets: [glm/glm-4.7, minimax/MiniMax-M2.1, deepseek/deepseek-chat]}}
  cheap: {{strategy: weighted, targets: [{{target: deepseek/deepseek-chat, weight: 3}}, local/qwen3-coder]}}
routes:
  - {{name: by night, match: {{client: claude-code, hours: "02:00-02:01"}}, to: [cheap]}}
  - {{name: claude, match: {{client: claude-code}}, to: premium-coding}}
  - {{name: codex, match: {{client: codex}}, to: [deepseek/deepseek-chat]}}
  - {{name: gemini, match: {{client: gemini-cli}}, to: premium-coding}}
  - {{name: qwen, match: {{client: qwen-code}}, to: origin}}
  - {{name: house, match: {{model: "house-*"}}, to: cheap}}
budgets:
  - {{name: company, monthly: 500, on_exceed: fallback}}
  - {{name: scripts, daily: 5, match: {{client: gateway}}, on_exceed: deny}}
ledger: {{path: {ledger}, retention: 365d}}
logs: {{requests: {{enabled: true}}}}
"""


@dataclass(slots=True)
class Busy:
    """The proxy, and what was done through it."""

    proxy: Proxy
    ledger: Path
    base: str
    """Of mitmweb."""
    token: str
    problems: list[str] = field(default_factory=list[str])
    """Of tools that did not do their task."""
    cards: list[str] = field(default_factory=list[str])
    """Of the golden set."""

    def api(self, path: str, method: str = "GET", body: object = None, **query: object) -> Any:
        answer = httpx.request(
            method,
            f"{self.base}/omniroute/api/{path}",
            json=body,
            params={name: str(value) for name, value in query.items()},
            headers={"authorization": f"Bearer {self.token}"},
            trust_env=False,
            timeout=PATIENCE,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def wait(self, path: str, ready: Callable[[Any], bool]) -> Any:
        """The JSON as soon as it is ``ready``."""
        end = time.monotonic() + PATIENCE
        while not ready(found := self.api(path)):
            assert time.monotonic() < end, f"{path} was never ready: {found}"
        return found


@contextmanager
def busy(directory: Path, calls: int, clients: Path | None, tell: Callable[[str], None]) -> Generator[Busy]:
    """``calls`` in the ledger, the last a minute ago; ``clients`` is the folder of the tools."""
    tell(f"a ledger of {calls:,} calls")
    ledger = seed(directory / "seeded" / "ledger.db", calls, end=time.time() - 60, every=250, asked=True)
    with ExitStack() as stack:
        own, other = stack.enter_context(serving()), stack.enter_context(serving())
        own.otherwise = other.otherwise = _answer
        rules = RULES.format(
            glm=url(other, "anthropic-messages", "quota"),
            minimax=url(other, "anthropic-messages"),
            deepseek=url(other, "openai-chat"),
            ledger=json.dumps(str(ledger)),
            key=KEY,
        )
        chosen: Mapping[str, Tool] = {} if clients is None else _tools(clients)
        proxy = stack.enter_context(proxy_for(tuple(chosen.values()), directory, own, rules, headless=False))
        assert proxy.web is not None
        base, _, token = proxy.web.partition("?token=")
        found = Busy(proxy, ledger, base.rstrip("/"), token)
        tell("a suite of questions")
        found.cards += examined(found, "golden", "minimax/MiniMax-M2.1", "local/qwen3-coder")
        found.problems += _work(chosen, directory, proxy, tell)
        _sdks(proxy)
        yield found


def _tools(clients: Path) -> Mapping[str, Tool]:
    return {
        "Claude Code": tools.claude(clients),
        "Codex": tools.codex(clients),
        "Gemini CLI": tools.gemini(clients),
        "Qwen Code": tools.qwen(clients),
        "opencode": tools.opencode(clients, "anthropic-messages"),
    }


def _work(chosen: Mapping[str, Tool], directory: Path, proxy: Proxy, tell: Callable[[str], None]) -> list[str]:
    problems: list[str] = []
    for name, tool in chosen.items():
        tell(f"{name} does its task")
        place = directory / name.lower().replace(" ", "-")
        place.mkdir()
        outcome = start(tool, place, proxy.config, proxy.home)
        if outcome.code:
            problems.append(f"{name} did not do its task: {outcome}")
    return problems


def examined(busy: Busy, suite: str, *targets: str) -> list[str]:
    """The scorecards of a suite that was asked of ``targets``."""
    runs = busy.api("evals/runs", "POST", {"suite": suite, "targets": targets})
    return [
        busy.wait(f"evals/runs/{run['id']}", lambda shown: shown["state"] not in ("waiting", "running"))["card"]
        for run in runs["runs"]
    ]


def _answer(request: Received) -> Step:
    """The agent; but it knows much of what the golden set asks."""
    asked = request.body.decode(errors="replace")
    if request.path.startswith("/quota/") or '"tools"' in asked:
        return agent(request)
    known = next((answer for words, answer in KNOWN.items() if words in asked), None)
    return agent(request) if known is None else Say(Answer(pieces=tuple(known.partition(" "))))


def _sdks(proxy: Proxy) -> None:
    """What a script might ask, in both directions and past the gateway."""
    with httpx.Client(proxy=proxy.url, verify=proxy.trust, timeout=PATIENCE, trust_env=False) as client:
        for model, to in (("house-model", "cheap"), ("claude-opus-4-6", "no rule of ours")):
            body = {
                "model": model,
                "max_tokens": 200,
                "system": f"You are asked by a script; {to}.",
                "messages": [{"role": "user", "content": "How many birds are there in an exaltation of larks?"}],
            }
            client.post("https://api.anthropic.com/v1/messages", json=body, headers={"x-api-key": "sk-ant-of-a-script"})
    with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
        said: Sequence[Mapping[str, str]] = ({"role": "user", "content": "Say something about kingfishers."},)
        for model in ("premium-coding", "nobody/knows-this"):
            client.post(f"{proxy.gateway}/v1/chat/completions", json={"model": model, "messages": said})
