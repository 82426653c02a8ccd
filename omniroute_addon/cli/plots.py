"""Figures in words and in blocks: for people who look rather than read. Pure."""

from collections.abc import Sequence
from datetime import datetime

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_THOUSAND = 1000


def bar(share: float, width: int = 20) -> str:
    """A bar of eighth blocks; a share that is not quite nothing shows."""
    share = min(max(share, 0.0), 1.0)
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def gauge(share: float, width: int = 20) -> str:
    """A bar with its rest, so that what is left shows too."""
    filled = bar(share, width)
    return filled + "░" * (width - len(filled))


def spark(values: Sequence[float]) -> str:
    """One character for each value; none for nothing at all."""
    most = max(values, default=0)
    if most <= 0:
        return " " * len(values)
    return "".join(" " if value <= 0 else _LEVELS[min(int(value / most * 8), 7)] for value in values)


def count(number: float) -> str:
    """``950``, ``12.3k``, ``4.5M``."""
    for unit in ("", "k", "M", "G"):
        if abs(number) < _THOUSAND:
            return f"{number:.0f}" if not unit else f"{number:.1f}{unit}"
        number /= _THOUSAND
    return f"{number:.1f}T"


def money(micro: int, *, estimated: bool = False) -> str:
    """``$1.23``; small sums keep the digits that say something. ``~`` marks an estimate."""
    dollars = micro / 1e6
    digits = 2 if dollars == 0 or abs(dollars) >= 1 else 4
    return f"{'~' if estimated else ''}${dollars:.{digits}f}"


def duration(seconds: float) -> str:
    """The two greatest units: ``3d 4h``, ``2h 13m``, ``45s``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0")) or "0s"


def clock(when: float) -> str:
    """Local time, to be read by people."""
    return f"{datetime.fromtimestamp(when):%a %d %b %H:%M}"  # noqa: DTZ006 -- local
