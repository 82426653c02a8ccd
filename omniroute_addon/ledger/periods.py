"""When a budget's day, week or month begins and ends, in its time zone. Pure; a day may have 23 or 25 hours."""

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

type Period = Literal["daily", "weekly", "monthly"]

PERIODS: tuple[Period, ...] = ("daily", "weekly", "monthly")
WORDS: dict[Period, str] = {"daily": "today", "weekly": "this week", "monthly": "this month"}


def span(period: Period, now: float, zone: ZoneInfo) -> tuple[float, float]:
    """Begin and end, as Unix seconds, of the period that ``now`` is in. Weeks begin on Monday."""
    day = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0, tzinfo=None)
    match period:
        case "daily":
            first, last = day, day + timedelta(days=1)
        case "weekly":
            first = day - timedelta(days=day.weekday())
            last = first + timedelta(days=7)
        case "monthly":
            first = day.replace(day=1)
            last = (first + timedelta(days=32)).replace(day=1)
    return first.replace(tzinfo=zone).timestamp(), last.replace(tzinfo=zone).timestamp()
