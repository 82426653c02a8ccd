"""Errors of the many vendors, as they word them."""

import json
from typing import Any

import pytest

from translators import hub
from translators.formats.openai_chat.errors import parse_error, render_error

CASES: list[tuple[int, Any, hub.FailureKind]] = [
    (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, "quota"),
    (429, {"error": {"message": "Rate limit reached for gpt", "code": "rate_limit_exceeded"}}, "rate_limit"),
    (400, {"error": {"message": "x", "code": "context_length_exceeded"}}, "context_overflow"),
    (400, {"error": {"message": "This model's maximum context length is 8192 tokens."}}, "context_overflow"),
    (400, {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}, "context_overflow"),
    (
        400,
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        },
        "context_overflow",
    ),
    (
        413,
        {"error": {"message": "Request too large for model on tokens per minute (TPM): Limit 6000"}},
        "context_overflow",
    ),
    (401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, "authentication"),
    (401, {"message": "Unauthorized", "request_id": "x"}, "authentication"),
    (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}, "billing"),
    (402, {"error": {"message": "This request requires more credits", "code": 402}}, "billing"),
    (404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, "not_found"),
    (400, {"error": {"message": "x is not a valid model ID", "code": 400}}, "not_found"),
    (400, [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}], "authentication"),
    (
        429,
        [
            {
                "error": {
                    "code": 429,
                    "message": "Quota exceeded for GenerateRequestsPerDayPerProject",
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        "quota",
    ),
    (
        429,
        [
            {
                "error": {
                    "code": 429,
                    "message": "Quota exceeded for GenerateRequestsPerMinute",
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        "rate_limit",
    ),
    (429, {"error": {"code": "1113", "message": "Insufficient balance"}}, "billing"),
    (429, {"error": {"code": "1302", "message": "High concurrency"}}, "rate_limit"),
    (429, {"error": {"code": "1308", "message": "Usage limit reached for 5 hour."}}, "quota"),
    (200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, "billing"),
    (200, {"base_resp": {"status_code": 2056, "status_msg": "usage limit exceeded"}}, "quota"),
    (200, {"error": {"code": 502, "message": "Provider returned error"}}, "server"),
    (200, {"choices": [{"error": {"code": 429, "message": "Slow"}, "message": {"content": ""}}]}, "rate_limit"),
    (200, {"choices": [{"finish_reason": "error", "message": {"content": ""}}]}, "server"),
    (422, {"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}, "invalid_request"),
    (400, {"error": "unknown model"}, "not_found"),
    (429, {"errors": [{"message": "too many", "code": 10000}], "success": False}, "rate_limit"),
    (400, {"code": "Arrearage", "message": "Access denied"}, "billing"),
    (503, {"error": {"message": "The engine is currently overloaded"}}, "overloaded"),
    (500, {"error": {"message": "Internal error"}}, "server"),
]


@pytest.mark.parametrize("status, body, kind", CASES)
def test_the_kind_of_a_vendors_error(status: int, body: Any, kind: hub.FailureKind) -> None:
    failure = parse_error(status, {}, json.dumps(body).encode())
    assert failure is not None
    assert failure.kind == kind


@pytest.mark.parametrize("body", [b"", b"<html><title>Bad</title></html>", b"plain", b"\xff\xfe", b"[]", b"3", b"{}"])
def test_any_bytes_under_a_bad_status_are_an_error(body: bytes) -> None:
    failure = parse_error(502, {}, body)
    assert failure is not None
    assert failure.message


@pytest.mark.parametrize("body", [b"", b"plain", b"{}", b'{"choices":[],"usage":{}}', b'{"choices":[{"message":{}}]}'])
def test_a_good_status_without_clear_words_is_no_error(body: bytes) -> None:
    assert parse_error(200, {}, body) is None


def test_the_page_title_is_the_message() -> None:
    failure = parse_error(502, {}, b"<html><title>Bad gateway</title></html>")
    assert failure is not None
    assert failure.message == "502 Bad Gateway: Bad gateway"


def test_openrouter_tells_what_the_provider_behind_it_said() -> None:
    error = {"message": "Provider returned error", "code": 400, "metadata": {"raw": "prompt is too long"}}
    failure = parse_error(400, {}, json.dumps({"error": error}).encode())
    assert failure is not None
    assert (failure.kind, failure.message) == ("context_overflow", "Provider returned error: prompt is too long")


@pytest.mark.parametrize(
    "headers, error, seconds",
    [
        ({"retry-after": "20"}, {}, 20.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, {}, 1.5),
        ({"retry-after": "Sat, 01 Jan 2000 00:00:30 GMT", "date": "Sat, 01 Jan 2000 00:00:00 GMT"}, {}, 30.0),
        ({}, {"message": "Please try again in 1.5s."}, 1.5),
        ({}, {"message": "Please try again in 1m30.5s. Visit"}, 90.5),
        ({}, {"message": "Please try again in 250ms."}, 0.25),
        ({}, {"message": "Please retry after 20 seconds."}, 20.0),
        ({}, {"message": "quota will reset after 2h7m23s"}, 7643.0),
        ({}, {"resets_in_seconds": 60}, 60.0),
        ({}, {"details": [{"retryDelay": "32.5s"}]}, 32.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, {}, 360.0),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, {}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], error: dict[str, Any], seconds: float | None) -> None:
    failure = parse_error(429, headers, json.dumps({"error": {"message": "x", **error}}).encode())
    assert failure is not None
    assert failure.retry_after == seconds


@pytest.mark.parametrize("kind", hub.FailureKind.__value__.__args__)
def test_a_rendered_error_is_understood_again(kind: hub.FailureKind) -> None:
    answer = render_error(hub.Failure(kind, "Something went wrong", 599))
    again = parse_error(answer.status, answer.headers, answer.body)
    assert again is not None
    assert again.kind == {"cut": "server"}.get(kind, kind)
    assert again.message == "Something went wrong"


def test_sdks_are_told_not_to_try_again_when_the_quota_is_gone() -> None:
    answer = render_error(hub.Failure("quota", "Gone", 429, retry_after=3600.0))
    assert (answer.status, answer.headers["x-should-retry"], answer.headers["retry-after"]) == (429, "false", "3600")
