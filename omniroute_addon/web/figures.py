"""Numbers as people read them, the same in every language: SI groups and units, a point, local time. Pure."""

from datetime import datetime

NONE = "–"
_SPACE = "\N{NARROW NO-BREAK SPACE}"


def whole(number: float | None) -> str:
    """``12 345``."""
    return NONE if number is None else f"{number:,.0f}".replace(",", _SPACE)


def short(number: float | None) -> str:
    """``950``, ``12.3k``, ``4.5M``."""
    if number is None:
        return NONE
    for unit in ("", "k", "M", "G"):
        if abs(number) < 999.5:
            return f"{number:.0f}" if not unit else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.1f}T"


def money(micro: float | None, *, estimated: bool = False) -> str:
    """Micro-dollars as ``$1.23``; small sums keep the digits that say something. ``~`` marks an estimate."""
    return NONE if micro is None else f"{'~' if estimated else ''}${_dollars(micro)}"


def difference(micro: float) -> str:
    """An estimated change: ``~+$1.23``, ``~−$0.0420``."""
    return f"~{'+' if micro > 0 else '−' if micro < 0 else ''}${_dollars(abs(micro))}"


def _dollars(micro: float) -> str:
    digits = 2 if micro == 0 or abs(micro) >= 1e6 else 4 if abs(micro) >= 100 else 6
    return f"{micro / 1e6:,.{digits}f}".replace(",", _SPACE)


def took(seconds: float | None) -> str:
    """``340 ms``, ``2.1 s``, ``3 min 20 s``."""
    if seconds is None:
        return NONE
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f}{_SPACE}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}{_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n}{_SPACE}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")) if n]
    return " ".join(parts[:2])


def share(part: float | None) -> str:
    """``12 %``."""
    return NONE if part is None else f"{part * 100:.0f}{_SPACE}%"


def apart(text: str) -> str:
    """A figure within a sentence, whichever way that runs: isolated, from left to right."""
    return f"\N{LEFT-TO-RIGHT ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


def clock(when: float | None) -> str:
    return NONE if when is None else f"{datetime.fromtimestamp(when):%H:%M:%S}"  # noqa: DTZ006 -- local


def date(when: float | None) -> str:
    return NONE if when is None else f"{datetime.fromtimestamp(when):%Y-%m-%d %H:%M:%S}"  # noqa: DTZ006 -- local


def iso(when: float) -> str:
    """For ``<time datetime>``."""
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="milliseconds")


def size(count: int | None) -> str:
    """Bytes."""
    if count is None:
        return NONE
    number = float(count)
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.0f}{_SPACE}{unit}" if unit == "B" else f"{number:.1f}{_SPACE}{unit}"
        number /= 1000
    return f"{number:.1f}{_SPACE}GB"
