"""Every account with its quota windows: what is left, until when, and from what that is known; its reset and its test."""

import asyncio
from collections.abc import Iterator

from pydantic import Field

from omniroute_addon.accounts.quota import Allowance
from omniroute_addon.accounts.quota.allowance import PERIODS
from omniroute_addon.config.models import ORIGIN, Account, Provider, Snapshot
from omniroute_addon.engine import trial
from omniroute_addon.engine.engine import Engine
from omniroute_addon.web import figures
from omniroute_addon.web.conversation import of_answer
from omniroute_addon.web.rendering import in_json
from omniroute_addon.web.replays import Heard
from omniroute_addon.web.resource import Answer, Asked, Page, RefusedError, Resource
from omniroute_addon.web.site import Site

PATIENCE = 60.0
"""Seconds that a test may take."""
LONGEST = 300
"""Characters of a test's answer that are told."""
_KEY = Field(min_length=1, max_length=300, description="As `accounts[].key` says it: `provider:name`")
_ANSWER_LIMIT = 64 * 1024


class Window(Answer):
    """A quota window as it is now."""

    window: str
    """``5h``, ``week opus``, ``minute tokens``: how long, then what it is about."""
    share: float
    """What is left, 0 to 1."""
    limit: float | None
    left: float | None
    resets: float | None
    """When it is full again."""
    length: float | None
    """Seconds of the whole window, where its name says so."""
    source: str
    """``headers``, ``error``, ``counted``."""
    seen: float
    """When that was learned."""
    heeded: bool
    """Whether routing goes by it."""


class Resting(Answer):
    reason: str
    until: float
    failures: int
    """In a row."""


class Test(Answer):
    """What a test would ask."""

    target: str
    at_most: float | None
    """US dollars; None when nobody knows."""


class AccountShown(Answer):
    key: str
    provider: str
    name: str | None
    """None for the own login of a tool, and for a provider that needs no key."""
    login: bool
    """The own login of a tool."""
    tier: str | None
    missing: str | None
    """Why it has no key."""
    enabled: bool
    resting: Resting | None
    windows: tuple[Window, ...]
    in_flight: int
    last_used: float | None
    test: Test | None


class Quotas(Answer):
    now: float
    accounts: tuple[AccountShown, ...]


class ResetBody(Asked):
    """What is to be forgotten."""

    names: tuple[str, ...] = Field(
        max_length=100, description="Accounts, providers, targets or addresses, by key or name; none: all"
    )


class ResetDone(Answer):
    reset: tuple[str, ...]
    """The keys of what something was held against."""


class TestBody(Asked):
    account: str = _KEY


class Tested(Answer):
    """How a test went."""

    ok: bool
    target: str
    status: int | None
    outcome: str
    said: str | None
    """What the model has answered."""
    took: float | None
    input: int | None
    output: int | None
    cost: float | None
    """US dollars."""
    call: str


async def quotas(site: Site) -> Quotas:
    """Accounts and what is left of their quotas."""
    engine = site.engine
    now = engine.now()
    return Quotas(now=now, accounts=tuple(_shown(engine, *one, now) for one in _accounts(site.snapshot, engine)))


async def reset(site: Site, body: ResetBody) -> ResetDone:
    """Forget cooldowns, lockouts, open breakers and learned quotas, so that the next call is tried at once."""
    names: tuple[str | None, ...] = body.names or (None,)
    return ResetDone(reset=tuple(dict.fromkeys(key for name in names for key in site.engine.reset(name))))


async def test(site: Site, body: TestBody) -> Tested:
    """Make a tiny real call at an account; it costs a few tokens."""
    engine = site.engine
    found = next((one for one in _accounts(site.snapshot, engine) if one[0] == body.account), None)
    _, provider, account = found or (body.account, None, None)
    if provider is None:
        raise RefusedError(404, f"there is no account {body.account!r} in the rules")
    target = _target(body.account, provider, account, site.snapshot)
    if target is None:
        raise RefusedError(409, "it cannot be tested: it has no key, or no model of it is known")
    if engine.stopping:
        raise RefusedError(409, "the proxy is stopping")
    exchange = trial.trial(engine, account, target)
    heard = Heard(_ANSWER_LIMIT)
    try:
        async with asyncio.timeout(PATIENCE):
            await exchange.run(heard)
    except TimeoutError:
        return Tested(
            ok=False, target=target, status=None, outcome=f"no answer within {PATIENCE:.0f} s", said=None, took=PATIENCE,
            input=None, output=None, cost=None, call=exchange.record.id,
        )  # fmt: skip
    trial.learn(engine, exchange)
    record = exchange.record
    last = record.attempts[-1] if record.attempts else None
    return Tested(
        ok=record.ok,
        target=target,
        status=last.status if last else record.status,
        outcome=last.outcome.partition(" → ")[0] if last and not record.ok else record.outcome,
        said=_said(heard),
        took=None if record.ended is None else record.ended - record.started,
        input=last.usage.input if last else None,
        output=last.usage.output if last else None,
        cost=None if last is None or last.cost is None or last.cost.micro is None else last.cost.micro / 1e6,
        call=record.id,
    )


# ── accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


type _Known = tuple[str, Provider | None, Account | None]
"""Its key, and what the rules say of it."""


def _accounts(snapshot: Snapshot, engine: Engine) -> Iterator[_Known]:
    """Own logins of tools first, then the accounts of the rules; what the rules do not name any more comes last."""
    standing = engine.standing
    cooling = (one.key for one in standing.health.cooling(engine.now()) if one.scope == "account")
    known = dict.fromkeys((*standing.quotas.accounts(), *cooling))
    told = {key for key in known if key.startswith(f"{ORIGIN}:")}
    for key in sorted(told):
        yield key, snapshot.providers.get(key.partition(":")[2]), None
    for name, accounts in sorted(snapshot.usable.items()):
        for account in accounts:
            key = f"{name}:{account.name}"
            told.add(key)
            yield key, snapshot.providers[name], account
    for provider in snapshot.providers.values():
        key = f"{provider.id}:"
        if provider.keyless and not snapshot.usable.get(provider.id) and (key in known or provider.overridden):
            told.add(key)
            yield key, provider, None
    for key in known:
        if key not in told:
            yield key, None, None


def _shown(engine: Engine, key: str, provider: Provider | None, account: Account | None, now: float) -> AccountShown:
    standing = engine.standing
    login = key.startswith(f"{ORIGIN}:")
    target = None if provider is None else _target(key, provider, account, engine.snapshot)
    cooling = next((one for one in standing.health.cooling(now) if (one.scope, one.key) == ("account", key)), None)
    cost = None if target is None or provider is None else trial.at_most(engine, provider, target)
    return AccountShown(
        key=key,
        provider=provider.id if provider else key.partition(":")[0 if not login else 2],
        name=account.name if account else None if provider or login else key.partition(":")[2] or None,
        login=login,
        tier="subscription" if login else provider.tier if provider else None,
        missing=account.missing if account else None,
        enabled=account.enabled if account else True,
        resting=None
        if cooling is None
        else Resting(reason=cooling.reason, until=cooling.until, failures=cooling.failures),
        windows=tuple(_window(one) for one in _ordered(standing.quotas.windows(key, now))),
        in_flight=standing.in_flight(key),
        last_used=standing.last_used(key) or None,
        test=None if target is None else Test(target=target, at_most=None if cost is None else cost / 1e6),
    )


def _target(key: str, provider: Provider, account: Account | None, snapshot: Snapshot) -> str | None:
    """What a test asks; None where there can be none."""
    if key.startswith(f"{ORIGIN}:") or not provider.enabled or (account is not None and account.missing is not None):
        return None
    return trial.target_of(provider, snapshot)


def _ordered(windows: tuple[Allowance, ...]) -> list[Allowance]:
    """The shorter first."""
    return sorted(windows, key=lambda one: (_length(one) or PERIODS["month"] + 1, one.window))


def _length(window: Allowance) -> float | None:
    return PERIODS.get(window.window.partition(" ")[0])


def _window(one: Allowance) -> Window:
    return Window(
        window=one.window,
        share=one.share,
        limit=one.limit,
        left=None if one.limit is None else one.limit * one.share,
        resets=one.full,
        length=_length(one),
        source=one.source,
        seen=one.seen,
        heeded=one.gates,
    )


def _said(heard: Heard) -> str | None:
    if heard.status is None:
        return None
    kind = next((value for name, value in heard.headers if name.lower() == "content-type"), "")
    try:
        talk = of_answer(trial.FORMAT, heard.status, kind, heard.tape.content())
    except ValueError:
        return None
    texts = [piece.text for turn in talk.turns for piece in turn.pieces if piece.kind in ("text", "error")]
    return " ".join(texts)[:LONGEST] or None


RESOURCES = (
    Resource(
        "GET",
        "quotas",
        quotas,
        page=Page("quotas", "quotas.html", "quotas.title", values={"apart": figures.apart, "json": in_json}),
    ),
    Resource("POST", "reset", reset),
    Resource("POST", "accounts/test", test),
)
