"""A plan in rows for people and as plain values for ``--json``. Pure; the command prints."""

from dataclasses import dataclass
from datetime import UTC, datetime

from omniroute_addon.config.models import Provider, Snapshot
from omniroute_addon.routing.plan import Ask, Candidate, Excluded, Plan
from translators.hub import JSON


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the explanation."""

    order: int | None
    """1 is tried first; None is out."""
    target: str
    account: str
    address: str
    """Format and URL of the call."""
    note: str
    """Passthrough or translation, or why it is out."""


def headline(plan: Plan, ask: Ask) -> str:
    """Which rule decides, in one line."""
    asked = ask.model or "no model"
    if plan.error is not None:
        return plan.error.message
    if plan.untouched:
        return f"{ask.client} asking {asked}: no rule applies, the call passes untouched"
    combo = f" → combo {plan.combo}" if plan.combo else ""
    return f"{ask.client} asking {asked}: {plan.route}{combo}"


def rows(plan: Plan, ask: Ask, now: float) -> tuple[Row, ...]:
    """The candidates in order, then what is out and why."""
    inside = tuple(
        Row(
            order,
            candidate.target,
            candidate.account.name if candidate.account else "-",
            _address(candidate, ask),
            _how(candidate, ask),
        )
        for order, candidate in enumerate(plan.candidates, 1)
    )
    return inside + tuple(Row(None, out.target, out.account or "-", "", _why(out, now)) for out in plan.excluded)


def as_json(plan: Plan, ask: Ask, snapshot: Snapshot, now: float) -> dict[str, JSON]:
    """Everything of a plan that a script may want; no keys."""
    return {
        "config": str(snapshot.source) if snapshot.source else None,
        "client": ask.client,
        "format": ask.format,
        "model": ask.model,
        "route": plan.route,
        "combo": plan.combo,
        "untouched": plan.untouched,
        "error": None if plan.error is None else plan.error.message,
        "candidates": [
            {
                "target": candidate.target,
                "provider": candidate.provider.id if candidate.provider else None,
                "model": candidate.model or candidate.asked,
                "account": candidate.account.name if candidate.account else None,
                "format": _format(candidate, ask),
                "url": None if candidate.origin and not _moved(candidate.provider) else _url(candidate, ask),
                "how": _how(candidate, ask),
            }
            for candidate in plan.candidates
        ],
        "excluded": [
            {"target": out.target, "account": out.account, "reason": out.reason, **_rest(out, now)}
            for out in plan.excluded
        ],
    }


def _rest(out: Excluded, now: float) -> dict[str, JSON]:
    return {"until": _clock(out.until), "seconds": None if out.until is None else round(out.until - now, 3)}


def _format(candidate: Candidate, ask: Ask) -> str:
    return ask.format if candidate.origin or candidate.provider is None else candidate.provider.format


def _moved(provider: Provider | None) -> bool:
    return provider is not None and provider.overridden


def _url(candidate: Candidate, ask: Ask) -> str | None:
    return candidate.provider.endpoint(_format(candidate, ask)) if candidate.provider else None


def _address(candidate: Candidate, ask: Ask) -> str:
    if candidate.origin and not _moved(candidate.provider):
        return f"{ask.format} at {ask.host or 'its own host'}"
    return f"{_format(candidate, ask)} at {_url(candidate, ask)}"


def _how(candidate: Candidate, ask: Ask) -> str:
    if candidate.origin:
        return "the tool's own call, untouched"
    if _format(candidate, ask) != ask.format:
        return f"translated from {ask.format}"
    return (
        "same format, adapted where the provider needs it"
        if candidate.profile.alters()
        else "same format, passed through"
    )


def _why(out: Excluded, now: float) -> str:
    if out.until is None:
        return out.reason
    return f"{out.reason} for {_duration(out.until - now)}, until {_clock(out.until)}"


def _clock(until: float | None) -> str | None:
    return None if until is None else datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds_left} s" if minutes else f"{seconds_left} s"
