"""Outcomes put into words for the client: what one failure was, and what is left to say when all targets failed. Pure."""

from dataclasses import replace

import orjson

from omniroute_addon.accounts.health import Health
from omniroute_addon.engine.verdict import Outcome
from omniroute_addon.routing.plan import Candidate, Plan
from translators import WireResponse, hub
from translators.estimate import input_tokens

_HOPE: tuple[hub.FailureKind, ...] = (
    "overloaded",
    "server",
    "cut",
    "timeout",
    "rate_limit",
    "quota",
    "context_overflow",
    "too_large",
    "not_found",
    "permission",
    "authentication",
    "billing",
    "invalid_request",
)
"""When targets failed for different reasons, the client is told the one after which another try helps soonest."""

_WORDS = {
    "html": "an HTML page instead of an answer",
    "empty": "an empty answer",
    "not-format": "an answer that is not its format",
    "cut": "the answer broke off before its first event",
}
_MAX_TRIED = 12


def failure_of(outcome: Outcome) -> hub.Failure:
    """A failure for an outcome that brought none of its own."""
    if outcome.kind == "status":
        return hub.Failure("server", f"HTTP {outcome.status}", outcome.status or 502)
    return hub.Failure("server", _WORDS.get(outcome.kind, outcome.kind), 502)


def dated(failure: hub.Failure, now: float) -> hub.Failure:
    """The failure with its reset, an instant that the translators leave in ``raw``, as seconds from ``now`` (Unix)."""
    if failure.retry_after is not None or not isinstance(failure.raw, dict):
        return failure
    inner = failure.raw.get("error")
    for place in (failure.raw, inner if isinstance(inner, dict) else {}):
        for name in ("reset", "resets_at"):
            instant = place.get(name)
            if isinstance(instant, int | float) and not isinstance(instant, bool) and instant > now:
                return replace(failure, retry_after=instant - now)
    return failure


def exhausted(plan: Plan, failures: list[tuple[Candidate, hub.Failure]], health: Health, now: float) -> hub.Failure:
    """The answer when no target is left: the most hopeful failure, when to come back, and what was tried."""
    if plan.error is not None:
        return hub.Failure("not_found", plan.error.message, 404)
    waits = [out.until - now for out in plan.excluded if out.until is not None and out.until > now]
    waits += [until - now for candidate, _ in failures if (until := health.until(candidate, now)) is not None]
    waits += [failure.retry_after for _, failure in failures if failure.retry_after is not None]
    soonest = max(1.0, min(waits)) if waits else None
    kind: hub.FailureKind
    if failures:
        kind, status = min(((f.kind, f.status) for _, f in failures), key=lambda said: _HOPE.index(said[0]))
        transient = kind in ("server", "cut", "timeout", "overloaded")
        status = 503 if transient else status
        kind = "overloaded" if kind == "cut" else kind
    elif waits:
        kind, status = "quota" if soonest and soonest > 60 else "rate_limit", 429
    else:
        kind, status = "invalid_request", 400
    tried = [f"{candidate.target}{_account(candidate)}: {failure.message}" for candidate, failure in failures]
    tried += [f"{out.target}: {out.reason}" for out in plan.excluded]
    shown = "; ".join(tried[:_MAX_TRIED]) + (f"; and {len(tried) - _MAX_TRIED} more" if len(tried) > _MAX_TRIED else "")
    name = plan.combo or plan.route
    message = (
        f"OmniRoute: no target of {name!r} could answer. Tried: {shown or 'nothing, the rule names no usable target'}"
    )
    if kind not in ("rate_limit", "quota", "overloaded", "server", "timeout"):
        soonest = None
    return hub.Failure(kind, message, status, retry_after=soonest)


def estimate(format_name: str, request: hub.Request) -> WireResponse:
    """The answer of a token-counting call, estimated here (design.md 6: figures that are estimates are said to be)."""
    tokens = input_tokens(request)
    body = {"totalTokens": tokens} if format_name.startswith("gemini") else {"input_tokens": tokens}
    headers = {"content-type": "application/json", "x-omniroute-estimated": "true"}
    return WireResponse(200, headers, orjson.dumps(body))


def _account(candidate: Candidate) -> str:
    return f" ({candidate.account.name})" if candidate.account else ""
