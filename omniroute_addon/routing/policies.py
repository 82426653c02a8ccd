"""Who may use what: the phases that a candidate passes, lockout → budget → access → ability → quota. Pure.

The first phase that says no gives the reason. A budget with ``on_exceed: deny`` refuses the whole call; everything else
leaves one candidate out, and the call falls back to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from omniroute_addon.config.governance import Policy
from omniroute_addon.config.models import Snapshot
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate, Excluded
from omniroute_addon.routing.matching import any_of
from omniroute_addon.routing.state import BudgetBlock, QuotaLeft, State


def policies_of(ask: Ask, snapshot: Snapshot) -> tuple[Policy, ...]:
    """Those that hold for a call."""
    return tuple(policy for policy in snapshot.governance.policies if policy.enabled and _covers(policy, ask))


def _covers(policy: Policy, ask: Ask) -> bool:
    rule = policy.match
    pairs = ((rule.client, ask.client), (rule.key, ask.key or ""), (rule.model, ask.model or ""))
    return all(not globs or any_of(globs, value) for globs, value in pairs)


@dataclass(frozen=True, slots=True)
class Screening:
    """What every candidate of a call is held against."""

    ask: Ask
    policies: tuple[Policy, ...]
    state: State
    now: float

    def refusal(self, candidate: Candidate) -> Excluded | BudgetBlock | Candidate | None:
        """Why the candidate is out; a BudgetBlock refuses the call. None lets it through, a Candidate after the others."""
        if (rest := self.state.rest(candidate, self.now)) is not None:
            return _out(candidate, rest.reason, rest.until)
        block = self.state.over_budget(candidate, self.ask, self.now)
        if block is not None and block.on_exceed == "deny":
            return block
        if block is not None and block.on_exceed == "fallback":
            return _out(candidate, f"budget {block.name}: {block.words}", block.until)
        if (denied := denial(candidate, self.policies)) is not None:
            return denied
        reason = _ability(candidate, self.ask)
        return _out(candidate, reason) if reason else self._quota(candidate)

    def only_resting(self, candidate: Candidate) -> bool:
        """Whether it is the client's own call and nothing keeps it back but what is known of its provider."""
        block = self.state.over_budget(candidate, self.ask, self.now) if candidate.origin else None
        allowed = block is None or block.on_exceed == "warn"
        return candidate.origin and allowed and denial(candidate, self.policies) is None

    def _quota(self, candidate: Candidate) -> Excluded | Candidate | None:
        left = self.state.quota(candidate, self.now)
        words = None if left is None else short_of(candidate, left)
        if left is None or words is None:
            return None
        if not left.firm:
            return candidate.because(f"{words} by a published figure, so it is tried last")
        return _out(candidate, words, left.resets)


def short_of(candidate: Candidate, left: QuotaLeft) -> str | None:
    """Why what is left of its quota is not for this call; None when it is."""
    if left.gone:
        return f"its {left.window} quota is gone"
    keep = candidate.account.quota.keep if candidate.account else 0.0
    if candidate.account is None and candidate.provider is not None:
        keep = candidate.provider.quota.keep
    if left.share <= keep:
        return f"{left.share:.0%} of its {left.window} quota left, {keep:.0%} are kept in reserve"
    return None


def _out(candidate: Candidate, reason: str, until: float | None = None) -> Excluded:
    return Excluded(candidate.target, candidate.account.name if candidate.account else None, reason, until)


def denial(candidate: Candidate, policies: Sequence[Policy]) -> Excluded | None:
    """The first policy that does not let the call use the candidate."""
    names = _called(candidate) if policies else ()
    for policy in policies:
        reason = None
        if policy.deny and any(any_of(policy.deny, name) for name in names):
            reason = f"policy {policy.name} denies it"
        elif policy.allow and not any(any_of(policy.allow, name) for name in names):
            reason = f"policy {policy.name} allows only {', '.join(policy.allow)}"
        if reason is not None:
            return replace(_out(candidate, reason), policy=policy.name)
    return None


def _called(candidate: Candidate) -> tuple[str, ...]:
    """All names of a candidate: whoever may not use a target may not use it under another prefix, either."""
    model = candidate.model or candidate.asked or ""
    if candidate.origin or candidate.provider is None:
        return candidate.target, model
    bare = model.removeprefix(candidate.provider.model_prefix)
    return candidate.target, model, bare, *(f"{owner}/{bare}" for owner in _names(candidate))


def bound(policies: Sequence[Policy]) -> int | None:
    """The most output that a call may ask for."""
    return min((policy.max_tokens for policy in policies if policy.max_tokens is not None), default=None)


def _ability(candidate: Candidate, ask: Ask) -> str | None:
    """What the request needs and the model is known not to have. The client's own call is its own affair."""
    if candidate.origin or candidate.provider is None:
        return None
    model = candidate.provider.model(candidate.model or candidate.asked)
    if model is None:
        return None
    if not model.enabled:
        return "the model is disabled"
    if model.context is not None and ask.facts.at_most > model.context and ask.facts.tokens > model.context:
        return f"the request has about {ask.facts.tokens:,} tokens, its window {model.context:,}"
    for able, feature in ((model.tools, "tools"), (model.images, "images"), (model.reasoning, "thinking")):
        if able is False and feature in ask.facts.has:
            return f"the request has {feature}, the model cannot take them"
    return None


def preferred(candidates: Sequence[Candidate], policies: Sequence[Policy]) -> list[Candidate]:
    """Candidates of preferred providers first, otherwise as they were."""
    wanted = {name for policy in policies for name in policy.prefer}
    if not wanted:
        return list(candidates)
    return sorted(candidates, key=lambda one: one.provider is None or wanted.isdisjoint(_names(one)))


def _names(candidate: Candidate) -> tuple[str, ...]:
    assert candidate.provider is not None
    return candidate.provider.id, *candidate.provider.prefixes
