"""How providers write amounts, spans and instants in their headers and error texts. Pure, and never an exception.

Spans: ``6m0s``, ``1h2m3.5s``, ``20ms``, ``2 hours 7 minutes``, ``90``. Instants: epoch seconds, milli-, micro- or
nanoseconds, ISO 8601 with or without a zone, HTTP dates, or any span, counted from now. What is not understood is None.
"""

import re
from datetime import UTC, datetime, tzinfo
from email.utils import mktime_tz, parsedate_tz
from math import isfinite

LONGEST = 32 * 86400.0
"""Seconds; a reset farther off than this is a mistake."""
_MOST = 1e20
"""What an amount or an instant may be; instants come in nanoseconds, too."""
_LONG_TEXT = 200
_PART = re.compile(
    r"(\d{1,15}(?:\.\d{1,15})?)\s*"
    r"(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[\s,]*(?:and\b)?[\s,]*", re.IGNORECASE)
_EPOCHS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e8, 1.0))
"""From which number on it is an instant, and how many of its units a second has."""


def amount(text: str) -> float | None:
    """A number that something can be counted with, not negative; of ``100, 100;w=60`` the first."""
    try:
        value = float(text.partition(",")[0].partition(";")[0].replace("_", "x"))
    except ValueError:
        return None
    return value if 0 <= value <= _MOST else None


def written_span(text: str) -> float | None:
    """Seconds of a span with units."""
    text = text.strip()
    if not text or len(text) > _LONG_TEXT:
        return None
    total, place = 0.0, 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            return None
        total += float(part[1]) * _unit(part[2].lower())
        gap = _BETWEEN.match(text, part.end())
        place = gap.end() if gap else part.end()
    return total if isfinite(total) and total <= LONGEST else None


def span(text: str) -> float | None:
    """Seconds of a span, with units or bare."""
    bare = amount(text)
    if bare is not None:
        return bare if bare <= LONGEST else None
    return written_span(text)


def instant(text: str, now: float, zone: tzinfo = UTC) -> float | None:
    """Unix seconds. ``zone`` is for what is written without one."""
    text = text.strip()
    if not text or len(text) > _LONG_TEXT:
        return None
    number = amount(text)
    if number is not None:
        found = now + number
        for least, units in _EPOCHS:
            if number >= least:
                found = number / units
                break
    else:
        seconds = written_span(text)
        found = now + seconds if seconds is not None else _moment(text, zone)
    return found if found is not None and 0 <= found <= now + LONGEST else None


def _unit(name: str) -> float:
    if name.startswith(("ms", "milli")):
        return 0.001
    return {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}[name[0]]


def _moment(text: str, zone: tzinfo) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        parts = parsedate_tz(text)
        return None if parts is None else float(mktime_tz(parts))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
