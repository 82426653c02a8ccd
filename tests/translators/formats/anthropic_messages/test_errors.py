"""Errors of Anthropic and its imitators in, errors that Anthropic clients act on out."""

import json
from typing import Any

import pytest

from tests.translators.formats.anthropic_messages.wire import Wire
from translators import hub


def _parse(status: int, body: Any, **headers: str) -> hub.Failure:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = Wire.format.parse_error(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)
    assert failure is not None
    return failure


def _error(kind: str, message: str = "text") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


@pytest.mark.parametrize(
    "status, body, kind",
    [
        (400, _error("invalid_request_error"), "invalid_request"),
        (
            400,
            _error("invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum"),
            "context_overflow",
        ),
        (400, _error("invalid_request_error", "Your credit balance is too low to access the API"), "billing"),
        (401, _error("authentication_error"), "authentication"),
        (402, _error("billing_error"), "billing"),
        (403, _error("permission_error"), "permission"),
        (404, _error("not_found_error"), "not_found"),
        (413, _error("request_too_large"), "too_large"),
        (429, _error("rate_limit_error", "This request would exceed your organization's rate limit"), "rate_limit"),
        (429, _error("rate_limit_error", "Rate limit reached, please slow down"), "rate_limit"),
        (429, _error("rate_limit_error", "Usage limit reached for 5 hour. Your limit will reset at …"), "quota"),
        (429, {"error": {"code": "1113", "message": "Insufficient balance or no resource package"}}, "billing"),
        (500, _error("api_error"), "server"),
        (504, _error("timeout_error"), "timeout"),
        (529, _error("overloaded_error"), "overloaded"),
        (503, b"<html>busy</html>", "overloaded"),
        (502, b"", "server"),
        (429, {"error": "slow down"}, "rate_limit"),
        (200, _error("overloaded_error"), "overloaded"),
        (200, {"code": 500, "msg": "404 NOT_FOUND", "success": False}, "server"),
        (200, {"error": {"http_code": "429", "message": "busy"}}, "rate_limit"),
    ],
)
def test_every_kind_of_error_is_told_apart(status: int, body: Any, kind: str) -> None:
    assert _parse(status, body).kind == kind


def test_the_message_is_kept() -> None:
    assert _parse(400, {"error": "plain"}).message == "plain"
    assert _parse(400, {"detail": "fastapi"}).message == "fastapi"
    assert _parse(502, b"upstream sent too big header").message == "upstream sent too big header"
    assert "HTML page" in _parse(502, b"<!doctype html><p>hi").message


@pytest.mark.parametrize("body", [b"{}", b"", b"<html>", b'{"type":"message","content":[]}', b"[1]"])
def test_a_success_is_no_error(body: bytes) -> None:
    assert Wire.format.parse_error(200, {}, body) is None


def test_a_rejected_window_is_a_quota_and_its_reset_is_kept() -> None:
    failure = _parse(
        429,
        _error("rate_limit_error"),
        anthropic_ratelimit_unified_status="rejected",
        anthropic_ratelimit_unified_reset="1800000000",
        anthropic_ratelimit_unified_5h_status="allowed",
        anthropic_ratelimit_unified_5h_reset="1700000000",
    )
    assert failure.kind == "quota"
    assert failure.retry_after is None
    assert isinstance(failure.raw, dict)
    assert failure.raw["reset"] == 1800000000


def test_an_allowed_window_is_a_short_throttle() -> None:
    failure = _parse(429, _error("rate_limit_error"), anthropic_ratelimit_unified_5h_status="allowed", retry_after="7")
    assert (failure.kind, failure.retry_after) == ("rate_limit", 7)


def test_a_delay_in_the_text_is_understood() -> None:
    assert _parse(429, _error("rate_limit_error", "Please retry after 1.5s")).retry_after == 1.5
    assert _parse(429, _error("rate_limit_error"), retry_after="Wed, 21 Oct 2026 07:28:00 GMT").retry_after is None


@pytest.mark.parametrize(
    "failure, status, kind",
    [
        (hub.Failure("rate_limit", "m", 429), 429, "rate_limit_error"),
        (hub.Failure("overloaded", "m", 503), 529, "overloaded_error"),
        (hub.Failure("server", "m", 502), 502, "api_error"),
        (hub.Failure("cut", "m", 200), 502, "api_error"),
        (hub.Failure("too_large", "m"), 413, "request_too_large"),
        (hub.Failure("not_found", "m"), 404, "not_found_error"),
    ],
)
def test_an_error_has_the_status_its_clients_know(failure: hub.Failure, status: int, kind: str) -> None:
    answer = Wire.format.render_error(failure)
    assert (answer.status, json.loads(answer.body)["error"]) == (status, {"type": kind, "message": "m"})


def test_an_overflow_is_told_in_the_words_that_make_claude_code_compact() -> None:
    answer = Wire.format.render_error(hub.Failure("context_overflow", "maximum context length is 8192 tokens"))
    assert json.loads(answer.body)["error"]["message"].startswith("prompt is too long: maximum")


def test_a_quota_stops_the_clients_own_retries() -> None:
    headers = Wire.format.render_error(hub.Failure("quota", "m", 429, retry_after=3600.2)).headers
    assert (headers["retry-after"], headers["x-should-retry"]) == ("3601", "false")
    assert "x-should-retry" not in Wire.format.render_error(hub.Failure("quota", "m", 429, retry_after=5)).headers
