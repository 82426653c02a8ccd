"""Outcomes put into words for the client: what one failure was, and what is left to say when all targets failed. Pure."""

from dataclasses import replace

import orjson

from omniroute_addon.accounts.health import Health
from omniroute_addon.engine.verdict import Outcome
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.plan import Plan
from omniroute_addon.routing.state import BudgetBlock
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
_THROTTLE = 60.0
"""Seconds up to which a wait is one for the client's own retries."""


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
    if plan.denied is not None:
        return denied(plan.denied, now)
    waits = [out.until - now for out in plan.excluded if out.until is not None]
    waits += [until - now for candidate, _ in failures if (until := health.until(candidate, now)) is not None]
    waits += [failure.retry_after for _, failure in failures if failure.retry_after is not None]
    soonest = max(1.0, min(waits)) if waits else None
    kind: hub.FailureKind
    if failures:
        kind, status = min(((f.kind, f.status) for _, f in failures), key=lambda said: _HOPE.index(said[0]))
        transient = kind in ("server", "cut", "timeout", "overloaded")
        status = 503 if transient else status
        kind = "overloaded" if kind == "cut" else kind
        kind = "rate_limit" if kind == "quota" and soonest is not None and soonest <= _THROTTLE else kind
    elif waits:
        kind, status = "quota" if soonest and soonest > _THROTTLE else "rate_limit", 429
    elif any(out.policy for out in plan.excluded):
        return _forbidden(plan)
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


def _forbidden(plan: Plan) -> hub.Failure:
    """Policies leave nothing that the call may use."""
    reasons = dict.fromkeys(f"{out.target}: {out.reason}" for out in plan.excluded)
    words = "; ".join([*reasons][:_MAX_TRIED])
    said = f"OmniRoute: the rules do not allow this call ({words}). Ask for another model, or have `policies` changed"
    return hub.Failure("permission", said, 403)


def denied(block: BudgetBlock, now: float) -> hub.Failure:
    """The answer when a budget refuses a call."""
    return _over(f"OmniRoute: budget {block.name} refuses this call: {block.words}", block, now)


def left_out(block: BudgetBlock, now: float) -> hub.Failure:
    """Why a target was not tried that a budget has no room for."""
    return _over(f"budget {block.name}: {block.words}", block, now)


def _over(words: str, block: BudgetBlock, now: float) -> hub.Failure:
    """Money that is held for calls under way may be free in seconds; what is spent is spent until the period ends."""
    wait = max(1.0, block.until - now)
    return hub.Failure("quota" if wait > _THROTTLE else "rate_limit", words, 429, retry_after=wait)


def estimate(format_name: str, request: hub.Request) -> WireResponse:
    """The answer of a token-counting call, estimated here (design.md 6: figures that are estimates are said to be)."""
    tokens = input_tokens(request)
    body = {"totalTokens": tokens} if format_name.startswith("gemini") else {"input_tokens": tokens}
    headers = {"content-type": "application/json", "x-omniroute-estimated": "true"}
    return WireResponse(200, headers, orjson.dumps(body))


def _account(candidate: Candidate) -> str:
    return f" ({candidate.account.name})" if candidate.account else ""
