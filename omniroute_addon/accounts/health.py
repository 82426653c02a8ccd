"""Which accounts and targets rest, and until when; in memory, no clock of its own.

A verdict puts its *scope* to rest: the account (all its models) or the target (one model at one provider, whatever the
account). A time that the provider named is kept exactly; one that we made up doubles with each failure in a row, up to
:data:`LONGEST_BACKOFF`, and starts small again after a success or a quiet while.
"""

from dataclasses import dataclass
from typing import Protocol

LONGEST_BACKOFF = 120.0
"""Seconds; a verdict's own longer cooldown is kept but not doubled."""
QUIET = 600.0
"""Seconds after the end of a cooldown when the failures before it no longer count."""
MAX_ENTRIES = 4096


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
        failures = before.failures if before and now < before.until + QUIET else 0
        seconds = verdict.cooldown
        if verdict.retry_after is None:
            failures += 1
            seconds = min(seconds * 2 ** min(failures - 1, 16), max(seconds, LONGEST_BACKOFF))
        until = now + seconds
        if before is not None and before.until > until:
            self._entries[place] = Cooldown(verdict.scope, key, before.until, before.reason, failures)
            return
        if len(self._entries) >= MAX_ENTRIES:
            self._forget(now)
        self._entries[place] = Cooldown(verdict.scope, key, until, verdict.reason, failures)

    def succeeded(self, candidate: Tried) -> None:
        """An attempt was good: the target is awake, the next failure of either starts small.

        An account's cooldown stays, because the attempt may have started before the quota ran out.
        """
        self._entries.pop(("target", candidate.target_key), None)
        place = ("account", candidate.account_key)
        if entry := self._entries.get(place):
            self._entries[place] = Cooldown(entry.scope, entry.key, entry.until, entry.reason, 0)

    def until(self, candidate: Tried, now: float) -> float | None:
        """When the candidate may be tried again; None when it may be now."""
        entries = (
            self._entries.get(("account", candidate.account_key)),
            self._entries.get(("target", candidate.target_key)),
        )
        return max((entry.until for entry in entries if entry is not None and entry.until > now), default=None)

    def soonest(self, now: float) -> float | None:
        """When the first cooldown of all ends."""
        return min((entry.until for entry in self.cooling(now)), default=None)

    def cooling(self, now: float) -> tuple[Cooldown, ...]:
        """What rests now, soonest first."""
        return tuple(sorted((e for e in self._entries.values() if e.until > now), key=lambda entry: entry.until))

    def reset(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def _forget(self, now: float) -> None:
        """Drop what has ended; if that is not enough, what ends soonest."""
        kept = sorted(self.cooling(now), key=lambda entry: entry.until)[-MAX_ENTRIES // 2 :]
        self._entries = {(entry.scope, entry.key): entry for entry in kept}
