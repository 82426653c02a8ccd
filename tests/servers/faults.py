"""How providers fail, in each vendor's own shape: error documents with their headers, and error events in a stream."""

import json
import time

from tests.servers.answers import Document, sse
from tests.servers.steps import Whole


def document(form: str, status: int, kind: str, message: str) -> Document:
    """An ordinary error body; ``kind`` is the vendor's own word for it."""
    match form:
        case "anthropic-messages":
            return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
        case "gemini" | "gemini-cli":
            return {"error": {"code": status, "message": message, "status": kind}}
        case _:
            return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def failure(form: str, status: int, kind: str, message: str, **headers: str) -> Whole:
    return Whole(
        status,
        {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}},
        json.dumps(document(form, status, kind, message)).encode(),
    )


def server_error(form: str) -> Whole:
    kinds = {"anthropic-messages": "api_error", "gemini": "INTERNAL", "gemini-cli": "INTERNAL"}
    return failure(form, 500, kinds.get(form, "server_error"), "Internal server error")


def throttle(form: str, seconds: int) -> Whole:
    """Too many requests just now; goes away by itself."""
    kinds = {
        "anthropic-messages": "rate_limit_error",
        "gemini": "RESOURCE_EXHAUSTED",
        "gemini-cli": "RESOURCE_EXHAUSTED",
    }
    kind = kinds.get(form, "rate_limit_exceeded")
    return failure(form, 429, kind, "Rate limit reached, please slow down", retry_after=str(seconds))


def quota(form: str, seconds: int = 3600) -> Whole:
    """The subscription or the day's allowance is used up, until ``seconds`` from now."""
    reset = int(time.time()) + seconds
    match form:
        case "anthropic-messages":
            message = "This request would exceed your account's rate limit. Please try again later."
            step = failure(form, 429, "rate_limit_error", message, retry_after=str(seconds))
            limits = {
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-reset": str(reset),
                "anthropic-ratelimit-unified-5h-status": "rejected",
                "anthropic-ratelimit-unified-5h-reset": str(reset),
                "anthropic-ratelimit-unified-representative-claim": "five_hour",
            }
            return Whole(step.status, {**step.headers, **limits}, step.body)
        case "openai-responses":
            error = {
                "type": "usage_limit_reached",
                "message": "The usage limit has been reached",
                "plan_type": "plus",
                "resets_at": reset,
                "resets_in_seconds": seconds,
            }
            return Whole(429, {"content-type": "application/json"}, json.dumps({"error": error}).encode())
        case "openai-chat":
            message = "You exceeded your current quota, please check your plan and billing details."
            return failure(form, 429, "insufficient_quota", message)
        case _:
            body = document(form, 429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.")
            violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"}
            body["error"]["details"] = [
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"},
            ]
            return Whole(429, {"content-type": "application/json; charset=UTF-8"}, json.dumps(body).encode())


def error_event(form: str) -> bytes:
    """An overload that the provider reports inside a stream it had opened with 200."""
    match form:
        case "anthropic-messages":
            return sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")
        case "openai-responses":
            error = {"code": "server_error", "message": "Overloaded"}
            response = {"id": "resp_1", "object": "response", "status": "failed", "error": error, "output": []}
            event = {"type": "response.failed", "sequence_number": 9, "response": response}
            return sse(event, "response.failed")
        case "openai-chat":
            return sse({"error": {"message": "Overloaded", "type": "server_error", "code": 503}})
        case _:
            return sse({"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}})


HTML = Whole(200, {"content-type": "text/html"}, b"<!doctype html><html><body>Please log in</body></html>")
EMPTY = Whole(200, {"content-type": "application/json"}, b"")
