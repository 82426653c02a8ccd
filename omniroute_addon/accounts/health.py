"""Which accounts and targets rest, and until when; in memory, no clock of its own.

A verdict puts its *scope* to rest: the account (all its models) or the target (one model at one provider, whatever the
account). A time that the provider named is kept exactly; one that we made up doubles with each failure in a row, up to
:data:`LONGEST_BACKOFF`, and starts small again after a success or a quiet while. An account whose login or payment is
refused again and again is *locked out* for longer. What has begun later than now was noted before the computer's clock
was set back; nobody knows when it ends, so it is not believed.
"""

from dataclasses import asdict, dataclass, replace
from typing import Protocol

from translators.hub import JSON

LONGEST_BACKOFF = 120.0
"""Seconds; a verdict's own longer cooldown is kept but not doubled."""
QUIET = 600.0
"""Seconds after the end of a cooldown when the failures before it no longer count."""
MAX_ENTRIES = 4096
LOCKOUT_AFTER = 5
"""Refusals in a row of an account, each of which rests it for ``GRAVE`` seconds or more."""
LOCKOUT = 900.0
GRAVE = 120.0
SET_BACK = 60.0
"""Seconds by which clocks are corrected in daily life; what has begun further in the future is not believed."""
LONGEST = 32 * 86400.0
"""Seconds; a kept cooldown that ends later is a mistake."""


class Tried(Protocol):
    """What a cooldown is kept for (a candidate of a plan)."""

    @property
    def account_key(self) -> str: ...

    @property
    def target_key(self) -> str: ...


class Judged(Protocol):
    """What health reads of a verdict."""

    @property
    def scope(self) -> str:
        """``none``, ``account`` or ``target``."""
        ...

    @property
    def cooldown(self) -> float: ...

    @property
    def reason(self) -> str: ...

    @property
    def retry_after(self) -> float | None:
        """Set when the provider named the time itself."""
        ...


@dataclass(frozen=True, slots=True)
class Cooldown:
    """One resting account or target."""

    scope: str
    key: str
    until: float
    reason: str
    failures: int
    """In a row, those with a time of our own making."""
    since: float = 0.0
    """When it was noted."""

    def holds(self, now: float) -> bool:
        return self.since - SET_BACK <= now < self.until


class Health:
    """The cooldowns of one process."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Cooldown] = {}

    def note(self, verdict: Judged, candidate: Tried, now: float) -> None:
        """An attempt has failed. A shorter cooldown never ends a longer one early."""
        if verdict.scope == "none" or verdict.cooldown <= 0:
            return
        key = candidate.account_key if verdict.scope == "account" else candidate.target_key
        place = (verdict.scope, key)
        before = self._entries.get(place)
        if before is not None and before.since > now + SET_BACK:
            before = None
        failures = before.failures if before and now < before.until + QUIET else 0
        seconds = verdict.cooldown
        if verdict.retry_after is None:
            failures += 1
            seconds = min(seconds * 2 ** min(failures - 1, 16), max(seconds, LONGEST_BACKOFF))
        reason = verdict.reason
        if verdict.scope == "account" and failures >= LOCKOUT_AFTER and verdict.cooldown >= GRAVE:
            seconds = max(seconds, LOCKOUT)
            reason = f"locked out, {failures} refusals in a row: {reason}"
        until = now + seconds
        if before is not None and before.until > until:
            self._entries[place] = Cooldown(verdict.scope, key, before.until, before.reason, failures, now)
            return
        if len(self._entries) >= MAX_ENTRIES:
            self._forget(now)
        self._entries[place] = Cooldown(verdict.scope, key, until, reason, failures, now)

    def succeeded(self, candidate: Tried) -> None:
        """An attempt was good: the target is awake, the next failure of either starts small.

        An account's cooldown stays, because the attempt may have started before the quota ran out.
        """
        self._entries.pop(("target", candidate.target_key), None)
        place = ("account", candidate.account_key)
        if entry := self._entries.get(place):
            self._entries[place] = replace(entry, failures=0)

    def until(self, candidate: Tried, now: float) -> float | None:
        """When the candidate may be tried again; None when it may be now."""
        found = self.resting(candidate, now)
        return None if found is None else found.until

    def resting(self, candidate: Tried, now: float) -> Cooldown | None:
        """The cooldown of the candidate that ends last; None when it may be tried now."""
        if not self._entries:
            return None
        account = self._entries.get(("account", candidate.account_key))
        target = self._entries.get(("target", candidate.target_key))
        if account is None and target is None:
            return None
        cooling = [entry for entry in (account, target) if entry is not None and entry.holds(now)]
        return max(cooling, key=lambda entry: entry.until, default=None)

    def soonest(self, now: float) -> float | None:
        """When the first cooldown of all ends."""
        return min((entry.until for entry in self.cooling(now)), default=None)

    def cooling(self, now: float) -> tuple[Cooldown, ...]:
        """What rests now, soonest first."""
        return tuple(sorted((e for e in self._entries.values() if e.holds(now)), key=lambda entry: entry.until))

    def reset(self, key: str | None = None) -> None:
        """Wake one account or target, or all, and forget its failures."""
        self._entries = {} if key is None else {place: one for place, one in self._entries.items() if one.key != key}

    def dump(self) -> list[JSON]:
        """As JSON, for :meth:`load` after a restart."""
        return [asdict(entry) for entry in self._entries.values()]

    def load(self, state: JSON, now: float) -> None:
        """What :meth:`dump` gave. What is long over, cannot be read or ends unbelievably late is left out."""
        for item in state if isinstance(state, list) else ():
            match item:
                case {
                    "scope": "account" | "target" as scope,
                    "key": str(key),
                    "until": int() | float() as until,
                    "reason": str(reason),
                    "failures": int(failures),
                } if now - QUIET < until <= now + LONGEST and failures >= 0:
                    since = item.get("since")
                    began = float(since) if isinstance(since, int | float) else 0.0
                    self._entries[scope, key] = Cooldown(scope, key, until, reason, failures, began)
                case _:
                    pass

    def _forget(self, now: float) -> None:
        """Drop what has ended; if that is not enough, what ends soonest."""
        kept = sorted(self.cooling(now), key=lambda entry: entry.until)[-MAX_ENTRIES // 2 :]
        self._entries = {(entry.scope, entry.key): entry for entry in kept}
