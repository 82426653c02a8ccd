"""Errors of every provider, told to every client: the kind, a fitting status, and when to come back.

A body is parsed by the format of the upstream it came from; every client's format then renders the failure, and must be
understood by its own parser again, which stands in for its SDK.
"""

import json
from typing import Any

import pytest

from translators import hub
from translators.formats import FORMATS

PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"
CHAT, CLAUDE, RESPONSES, GEMINI = "openai-chat", "anthropic-messages", "openai-responses", "gemini"


def _nested(raw: str) -> dict[str, Any]:
    """OpenRouter: what the provider behind it said is in the metadata."""
    return {
        "error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": raw, "provider_name": "X"}}
    }


CASES: dict[str, tuple[str, int, Any, hub.FailureKind, float | None]] = {
    "OpenAI, quota": (
        CHAT,
        429,
        {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}},
        "quota",
        None,
    ),
    "OpenAI, throttle with its delay in words": (
        CHAT,
        429,
        {"error": {"message": "Rate limit reached on TPM. Please try again in 1.5s.", "code": "rate_limit_exceeded"}},
        "rate_limit",
        1.5,
    ),
    "OpenRouter, nested": (CHAT, 429, _nested("model x is temporarily rate-limited upstream"), "rate_limit", None),
    "OpenRouter, credits": (
        CHAT,
        402,
        {"error": {"message": "This request requires more credits", "code": 402}},
        "billing",
        None,
    ),
    "Groq, tool call failed": (
        CHAT,
        400,
        {"error": {"message": "Failed to call a function.", "code": "tool_use_failed", "failed_generation": "{"}},
        "invalid_request",
        None,
    ),
    "Groq, request too large for the minute": (
        CHAT,
        413,
        {"error": {"message": "Request too large for model `x`", "type": "tokens", "code": "rate_limit_exceeded"}},
        "rate_limit",
        None,
    ),
    "Mistral, flat": (
        CHAT,
        400,
        {"object": "error", "message": "Expected last role User", "type": "invalid_request_message_order", "code": "3230"},
        "invalid_request",
        None,
    ),
    "Mistral, unknown field": (
        CHAT,
        422,
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "store"], "msg": "Extra inputs are not permitted"}]},
        "invalid_request",
        None,
    ),
    "Mistral, key": (CHAT, 401, {"detail": "Unauthorized"}, "authentication", None),
    "Cohere, message alone": (CHAT, 429, {"message": "You are using a Trial key, limited to 40 API calls / minute"}, "rate_limit", None),
    "Cohere, key": (CHAT, 401, {"id": "a", "message": "invalid api token"}, "authentication", None),
    "Cerebras, flat": (
        CHAT,
        429,
        {"message": "Tokens per minute limit exceeded", "type": "too_many_tokens_error", "param": "quota", "code": "token_quota_exceeded"},
        "rate_limit",
        None,
    ),
    "Cerebras, overflow": (
        CHAT,
        400,
        {"message": "Please reduce the length of the messages or completion.", "code": "context_length_exceeded"},
        "context_overflow",
        None,
    ),
    "DeepSeek, balance": (CHAT, 402, {"error": {"message": "Insufficient Balance", "code": "invalid_request_error"}}, "billing", None),
    "GLM, overloaded": (CHAT, 429, {"error": {"code": "1305", "message": "The service is busy"}}, "overloaded", None),
    "Kimi, overloaded": (CHAT, 429, {"error": {"type": "engine_overloaded_error", "message": "busy"}}, "overloaded", None),
    "MiniMax, in a 200": (CHAT, 200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, "rate_limit", None),
    "DashScope, flat": (CHAT, 400, {"code": "DataInspectionFailed", "message": "inappropriate content"}, "invalid_request", None),
    "SiliconFlow, flat": (CHAT, 400, {"code": 20012, "message": "Model does not exist", "data": None}, "not_found", None),
    "SiliconFlow, text as JSON": (CHAT, 401, "Invalid token", "authentication", None),
    "xAI, code beside text": (
        CHAT,
        400,
        {"code": "invalid-argument", "error": "Model x does not support parameter stop"},
        "invalid_request",
        None,
    ),
    "Perplexity": (CHAT, 400, {"error": {"message": "roles should be alternating", "type": "invalid_message", "code": 400}}, "invalid_request", None),
    "NVIDIA, RFC 7807": (CHAT, 404, {"status": 404, "title": "Not Found", "detail": "Function not found for account"}, "not_found", None),
    "Together": (CHAT, 429, {"error": {"message": "slow", "type": "model_rate_limit", "code": None}}, "rate_limit", None),
    "Google's chat endpoint, in a list": (
        CHAT,
        429,
        [{"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}],
        "quota",
        None,
    ),
    "Copilot, plain text": (CHAT, 403, b"access to this endpoint is forbidden\n", "permission", None),
    "Cloudflare, errors": (CHAT, 400, {"success": False, "errors": [{"code": 7003, "message": "no route"}]}, "invalid_request", None),
    "a page, chat": (CHAT, 502, PAGE, "server", None),
    "a page, Claude": (CLAUDE, 502, PAGE, "server", None),
    "a page, Responses": (RESPONSES, 502, PAGE, "server", None),
    "nothing, Claude": (CLAUDE, 503, b"", "overloaded", None),
    "Claude, overloaded": (CLAUDE, 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded", None),
    "GLM as Claude": (CLAUDE, 429, {"error": {"code": "1308", "message": "Usage limit reached for 5 hour"}}, "quota", None),
    "Groq, the day's tokens": (
        CHAT,
        429,
        {"error": {"message": "Rate limit reached for model `x` on tokens per day (TPD): Limit 500000, Used 499900. "
                   "Please try again in 7m12s.", "type": "tokens", "code": "rate_limit_exceeded"}},
        "quota",
        432,
    ),
    "Groq, the day's tokens, back in seconds": (
        CHAT,
        429,
        {"error": {"message": "Rate limit reached on tokens per day (TPD). Please try again in 2.5s.", "code": "rate_limit_exceeded"}},
        "rate_limit",
        2.5,
    ),
    "OpenAI, the day's requests": (
        RESPONSES,
        429,
        {"error": {"message": "Rate limit reached for gpt-5 on requests per day (RPD): Limit 200, Used 200, Requested 1. "
                   "Please try again in 7m12s.", "type": "requests", "code": "rate_limit_exceeded"}},
        "quota",
        432,
    ),
    "OpenRouter, the day's free calls": (
        CHAT,
        429,
        {"error": {"message": "Rate limit exceeded: free-models-per-day", "code": 429}},
        "quota",
        None,
    ),
    "Copilot, month": (CHAT, 402, {"error": {"message": "You have no quota", "code": "quota_exceeded"}}, "quota", None),
    "Copilot, week": (
        CHAT,
        429,
        {"error": {"message": "Sorry, you have been rate-limited. Please wait 587 hours 33 minutes before trying again.",
                   "code": "user_weekly_rate_limited"}},
        "quota",
        2_115_180,
    ),
    "Qwen, free quota": (
        CHAT,
        429,
        {"error": {"code": "insufficient_quota", "message": "Free allocated quota exceeded.", "type": "insufficient_quota"}},
        "quota",
        None,
    ),
    "iFlow, in a 200": (CHAT, 200, {"status": "449", "msg": "You exceeded your current rate limit"}, "rate_limit", None),
    "GLM, a later code": (CHAT, 429, {"error": {"code": "1316", "message": "Resets at 2026-08-07T05:00:00Z"}}, "quota", None),
    "GLM as Claude, in Chinese": (
        CLAUDE,
        429,
        {"error": {"code": "1308", "message": "已达到 5 小时的使用上限。您的限额将在 2026-08-25 07:41:44 重置。"}},
        "quota",
        None,
    ),
    "GLM as Claude, too many at once": (
        CLAUDE,
        429,
        {"error": {"code": "1302", "message": "High concurrency usage of this API, please reduce concurrency"}},
        "rate_limit",
        None,
    ),
    "MiniMax's plan as Claude": (
        CLAUDE,
        429,
        {"type": "error", "error": {"type": "rate_limit_error", "message": "usage limit exceeded, 5-hour usage limit reached "
                                    "for Token Plan Starter (0/0 used), resets at 2026-05-15T15:00:00Z (2056)"}},
        "quota",
        None,
    ),
    "Kimi's plan, cycle used up": (
        CLAUDE,
        403,
        {"type": "error", "error": {"type": "permission_error", "message": "You've reached your usage limit for this billing "
                                    "cycle. Your quota will be refreshed in the next cycle."}},
        "quota",
        None,
    ),
    "Kimi's plan, week used up": (
        CLAUDE,
        403,
        {"error": {"type": "access_terminated_error", "message": "You've reached your weekly (7-day) usage limit."}},
        "quota",
        None,
    ),
    "Kimi's plan as chat": (
        CHAT,
        403,
        {"error": {"type": "access_terminated_error", "message": "You've reached your usage limit for this billing cycle."}},
        "quota",
        None,
    ),
    "Claude's host, in a list": (CLAUDE, 500, [{"error": {"type": "api_error", "message": "x"}}], "server", None),
    "Codex, plan used up": (
        RESPONSES,
        429,
        {"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached", "resets_in_seconds": 90}},
        "quota",
        90,
    ),
    "Codex, detail": (RESPONSES, 400, {"detail": "The 'x' model is not supported when using Codex"}, "not_found", None),
}  # fmt: skip


def _failure(case: str) -> hub.Failure:
    upstream, status, body, _, _ = CASES[case]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = FORMATS[upstream].parse_error(status, {}, data)
    assert failure is not None
    return failure


@pytest.mark.parametrize("case", CASES)
def test_the_kind_and_the_delay_are_understood(case: str) -> None:
    failure = _failure(case)
    assert (failure.kind, failure.retry_after) == CASES[case][3:]


@pytest.mark.parametrize("case", CASES)
def test_it_has_a_message_for_people(case: str) -> None:
    message = _failure(case).message
    assert message.strip()
    assert "<" not in message


@pytest.mark.parametrize("client", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_every_client_is_told_in_its_own_shape(case: str, client: str) -> None:
    failure = _failure(case)
    told = FORMATS[client].render_error(failure)
    again = FORMATS[client].parse_error(told.status, told.headers, told.body)
    assert told.status >= 400
    assert again is not None
    assert failure.message in again.message


LIMITS: frozenset[hub.FailureKind] = frozenset({"rate_limit", "quota", "overloaded", "billing"})


@pytest.mark.parametrize("client", [CHAT, CLAUDE, RESPONSES])
@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][3] not in LIMITS])
def test_what_another_try_does_not_heal_keeps_its_class(case: str, client: str) -> None:
    told = FORMATS[client].render_error(_failure(case))
    expected = 5 if CASES[case][3] == "server" else 4
    assert told.status // 100 == expected


@pytest.mark.parametrize("client", [CHAT, CLAUDE, RESPONSES])
def test_a_known_delay_reaches_the_client(client: str) -> None:
    told = FORMATS[client].render_error(_failure("OpenAI, throttle with its delay in words"))
    assert told.headers["retry-after"] == "2"


@pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
@pytest.mark.parametrize("body", [PAGE, b"", b"upstream connect error"])
def test_a_body_that_is_no_json_invents_no_error_object(name: str, body: bytes) -> None:
    failure = FORMATS[name].parse_error(502, {}, body)
    assert failure is not None
    assert failure.raw is None
    assert failure.code is None


def test_openrouter_names_what_the_provider_behind_it_said() -> None:
    assert "temporarily rate-limited upstream" in _failure("OpenRouter, nested").message
