"""What the engine knows of earlier calls, as plans ask it: health, use, turns, sessions.

The one place where the parts of the past come together. Plans only ask; what exchanges tell changes it. In memory, with
``dump`` and ``load`` for a restart.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from omniroute_addon.accounts.breakers import Breakers, limits_for
from omniroute_addon.accounts.health import LOCKOUT_AFTER, Health
from omniroute_addon.accounts.limits import Limits, SentOn
from omniroute_addon.accounts.quota import Quotas
from omniroute_addon.accounts.sessions import Bindings
from omniroute_addon.config.governance import Quota
from omniroute_addon.config.models import ORIGIN, Account, Snapshot
from omniroute_addon.engine.entry import Door, Entry, breaker_keys, rates_of
from omniroute_addon.engine.hedge import Paces
from omniroute_addon.engine.money import Money
from omniroute_addon.engine.verdict import Verdict
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.plan import Plan
from omniroute_addon.routing.policies import short_of
from omniroute_addon.routing.state import BudgetBlock, QuotaLeft, Rest
from translators.hub import JSON, Failure, Usage

NO_USAGE = Usage()

KEPT = 2000
"""Targets and accounts whose use a restart remembers."""
LONGEST = 86400.0
"""Seconds; a breaker that is open for longer is a mistake."""
NEARLY_GONE = 0.02
"""The share of a quota from which on calls go out one by one, so that its end costs one refusal and not many."""


class Standing:
    """Implements ``routing.state.State``."""

    def __init__(self, snapshot: Callable[[], Snapshot], now: Callable[[], float], money: Money | None = None) -> None:
        """Without money nothing is spent yet."""
        self._snapshot = snapshot
        self._now = now
        self.health = Health()
        self.breakers = Breakers()
        self.limits = Limits()
        self.quotas = Quotas()
        self.paces = Paces()
        self.money = money or Money(snapshot(), now())
        self._sessions = Bindings()
        self._uses: Counter[str] = Counter()
        self._last: dict[str, float] = {}
        self._door = Door(self.breakers, self.limits)
        self._open: Counter[str] = Counter()
        self._turns: Counter[str] = Counter()
        self.changes = 0
        """Grows with everything that ``dump`` would show."""

    # ── asked by plans ──────────────────────────────────────────────────────────────────────────────────────────────

    def rest(self, candidate: Candidate, now: float) -> Rest | None:
        cooling = self.health.resting(candidate, now)
        opened = self.breakers.open(breaker_keys(candidate), now) if self.breakers else None
        if opened is not None and (cooling is None or opened.until > cooling.until):
            return Rest(opened.reason, opened.until)
        if cooling is None:
            return None
        return Rest(cooling.reason if cooling.failures >= LOCKOUT_AFTER else "cooling down", cooling.until)

    def uses(self, key: str) -> int:
        return self._uses[key]

    def last_used(self, key: str) -> float:
        return self._last.get(key, 0.0)

    def in_flight(self, key: str) -> int:
        return self._open[key]

    def turn(self, name: str) -> int:
        return self._turns[name]

    def account_of(self, session: str, provider: str) -> str | None:
        return self._sessions.account_of(session, provider, self._snapshot().governance.sessions, self._now())

    def quota(self, candidate: Candidate, now: float) -> QuotaLeft | None:
        return self.quotas.left(candidate, now)

    def price(self, candidate: Candidate) -> float | None:
        return self.money.price(candidate, self._now())

    def over_budget(self, candidate: Candidate, ask: Ask, now: float) -> BudgetBlock | None:
        return self.money.over(candidate, ask, now)

    # ── told by exchanges ───────────────────────────────────────────────────────────────────────────────────────────

    async def enter(self, candidate: Candidate, patience: float, *, hurry: bool = False) -> Entry | SentOn:
        """Wait, at most ``patience`` seconds, until the candidate may be tried; close the entry when it was.

        What has come to rest meanwhile, or has no quota left, sends the caller on. ``hurry``: there are other
        candidates; what another call is finding out is not waited for. The client's own call is never sent on when it
        is the last candidate.
        """
        left = self.quota(candidate, self._now())
        careful = left is not None and left.share <= NEARLY_GONE
        entry = await self._door.enter(candidate, patience, self._now, careful=careful, hurry=hurry)
        if isinstance(entry, SentOn) or (candidate.origin and not hurry):
            return entry
        now = self._now()
        left = self.quota(candidate, now)
        words = None if left is None else short_of(candidate, left)
        cooling = self.health.resting(candidate, now)
        if cooling is not None:
            entry.close()
            account = cooling.scope == "account"
            return SentOn(cooling.reason, cooling.until - now, kind="rate_limit" if account else "overloaded")
        if left is not None and words is not None and left.firm:
            entry.close()
            return SentOn(words, None if left.resets is None else left.resets - now)
        return entry

    def began(self, candidate: Candidate) -> None:
        """An attempt goes out."""
        self.changes += 1
        for key in (candidate.target_key, candidate.account_key):
            self._uses[key] += 1
            self._open[key] += 1
            self._last[key] = self._now()
        self.quotas.count(candidate.account_key, _rules(candidate), self._now())
        if len(self._last) > 2 * KEPT:
            for key in sorted(self._last, key=lambda key: self._last[key])[:KEPT]:
                del self._last[key], self._uses[key]

    def learned(
        self,
        candidate: Candidate,
        status: int | None,
        headers: Iterable[tuple[str, str]],
        failure: Failure | None,
        now: float,
    ) -> None:
        """An answer's head has come, or what its body says when it is a failure."""
        self.changes += 1
        provider = candidate.provider.id if candidate.provider else ""
        model = candidate.model or candidate.asked
        headers = tuple(headers)
        self.quotas.learn(candidate.account_key, provider, status, headers, failure, now, model=model)
        if not candidate.origin and rates_of(candidate).learn:
            lower = {name.lower(): value for name, value in headers}
            self.limits.learned(candidate.account_key, lower, now)

    def overheard(
        self, provider: str, model: str | None, status: int, headers: Iterable[tuple[str, str]], now: float
    ) -> None:
        """The answer of a call that no rule touches: it uses the tool's own login, and tells of its quotas."""
        self.changes += 1
        key, known = f"{ORIGIN}:{provider}", self._snapshot().providers.get(provider)
        if known is not None:
            self.quotas.count(key, known.quota, now)
        self.quotas.learn(key, provider, status, headers, None, now, model=model)

    def failed(
        self, entry: Entry | None, candidate: Candidate, verdict: Verdict, failure: Failure, now: float, *, more: bool
    ) -> None:
        """An attempt was judged; without an entry it came to nothing before. ``more``: there are other candidates.

        Resting the last target for a fault that may be over in a second would only turn retries away, and so would
        opening its breaker; but the last may well be the probe of one that is open.
        """
        self.changes += 1
        lane = self._door.account_lane(candidate)
        if verdict.action == "wait" and lane is not None:
            lane.pause(verdict.retry_after or 0)
        if more or verdict.retry_after is not None or failure.kind == "quota":
            self._rest(candidate, verdict, failure, now)
        keys = breaker_keys(candidate)
        if verdict.scope == "target" or verdict.action == "retry":
            limits = limits_for(self._snapshot().governance.resilience, candidate.provider, origin=candidate.origin)
            for key in keys:
                if limits is not None and (more or self.breakers.state(key, now) != "closed"):
                    self.breakers.failed(key, entry, limits, verdict.reason, now)
        elif entry is not None:
            self.breakers.succeeded(keys)  # it refuses this call, but it is there

    def _rest(self, candidate: Candidate, verdict: Verdict, failure: Failure, now: float) -> None:
        """A quota of one model of an account leaves the account to its other models."""
        if failure.kind == "quota" and self.quotas.only_some_models(
            candidate.account_key, candidate.model or candidate.asked, now
        ):
            return
        self.health.note(verdict, candidate, now)
        lane = self._door.account_lane(candidate)
        until = self.health.until(candidate, now)
        if verdict.scope == "account" and lane is not None and until is not None:
            lane.send_on(verdict.reason, until - now)

    def succeeded(self, candidate: Candidate) -> None:
        """The attempt's answer goes to the client."""
        self.changes += 1
        self.health.succeeded(candidate)
        self.breakers.succeeded(breaker_keys(candidate))

    def dated(self, candidate: Candidate, failure: Failure, now: float) -> Failure:
        """A lost quota with the reset of its window, which may have been told elsewhere than in the error itself."""
        left = self.quotas.left(candidate, now) if failure.kind == "quota" else None
        if left is None or not left.gone or left.resets is None:
            return failure
        return replace(failure, retry_after=max(0.1, left.resets - now))

    def ended(self, candidate: Candidate, usage: Usage = NO_USAGE) -> None:
        """An attempt is over, and has used what its answer has told."""
        tokens = (usage.input or 0) + (usage.output or 0)
        if tokens:
            self.quotas.count(candidate.account_key, _rules(candidate), self._now(), requests=0, tokens=tokens)
        for key in (candidate.target_key, candidate.account_key):
            self._open[key] -= 1
            if self._open[key] <= 0:
                del self._open[key]

    def planned(self, plan: Plan) -> None:
        """A call takes its turn in the round robins that its plan went through."""
        self.changes += 1
        for name in plan.turns:
            self._turns[name] += 1

    def chosen(self, plan: Plan, candidate: Candidate) -> None:
        """The candidate answers the call: its session stays with the account."""
        provider, account = candidate.provider, candidate.account
        if provider is None or account is None:
            return
        if provider.pool.strategy == "round-robin":
            self._turns[f"pool:{provider.id}"] += 1
        if plan.session is not None:
            sessions = self._snapshot().governance.sessions
            self._sessions.bind(plan.session, provider.id, account.name, sessions, self._now())

    @property
    def sessions(self) -> int:
        """How many stay with an account."""
        return len(self._sessions)

    # ── kept ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def use(self, before: Snapshot, after: Snapshot) -> None:
        """The rules have changed: what was learned of a key or an address that is another one now is forgotten."""
        known = {(account.provider, account.name): account.key for account in _accounts(before)}
        for account in _accounts(after):
            place = (account.provider, account.name)
            if place in known and known[place] != account.key:
                self.reset(f"{account.provider}:{account.name}")
        for provider in after.providers.values():
            old = before.providers.get(provider.id)
            if old is not None and old.base_url != provider.base_url:
                self.reset(provider.id)

    def reset(self, name: str | None = None) -> list[str]:
        """Forget what is held against an account, provider or target, by its key or name, or against all; which it were."""
        self.changes += 1
        keys = [key for key in self._known() if name is None or _means(name, key)]
        for key in keys:
            self.health.reset(key)
            self.breakers.reset(key)
            self.limits.reset(key)
            self.quotas.reset(key)
        self._door.stir()
        return keys

    def _known(self) -> list[str]:
        cooling = (entry.key for entry in self.health.cooling(self._now()))
        opened = (one.key for one in self.breakers.opened(self._now()))
        return list(dict.fromkeys((*cooling, *opened, *self.quotas.accounts(), *self.limits.names())))

    def dump(self) -> dict[str, JSON]:
        """All that a restart should remember, in parts that are kept by their names."""
        recent = sorted(self._last, key=lambda key: self._last[key])[-KEPT:]
        return {
            "health": {"cooldowns": self.health.dump(), "breakers": self.breakers.dump()},
            "quota": self.quotas.dump(),
            "use": {
                "uses": {key: [self._uses[key], self._last[key]] for key in recent},
                "turns": dict(self._turns),
            },
            "sessions": self._sessions.dump(),
            "pace": self.limits.dump(self._now()),
        }

    def load(self, part: Callable[[str], JSON]) -> None:
        """What ``dump`` gave; ``part`` finds one by its name. What cannot be read or true is left out."""
        now = self._now()
        match part("health"):
            case {"cooldowns": cooldowns, "breakers": breakers}:
                self.health.load(cooldowns, now)
                self.breakers.load(breakers, now, LONGEST)
            case _:
                pass
        self.quotas.load(part("quota"))
        match part("use"):
            case {"uses": dict(uses), "turns": dict(turns)}:
                self._load_use(uses, turns, now)
            case _:
                pass
        self._sessions.load(part("sessions"), now)
        self.limits.load(part("pace"), now)

    def _load_use(self, uses: dict[str, JSON], turns: dict[str, JSON], now: float) -> None:
        for key, value in uses.items():
            match value:
                case [int(count), int() | float() as last] if count >= 0 and last <= now + 1:
                    self._uses[key], self._last[key] = count, float(last)
                case _:
                    pass
        self._turns.update({name: turn for name, turn in turns.items() if isinstance(turn, int) and turn >= 0})


def _accounts(snapshot: Snapshot) -> Iterator[Account]:
    for accounts in snapshot.usable.values():
        yield from accounts


def _means(name: str, key: str) -> bool:
    """Whether a key is what somebody calls ``name``: itself, an account of that name, or what belongs to a provider."""
    provider, colon, account = key.partition(":")
    if name == key or (colon and account == name):
        return True
    return name == provider.partition("/")[0] or (provider == ORIGIN and account.partition("/")[0] == name)


def _rules(candidate: Candidate) -> Quota:
    """What is counted here for the candidate's account."""
    if candidate.account is not None:
        return candidate.account.quota
    return candidate.provider.quota if candidate.provider is not None else Quota()
