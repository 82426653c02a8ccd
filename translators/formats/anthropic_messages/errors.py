"""Errors: Anthropic's error object ↔ :class:`hub.Failure`.

Anthropic says ``{"type": "error", "error": {"type", "message"}, "request_id"}``; providers that imitate it differ in detail
(a bare string, ``detail``, ``msg`` with ``success: false``, their own codes), so the text is read as well. A 429 is a *quota* when
``anthropic-ratelimit-unified-*-status`` is ``rejected`` or the text speaks of a used-up plan, else a *rate limit*. The
reset that those headers name is an instant; there is no clock here, so it is kept under ``reset`` in ``raw``.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from translators import hub
from translators.errors import FormatError
from translators.format import WireResponse
from translators.formats.anthropic_messages.values import Object, dumps, loads, text_or_none
from translators.hub import JSON, FailureKind

_KINDS: dict[str, FailureKind] = {
    "invalid_request_error": "invalid_request",
    "authentication_error": "authentication",
    "permission_error": "permission",
    "billing_error": "billing",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limit",
    "timeout_error": "timeout",
    "api_error": "server",
    "overloaded_error": "overloaded",
}
_BY_STATUS: dict[int, FailureKind] = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_ANSWERS: dict[FailureKind, tuple[int, str]] = {
    "invalid_request": (400, "invalid_request_error"),
    "context_overflow": (400, "invalid_request_error"),
    "too_large": (413, "request_too_large"),
    "authentication": (401, "authentication_error"),
    "permission": (403, "permission_error"),
    "billing": (402, "billing_error"),
    "not_found": (404, "not_found_error"),
    "rate_limit": (429, "rate_limit_error"),
    "quota": (429, "rate_limit_error"),
    "overloaded": (529, "overloaded_error"),
    "timeout": (504, "timeout_error"),
    "server": (500, "api_error"),
    "cut": (502, "api_error"),
}
_OVERFLOW_TEXT = "prompt is too long"
"""What Claude Code looks for before it compacts the conversation."""
_OVERFLOW = re.compile(
    r"prompt (is )?too long|context[ _-]?(length|window|limit)|maximum context|input (is|length).{0,40}too long"
    r"|exceeds? .{0,40}context|too many (input )?tokens",
    re.IGNORECASE,
)
_BILLING = re.compile(r"credit balance|insufficient (balance|credit|funds)|no resource package|payment", re.IGNORECASE)
_QUOTA = re.compile(
    r"usage limit|quota|(?<!rate )limit reached|(hourly|daily|weekly|monthly|5[- ]hour) (usage )?limit|使用上限|限额",
    re.IGNORECASE,
)
_PLAN = re.compile(r"reached your .{0,30}usage limit", re.IGNORECASE)
"""A plan that is used up, said with a 403 (Kimi)."""
_DELAY = re.compile(r"(?:retry|try again|reset\w*) (?:after|in) (\d+(?:\.\d+)?) ?(ms|s|m|h)?", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MAX_TEXT = 500
_PATIENCE = 60.0
"""Seconds. A quota that is back later than this is not worth a client's own retries."""


# ── parse ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> hub.Failure | None:
    try:
        value = loads(body, "the error")
    except FormatError:
        value = None
    is_error = isinstance(value, dict) and (
        value.get("type") == "error" or bool(value.get("error")) or value.get("success") is False
    )
    if isinstance(value, list):  # Google wraps errors in a list
        value = next((item for item in value if isinstance(item, dict)), None)
    if isinstance(value, dict) and (status >= 400 or is_error):
        return parse_error_object(status, headers, value)
    if status < 400:
        return None
    failure = parse_error_object(status, headers, _plain(status, body))
    reset = _reset(headers)
    return replace(failure, code=None, raw=None if reset is None else {"reset": reset})


def parse_error_object(status: int, headers: Mapping[str, str], value: Object) -> hub.Failure:
    inner = value.get("error")
    error = inner if isinstance(inner, dict) else value
    message = next(
        (
            found
            for found in (inner, error.get("message"), value.get("message"), error.get("detail"), value.get("msg"))
            if isinstance(found, str) and found
        ),
        f"the provider answered {status} without a message",
    )
    word = error.get("type") if isinstance(inner, dict) else None
    code = next((str(found) for found in (error.get("code"), word) if isinstance(found, str | int)), None)
    http = next((found for key in ("http_code", "status_code", "code") if (found := _status(error.get(key)))), None)
    kind = _kind(status if status >= 400 else http, word, message, headers)
    raw: Object = dict(value)
    reset = _reset(headers)
    if reset is not None:
        raw["reset"] = reset
    return hub.Failure(
        kind,
        message,
        status=status if status >= 400 else http or _ANSWERS[kind][0],
        code=word if isinstance(word, str) and word in _KINDS else code,
        retry_after=_retry_after(headers, message),
        raw=raw,
    )


def _kind(status: int | None, word: JSON, message: str, headers: Mapping[str, str]) -> FailureKind:
    kind = _KINDS.get(word) if isinstance(word, str) else None
    if kind is None or (kind in ("invalid_request", "server") and status is not None and status not in (400, 500)):
        kind = _by_status(status) or kind or "server"
    if kind in ("invalid_request", "too_large", "server") and _OVERFLOW.search(message):
        return "context_overflow"
    if kind in ("invalid_request", "permission", "rate_limit", "server") and _BILLING.search(message):
        return "billing"
    if kind == "rate_limit" and (_is_rejected(headers) or _QUOTA.search(message)):
        return "quota"
    if kind == "permission" and _PLAN.search(message):
        return "quota"
    return kind


def _by_status(status: int | None) -> FailureKind | None:
    if status is None:
        return None
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "server" if status >= 500 else "invalid_request"


def _is_rejected(headers: Mapping[str, str]) -> bool:
    return any(
        name.startswith("anthropic-ratelimit-unified-") and name.endswith("status") and value == "rejected"
        for name, value in headers.items()
    )


def _reset(headers: Mapping[str, str]) -> JSON:
    """The epoch at which the rejected window opens again."""
    resets: list[float] = []
    for name, value in headers.items():
        if name.startswith("anthropic-ratelimit-unified-") and name.endswith("status") and value == "rejected":
            reset = _number(headers.get(name.removesuffix("status") + "reset", ""))
            if reset is not None:
                resets.append(reset)
    return max(resets, default=None)


def _retry_after(headers: Mapping[str, str], message: str) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    seconds = _number(headers.get("retry-after", ""))
    if seconds is not None:
        return seconds
    found = _DELAY.search(message)
    return float(found[1]) * _UNITS[(found[2] or "s").lower()] if found else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _status(value: JSON) -> int | None:
    """An HTTP status that an imitator puts into its error object, as a number or a string."""
    match value:
        case int() if not isinstance(value, bool):
            number = value
        case str() if value.isascii() and value.isdigit() and len(value) == 3:
            number = int(value)
        case _:
            return None
    return number if 400 <= number <= 599 else None


def _plain(status: int, body: bytes) -> Object:
    """What can be shown of a body that is no JSON object."""
    text = body[: 4 * _MAX_TEXT].decode(errors="replace").strip()
    if not text or text.startswith("<"):
        return {"message": f"the provider answered {status} with {'an HTML page' if text else 'an empty body'}"}
    return {"message": text[:_MAX_TEXT]}


# ── render ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def render_error(failure: hub.Failure) -> WireResponse:
    status, _ = _ANSWERS[failure.kind]
    if failure.kind in ("server", "cut") and 500 <= failure.status <= 599:
        status = failure.status
    headers = {"content-type": "application/json"}
    if failure.retry_after is not None:
        headers["retry-after"] = str(math.ceil(failure.retry_after))
    if failure.kind == "quota" and (failure.retry_after is None or failure.retry_after > _PATIENCE):
        headers["x-should-retry"] = "false"
    return WireResponse(status, headers, dumps(error_object(failure)))


def stream_error(failure: hub.Failure) -> Object:
    """The data of an ``error`` event. An answer that broke is worth asking for again; opencode does for an overload."""
    return error_object(replace(failure, kind="overloaded") if failure.kind in ("cut", "timeout") else failure)


def error_object(failure: hub.Failure) -> Object:
    message = failure.message
    if failure.kind == "context_overflow" and _OVERFLOW_TEXT not in message.lower():
        message = f"{_OVERFLOW_TEXT}: {message}"
    made: Object = {"type": "error", "error": {"type": _ANSWERS[failure.kind][1], "message": message}}
    request_id = text_or_none(failure.raw.get("request_id")) if isinstance(failure.raw, dict) else None
    return {**made, "request_id": request_id} if request_id is not None else made
