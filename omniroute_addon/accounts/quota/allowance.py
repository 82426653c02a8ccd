"""What is known of one quota window of one account, and what it means later. Values; no clock of its own.

Two kinds of window. One that is *fixed* is full again at its reset and says nothing in between. One that *fills* (the
``x-ratelimit-*`` buckets) gains a little all the time. A window without a reset is believed for a while only: an
unknown time must not close an account for good. One that was seen in the future is not believed: the clock was set back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from omniroute_addon.accounts.health import SET_BACK
from translators.hub import JSON

type Source = Literal["headers", "error", "counted"]

HOUR, DAY, WEEK = 3600.0, 86400.0, 604800.0
MONTH = 31 * DAY
FAR = 1e11
"""No time is beyond it."""
GONE_UNDATED = 300.0
"""Seconds for which a window that is gone without a reset is believed to be so."""
LEFT_UNDATED = DAY
"""The same for one of which something was left."""
PERIODS: Mapping[str, float] = {
    "second": 1.0,
    "minute": 60.0,
    "hour": HOUR,
    "5h": 5 * HOUR,
    "day": DAY,
    "week": WEEK,
    "month": MONTH,
}


def period_name(seconds: float) -> str | None:
    """The window whose length is about that; None for one without a name."""
    for name, length in PERIODS.items():
        if 0.8 * length <= seconds <= 1.1 * length:
            return name
    return None


@dataclass(frozen=True, slots=True)
class Allowance:
    """One window as it was at ``seen``."""

    window: str
    """``5h``, ``week opus``, ``minute tokens``: its length as far as it is known, then what it is about."""
    share: float
    """What was left of it, 0 to 1."""
    seen: float
    resets: float | None = None
    """When it is full again, Unix seconds."""
    source: Source = "headers"
    limit: float | None = None
    period: float | None = None
    """Seconds in which it fills from empty; None for a window that is fixed."""
    models: str = ""
    """A part of the names of the models that it is about, or ``=`` and the whole name; empty for all."""
    gates: bool = True
    """Whether routing heeds it. Not a pace of seconds (that is waited out), and not what is paid as extra usage."""
    firm: bool = True
    """False: counted against a published figure."""

    def share_at(self, now: float) -> float | None:
        """What is left of it now; None when nothing is known any more."""
        if self.seen > now + SET_BACK:
            return None
        if self.period is not None:
            gained = self.share + max(0.0, now - self.seen) / self.period
            if gained >= 1:
                return None
            return gained if self.limit is None or gained * self.limit >= 1 else 0.0
        return self.share if now < self.believed_until else None

    @property
    def believed_until(self) -> float:
        if self.period is not None:
            return self.seen + (1 - self.share) * self.period
        if self.resets is not None:
            return self.resets
        return self.seen + (GONE_UNDATED if self.share <= 0 else LEFT_UNDATED)

    @property
    def full(self) -> float | None:
        """When it is full again, if nothing is used; None when nobody knows."""
        return self.resets if self.period is None else self.believed_until

    @property
    def back(self) -> float:
        """When something is left again, if nothing is now."""
        if self.period is not None and self.limit:
            return self.seen + max(0.0, 1 / self.limit - self.share) * self.period
        return self.believed_until

    def about(self, model: str | None) -> bool:
        """Whether a call of this model uses it."""
        if not self.models:
            return True
        name = (model or "").lower()
        return name == self.models[1:] if self.models.startswith("=") else self.models in name

    def plain(self) -> dict[str, JSON]:
        """As JSON; :func:`read` is the way back."""
        return {
            "window": self.window,
            "share": self.share,
            "seen": self.seen,
            "resets": self.resets,
            "source": self.source,
            "limit": self.limit,
            "period": self.period,
            "models": self.models,
            "gates": self.gates,
        }


def read(value: JSON) -> Allowance | None:
    """An allowance that was written down; None for anything else."""
    match value:
        case {
            "window": str(window),
            "share": float() | int() as share,
            "seen": float() | int() as seen,
            "source": "headers" | "error" as source,
            "models": str(models),
            "gates": bool(gates),
        }:
            resets, limit, period = (_number(value.get(name)) for name in ("resets", "limit", "period"))
            if _number(share) is None or _number(seen) is None or share > 1 or max(seen, resets or 0.0) > FAR:
                return None
            return Allowance(window, share, seen, resets, source, limit, period or None, models, gates)
        case _:
            return None


def _number(value: JSON) -> float | None:
    """A number that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e300 else None
