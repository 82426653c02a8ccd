"""Where a call goes: rules → target or combo → candidates (target and account), in order, each exclusion with its reason.

Order of the rules: the first matching route; an alias (glob on the asked model); a combo's name; ``prefix/model`` of a
known provider. When none applies, an intercepted call is *untouched* (its only candidate is the client's own call) and
a gateway call is an error, since it has no own call to fall back to.

Pure: the same ask, snapshot, state and time give the same plan. Cooldowns come in through :class:`State`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from omniroute_addon.config.glob import matches
from omniroute_addon.config.models import (
    AVAILABLE_FORMATS,
    MAX_COMBO_DEPTH,
    ORIGIN,
    Account,
    Operation,
    Provider,
    Route,
    Snapshot,
)
from omniroute_addon.routing.names import bare, listed, near
from translators.format import Profile

ANY_MODEL = "*"
"""``glm/*`` is the asked model at that provider."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a call wants, as far as rules can see it."""

    client: str
    format: str
    model: str | None = None
    host: str = ""
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Found by lower-case name."""
    operation: Operation = "generate"
    gateway: bool = False
    """It came to the base-URL endpoints, so there is no own call."""
    provider: str | None = None
    """The surface's provider."""
    slash_models: bool = False
    """The surface's own model names contain slashes."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target with an account, ready to try."""

    target: str
    """As written in the rules: ``glm/glm-4.7``, or ``origin``."""
    provider: Provider | None
    """At the endpoint for this call; the surface's provider for ``origin``, None when that is unknown."""
    model: str | None
    """The upstream's name for the model; None keeps what the client asked for."""
    account: Account | None
    """None for ``origin`` and for providers that need no key."""
    origin: bool = False
    asked: str | None = None
    """The model that the client asked for."""

    @property
    def profile(self) -> Profile:
        """What the upstream tolerates; the client's own call is not for us to change."""
        if self.origin or self.provider is None:
            return Profile()
        return self.provider.profile(self.model or self.asked)

    @property
    def account_key(self) -> str:
        """What an account's cooldown is kept under."""
        if self.origin:
            return f"{ORIGIN}:{self.provider.id if self.provider else ''}"
        return f"{self.provider.id if self.provider else ''}:{self.account.name if self.account else ''}"

    @property
    def target_key(self) -> str:
        """What a target's cooldown is kept under."""
        owner = self.provider.id if self.provider else ""
        model = self.model or self.asked or ""
        return f"{ORIGIN}:{owner}/{model}" if self.origin else f"{owner}/{model}"


@dataclass(frozen=True, slots=True)
class Excluded:
    """What the rules name but the call cannot use."""

    target: str
    account: str | None
    reason: str
    until: float | None = None
    """Unix seconds when a cooldown ends; None when waiting does not help."""


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

    @property
    def soonest(self) -> float | None:
        """When the first cooldown among the excluded ends."""
        return min((out.until for out in self.excluded if out.until is not None), default=None)


class State(Protocol):
    """What is known of earlier attempts."""

    def until(self, candidate: Candidate, now: float) -> float | None:
        """When the candidate's cooldown ends; None when it may be tried."""
        ...


def plan(ask: Ask, snapshot: Snapshot, state: State, now: float) -> Plan:
    """The plan for one call."""
    rule = _rule(ask, snapshot)
    if rule is None:
        if ask.gateway:
            return Plan("none", error=_not_found(ask, snapshot))
        return Plan("none", candidates=(_own_call(ask, snapshot),), untouched=True)
    route, targets = rule
    combo = targets[0] if len(targets) == 1 and targets[0] in snapshot.combos else None
    candidates: list[Candidate] = []
    excluded: list[Excluded] = []
    seen: set[tuple[str, str]] = set()
    for found in _expand(targets, ask, snapshot, 0):
        if isinstance(found, Excluded):
            excluded.append(found)
            continue
        key = (found.target_key, found.account_key)
        if key in seen:
            continue
        seen.add(key)
        until = state.until(found, now)
        if until is None or until <= now:
            candidates.append(found)
        else:
            account = found.account.name if found.account else None
            excluded.append(Excluded(found.target, account, "cooling down", until))
    return Plan(route, combo, tuple(candidates), tuple(dict.fromkeys(excluded)))


# ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rule(ask: Ask, snapshot: Snapshot) -> tuple[str, tuple[str, ...]] | None:
    """The rule that applies and the targets it names."""
    for index, route in enumerate(snapshot.routes):
        if _matches(route, ask):
            return f"routes[{index}]", route.to
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


def _matches(route: Route, ask: Ask) -> bool:
    rule = route.match
    pairs = (
        (rule.client, ask.client),
        (rule.model, ask.model or ""),
        (rule.host, ask.host),
        (rule.path, ask.path.partition("?")[0]),
        (rule.format, ask.format),
        *((globs, ask.headers.get(name) or "") for name, globs in rule.headers),
    )
    return all(not globs or any(matches(glob, value) for glob in globs) for globs, value in pairs)


def _not_found(ask: Ask, snapshot: Snapshot) -> NotFound:
    name = ask.model or ""
    known = [entry.id for entry in listed(snapshot)]
    return NotFound(name, near(name, known) if name else ())


# ── targets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _own_call(ask: Ask, snapshot: Snapshot) -> Candidate:
    provider = snapshot.providers.get(ask.provider) if ask.provider else None
    return Candidate(ORIGIN, provider, None, None, origin=True, asked=ask.model)


def _expand(targets: tuple[str, ...], ask: Ask, snapshot: Snapshot, depth: int) -> Iterator[Candidate | Excluded]:
    for target in targets:
        combo = snapshot.combos.get(target)
        if target == ORIGIN:
            if ask.gateway:
                yield Excluded(target, None, "a gateway call has no own call to pass on")
            else:
                yield _own_call(ask, snapshot)
        elif combo is None:
            yield from _accounts(target, ask, snapshot)
        elif not combo.enabled:
            yield Excluded(target, None, "the combo is disabled")
        elif depth >= MAX_COMBO_DEPTH:
            yield Excluded(target, None, f"combos nest deeper than {MAX_COMBO_DEPTH}")
        else:
            yield from _expand(tuple(entry.target for entry in combo.targets), ask, snapshot, depth + 1)


def _accounts(target: str, ask: Ask, snapshot: Snapshot) -> Iterator[Candidate | Excluded]:
    prefix, _, written = target.partition("/")
    provider = snapshot.provider_of(prefix)
    if provider is None:
        yield Excluded(target, None, f"no provider has the prefix {prefix!r}")
        return
    if not provider.enabled:
        yield Excluded(target, None, f"provider {provider.id} is disabled")
        return
    model = None if written == ANY_MODEL else _upstream_name(written, provider)
    if model is None and ask.gateway:
        yield Excluded(target, None, "a gateway call names no model to keep")
        return
    speaking = provider.speaking(ask.format, written)
    if speaking.format not in AVAILABLE_FORMATS:
        yield Excluded(target, None, f"format {speaking.format} is not available yet")
        return
    accounts = snapshot.accounts_of(provider.id)
    if not accounts:
        if provider.keyless:
            yield Candidate(target, speaking, model, None, asked=ask.model)
        else:
            yield Excluded(target, None, _no_account(provider))
    for account in accounts:
        if not account.enabled:
            yield Excluded(target, account.name, "the account is disabled")
        elif account.missing is not None:
            yield Excluded(target, account.name, f"no key: {account.missing}")
        else:
            yield Candidate(target, speaking, model, account, asked=ask.model)


def _upstream_name(model: str, provider: Provider) -> str:
    return model if "/" in model else provider.model_prefix + model


def _no_account(provider: Provider) -> str:
    if provider.login:
        return f"provider {provider.id} needs a login, which is not available yet; its own tool can use it as origin"
    example = f"{{name: {provider.id}-main, provider: {provider.id}, key: …}}"
    variable = f" or set {' or '.join(provider.env)}" if provider.env else ""
    return f"no account with a key: add {example} under accounts{variable}"
