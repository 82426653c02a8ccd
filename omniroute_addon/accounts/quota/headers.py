"""Quota windows in the headers of an answer, good or bad. Pure; unknown values never invent a quota.

Families: Claude's ``anthropic-ratelimit-unified-*`` (subscriptions) and ``anthropic-ratelimit-*`` (API keys), Codex's
``x-codex-*``, Copilot's ``x-quota-snapshot-*``, and ``x-ratelimit-*`` of everybody else with their ways to name the
window in front of or behind the word. Names are lower case. An allowance whose share is unknown stands for a window
that is open: what was known to be gone is not any more.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import parse_qsl

from omniroute_addon.accounts.quota.allowance import DAY, HOUR, PERIODS, WEEK, Allowance, period_name
from omniroute_addon.accounts.quota.grammar import amount, instant, written_span

_LONG = 900.0
"""Seconds to the reset from which a window of unknown length is a quota and not a pace."""
_JUST = 0.001
"""What is left of a window that its provider calls open although nothing is left of it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What headers say."""

    allowances: tuple[Allowance, ...] = ()
    opened: frozenset[str] = frozenset()
    """Windows that are open, by a word and without an amount."""


def is_marked(name: str) -> bool:
    """Whether a header is about limits."""
    return "ratelimit" in name or name.startswith(("x-codex-", "x-quota-snapshot-"))


def told(headers: Mapping[str, str], now: float, *, refused: bool, model: str | None = None) -> Told:
    """The windows in the marked headers of an answer; ``refused``: of an error.

    ``model`` is the one that was asked: the limits of ``x-ratelimit-*`` mostly are each model's own.
    """
    if not headers:
        return Told()
    claude = _claude(headers, now, refused=refused)
    others = (*_codex(headers, now, refused=refused), *_copilot(headers, now), *_limits(headers, now, model))
    return Told((*claude.allowances, *others), claude.opened)


# ── Claude subscriptions ────────────────────────────────────────────────────────────────────────────────────────────

_UNIFIED = "anthropic-ratelimit-unified-"
_UNIFIED_FIELD = re.compile(rf"{_UNIFIED}(?!overage-)(.+)-(status|utilization|reset)")
_CLAIMS = {"five_hour": "5h", "seven_day": "7d", "seven_day_opus": "7d_opus", "seven_day_sonnet": "7d_sonnet"}


def _claude(headers: Mapping[str, str], now: float, *, refused: bool) -> Told:
    windows: dict[str, dict[str, str]] = {}
    for name, value in headers.items():
        if (match := _UNIFIED_FIELD.fullmatch(name)) is not None:
            windows.setdefault(match[1], {})[match[2]] = value
    status = headers.get(f"{_UNIFIED}status")
    if status is None and not windows:
        return Told()
    if status == "rejected" and not any(fields.get("status") == "rejected" for fields in windows.values()):
        claim = headers.get(f"{_UNIFIED}representative-claim", "")
        rejected = windows.setdefault(_CLAIMS.get(claim, claim or "quota"), {})
        rejected["status"] = "rejected"
        if whole := headers.get(f"{_UNIFIED}reset"):
            rejected["reset"] = whole
    paid = not refused and (
        headers.get(f"{_UNIFIED}overage-in-use") == "true"
        or headers.get(f"{_UNIFIED}overage-status") in ("allowed", "allowed_warning")
    )
    found: list[Allowance] = []
    opened: set[str] = set()
    for key, fields in windows.items():
        window, models = _unified_name(key)
        used, word = amount(fields.get("utilization", "")), fields.get("status")
        resets = instant(fields.get("reset", ""), now)
        if word == "rejected":
            found.append(Allowance(window, 0.0, now, resets, models=models, gates=not paid))
        elif used is not None:
            found.append(Allowance(window, max(1 - used, _JUST), now, resets, models=models))
        elif word in ("allowed", "allowed_warning"):
            opened.add(window)
    return Told(tuple(found), frozenset(opened))


def _unified_name(key: str) -> tuple[str, str]:
    """The window and the models that it is for: ``7d_opus`` is the week of opus."""
    length, _, models = key.partition("_")
    window = {"7d": "week", "1d": "day", "30d": "month"}.get(length, length)
    if models == "oi":  # with extra usage
        return f"{window} with overage", ""
    return (f"{window} {models}", models) if models else (window, "")


# ── Codex ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_CODEX = re.compile(r"x-codex-(?:(.+)-)?(primary|secondary)-(used-percent|window-minutes|reset-at|reset-after-seconds)")


def _codex(headers: Mapping[str, str], now: float, *, refused: bool) -> Iterator[Allowance]:
    windows: dict[tuple[str, str], dict[str, str]] = {}
    for name, value in headers.items():
        if (match := _CODEX.fullmatch(name)) is not None:
            windows.setdefault((match[1] or "", match[2]), {})[match[3]] = value
    credit = headers.get("x-codex-credits-unlimited", "").lower() == "true" or (
        headers.get("x-codex-credits-has-credits", "").lower() == "true"
        and (amount(headers.get("x-codex-credits-balance", "")) or 0) > 0
    )
    for (family, which), fields in windows.items():
        used, minutes = amount(fields.get("used-percent", "")), amount(fields.get("window-minutes", ""))
        if used is None or minutes == 0:
            continue
        window = which if minutes is None else _minutes(minutes)
        after = amount(fields.get("reset-after-seconds", ""))
        resets = instant(fields.get("reset-at", ""), now) if after is None else instant(f"{after:f}", now)
        models = headers.get(f"x-codex-{family}-limit-name", "").lower() if family else ""
        yield Allowance(
            f"{window} {family}".rstrip(),
            min(1.0, max(0.0, 1 - used / 100)),
            now,
            resets,
            models=models,
            gates=(not family or bool(models)) and (refused or not credit),
        )


def _minutes(minutes: float) -> str:
    name = period_name(minutes * 60)
    if name is not None:
        return name
    return f"{minutes / 60:g}h" if minutes >= 60 else f"{minutes:g}m"


# ── Copilot ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _copilot(headers: Mapping[str, str], now: float) -> Iterator[Allowance]:
    """``ent=300&ov=0.0&ovPerm=false&rem=95.5&rst=…``; -1 is unlimited. Which models are premium is not said."""
    for name, value in headers.items():
        if not name.startswith("x-quota-snapshot-"):
            continue
        about = name.removeprefix("x-quota-snapshot-")
        fields = dict(parse_qsl(value[:1000]))
        entitled, left = amount(fields.get("ent", "")), amount(fields.get("rem", ""))
        if not entitled or left is None:
            continue
        resets = instant(fields.get("rst", ""), now)
        yield Allowance(
            f"month {about}",
            min(1.0, left / 100),
            now,
            resets,
            limit=entitled,
            gates=about in ("chat", "completions") and fields.get("ovPerm") != "true",
        )


# ── everybody else ──────────────────────────────────────────────────────────────────────────────────────────────────

_LIMIT = re.compile(
    r"(?:x-|anthropic-)?ratelimit(bysize)?-(?:(limit|remaining|reset)(?:-(.+))?|((?:priority-)?[a-z-]+?)-(limit|remaining|reset))"
)
_LENGTHS: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(rf"(?:^|-)(?:{words})(?:$|-)"), seconds)
    for words, seconds in (
        ("5-min(?:ute)?s?|5m", 300.0),
        ("per-second|second|1s|rps", 1.0),
        ("per-minute|minute|min|1m|rpm|tpm", 60.0),
        ("per-hour|hour|1h|rph", HOUR),
        ("per-day|daily|day|1d|24h|rpd|tpd", DAY),
        ("per-week|weekly|week|7d", WEEK),
        ("per-month|monthly|month|30d", PERIODS["month"]),
    )
)


@lru_cache(maxsize=512)
def _meaning(name: str) -> tuple[str, float | None, str] | None:
    """What a header is about, the length of its window as far as the name tells, and which of the three it is."""
    if name.startswith(_UNIFIED) or (match := _LIMIT.fullmatch(name)) is None:
        return None
    about = match[3] or match[4] or ""
    length: float | None = 60.0 if name.startswith("anthropic-") else None
    for pattern, seconds in _LENGTHS:
        if (found := pattern.search(about)) is not None:
            about, length = (about[: found.start()] + about[found.end() :]).strip("-"), seconds
            break
    return "tokens" if match[1] else about or "requests", length, match[2] or match[5]


def _limits(headers: Mapping[str, str], now: float, model: str | None) -> Iterator[Allowance]:
    groups: dict[tuple[str, float | None], dict[str, str]] = {}
    for name, value in headers.items():
        if (meaning := _meaning(name)) is not None:
            about, length, which = meaning
            groups.setdefault((about, length), {})[which] = value
    for (about, length), fields in groups.items():
        found = _limit(about, length, fields, now)
        if found is not None and model is not None:
            found = replace(found, window=f"{found.window} {model}", models=f"={model.lower()}")
        if found is not None:
            yield found


def _limit(about: str, length: float | None, fields: Mapping[str, str], now: float) -> Allowance | None:
    text, limit, remaining = (
        fields.get("reset", ""),
        amount(fields.get("limit", "")),
        amount(fields.get("remaining", "")),
    )
    if remaining is None or (not limit and remaining > 0):
        return None
    share = min(1.0, remaining / limit) if limit else 0.0
    resets, wait = instant(text, now), written_span(text)
    allowance = Allowance(about, share, now, resets, limit=limit or None)
    if length is not None:
        name = period_name(length) or f"{length / 60:g}m"
        return replace(allowance, window=f"{name} {about}", gates=length >= HOUR)
    if wait is not None and limit and share < 1:
        # A bucket: the reset is when it would be full again, so that its length can be told.
        period = wait / (1 - share)
        name = period_name(period)
        gates = period >= HOUR and "token" not in about
        window = f"{name} {about}" if name else about
        return replace(allowance, window=window, period=max(period, 0.001), gates=gates)
    return replace(allowance, gates=resets is not None and resets - now > _LONG)
