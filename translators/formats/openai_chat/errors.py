"""Errors of OpenAI and of everybody who speaks almost like it.

Shapes: ``{"error": {…}}``, ``{"error": "text"}``, the fields at the top (Mistral, Cohere, DashScope), ``{"detail": …}``
(FastAPI), ``{"errors": […]}`` (Cloudflare), ``base_resp`` (MiniMax), any of them in a list (Google), ``choices[0].error``
(OpenRouter). The kind is decided by, in this order: the vendor's code, the wording, Google's status word, the HTTP
status. Codes come first because statuses lie: quota and throttle are both 429, an overflow may be a 400, 413 or 500.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import ceil

from translators.errors import FormatError
from translators.format import WireResponse
from translators.formats.openai_chat.error_words import (
    BY_CODE,
    BY_GOOGLE_STATUS,
    BY_MINIMAX_CODE,
    BY_STATUS,
    BY_WORDING,
    LIMIT_KINDS,
    OF_A_DAY,
)
from translators.formats.openai_chat.usage import BROKEN
from translators.formats.openai_chat.values import dump, integer, load, number, object_at, objects_at, text
from translators.hub import JSON, Failure, FailureKind

_LONGEST = 2000
_PATIENCE = 60.0
"""Seconds. What is back sooner is a throttle, whatever it is counted by."""
_DURATION = re.compile(
    r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|hours?|h|minutes?|min|m|seconds?|sec|s|days?|d)(?![a-z])", re.IGNORECASE
)
_WAIT = re.compile(
    r"(?:(?:try again|retry|retry after|resets?|available again)\s*(?:after|in)|please wait)\s*:?\s*"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|hours?|h|minutes?|min|m|seconds?|sec|s|days?|d)(?![a-z])[\s,]*(?:and\s+)?)+)",
    re.IGNORECASE,
)
_UNITS = {"ms": 0.001, "mi": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "s": 1.0}
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> Failure | None:
    try:
        value = load(body, "answer") if body.strip() else None
    except FormatError:
        value = None
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    if isinstance(value, dict):
        failure = parse_failure(status, headers, value)
        if failure is not None:
            return failure
        for choice in objects_at(value, "choices")[:1]:
            word = text(choice, "finish_reason")
            if word in BROKEN:
                return Failure("server", BROKEN[word], max(status, 502), word, raw=value)
    if status < HTTPStatus.BAD_REQUEST:
        return None
    message = _page_text(status, body)
    kind = _kind(status, "", "", message)
    return Failure(kind, message, status, retry_after=_retry_after(headers, {}, message), raw=value)


def parse_failure(status: int, headers: Mapping[str, str], answer: dict[str, JSON]) -> Failure | None:
    """The error that a JSON object tells of; None when it tells of none."""
    error = _error_in(answer, strict=status < HTTPStatus.BAD_REQUEST)
    if error is None:
        return None
    code, kind_word = _word(error, "code", "error_code", "status_code"), _word(error, "type", "status")
    message = _message(error) or HTTPStatusText.get(status, f"The provider answered with status {status}.")
    meant = status
    if status < HTTPStatus.BAD_REQUEST:
        meant = int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 0
    kind = BY_MINIMAX_CODE.get(code) if "status_msg" in error else None
    kind = kind or _kind(meant, code, kind_word, message)
    wait = _retry_after(headers, error, message)
    if kind == "rate_limit" and OF_A_DAY.search(message) and (wait is None or wait > _PATIENCE):
        kind = "quota"
    return Failure(kind, message, meant or LIMIT_KINDS.get(kind, 502), code or kind_word or None, wait, answer)


HTTPStatusText = {item.value: f"{item.value} {item.phrase}" for item in HTTPStatus}


def _error_in(answer: dict[str, JSON], *, strict: bool) -> dict[str, JSON] | None:
    """The object with the error's fields. ``strict``: the status said that all is well, so only clear words count."""
    inside = objects_at(answer, "choices")[:1]
    if error := next((error for place in (answer, *inside) if (error := object_at(place, "error"))), None):
        return error
    if said := text(answer, "error"):
        return {"message": text(answer, "message") or said, "code": answer.get("code") or said}
    base = object_at(answer, "base_resp")
    if integer(base, "status_code") not in (0, None):
        return base
    if answer.get("choices") or (strict and not _looks_failed(answer)):
        return None
    return next(iter(objects_at(answer, "errors")), answer)


def _looks_failed(answer: Mapping[str, JSON]) -> bool:
    if text(answer, "object") == "error" or text(answer, "type") == "error" or objects_at(answer, "errors"):
        return True
    said = _message(answer)
    if said and text(answer, "status").isdecimal():  # iFlow
        return True
    return bool(said) and "choices" not in answer and any(name in answer for name in ("code", "error_code", "detail"))


def _message(error: Mapping[str, JSON]) -> str:
    said = next(
        (value for name in ("message", "status_msg", "error_msg", "msg", "detail") if (value := error.get(name))), ""
    )
    if isinstance(said, list):  # FastAPI's validation errors
        said = "; ".join(_validation(item) for item in said)
    elif isinstance(said, dict):
        said = _message(said) or dump(said).decode()
    message = str(said)
    raw = object_at(error, "metadata").get("raw")  # OpenRouter: what the provider behind it said
    if isinstance(raw, str) and raw and raw not in message:
        message = f"{message}: {raw[:_LONGEST]}"
    return message


def _validation(item: JSON) -> str:
    if not isinstance(item, dict):
        return str(item)
    place = item.get("loc")
    where = ".".join(map(str, place)) if isinstance(place, list) else ""
    said = text(item, "msg")
    return f"{where}: {said}" if where else said


def _word(error: Mapping[str, JSON], *names: str) -> str:
    for name in names:
        match error.get(name):
            case bool() | None | "":
                continue
            case str() | int() as word:
                return str(word)
            case _:
                continue
    return ""


def _kind(status: int, code: str, kind_word: str, message: str) -> FailureKind:
    for word in (code, kind_word):
        if (known := BY_CODE.get(word.lower())) is not None:
            return known
    for kind, wording, statuses in BY_WORDING:
        if (not statuses or status in statuses or not status) and wording.search(message):
            return kind
    for word in (kind_word, code):
        if (known := BY_GOOGLE_STATUS.get(word)) is not None:
            return known
    if status in BY_STATUS:
        return BY_STATUS[status]
    return "invalid_request" if 400 <= status < 500 else "server"


def _page_text(status: int, body: bytes) -> str:
    """A body that is no JSON: its text, or the title of a page."""
    phrase = HTTPStatusText.get(status, str(status))
    if (title := _TITLE.search(body)) is not None:
        return f"{phrase}: {title.group(1).decode(errors='replace').strip()}"
    said = body.decode(errors="replace").strip()
    return phrase if not said or said.startswith("<") else said[:_LONGEST]


# ── when to come back ───────────────────────────────────────────────────────────────────────────────────────────────


def _retry_after(headers: Mapping[str, str], error: Mapping[str, JSON], message: str) -> float | None:
    return next((wait for wait in _waits(headers, error, message) if wait is not None), None)


def _waits(headers: Mapping[str, str], error: Mapping[str, JSON], message: str) -> Iterator[float | None]:
    """Every place that may say it, best first."""
    if (wait := _plain_number(headers.get("retry-after-ms", ""))) is not None:
        yield wait / 1000
    said = headers.get("retry-after", "")
    yield _plain_number(said)
    yield _until(said, headers.get("date", ""))
    for name in ("resets_in_seconds", "retry_after", "retry_after_seconds"):
        yield number(error, name)
        yield number(object_at(error, "metadata"), name)
    for detail in objects_at(error, "details"):
        yield _duration(text(detail, "retryDelay"))
    if (found := _WAIT.search(message)) is not None:
        yield _duration(found.group(1))
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            yield _duration(headers.get(f"x-ratelimit-reset-{what}", ""))


def _plain_number(value: str) -> float | None:
    try:
        wait = float(value)
    except ValueError:
        return None
    return wait if 0 <= wait < float("inf") else None


def _until(moment: str, now: str) -> float | None:
    """Seconds between two HTTP dates; the answer's own ``date`` is the clock."""
    try:
        return max(0.0, (parsedate_to_datetime(moment) - parsedate_to_datetime(now)).total_seconds())
    except (ValueError, TypeError):
        return None


def _duration(value: str) -> float | None:
    """``1m30s``, ``500ms``, ``2 hours 7 minutes``."""
    found: Sequence[tuple[str, str]] = _DURATION.findall(value)
    if not found:
        return None
    return sum(float(amount) * _unit(unit.lower()) for amount, unit in found)


def _unit(unit: str) -> float:
    if unit in ("ms", "millisecond", "milliseconds"):
        return 0.001
    return _UNITS[unit[0]]


# ── render ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_RENDERED: dict[FailureKind, tuple[int, str, str | None]] = {
    "invalid_request": (400, "invalid_request_error", None),
    "context_overflow": (400, "invalid_request_error", "context_length_exceeded"),
    "too_large": (413, "invalid_request_error", "request_too_large"),
    "authentication": (401, "authentication_error", "invalid_api_key"),
    "permission": (403, "permission_error", None),
    "billing": (402, "insufficient_quota", "billing_not_active"),
    "not_found": (404, "invalid_request_error", "model_not_found"),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "overloaded": (503, "server_error", "overloaded"),
    "timeout": (504, "server_error", "timeout"),
    "server": (500, "server_error", None),
    "cut": (502, "server_error", "answer_cut"),
}
_KEEPS_STATUS: dict[FailureKind, range] = {"invalid_request": range(400, 429), "server": range(500, 512)}
_HOPELESS: frozenset[FailureKind] = frozenset({"quota", "billing"})


def error_object(failure: Failure) -> dict[str, JSON]:
    _, kind, code = _RENDERED[failure.kind]
    return {"message": failure.message, "type": kind, "param": None, "code": code or failure.code}


def render_error(failure: Failure) -> WireResponse:
    """OpenAI's SDKs try again on 429 and 5xx; ``x-should-retry`` keeps them from it where it is hopeless."""
    status = _RENDERED[failure.kind][0]
    if failure.status in _KEEPS_STATUS.get(failure.kind, ()):
        status = failure.status
    headers = {"content-type": "application/json"}
    if failure.retry_after is not None:
        headers["retry-after"] = str(ceil(failure.retry_after))
        if failure.retry_after < 1:
            headers["retry-after-ms"] = str(ceil(failure.retry_after * 1000))
    if failure.kind in _HOPELESS:
        headers["x-should-retry"] = "false"
    return WireResponse(status, headers, dump({"error": error_object(failure)}))
