"""Google's errors, and ours as Gemini CLI understands them."""

from typing import Any

import orjson
import pytest

from translators import hub
from translators.formats.gemini.errors import duration, parse_error, render_error

RPC = "type.googleapis.com/google.rpc."


def google(code: int, status: str, message: str = "m", *details: dict[str, Any]) -> bytes:
    return orjson.dumps({"error": {"code": code, "message": message, "status": status, "details": list(details)}})


def quota(identity: str) -> dict[str, Any]:
    return {"@type": RPC + "QuotaFailure", "violations": [{"quotaId": identity}]}


def info(reason: str, domain: str = "cloudcode-pa.googleapis.com") -> dict[str, Any]:
    return {"@type": RPC + "ErrorInfo", "reason": reason, "domain": domain}


def retry(delay: str) -> dict[str, Any]:
    return {"@type": RPC + "RetryInfo", "retryDelay": delay}


@pytest.mark.parametrize(
    "body, kind",
    [
        (google(400, "INVALID_ARGUMENT"), "invalid_request"),
        (
            google(
                400,
                "INVALID_ARGUMENT",
                "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
            ),
            "context_overflow",
        ),
        (google(400, "INVALID_ARGUMENT", "API key not valid.", info("API_KEY_INVALID")), "authentication"),
        (google(401, "UNAUTHENTICATED"), "authentication"),
        (google(402, "FAILED_PRECONDITION"), "billing"),
        (google(403, "PERMISSION_DENIED"), "permission"),
        (google(404, "NOT_FOUND"), "not_found"),
        (google(413, "INVALID_ARGUMENT"), "too_large"),
        (google(429, "RESOURCE_EXHAUSTED"), "rate_limit"),
        (google(429, "RESOURCE_EXHAUSTED", "m", quota("GenerateRequestsPerDayPerProject-FreeTier")), "quota"),
        (google(429, "RESOURCE_EXHAUSTED", "m", quota("GenerateRequestsPerMinutePerProject")), "rate_limit"),
        (google(429, "RESOURCE_EXHAUSTED", "m", retry("3600s")), "quota"),
        (google(429, "RESOURCE_EXHAUSTED", "m", info("QUOTA_EXHAUSTED")), "quota"),
        (google(429, "RESOURCE_EXHAUSTED", "m", info("RATE_LIMIT_EXCEEDED"), retry("2s")), "rate_limit"),
        (google(429, "RESOURCE_EXHAUSTED", "m", info("MODEL_CAPACITY_EXHAUSTED")), "overloaded"),
        (google(429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 0, model: x"), "quota"),
        (google(500, "INTERNAL"), "server"),
        (google(503, "UNAVAILABLE"), "overloaded"),
        (google(504, "DEADLINE_EXCEEDED"), "timeout"),
    ],
)
def test_errors_are_told_apart(body: bytes, kind: str) -> None:
    failure = parse_error(orjson.loads(body)["error"]["code"], {}, body)

    assert failure is not None
    assert failure.kind == kind


@pytest.mark.parametrize(
    "body, headers, seconds",
    [
        (google(429, "RESOURCE_EXHAUSTED", "m", retry("3.5s")), {}, 3.5),
        (google(429, "RESOURCE_EXHAUSTED", "Please retry in 850ms."), {}, 0.85),
        (google(429, "RESOURCE_EXHAUSTED", "Your quota will reset after 3h22m10s."), {}, 12130),
        (google(429, "RESOURCE_EXHAUSTED"), {"retry-after": "7"}, 7),
        (google(429, "RESOURCE_EXHAUSTED"), {}, None),
    ],
)
def test_the_delay_is_found(body: bytes, headers: dict[str, str], seconds: float | None) -> None:
    failure = parse_error(429, headers, body)

    assert failure is not None
    assert failure.retry_after == seconds


@pytest.mark.parametrize("text, seconds", [("1.5s", 1.5), ("2m", 120), ("1h2m3s", 3723), ("soon", None), ("", None)])
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("body", [b"", b"<html>oops</html>", b"null", b"[]", b"\xff"])
def test_a_foreign_body_is_a_failure_by_status(body: bytes) -> None:
    failure = parse_error(502, {}, body)

    assert failure is not None
    assert failure.kind == "server"
    assert parse_error(200, {}, body) is None


def test_an_error_in_a_list_with_status_200_is_found() -> None:
    failure = parse_error(200, {}, b"[" + google(503, "UNAVAILABLE") + b"]")

    assert failure is not None
    assert failure.kind == "overloaded"


def test_googles_own_error_comes_back_as_it_was() -> None:
    body = google(429, "RESOURCE_EXHAUSTED", "m", retry("3s"))
    failure = parse_error(429, {}, body)

    assert failure is not None
    assert orjson.loads(render_error(failure).body) == orjson.loads(body)


def cli_class(body: bytes) -> str:
    """Gemini CLI 0.61's ``classifyGoogleError`` for a 429, as far as it concerns what we send."""
    details = {item["@type"].removeprefix(RPC): item for item in orjson.loads(body)["error"].get("details", [])}
    delay = duration(details.get("RetryInfo", {}).get("retryDelay", ""))
    known = details.get("ErrorInfo", {})
    if known.get("domain") == "cloudcode-pa.googleapis.com" and (
        known["reason"] == "QUOTA_EXHAUSTED" or (known["reason"] == "RATE_LIMIT_EXCEEDED" and delay is None)
    ):
        return "terminal"
    return "terminal" if delay is not None and delay > 300 else "retryable"


@pytest.mark.parametrize(
    "failure, expected",
    [
        (hub.Failure("quota", "gone", 429, retry_after=20.0), "terminal"),
        (hub.Failure("quota", "gone", 429), "terminal"),
        (hub.Failure("rate_limit", "slow", 429, retry_after=2.0), "retryable"),
        (hub.Failure("rate_limit", "slow", 429), "retryable"),
    ],
)
def test_gemini_cli_gives_up_on_a_lost_quota_and_waits_for_a_throttle(failure: hub.Failure, expected: str) -> None:
    wire = render_error(failure)

    assert wire.status == 429
    assert cli_class(wire.body) == expected


def test_the_delay_is_sent_in_both_places() -> None:
    wire = render_error(hub.Failure("rate_limit", "slow", 429, retry_after=2.5))

    assert wire.headers["retry-after"] == "3"
    assert retry("2.5s") in orjson.loads(wire.body)["error"]["details"]


def test_an_error_of_another_vendor_keeps_its_message() -> None:
    raw = {"type": "overloaded_error", "message": "Overloaded"}

    wire = render_error(hub.Failure("overloaded", "Overloaded", 529, raw=raw))

    assert wire.status == 503
    assert orjson.loads(wire.body)["error"] == {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}
