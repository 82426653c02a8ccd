"""A call and the plan for it as plain values: what the ledger keeps of why a call went where it went. No keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from omniroute_addon.ledger.prices import has_login
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.plan import Plan
from omniroute_addon.routing.state import BudgetBlock, State
from translators.hub import JSON


def decision(plan: Plan, ask: Ask | None = None, state: State | None = None, now: float = 0.0) -> dict[str, JSON]:
    """``ask`` makes the call replayable against other rules; its headers, which hold secrets, are left out.

    ``state`` is what the plan was made by; what it knew of each candidate is kept.
    """
    found: dict[str, JSON] = {
        "route": plan.route,
        "combo": plan.combo,
        "session": plan.session,
        "tried": [list(one) for one in plan.tried],
        "candidates": [
            {
                "target": one.target,
                "account": one.account.name if one.account else None,
                "why": one.why,
                **({} if state is None else _known(one, state, now)),
            }
            for one in plan.candidates
        ],
        "excluded": [
            {"target": out.target, "account": out.account, "reason": out.reason, "until": out.until}
            for out in plan.excluded
        ],
    }
    if plan.policies:
        found["policies"] = list(plan.policies)
    if plan.max_tokens is not None:
        found["max_tokens"] = plan.max_tokens
    if plan.denied is not None:
        found["denied"] = {"name": plan.denied.name, "words": plan.denied.words, "until": plan.denied.until}
    if plan.error is not None:
        found["error"] = plan.error.message
    if ask is not None:
        found["ask"] = asked(ask)
    return found


def words(decided: Mapping[str, Any]) -> list[str]:
    """A kept decision for people, a line for each thing."""
    combo = f" → combo {decided['combo']}" if decided.get("combo") else ""
    lines = [f"{route}: not this one, {unmet}" for route, unmet in decided.get("tried", ())]
    lines += [f"policy {name}" for name in decided.get("policies", ())]
    lines.append(f"{decided['route']}{combo}")
    if denied := decided.get("denied"):
        lines.append(f"refused by budget {denied['name']}: {denied['words']}")
    for number, one in enumerate(decided.get("candidates", ()), 1):
        why = f": {one['why']}" if one["why"] else ""
        lines.append(f"{number}. {_place(one)}{why}{_figures(one)}")
    for out in decided.get("excluded", ()):
        until = "" if out["until"] is None else f" until {datetime.fromtimestamp(out['until']):%a %H:%M}"  # noqa: DTZ006
        lines.append(f"out: {_place(out)}: {out['reason']}{until}")
    return lines


def _place(one: Mapping[str, Any]) -> str:
    return f"{one['target']} ({one['account']})" if one["account"] else str(one["target"])


def _figures(one: Mapping[str, Any]) -> str:
    found = known(one)
    return f" [{found}]" if found else ""


def known(candidate: Mapping[str, Any]) -> str:
    """What was known of a candidate of a kept decision."""
    quota, price, uses = candidate.get("quota"), candidate.get("price"), candidate.get("uses")
    parts = [
        f"{quota['share']:.0%} of {quota['window']} left" if quota else "",
        f"${price:.2f}/M" if price else "",
        f"{uses}× used" if uses else "",
    ]
    return ", ".join(part for part in parts if part)


def _known(candidate: Candidate, state: State, now: float) -> dict[str, JSON]:
    """What strategies and policies went by; nothing of what was not known."""
    found: dict[str, JSON] = {}
    if (price := state.price(candidate)) is not None:
        found["price"] = price
    if uses := state.uses(candidate.account_key):
        found["uses"] = uses
    if under_way := state.in_flight(candidate.account_key):
        found["in_flight"] = under_way
    if (left := state.quota(candidate, now)) is not None:
        found["quota"] = {"share": round(left.share, 4), "window": left.window, "resets": left.resets}
    return found


def asked(ask: Ask) -> dict[str, JSON]:
    """What rules can see of a call; of its body what costs no parsing."""
    seen = ask.facts.glimpse()
    return {
        "client": ask.client,
        "format": ask.format,
        "model": ask.model,
        "host": ask.host,
        "path": ask.path.partition("?")[0],
        "operation": ask.operation,
        "gateway": ask.gateway,
        "provider": ask.provider,
        "slash_models": ask.slash_models,
        "key": ask.key,
        "source": ask.source,
        "login": has_login(ask.headers),
        "has": [*sorted(seen.has)],
        "tokens": seen.tokens or None,
        "at_most": ask.facts.at_most,
        "session": seen.session,
    }


def without_room(decided: Mapping[str, JSON], candidate: Candidate, block: BudgetBlock) -> dict[str, JSON]:
    """The decision, when a budget proves to have no room for a candidate that the plan had let through."""
    account = candidate.account.name if candidate.account else None
    reason = f"budget {block.name}: {block.words}"
    before = decided.get("excluded")
    out: JSON = {"target": candidate.target, "account": account, "reason": reason, "until": block.until}
    found = {**decided, "excluded": [*(before if isinstance(before, list) else ()), out]}
    if block.on_exceed == "deny":
        found["denied"] = {"name": block.name, "words": block.words, "until": block.until}
    return found
