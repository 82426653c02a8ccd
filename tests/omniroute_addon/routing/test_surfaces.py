"""Which calls are ours, and whose."""

import json
from pathlib import Path

import pytest

from omniroute_addon.config import parse
from omniroute_addon.routing import surfaces

SNAPSHOT = parse(None, None, env={})
CAPTURES = Path(__file__).resolve().parents[4] / "shared" / "client-requests"


def found(host: str, path: str, method: str = "POST", **headers: str) -> surfaces.Match | None:
    return surfaces.match(SNAPSHOT.surfaces, host, method, path, headers=headers)


@pytest.mark.parametrize(
    "host, path, wire_format, operation, provider",
    [
        ("api.anthropic.com", "/v1/messages?beta=true", "anthropic-messages", "generate", "anthropic"),
        ("api.anthropic.com", "/v1/messages/count_tokens?beta=true", "anthropic-messages", "count", "anthropic"),
        ("api.openai.com", "/v1/chat/completions", "openai-chat", "generate", "openai"),
        ("api.openai.com", "/v1/responses", "openai-responses", "generate", "openai"),
        ("chatgpt.com", "/backend-api/codex/responses", "openai-responses", "generate", "codex"),
        ("generativelanguage.googleapis.com", "/v1beta/models/g-3:generateContent", "gemini", "generate", "gemini"),
        (
            "generativelanguage.googleapis.com",
            "/v1beta/models/g-3:streamGenerateContent?alt=sse",
            "gemini",
            "generate",
            "gemini",
        ),
        ("generativelanguage.googleapis.com", "/v1beta/models/g-3:countTokens", "gemini", "count", "gemini"),
        ("cloudcode-pa.googleapis.com", "/v1internal:streamGenerateContent", "gemini-cli", "generate", "gemini-cli"),
        ("dashscope.aliyuncs.com", "/compatible-mode/v1/chat/completions", "openai-chat", "generate", "dashscope-cn"),
        ("dashscope-intl.aliyuncs.com", "/compatible-mode/v1/chat/completions", "openai-chat", "generate", "dashscope"),
        ("openrouter.ai", "/api/v1/chat/completions", "openai-chat", "generate", "openrouter"),
        ("opencode.ai", "/zen/v1/messages", "anthropic-messages", "generate", "opencode"),
    ],
)
def test_a_call_to_a_model_is_ours(host: str, path: str, wire_format: str, operation: str, provider: str) -> None:
    match = found(host, path)
    assert match is not None
    assert (match.surface.format, match.operation, match.surface.provider) == (wire_format, operation, provider)


@pytest.mark.parametrize(
    "host, method, path",
    [
        ("api.anthropic.com", "GET", "/v1/messages"),
        ("api.anthropic.com", "POST", "/v1/messages/batches"),
        ("api.anthropic.com", "POST", "/api/event_logging/v2/batch"),
        ("api.openai.com", "GET", "/v1/models"),
        ("api.openai.com", "POST", "/v1/responses/compact"),
        ("chatgpt.com", "GET", "/backend-api/codex/models"),
        ("cloudcode-pa.googleapis.com", "POST", "/v1internal:loadCodeAssist"),
        ("example.com", "POST", "/v1/messages"),
    ],
)
def test_every_other_call_is_not(host: str, method: str, path: str) -> None:
    assert found(host, path, method) is None


def test_a_host_is_compared_without_case_and_final_dot() -> None:
    assert found("API.Anthropic.com.", "/v1/messages") is not None


@pytest.mark.parametrize(
    "host, path", [("api.openai.com", "/v1/responses"), ("chatgpt.com", "/backend-api/codex/responses")]
)
def test_a_websocket_upgrade_of_codex_is_refused(host: str, path: str) -> None:
    match = found(host, path, "GET", upgrade="websocket")
    assert match is not None
    assert match.operation == "websocket"


@pytest.mark.parametrize(
    "host, path, headers, client",
    [
        ("api.anthropic.com", "/v1/messages", {"user-agent": "claude-cli/2.1.329 (external, cli)"}, "claude-code"),
        ("api.anthropic.com", "/v1/messages", {"user-agent": "Anthropic/Python 0.75.0"}, "anthropic-sdk"),
        ("api.anthropic.com", "/v1/messages", {"user-agent": "opencode/1.18.33 ai-sdk"}, "opencode"),
        ("api.anthropic.com", "/v1/messages", {}, "anthropic-sdk"),
        ("api.openai.com", "/v1/responses", {"originator": "codex_exec", "user-agent": "codex_exec/0.169.0"}, "codex"),
        ("api.openai.com", "/v1/responses", {"originator": "opencode", "user-agent": "opencode/1.1"}, "opencode"),
        ("api.openai.com", "/v1/responses", {"user-agent": "AsyncOpenAI/Python 2.1"}, "openai-sdk"),
        ("chatgpt.com", "/backend-api/codex/responses", {}, "codex"),
        (
            "generativelanguage.googleapis.com",
            "/v1beta/models/g:generateContent",
            {"user-agent": "GeminiCLI-tui/0.61.0/x", "x-goog-api-client": "google-genai-sdk/1.30.0 gl-node/22"},
            "gemini-cli",
        ),
        (
            "generativelanguage.googleapis.com",
            "/v1beta/models/g:generateContent",
            {"x-goog-api-client": "google-genai-sdk/1.30.0 gl-python/3.13"},
            "gemini-sdk",
        ),
        (
            "dashscope.aliyuncs.com",
            "/compatible-mode/v1/chat/completions",
            {"user-agent": "QwenCode/0.15"},
            "qwen-code",
        ),
    ],
)
def test_headers_tell_the_tool(host: str, path: str, headers: dict[str, str], client: str) -> None:
    match = found(host, path, **headers)
    assert match is not None
    assert match.client == client


def test_the_hosts_to_open_are_those_of_the_surfaces() -> None:
    hosts = surfaces.hosts(SNAPSHOT)
    assert "api.anthropic.com" in hosts
    assert "platform.claude.com" not in hosts


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures of real tools are not here")
@pytest.mark.parametrize("tool", ["claude-code", "codex", "gemini-cli", "opencode"])
def test_real_model_calls_are_recognised_as_their_tool(tool: str) -> None:
    captures = [json.loads(line) for line in (CAPTURES / f"{tool}.jsonl").read_text().splitlines()]
    calls = [
        surfaces.match(
            SNAPSHOT.surfaces,
            entry["host"],
            entry["method"],
            entry["path"],
            headers={name.lower(): value for name, value in dict(entry["headers"]).items()},
        )
        for entry in captures
    ]
    assert {match.client for match in calls if match} == {tool}
