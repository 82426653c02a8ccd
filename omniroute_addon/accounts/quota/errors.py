"""The window that an error tells to be gone: Google's details, and the words of those who only write sentences. Pure.

That it is a quota at all, and not a throttle, is the translators' decision (``Failure.kind``). Here it gets a name, the
models that it is about, and its reset: what the provider named, else what is known of the provider's calendar, else
nothing, and then it is believed for a few minutes only.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import cast
from zoneinfo import ZoneInfo

from omniroute_addon.accounts.quota.allowance import Allowance
from omniroute_addon.accounts.quota.grammar import LONGEST, instant, written_span
from omniroute_addon.ledger.periods import span
from translators.hub import JSON, Failure

_PACIFIC, _CHINA, _UTC = ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Shanghai"), ZoneInfo("UTC")
_ZONES: Mapping[str, ZoneInfo] = {
    "glm": _CHINA,
    "glm-cn": _CHINA,
    "qwen": _CHINA,
    "iflow": _CHINA,
    "dashscope-cn": _CHINA,
    "minimax-cn": _CHINA,
    "gemini": _PACIFIC,
    "gemini-cli": _PACIFIC,
}
"""Whose times are written without a zone, or whose days begin, where."""
_GLM = re.compile(r"13\d\d")
"""Its codes, whatever the rules call the provider."""
_SOON = 900.0
"""Seconds. Google adds a delay of seconds to a day's quota that is gone: that is for the minute's."""
_NAMED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("5h", re.compile(r"5[- ]?h(?:ou)?r?s?\b|five[-_ ]hour|session limit|5 ?小时", re.IGNORECASE)),
    ("week", re.compile(r"week|7[- ]?day|seven[-_ ]day", re.IGNORECASE)),
    ("month", re.compile(r"month|billing cycle", re.IGNORECASE)),
    ("day", re.compile(r"per[ -_]?day|daily|\bTPD\b|\bRPD\b|today|allocated quota", re.IGNORECASE)),
    ("hour", re.compile(r"hourly|per[ -_]?hour", re.IGNORECASE)),
)
_RESET_AT = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)(?![\d:])", re.IGNORECASE
)
_SPEAKS_OF_RESET = re.compile(r"reset|again|renew|available|重置", re.IGNORECASE)
_RESET_IN = re.compile(
    r"(?:resets?|try again|available again|renews?|retry)(?: \w+){0,2}? (?:in|after)[: ]+"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])[, ]*(?:and )?)+)",
    re.IGNORECASE,
)
_ONE_MODEL = re.compile(r"per_?model|(?:on|for|of) this model|for model\b|rate limit reached for", re.IGNORECASE)


def gone(failure: Failure, provider: str, model: str | None, now: float) -> Allowance | None:
    """The window that a failure tells to be gone; None for one that is about no quota."""
    if failure.kind != "quota":
        return None
    quotas, dimension = _violations(failure.raw)
    text = " ".join((failure.code or "", failure.message, *quotas))
    window = next((name for name, pattern in _NAMED if pattern.search(text)), "quota")
    one = (model or dimension or "").lower() if dimension or _ONE_MODEL.search(text) else ""
    models = some_models(failure) or (f"={one}" if one else "")
    resets = _resets(failure, text, provider, window, now, google=bool(quotas))
    # Without a reset it is only shown: the verdict's own cooldown, which grows with each failure, is the better guess.
    gates = resets is not None
    return Allowance(
        f"{window} {models.removeprefix('=')}".rstrip(), 0.0, now, resets, "error", models=models, gates=gates
    )


def some_models(failure: Failure) -> str:
    """The part of their names by which models are meant, where an error means a kind of them: OpenRouter's free ones."""
    return ":free" if "free-models-" in failure.message else ""


def headers_inside(failure: Failure) -> dict[str, str]:
    """Rate-limit headers that OpenRouter puts into the body of an error."""
    for error in _objects(failure.raw):
        match error.get("metadata"):
            case {"headers": dict() as headers}:
                return {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
            case _:
                pass
    return {}


def _resets(failure: Failure, text: str, provider: str, window: str, now: float, *, google: bool) -> float | None:
    zone = _PACIFIC if google else _CHINA if _GLM.fullmatch(failure.code or "") else _ZONES.get(provider)
    if _SPEAKS_OF_RESET.search(text) and (found := _RESET_AT.search(text)) is not None:
        written = re.sub(r" ?UTC$", "Z", found[1])
        if (moment := instant(written, now, zone or UTC)) is not None and moment > now:
            return moment
    wait = failure.retry_after if failure.retry_after is not None and failure.retry_after <= LONGEST else None
    if (found := _RESET_IN.search(text)) is not None:
        wait = max(wait or 0.0, written_span(found[1].rstrip(" ,")) or 0.0) or None
    if wait is not None and not (google and window == "day" and wait < _SOON):
        return now + wait
    if window == "day" and zone is not None:
        return span("daily", now, zone)[1]
    if window == "month" and provider == "kiro":
        return span("monthly", now, _UTC)[1]
    return None


def _violations(raw: JSON) -> tuple[list[str], str | None]:
    """The ids of Google's quotas that are gone, and the model they are counted for."""
    ids: list[str] = []
    model: str | None = None
    for error in _objects(raw):
        for detail in _listed(error.get("details")):
            for violation in _listed(detail.get("violations")):
                match violation.get("quotaId"):
                    case str(name):
                        ids.append(name)
                    case _:
                        pass
                match violation.get("quotaDimensions"):
                    case {"model": str(name)}:
                        model = name
                    case _:
                        pass
    return ids, model


def _objects(raw: JSON) -> Iterator[dict[str, JSON]]:
    """An error object, wherever its format keeps it."""
    if isinstance(raw, dict):
        yield raw
        if isinstance(inner := raw.get("error"), dict):
            yield inner


def _listed(value: JSON) -> Iterator[dict[str, JSON]]:
    if isinstance(value, list):
        yield from (cast("dict[str, JSON]", item) for item in value if isinstance(item, dict))
