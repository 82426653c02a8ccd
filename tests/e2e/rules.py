"""The YAML that the end-to-end tests write, and the calls of a plain HTTP client behind the proxy."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.servers.provider import Provider
from tests.servers.proxy import Proxy

ANTHROPIC = "https://api.anthropic.com/v1/messages"
TIMEOUT = 30.0


def target(name: str, provider: Provider | str, form: str) -> str:
    """A provider entry; ``provider`` may be an address."""
    url = provider if isinstance(provider, str) else provider.url(form)
    return f"  {name}: {{format: {form}, base_url: '{url}', auth: none}}\n"


def route_all(*targets: str) -> str:
    return f"routes: [{{match: {{model: '*'}}, to: [{', '.join(targets)}]}}]\n"


def chain(first: Provider | str, second: Provider, form: str, other: str = "openai-chat") -> str:
    """Everything goes to ``first/m1``, then ``second/m2``."""
    entries = target("first", first, form) + target("second", second, other)
    return f"providers:\n{entries}{route_all('first/m1', 'second/m2')}"


@contextmanager
def http(proxy: Proxy, **options: Any) -> Generator[httpx.Client]:
    with httpx.Client(proxy=proxy.url, verify=proxy.trust, timeout=TIMEOUT, trust_env=False, **options) as client:
        yield client


def message(*, stream: bool = True, **more: Any) -> dict[str, Any]:
    """An Anthropic request."""
    messages = [{"role": "user", "content": "Hi"}]
    return {"model": "claude-opus-4-6", "max_tokens": 64, "stream": stream, "messages": messages, **more}


def events(body: str) -> list[dict[str, Any]]:
    """The JSON of every event of an SSE body."""
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]


def text(body: str) -> str:
    """What an Anthropic stream says."""
    deltas = [event["delta"] for event in events(body) if event["type"] == "content_block_delta"]
    return "".join(delta.get("text", "") for delta in deltas)


REQUESTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "anthropic-messages": (ANTHROPIC, message(stream=False)),
    "openai-chat": (
        "https://api.openai.com/v1/chat/completions",
        {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]},
    ),
    "openai-responses": ("https://api.openai.com/v1/responses", {"model": "gpt-5", "input": "Hi"}),
    "gemini": (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-3:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
    "gemini-cli": (
        "https://cloudcode-pa.googleapis.com/v1internal:generateContent",
        {
            "model": "gemini-3",
            "project": "p",
            "request": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        },
    ),
}
"""A small whole-answer request of every format, at its vendor's own address."""
