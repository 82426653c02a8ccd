"""A plan in rows for people and as plain values for ``--json``: what was asked, tried, chosen, left out, and why.

Pure; the command prints. What the plan does not keep (prices, quotas, use) is asked of the same state that it saw.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from omniroute_addon.config.models import Provider, Route, Snapshot
from omniroute_addon.config.section import zone
from omniroute_addon.config.ways import DIRECT, Outbound, Ways
from omniroute_addon.routing.plan import Ask, Candidate, Excluded, Plan
from omniroute_addon.routing.state import State
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
    why: str = ""
    """Why it stands where it stands; nothing when that is the order of the file."""


def headline(plan: Plan, ask: Ask) -> str:
    """Which rule decides, in one line."""
    asked = ask.model or "no model"
    if plan.error is not None:
        return plan.error.message
    if plan.untouched:
        return f"{ask.client} asking {asked}: no rule applies, the call passes untouched"
    combo = f" → combo {plan.combo}" if plan.combo else ""
    refused = f", refused by budget {plan.denied.name}" if plan.denied else ""
    return f"{ask.client} asking {asked}: {plan.route}{combo}{refused}"


def steps(plan: Plan, ask: Ask, snapshot: Snapshot, now: float) -> tuple[str, ...]:
    """What was looked at on the way, a line each: routes that do not apply, policies, bounds."""
    rules = {route.name: route for route in snapshot.routes}
    lines = [f"{name}: not this one, {unmet(key, rules.get(name), ask, now)}" for name, key in plan.tried]
    if plan.denied is not None:
        until = f", until {_clock(plan.denied.until)}" if plan.denied.until > now else ""
        lines.append(f"budget {plan.denied.name} refuses the call: {plan.denied.words}{until}")
    lines += [f"policy {name} holds" for name in plan.policies]
    if plan.max_tokens is not None:
        lines.append(f"at most {plan.max_tokens:,} tokens of output are asked for")
    if plan.session is not None:
        lines.append(f"session {plan.session}")
    return tuple(lines)


def rows(plan: Plan, ask: Ask, now: float, ways: Ways = DIRECT) -> tuple[Row, ...]:
    """The candidates in order, then what is out and why."""
    inside = tuple(
        Row(
            order,
            candidate.target,
            candidate.account.name if candidate.account else "-",
            _address(candidate, ask) + _by(candidate, ask, ways),
            _how(candidate, ask),
            candidate.why,
        )
        for order, candidate in enumerate(plan.candidates, 1)
    )
    return inside + tuple(Row(None, out.target, out.account or "-", "", _why(out, now)) for out in plan.excluded)


def as_json(plan: Plan, ask: Ask, snapshot: Snapshot, now: float, state: State | None = None) -> dict[str, JSON]:
    """Everything of a plan that a script may want; no keys."""
    denied = plan.denied
    rules = {route.name: route for route in snapshot.routes}
    return {
        "config": str(snapshot.source) if snapshot.source else None,
        "at": _clock(now),
        "ask": {
            "client": ask.client,
            "format": ask.format,
            "model": ask.model,
            "host": ask.host,
            "path": ask.path,
            "gateway": ask.gateway,
            "key": ask.key,
            "source": ask.source,
            "has": [*sorted(ask.facts.has)],
            "tokens": ask.facts.tokens,
            "session": ask.facts.session,
        },
        "route": plan.route,
        "tried": [
            {"route": name, "unmet": key, "words": unmet(key, rules.get(name), ask, now)} for name, key in plan.tried
        ],
        "combo": plan.combo,
        "untouched": plan.untouched,
        "error": None if plan.error is None else plan.error.message,
        "denied": None
        if denied is None
        else {"budget": denied.name, "words": denied.words, **_rest(denied.until, now)},
        "policies": list(plan.policies),
        "max_tokens": plan.max_tokens,
        "session": plan.session,
        "turns": list(plan.turns),
        "candidates": [_candidate(candidate, ask, snapshot, now, state) for candidate in plan.candidates],
        "excluded": [
            {"target": out.target, "account": out.account, "reason": out.reason, **_rest(out.until, now)}
            for out in plan.excluded
        ],
    }


def _candidate(candidate: Candidate, ask: Ask, snapshot: Snapshot, now: float, state: State | None) -> dict[str, JSON]:
    found: dict[str, JSON] = {
        "target": candidate.target,
        "provider": candidate.provider.id if candidate.provider else None,
        "model": candidate.model or candidate.asked,
        "account": candidate.account.name if candidate.account else None,
        "tier": candidate.tier,
        "origin": candidate.origin,
        "format": _format(candidate, ask),
        "url": None if candidate.origin and not _moved(candidate.provider) else _url(candidate, ask),
        "proxy": None if (proxy := way(candidate, ask, snapshot.ways)) is None else str(proxy),
        "how": _how(candidate, ask),
        "why": candidate.why or None,
    }
    if state is not None:
        found["state"] = scores(candidate, now, state)
    return found


def way(candidate: Candidate, ask: Ask, ways: Ways) -> Outbound | None:
    """The outbound proxy that an attempt would leave by."""
    own = f"https://{ask.host}" if ask.host else None
    url = own if candidate.origin and not _moved(candidate.provider) else _url(candidate, ask)
    return None if url is None else candidate.way(url, ways)


def _by(candidate: Candidate, ask: Ask, ways: Ways) -> str:
    proxy = way(candidate, ask, ways)
    return "" if proxy is None else f" by {proxy}"


def scores(candidate: Candidate, now: float, state: State) -> dict[str, JSON]:
    """The figures that strategies and policies go by."""
    left = state.quota(candidate, now)
    return {
        "uses": state.uses(candidate.account_key),
        "in_flight": state.in_flight(candidate.account_key),
        "price": state.price(candidate),
        "quota": None if left is None else {"share": left.share, "window": left.window, "resets": _clock(left.resets)},
    }


def unmet(key: str, route: Route | None, ask: Ask, now: float) -> str:
    """Why a route does not apply: what it wants and what the call is. Reads the body when the route does."""
    if key == "enabled":
        return "it is disabled"
    if route is None:
        return f"its {key} does not match"
    match, when = route.match, route.match.when
    wanted: tuple[str, ...]
    match key:
        case "client" | "model" | "host" | "path" | "format":
            wanted = getattr(match, key)
            found = getattr(ask, key)
        case "session":
            wanted, found = when.session, ask.facts.session
        case "key" | "source":
            wanted, found = getattr(when, key), getattr(ask, key)
        case "hours" | "days":
            moment = datetime.fromtimestamp(now, zone(when.timezone))
            wanted = when.days if key == "days" or when.hours is None else (str(when.hours),)
            found = f"{moment:%a %H:%M}"
        case "has":
            missing = sorted(set(when.has) - ask.facts.has)
            return f"the request has no {' and no '.join(missing)}"
        case "lacks":
            return f"the request has {' and '.join(sorted(set(when.lacks) & ask.facts.has))}"
        case "tokens_over" | "tokens_under":
            return f"{key} is {getattr(when, key):,}, the request has about {ask.facts.tokens:,} tokens"
        case _:
            name = key.removeprefix("headers.")
            wanted, found = dict(match.headers).get(name, ()), ask.headers.get(name)
            key = f"header {name}"
    return f"{key} is {found or 'not given'}, not {' or '.join(wanted)}"


def _rest(until: float | None, now: float) -> dict[str, JSON]:
    return {"until": _clock(until), "seconds": None if until is None else round(until - now, 3)}


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
