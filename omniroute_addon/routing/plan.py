"""Where a call goes: rules → target or combo → candidates (target and account), in order, each exclusion with its reason.

Order of the rules: the first matching route; an alias (glob on the asked model); a combo's name; ``prefix/model`` of a
known provider. When none applies, an intercepted call is *untouched* (its only candidate is the client's own call) and
a gateway call is an error, since it has no own call to fall back to. After the targets of the rule come those of the
fallback chain of the asked model. Strategies order, policies leave out.

Pure: the same ask, snapshot, state, time and random numbers give the same plan. What decides is also what explains.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from omniroute_addon.config.glob import matches
from omniroute_addon.config.models import (
    AVAILABLE_FORMATS,
    MAX_COMBO_DEPTH,
    ORIGIN,
    Combo,
    ComboTarget,
    Place,
    Provider,
    Snapshot,
)
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate, Excluded
from omniroute_addon.routing.matching import mismatch
from omniroute_addon.routing.names import bare, listed, near
from omniroute_addon.routing.policies import Screening, bound, denial, policies_of, preferred
from omniroute_addon.routing.state import BudgetBlock, State
from omniroute_addon.routing.strategies import Group, order_accounts, order_targets

ANY_MODEL = "*"
"""``glm/*`` is the asked model at that provider."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """A gateway call asked for a name that means nothing."""

    name: str
    near: tuple[str, ...]

    @property
    def message(self) -> str:
        hint = f"; did you mean {', '.join(self.near)}?" if self.near else ""
        return f"unknown model {self.name!r}: use prefix/model, an alias or a combo{hint}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered candidates of one exchange."""

    route: str
    """The rule that decided: ``routes[0]``, ``alias gpt-*``, ``model name``, ``none``."""
    combo: str | None = None
    candidates: tuple[Candidate, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    untouched: bool = False
    """No rule applies: the client's own call, as it is."""
    error: NotFound | None = None
    denied: BudgetBlock | None = None
    """The call is refused, whatever other targets there are."""
    tried: tuple[tuple[str, str], ...] = ()
    """Routes before the one that decided, each with the key of its match that does not hold."""
    turns: tuple[str, ...] = ()
    """Round robins whose turn this call takes."""
    session: str | None = None
    """Known only when a choice of account depends on it."""
    max_tokens: int | None = None
    """The policies' bound of the output."""
    policies: tuple[str, ...] = ()
    """Names of those that hold for the call."""

    @property
    def soonest(self) -> float | None:
        """When the first of what is out for a time may be tried again."""
        return min((out.until for out in self.excluded if out.until is not None), default=None)


def plan(ask: Ask, snapshot: Snapshot, state: State, now: float, rng: random.Random) -> Plan:
    """The plan for one call."""
    tried: list[tuple[str, str]] = []
    rule = _rule(ask, snapshot, now, tried)
    if rule is None:
        if ask.gateway:
            return Plan("none", error=_not_found(ask, snapshot), tried=tuple(tried))
        return _unruled(ask, snapshot, tuple(tried))
    route, targets = rule
    combo = targets[0] if len(targets) == 1 and targets[0] in snapshot.combos else None
    expansion = _Expansion(ask, snapshot, state, rng)
    policies = policies_of(ask, snapshot)
    screening = Screening(ask, policies, state, now)
    candidates: list[Candidate] = []
    last: list[Candidate] = []
    own: tuple[Candidate, Excluded] | None = None
    excluded: dict[Excluded, None] = {}
    seen: set[tuple[str, str]] = set()
    for found in expansion.all_of((*targets, *_chain(ask, snapshot))):
        if isinstance(found, Excluded):
            excluded[found] = None
            continue
        key = (found.target_key, found.account_key)
        if key in seen:
            continue
        seen.add(key)
        match screening.refusal(found):
            case None:
                candidates.append(found)
            case Candidate() as doubtful:
                last.append(doubtful)
            case Excluded() as out:
                excluded[out] = None
                own = (found, out) if found.origin else own
            case block:
                names = tuple(policy.name for policy in policies)
                return Plan(route, combo, denied=block, excluded=tuple(excluded), tried=tuple(tried), policies=names)
    others = any(out.until is not None for out in excluded if own is None or out != own[1])
    if own is not None and not (candidates or last or others) and screening.only_resting(own[0]):
        # Its user may have logged in anew or bought more, and its provider tells the tool best that it has not.
        del excluded[own[1]]
        last.append(own[0].because(f"there is nothing else, although {own[1].reason}"))
    return Plan(
        route,
        combo,
        (*preferred(candidates, policies), *last),
        tuple(excluded),
        tried=tuple(tried),
        turns=tuple(expansion.turns),
        session=expansion.session,
        max_tokens=bound(policies),
        policies=tuple(policy.name for policy in policies),
    )


def _unruled(ask: Ask, snapshot: Snapshot, tried: tuple[tuple[str, str], ...]) -> Plan:
    """The client's own call, as it is; unless a policy refuses it or bounds its output."""
    own, policies = _own_call(ask, snapshot), policies_of(ask, snapshot)
    names, limit = tuple(policy.name for policy in policies), bound(policies)
    if (out := denial(own, policies)) is not None:
        return Plan("none", excluded=(out,), tried=tried, policies=names)
    return Plan("none", None, (own,), untouched=limit is None, tried=tried, max_tokens=limit, policies=names)


# ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rule(ask: Ask, snapshot: Snapshot, now: float, tried: list[tuple[str, str]]) -> tuple[str, tuple[str, ...]] | None:
    """The rule that applies and the targets it names; routes that do not are added to ``tried``."""
    for route in snapshot.routes:
        key = mismatch(route.match, ask, now) if route.enabled else "enabled"
        if key is None:
            return route.name, route.to
        tried.append((route.name, key))
    if ask.model is None:
        return None
    for alias, target in snapshot.aliases.items():
        if matches(alias, ask.model):
            return f"alias {alias}", (target,)
    named = _named(ask.model, ask, snapshot)
    return None if named is None else ("model name", (named,))


def _named(model: str, ask: Ask, snapshot: Snapshot) -> str | None:
    """The target that the asked model is by itself: a combo, ``prefix/model``, or a bare name at the gateway."""
    if model in snapshot.combos:
        return model
    prefix, slash, rest = model.partition("/")
    if slash and rest and (ask.gateway or not ask.slash_models) and snapshot.provider_of(prefix):
        return model
    return bare(model, snapshot) if ask.gateway else None


def _chain(ask: Ask, snapshot: Snapshot) -> tuple[str, ...]:
    """The fallback chain of the asked model."""
    chains = snapshot.governance.fallback_chains
    return next((targets for glob, targets in chains.items() if matches(glob, ask.model or "")), ())


def _not_found(ask: Ask, snapshot: Snapshot) -> NotFound:
    name = ask.model or ""
    known = [entry.id for entry in listed(snapshot)]
    return NotFound(name, near(name, known) if name else ())


# ── targets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _own_call(ask: Ask, snapshot: Snapshot) -> Candidate:
    provider = snapshot.providers.get(ask.provider) if ask.provider else None
    return Candidate(ORIGIN, provider, None, None, origin=True, asked=ask.model)


class _Expansion:
    """Targets into candidates, for one call."""

    def __init__(self, ask: Ask, snapshot: Snapshot, state: State, rng: random.Random) -> None:
        self._ask = ask
        self._snapshot = snapshot
        self._state = state
        self._rng = rng
        self.turns: list[str] = []
        self.session: str | None = None

    def all_of(self, targets: Iterable[str]) -> Iterator[Candidate | Excluded]:
        for target in targets:
            yield from self._target(target, None, 0)

    def _target(self, target: str, place: Place | None, depth: int) -> Iterator[Candidate | Excluded]:
        combo = self._snapshot.combos.get(target)
        if target == ORIGIN:
            if self._ask.gateway:
                yield Excluded(target, None, "a gateway call has no own call to pass on")
            else:
                yield replace(_own_call(self._ask, self._snapshot), place=place)
        elif combo is None:
            yield from self._accounts(target, place)
        elif not combo.enabled:
            yield Excluded(target, None, "the combo is disabled")
        elif depth >= MAX_COMBO_DEPTH:
            yield Excluded(target, None, f"combos nest deeper than {MAX_COMBO_DEPTH}")
        else:
            yield from self._combo(combo, depth)

    def _combo(self, combo: Combo, depth: int) -> Iterator[Candidate | Excluded]:
        if combo.strategy == "round-robin":
            self.turns.append(f"combo:{combo.name}")
        groups = [self._entry(entry, depth) for entry in combo.targets if entry.enabled]
        for group in order_targets(combo, groups, self._state, self._rng):
            yield from group.found
        for entry in combo.targets:
            if not entry.enabled:
                yield Excluded(entry.target, None, f"disabled in combo {combo.name}")

    def _entry(self, entry: ComboTarget, depth: int) -> Group:
        return Group(entry, tuple(self._target(entry.target, entry.place, depth + 1)))

    def _accounts(self, target: str, place: Place | None) -> Iterator[Candidate | Excluded]:
        prefix, _, written = target.partition("/")
        provider = self._snapshot.provider_of(prefix)
        if provider is None:
            yield Excluded(target, None, f"no provider has the prefix {prefix!r}")
            return
        if not provider.enabled:
            yield Excluded(target, None, f"provider {provider.id} is disabled")
            return
        model = None if written == ANY_MODEL else _upstream_name(written, provider)
        if model is None and self._ask.gateway:
            yield Excluded(target, None, "a gateway call names no model to keep")
            return
        speaking = provider.speaking(self._ask.format, written)
        if speaking.format not in AVAILABLE_FORMATS:
            yield Excluded(target, None, f"format {speaking.format} is not available yet")
            return
        asked = self._ask.model
        accounts = self._snapshot.accounts_of(provider.id)
        if not accounts:
            if provider.keyless:
                yield Candidate(target, speaking, model, None, asked=asked, place=place)
            else:
                yield Excluded(target, None, _no_account(provider))
            return
        usable: list[Candidate] = []
        for account in accounts:
            if not account.enabled:
                yield Excluded(target, account.name, "the account is disabled")
            elif account.missing is not None:
                yield Excluded(target, account.name, f"no key: {account.missing}")
            else:
                usable.append(Candidate(target, speaking, model, account, asked=asked, place=place))
        yield from order_accounts(usable, provider.pool, self._state, self._rng, self._session)

    def _session(self) -> str | None:
        self.session = self._ask.facts.session
        return self.session


def _upstream_name(model: str, provider: Provider) -> str:
    return model if "/" in model else provider.model_prefix + model


def _no_account(provider: Provider) -> str:
    if provider.login:
        return f"provider {provider.id} needs a login, which is not available yet; its own tool can use it as origin"
    example = f"{{name: {provider.id}-main, provider: {provider.id}, key: …}}"
    variable = f" or set {' or '.join(provider.env)}" if provider.env else ""
    return f"no account with a key: add {example} under accounts{variable}"
