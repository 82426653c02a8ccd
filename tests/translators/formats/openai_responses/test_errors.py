"""Which failure an answer is, and how Codex and the SDKs are told of one."""

import json

import pytest

from translators import hub
from translators.formats.openai_responses.errors import parse_error, render_error


def error(**members: object) -> bytes:
    return json.dumps({"error": members}).encode()


def failure(status: int, body: bytes, **headers: str) -> hub.Failure:
    found = parse_error(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "status, body, kind",
    [
        (429, error(type="usage_limit_reached", message="The usage limit has been reached"), "quota"),
        (429, error(type="insufficient_quota", code="insufficient_quota", message="You exceeded …"), "quota"),
        (429, error(type="tokens", code="rate_limit_exceeded", message="Rate limit reached"), "rate_limit"),
        (400, error(type="invalid_request_error", code="context_length_exceeded", message="…"), "context_overflow"),
        (400, error(message="Your input exceeds the context window of this model."), "context_overflow"),
        (400, error(message="Invalid type for 'input'"), "invalid_request"),
        (401, error(message="Incorrect API key", code="invalid_api_key"), "authentication"),
        (403, error(message="no"), "permission"),
        (402, error(message="Insufficient credits", code=402), "billing"),
        (404, error(message="The model `x` does not exist", code="model_not_found"), "not_found"),
        (400, b'{"detail": "The \'x\' model is not supported when using Codex with a ChatGPT account."}', "not_found"),
        (503, error(message="busy", code="server_is_overloaded"), "overloaded"),
        (500, error(message="oops", type="server_error"), "server"),
        (502, b"<html><body>Bad Gateway</body></html>", "server"),
        (504, b"", "timeout"),
        (200, error(message="Slow down", code="rate_limit_exceeded"), "rate_limit"),
        (200, b'{"status": "failed", "error": {"code": "server_error", "message": "x"}, "output": []}', "server"),
    ],
)
def test_the_kind_is_told_by_code_type_words_and_status(status: int, body: bytes, kind: str) -> None:
    assert failure(status, body).kind == kind


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": null, "output": []}', b"[]", b"7"])
def test_a_success_is_no_failure(body: bytes) -> None:
    assert parse_error(200, {}, body) is None


@pytest.mark.parametrize(
    "body, headers, seconds",
    [
        (error(type="usage_limit_reached", message="", resets_in_seconds=90), {}, 90.0),
        (
            error(type="usage_limit_reached", message="", resets_at=1795217600),
            {"date": "Fri, 20 Nov 2026 23:32:20 GMT"},
            60.0,
        ),
        (
            error(type="usage_limit_reached", message=""),
            {"x_codex_primary_used_percent": "100", "x_codex_primary_reset_after_seconds": "77"},
            77.0,
        ),
        (error(code="rate_limit_exceeded", message="x"), {"retry_after": "2"}, 2.0),
        (error(code="rate_limit_exceeded", message="x"), {"retry_after_ms": "250"}, 0.25),
        (error(code="rate_limit_exceeded", message="Please try again in 1.5s."), {}, 1.5),
        (error(code="rate_limit_exceeded", message="Please try again in 6m2s."), {}, 362.0),
        (error(code="rate_limit_exceeded", message="Please try again in 120ms."), {}, 0.12),
        (error(code="rate_limit_exceeded", message="x"), {}, None),
    ],
)
def test_the_delay_is_found(body: bytes, headers: dict[str, str], seconds: float | None) -> None:
    assert failure(429, body, **headers).retry_after == seconds


def test_a_reset_time_without_a_clock_stays_in_the_raw_error() -> None:
    found = failure(429, error(type="usage_limit_reached", message="", resets_at=1795217600))
    assert (found.retry_after, found.code, found.raw) == (
        None,
        "usage_limit_reached",
        {"type": "usage_limit_reached", "message": "", "resets_at": 1795217600},
    )


def test_a_page_is_told_by_its_words() -> None:
    assert failure(502, b"<h1>Bad Gateway</h1>").message == "Bad Gateway"


def test_a_throttle_always_has_a_delay_since_codex_gives_up_without_one() -> None:
    assert render_error(hub.Failure("rate_limit", "slow", 429)).headers["retry-after"] == "5"


def test_a_known_delay_is_rounded_up_to_whole_seconds() -> None:
    assert render_error(hub.Failure("rate_limit", "slow", 429, retry_after=1.2)).headers["retry-after"] == "2"


def test_a_quota_is_told_as_codex_knows_it() -> None:
    raw: dict[str, hub.JSON] = {"resets_at": 1795217600, "plan_type": "plus", "message": "gone"}
    answer = render_error(hub.Failure("quota", "gone", 429, retry_after=59.5, raw=raw))
    told = json.loads(answer.body)["error"]
    assert (answer.status, answer.headers["retry-after"]) == (429, "60")
    assert told == {
        "message": "gone",
        "type": "usage_limit_reached",
        "param": None,
        "code": "usage_limit_reached",
        "plan_type": "plus",
        "resets_at": 1795217600,
        "resets_in_seconds": 60,
    }


def test_a_quota_without_a_reset_names_none() -> None:
    answer = render_error(hub.Failure("quota", "gone", 429))
    assert ("retry-after" in answer.headers, b"resets" in answer.body) == (False, False)


@pytest.mark.parametrize(
    "kind, status, code",
    [
        ("invalid_request", 400, None),
        ("context_overflow", 400, "context_length_exceeded"),
        ("too_large", 400, "request_too_large"),
        ("authentication", 401, "invalid_api_key"),
        ("permission", 403, None),
        ("billing", 429, "insufficient_quota"),
        ("not_found", 404, "model_not_found"),
        ("overloaded", 503, "server_error"),
        ("timeout", 504, "server_error"),
        ("server", 500, "server_error"),
        ("cut", 502, "server_error"),
    ],
)
def test_every_kind_has_its_status_and_code(kind: hub.FailureKind, status: int, code: str | None) -> None:
    answer = render_error(hub.Failure(kind, "x"))
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)


@pytest.mark.parametrize("kind", ["quota", "rate_limit", "context_overflow", "authentication", "overloaded"])
def test_what_is_rendered_is_parsed_as_the_same_kind(kind: hub.FailureKind) -> None:
    answer = render_error(hub.Failure(kind, "x", retry_after=3))
    found = parse_error(answer.status, answer.headers, answer.body)
    assert found is not None
    assert found.kind == kind
