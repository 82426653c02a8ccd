"""Google's error objects (``google.rpc.Status``) ↔ hub.Failure.

Google answers 429 for a quota that is gone until tomorrow and for a throttle of seconds alike; the details tell them
apart. Gemini CLI reads the same details when we answer it (``googleQuotaErrors``): it gives up at once on
``QUOTA_EXHAUSTED`` of a Code Assist domain and on delays above five minutes, and waits for ``RetryInfo`` otherwise.
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from translators.errors import FormatError
from translators.format import WireResponse
from translators.formats.gemini.wire import Object, dumps, loads, opt_text
from translators.hub import JSON, Failure, FailureKind

_TYPE: Final = "type.googleapis.com/google.rpc."
_CODE_ASSIST: Final = "cloudcode-pa.googleapis.com"
_TERMINAL_DELAY: Final = 300.0
"""Seconds above which Gemini CLI takes a throttle for a lost quota; so do we."""

_BY_STATUS: Final[dict[str, FailureKind]] = {
    "INVALID_ARGUMENT": "invalid_request",
    "FAILED_PRECONDITION": "invalid_request",
    "OUT_OF_RANGE": "invalid_request",
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "not_found",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "CANCELLED": "server",
    "INTERNAL": "server",
    "UNKNOWN": "server",
    "DATA_LOSS": "server",
    "ABORTED": "server",
    "UNIMPLEMENTED": "not_found",
}
_BY_CODE: Final[dict[int, FailureKind]] = {
    400: "invalid_request", 401: "authentication", 402: "billing", 403: "permission", 404: "not_found",
    408: "timeout", 413: "too_large", 429: "rate_limit", 499: "server", 503: "overloaded", 504: "timeout",
    529: "overloaded",
}  # fmt: skip
_BY_REASON: Final[dict[str, FailureKind]] = {
    "API_KEY_INVALID": "authentication",
    "API_KEY_EXPIRED": "authentication",
    "ACCESS_TOKEN_EXPIRED": "authentication",
    "BILLING_DISABLED": "billing",
    "INSUFFICIENT_G1_CREDITS_BALANCE": "billing",
    "MODEL_CAPACITY_EXHAUSTED": "overloaded",
    "MODEL_CAPACITY_EXCEEDED": "overloaded",
    "QUOTA_EXHAUSTED": "quota",
}
_TEXTS: Final[tuple[tuple[re.Pattern[str], frozenset[FailureKind], FailureKind], ...]] = (
    (
        re.compile(r"(input|prompt)? ?token count.{0,40}exceeds|exceeds the maximum number of (input )?tokens|"
                   r"input context is too long|prompt is too long", re.IGNORECASE),
        frozenset({"invalid_request"}),
        "context_overflow",
    ),
    (re.compile(r"payload size exceeds", re.IGNORECASE), frozenset({"invalid_request"}), "too_large"),
    (
        re.compile(r"api key (not valid|expired|not found)|invalid api key", re.IGNORECASE),
        frozenset({"invalid_request", "permission"}),
        "authentication",
    ),
    (re.compile(r"location is not supported", re.IGNORECASE), frozenset({"invalid_request"}), "permission"),
    (
        re.compile(r"prepayment credits are depleted|spending (cap|limit)|enable billing|billing account", re.IGNORECASE),
        frozenset({"invalid_request", "permission", "rate_limit"}),
        "billing",
    ),
    (
        re.compile(r"limit:\s*0(?!\d|\.\d)|exhausted your (daily )?(capacity|quota)|quota will reset", re.IGNORECASE),
        frozenset({"rate_limit"}),
        "quota",
    ),
)  # fmt: skip
_DAILY: Final = re.compile(r"PerDay|Daily|PerMonth", re.IGNORECASE)
_DURATION: Final = re.compile(
    r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+(?:\.\d+)?)ms)?"
)
_WAIT: Final = re.compile(
    r"(?:retry in|reset(?:s)? (?:after|in)) (?P<time>(?:\d+(?:\.\d+)?(?:h|ms|m|s))+)", re.IGNORECASE
)


def duration(text: str) -> float | None:
    """``3.5s``, ``1h2m3s``, ``850ms`` in seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    parts = {name: float(value or 0) for name, value in match.groupdict().items()}
    return parts["h"] * 3600 + parts["m"] * 60 + parts["s"] + parts["ms"] / 1000


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> Failure | None:
    try:
        document = loads(body, "the error")
    except FormatError:
        document = None
    failure = parse_error_object(document, status, _header_delay(headers))
    if failure is not None or status < 400:
        return failure
    text = body.decode(errors="replace").strip()
    message = f"HTTP {status}" if not text or text.startswith("<") else text[:2000]
    return Failure(_kind_of_code(status), message, status, retry_after=_header_delay(headers))


def parse_error_object(document: JSON, status: int = 0, header_delay: float | None = None) -> Failure | None:
    """The failure in an error object, bare, in a list or in Code Assist's envelope; None for anything else."""
    if isinstance(document, list):
        document = next((item for item in document if isinstance(item, dict) and "error" in item), None)
    if not isinstance(document, dict):
        return None
    if "error" not in document and isinstance(inner := document.get("response"), dict):
        document = inner
    error = document.get("error")
    if isinstance(error, str) and error:
        described: Object = {"message": opt_text(document.get("error_description")) or error, "status": error}
        return _failure(described, status, header_delay)
    if not isinstance(error, dict):
        return None
    return _failure(error, status, header_delay)


def _failure(error: Object, http_status: int, header_delay: float | None) -> Failure:
    code = error.get("code")
    status = code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600 else http_status or 500
    word = opt_text(error.get("status"))
    message = opt_text(error.get("message")) or word or f"HTTP {status}"
    details = _details(error)
    info = details.get("ErrorInfo", {})
    reason = opt_text(info.get("reason"))
    delay = _delay(details, message)
    if delay is None:
        delay = header_delay
    kind = _kind(status, word, message, details, delay)
    return Failure(kind, message, status, reason or word, delay, error)


def _kind(
    status: int, word: str | None, message: str, details: Mapping[str, Object], delay: float | None
) -> FailureKind:
    kind = _kind_of_code(status)
    if kind in ("invalid_request", "rate_limit", "server"):  # the word says more than such a code
        kind = _BY_STATUS.get(word or "", kind)
    reason = opt_text(details.get("ErrorInfo", {}).get("reason")) or ""
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    for pattern, kinds, precise in _TEXTS:
        if kind in kinds and pattern.search(message):
            return precise
    if kind != "rate_limit":
        return kind
    if any(_DAILY.search(quota) for quota in _quotas(details)):
        return "quota"
    return "quota" if delay is not None and delay > _TERMINAL_DELAY else "rate_limit"


def _kind_of_code(status: int) -> FailureKind:
    return _BY_CODE.get(status, "invalid_request" if 400 <= status < 500 else "server")


def _quotas(details: Mapping[str, Object]) -> list[str]:
    violations = details.get("QuotaFailure", {}).get("violations")
    metadata = details.get("ErrorInfo", {}).get("metadata")
    names = [metadata.get("quota_limit")] if isinstance(metadata, dict) else []
    if isinstance(violations, list):
        names += [item.get("quotaId") for item in violations if isinstance(item, dict)]
    return [name for name in names if isinstance(name, str)]


def _details(error: Object) -> dict[str, Object]:
    """The details by the last word of their type."""
    listed = error.get("details")
    found: dict[str, Object] = {}
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict) and isinstance(kind := item.get("@type"), str):
            found.setdefault(kind.rsplit(".", 1)[-1], item)
    return found


def _delay(details: Mapping[str, Object], message: str) -> float | None:
    metadata = details.get("ErrorInfo", {}).get("metadata")
    candidates = [
        details.get("RetryInfo", {}).get("retryDelay"),
        metadata.get("quotaResetDelay") if isinstance(metadata, dict) else None,
    ]
    if found := _WAIT.search(message):
        candidates.append(found["time"])
    delays = (duration(text) for text in candidates if isinstance(text, str))
    return next((delay for delay in delays if delay is not None), None)


def _header_delay(headers: Mapping[str, str]) -> float | None:
    """Seconds of ``retry-after``; a date counts from the answer's own ``date``."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value)) if math.isfinite(float(value)) else None
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return None


_RENDERED: Final[dict[FailureKind, tuple[int, str]]] = {
    "invalid_request": (400, "INVALID_ARGUMENT"),
    "context_overflow": (400, "INVALID_ARGUMENT"),
    "too_large": (413, "INVALID_ARGUMENT"),
    "authentication": (401, "UNAUTHENTICATED"),
    "permission": (403, "PERMISSION_DENIED"),
    "billing": (403, "PERMISSION_DENIED"),
    "not_found": (404, "NOT_FOUND"),
    "rate_limit": (429, "RESOURCE_EXHAUSTED"),
    "quota": (429, "RESOURCE_EXHAUSTED"),
    "overloaded": (503, "UNAVAILABLE"),
    "timeout": (504, "DEADLINE_EXCEEDED"),
    "server": (500, "INTERNAL"),
    "cut": (502, "UNAVAILABLE"),
}


def error_document(failure: Failure) -> Object:
    """``{"error": …}``; ``error`` is the first key, by which Google's Python SDK knows an error in a stream."""
    if _is_google(failure.raw):
        return {"error": failure.raw}
    code, status = _RENDERED[failure.kind]
    details: list[JSON] = []
    match failure.kind:
        case "quota":
            details.append({"@type": _TYPE + "ErrorInfo", "reason": "QUOTA_EXHAUSTED", "domain": _CODE_ASSIST})
        case "rate_limit":
            details.append({"@type": _TYPE + "ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com"})
        case _:
            pass
    if failure.retry_after is not None and failure.kind in {"quota", "rate_limit", "overloaded"}:
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{_seconds(failure.retry_after)}s"})
    error: Object = {"code": code, "message": failure.message or status, "status": status}
    return {"error": {**error, "details": details} if details else error}


def render_error(failure: Failure) -> WireResponse:
    document = error_document(failure)
    headers = {"content-type": "application/json; charset=UTF-8"}
    if failure.retry_after is not None:
        headers["retry-after"] = str(math.ceil(failure.retry_after))
    status = failure.status if _is_google(failure.raw) and failure.status >= 400 else _RENDERED[failure.kind][0]
    return WireResponse(status, headers, dumps(document))


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _is_google(raw: JSON) -> bool:
    return (
        isinstance(raw, dict)
        and isinstance(raw.get("code"), int)
        and isinstance(raw.get("message"), str)
        and isinstance(word := raw.get("status"), str)
        and word in _BY_STATUS
    )
