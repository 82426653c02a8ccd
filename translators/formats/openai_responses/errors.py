"""Errors: what OpenAI-like servers answer ↔ hub.Failure, and how Codex and the SDKs are told.

Two things hide behind status 429. A *quota* is gone for hours (``usage_limit_reached`` of ChatGPT plans,
``insufficient_quota`` of API keys); a *rate limit* is over in seconds. Codes decide before types, types before words,
words before the status.

``resets_at`` is a point in time; without a clock it becomes a delay only where the answer has a ``date`` header. It
stays in ``Failure.raw`` in any case.

What Codex does with an answer is in the tables of the render half: a 429 without ``retry-after`` ends its turn, an
overloaded server without one is asked 30 times in 25 seconds, ``server_is_overloaded`` in a stream ends the turn, and
the delay of ``rate_limit_exceeded`` in a stream is read from the words "try again in".
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from translators import hub, jsonvalue
from translators.errors import FormatError
from translators.format import WireResponse
from translators.formats.openai_responses.reading import integer, mapping, text
from translators.hub import JSON

_CODES: dict[str, hub.FailureKind] = {
    "usage_limit_reached": "quota",
    "usage_not_included": "quota",
    "insufficient_quota": "quota",
    "quota_exceeded": "quota",
    "billing_hard_limit_reached": "billing",
    "billing_not_active": "billing",
    "insufficient_credits": "billing",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "too_many_requests": "rate_limit",
    "requests": "rate_limit",
    "tokens": "rate_limit",
    "context_length_exceeded": "context_overflow",
    "string_above_max_length": "too_large",
    "request_too_large": "too_large",
    "invalid_api_key": "authentication",
    "invalid_authentication": "authentication",
    "authentication_error": "authentication",
    "token_expired": "authentication",
    "token_invalidated": "authentication",
    "permission_denied": "permission",
    "permission_error": "permission",
    "insufficient_permissions": "permission",
    "unsupported_country_region_territory": "permission",
    "model_not_found": "not_found",
    "not_found_error": "not_found",
    "server_is_overloaded": "overloaded",
    "slow_down": "overloaded",
    "overloaded_error": "overloaded",
    "service_unavailable": "overloaded",
    "engine_overloaded": "overloaded",
    "server_error": "server",
    "internal_error": "server",
    "internal_server_error": "server",
    "vector_store_timeout": "timeout",
    "timeout": "timeout",
    "invalid_prompt": "invalid_request",
}
_TYPES: dict[str, hub.FailureKind] = {**_CODES, "invalid_request_error": "invalid_request"}
_WORDS: tuple[tuple[re.Pattern[str], hub.FailureKind], ...] = (
    (
        re.compile(
            r"context (window|length)|maximum context|prompt is too long|input is too long|too many (input )?tokens|"
            r"exceeds? the (model'?s )?(maximum|context)",
            re.IGNORECASE,
        ),
        "context_overflow",
    ),
    (re.compile(r"usage limit|exceeded your current quota|quota (is )?exceeded|out of quota", re.IGNORECASE), "quota"),
    (re.compile(r"insufficient (credits|balance|funds)|payment required", re.IGNORECASE), "billing"),
    (re.compile(r"rate limit|too many requests", re.IGNORECASE), "rate_limit"),
    (re.compile(r"model .*(does not exist|not found|is not supported)", re.IGNORECASE), "not_found"),
    (re.compile(r"overloaded|at capacity", re.IGNORECASE), "overloaded"),
)
_STATUSES: dict[int, hub.FailureKind] = {
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    524: "timeout",
    529: "overloaded",
}
_STATUS_OF: dict[hub.FailureKind, int] = {
    "invalid_request": 400,
    "context_overflow": 400,
    "too_large": 400,
    "authentication": 401,
    "permission": 403,
    "billing": 429,
    "not_found": 404,
    "rate_limit": 429,
    "quota": 429,
    "overloaded": 503,
    "timeout": 504,
    "server": 500,
    "cut": 502,
}
_TRY_AGAIN = re.compile(
    r"try again in\s+((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|s|seconds?|m|minutes?|h|hours?)\s*)+)", re.IGNORECASE
)
_OF_A_DAY = re.compile(r"(?:tokens|requests) per day|\b(?:TPD|RPD)\b", re.IGNORECASE)
"""A limit that is called a rate limit and is a quota, unless it is back in a moment."""
_PATIENCE = 60.0
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|s|m|h)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BAD_REQUEST, _SERVER_ERROR, _SNIPPET = 400, 500, 500
_FULL = 100.0


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
    try:
        value = jsonvalue.read(body, "the error")
    except FormatError:
        return _unreadable(status, headers, body) if status >= _BAD_REQUEST else None
    if isinstance(value, list) and value:
        value = value[0]
    error = _error_of(value, failed=status >= _BAD_REQUEST)
    if error is None:
        return _unreadable(status, headers, body) if status >= _BAD_REQUEST else None
    return failure_of(error, status, headers)


def _error_of(value: JSON, *, failed: bool) -> dict[str, JSON] | None:
    """The error object in a body of any of the known shapes."""
    match value:
        case {"error": dict(error)} | {"response": {"error": dict(error)}} | {"detail": dict(error)}:
            return error
        case {"error": str(message)}:
            return {**{name: one for name, one in value.items() if name != "error"}, "message": message}
        case {"status": "failed" | "cancelled" as status, "output": list()}:
            return {"message": f"the response has the status {status}", "code": "server_error"}
        case {"detail": str(message)}:
            return {"message": message}
        case {"type": "error", "message": str()} | {"code": _, "message": str()}:
            return value
        case _:
            return value if failed and isinstance(value, dict) and "message" in value else None


def failure_of(error: dict[str, JSON], status: int | None, headers: Mapping[str, str]) -> hub.Failure:
    """The failure an error object tells; ``status`` is None for one in a stream."""
    code = error.get("code")
    word = code if isinstance(code, str) else ""
    kind_word = text(error.get("type"))
    message = text(error.get("message")) or text(error.get("detail")) or word or kind_word
    hinted = status if status is not None and status >= _BAD_REQUEST else integer(code)
    kind = _kind_of(word, kind_word, message, hinted)
    delay = _delay(error, headers, message)
    if kind == "rate_limit" and _OF_A_DAY.search(message) and (delay is None or delay > _PATIENCE):
        kind = "quota"
    retry_after = delay if kind in ("quota", "rate_limit", "overloaded", "server") else None
    return hub.Failure(
        kind=kind,
        message=message or f"the provider answered with status {status}",
        status=hinted if hinted is not None and hinted >= _BAD_REQUEST else _STATUS_OF[kind],
        code=word or kind_word or None,
        retry_after=retry_after,
        raw=error,
    )


def _kind_of(code: str, kind: str, message: str, status: int | None) -> hub.FailureKind:
    found = _CODES.get(code)
    if found is not None and (code not in ("requests", "tokens") or status == _STATUS_OF["rate_limit"]):
        return _STATUSES.get(status or 0, found) if found == "server" else found
    if kind in ("usage_limit_reached", "usage_not_included", "insufficient_quota"):
        return "quota"
    for pattern, meant in _WORDS:
        if pattern.search(message) and _plausible(meant, status):
            return meant
    by_status = status is not None and _BAD_REQUEST <= status < _SERVER_ERROR
    return _STATUSES.get(status or 0) or _TYPES.get(kind) or ("invalid_request" if by_status else "server")


def _plausible(kind: hub.FailureKind, status: int | None) -> bool:
    """Whether words that may stand in any message fit the status; a stream has none."""
    if status is None:
        return True
    match kind:
        case "context_overflow":
            return status in (400, 413, 422, 429, 500)
        case "not_found":
            return status in (400, 403, 404, 422)
        case "quota" | "billing" | "rate_limit":
            return status in (400, 402, 403, 429)
        case _:
            return status >= _SERVER_ERROR or status == _STATUS_OF["rate_limit"]


def _unreadable(status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure:
    words = " ".join(re.sub(r"<[^>]*>", " ", body[: 4 * _SNIPPET].decode(errors="replace")).split())
    kind = _STATUSES.get(status, "server" if status >= _SERVER_ERROR else "invalid_request")
    return hub.Failure(
        kind=kind,
        message=words[:_SNIPPET] or f"the provider answered with status {status} and no body",
        status=status,
        retry_after=_delay({}, headers, words),
    )


def _delay(error: dict[str, JSON], headers: Mapping[str, str], message: str) -> float | None:
    """Seconds until another try makes sense, from the body, the headers or the words."""
    now = _epoch(headers.get("date", ""))
    for found in (_delay_of_body(error, now), _delay_of_headers(headers, now)):
        if found is not None:
            return found
    if text(error.get("type")) == "usage_limit_reached":
        for window in ("primary", "secondary"):
            used = _number(headers.get(f"x-codex-{window}-used-percent", ""))
            if used is not None and used >= _FULL:
                return _number(headers.get(f"x-codex-{window}-reset-after-seconds", ""))
    if (said := _TRY_AGAIN.search(message)) is not None:
        return sum(float(count) * _SECONDS[unit.lower()] for count, unit in _SPAN.findall(said.group(1)))
    return None


def _delay_of_body(error: dict[str, JSON], now: float | None) -> float | None:
    resets, at = error.get("resets_in_seconds"), error.get("resets_at")
    if isinstance(resets, int | float) and not isinstance(resets, bool):
        return max(0.0, float(resets))
    if isinstance(at, int | float) and not isinstance(at, bool) and now is not None:
        return max(0.0, at - now)
    return None


def _delay_of_headers(headers: Mapping[str, str], now: float | None) -> float | None:
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        return milliseconds / 1000
    after = headers.get("retry-after", "")
    if (seconds := _number(after)) is not None:
        return seconds
    when = _epoch(after)
    return max(0.0, when - now) if when is not None and now is not None else None


def _number(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _epoch(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except ValueError:
        return None


# ── for clients ─────────────────────────────────────────────────────────────────────────────────────────────────────

_DEFAULT_WAIT: dict[hub.FailureKind, float] = {"rate_limit": 5.0, "overloaded": 2.0}
"""``retry-after`` where nobody named one: Codex gives up on a 429 without it, and hammers a 503 without it."""

_TYPE_OF: dict[hub.FailureKind, str] = {
    "quota": "usage_limit_reached",
    "billing": "insufficient_quota",
    "rate_limit": "rate_limit_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "invalid_request": "invalid_request_error",
    "context_overflow": "invalid_request_error",
    "too_large": "invalid_request_error",
    "not_found": "invalid_request_error",
}
"""``error.type``; every other kind is a ``server_error``."""
_CODE_OF: dict[hub.FailureKind, str] = {
    "quota": "usage_limit_reached",
    "billing": "insufficient_quota",
    "rate_limit": "rate_limit_exceeded",
    "context_overflow": "context_length_exceeded",
    "authentication": "invalid_api_key",
    "too_large": "request_too_large",
}
_STREAM_CODES: dict[hub.FailureKind, str] = {
    "rate_limit": "rate_limit_exceeded",
    "quota": "insufficient_quota",
    "billing": "insufficient_quota",
    "context_overflow": "context_length_exceeded",
    "invalid_request": "invalid_prompt",
    "too_large": "invalid_prompt",
    "authentication": "invalid_prompt",
    "permission": "invalid_prompt",
    "not_found": "invalid_prompt",
}
"""Codes in ``response.failed``; those that another try may heal are ``server_error``, which Codex tries again."""


def render_error(failure: hub.Failure) -> WireResponse:
    wait = failure.retry_after if failure.retry_after is not None else _DEFAULT_WAIT.get(failure.kind)
    headers = {"content-type": "application/json"}
    if wait is not None:
        headers["retry-after"] = str(max(1, _whole(wait)))
    error: dict[str, JSON] = {
        "message": failure.message,
        "type": _TYPE_OF.get(failure.kind, "server_error"),
        "param": None,
        "code": _code_of(failure),
    }
    if failure.kind == "quota":
        raw = mapping(failure.raw)
        error |= {name: raw[name] for name in ("plan_type", "resets_at") if raw.get(name) is not None}
        if failure.retry_after is not None:
            error["resets_in_seconds"] = _whole(failure.retry_after)
    status = (
        failure.status if failure.kind == "server" and failure.status >= _SERVER_ERROR else _STATUS_OF[failure.kind]
    )
    return WireResponse(status, headers, jsonvalue.write({"error": error}))


def stream_error(failure: hub.Failure) -> dict[str, JSON]:
    """The ``error`` of a ``response.failed`` event."""
    message = failure.message
    if failure.kind == "rate_limit" and failure.retry_after is not None and _TRY_AGAIN.search(message) is None:
        message = f"{message} Please try again in {failure.retry_after:g}s.".strip()
    return {"code": _STREAM_CODES.get(failure.kind, "server_error"), "message": message}


def _whole(seconds: float) -> int:
    """Seconds, rounded up."""
    return -int(-seconds // 1)


def _code_of(failure: hub.Failure) -> str | None:
    """The vendor's own word where clients do not decide by it, else the one that they know."""
    match failure.kind:
        case "invalid_request" | "permission":
            return failure.code
        case "not_found":
            return failure.code or "model_not_found"
        case _:
            return _CODE_OF.get(failure.kind, "server_error")
