"""The quota windows of all accounts: learned from answers, counted by rules, asked by plans; in memory.

What a provider says replaces what it said before, with one exception: many calls may be under way when a window runs
out, and their answers arrive in any order. A window that is gone is therefore not opened again by an answer of the same
minute. A window whose reset has passed is full again, whatever was known of it.
"""

from collections.abc import Iterable
from dataclasses import replace

from omniroute_addon.accounts.quota import errors
from omniroute_addon.accounts.quota.allowance import Allowance, read
from omniroute_addon.accounts.quota.counters import Counters
from omniroute_addon.accounts.quota.headers import is_marked, told
from omniroute_addon.config.governance import Quota
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.state import QuotaLeft
from translators.hub import JSON, Failure

MAX_ACCOUNTS = 4096
MAX_WINDOWS = 32
STRAGGLERS = 60.0
"""Seconds after the end of a window in which answers of calls before it may still arrive."""


class Quotas:
    """Keys are ``Candidate.account_key``."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, Allowance]] = {}
        self._counted: dict[str, Counters] = {}
        self._rules: dict[str, Quota] = {}

    # ── learned ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def learn(  # noqa: PLR0917 -- all that an answer is
        self,
        account_key: str,
        provider: str,
        status: int | None,
        headers: Iterable[tuple[str, str]],
        failure: Failure | None,
        now: float,
        *,
        model: str | None = None,
    ) -> None:
        """An answer has come, good or bad. ``provider``: its id; ``model``: the upstream's name."""
        marked = {lower: value for name, value in headers if is_marked(lower := name.lower())}
        if failure is not None and failure.kind == "quota":
            marked = {**errors.headers_inside(failure), **marked}
        if not marked and failure is None:
            return
        some = errors.some_models(failure) if failure is not None else ""
        refused = failure is not None or (status or 200) >= 400
        found = told(marked, now, refused=refused, model=None if some else model)
        fresh = [replace(one, models=some, window=f"{one.window} {some}") if some else one for one in found.allowances]
        if failure is not None and not any(one.share_at(now) == 0 and one.gates for one in fresh):
            by_error = errors.gone(failure, provider, model, now)
            fresh += [by_error] if by_error is not None else []
        if not fresh and not found.opened:
            return
        windows = self._told.setdefault(account_key, {})
        for window in found.opened:
            if not _holds(windows.get(window), now):
                windows.pop(window, None)
        for one in fresh:
            self._replace(windows, one, now)
        self._bound(windows, now)

    def _replace(self, windows: dict[str, Allowance], fresh: Allowance, now: float) -> None:
        before = windows.get(fresh.window)
        if fresh.share > 0 and _holds(before, now):
            return
        if before is not None and fresh.resets is None and fresh.period is None and before.believed_until > now:
            fresh = replace(fresh, resets=before.resets)
        windows[fresh.window] = fresh

    def count(self, account_key: str, rules: Quota, now: float, *, requests: int = 1, tokens: int = 0) -> None:
        """An account has been used: once when a call goes out, with ``requests=0`` and its tokens when they are known."""
        if not rules.windows:
            return
        self._rules[account_key] = rules
        self._counted.setdefault(account_key, Counters()).add(rules.windows, now, requests, tokens)

    # ── asked ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def left(self, candidate: Candidate, now: float) -> QuotaLeft | None:
        """The tightest window of a candidate's account that its model uses; None when nothing is known."""
        rules = (
            candidate.account.quota if candidate.account else candidate.provider.quota if candidate.provider else None
        )
        known = self._known(candidate.account_key, rules, now)
        model = candidate.model or candidate.asked
        shares = [(one.share_at(now), one) for one in known if one.gates and one.about(model)]
        found = [(share, one) for share, one in shares if share is not None]
        keep = rules.keep if rules is not None else 0.0
        short = [(share, one) for share, one in found if one.firm and share <= keep]
        return _tightest(short or found)

    def windows(self, account_key: str, now: float) -> tuple[Allowance, ...]:
        """All that is known of an account, for people; shares are those of now."""
        known = self._known(account_key, self._rules.get(account_key), now)
        fresh = ((one, one.share_at(now)) for one in known)
        return tuple(
            one if one.period is None else replace(one, share=share, seen=now)
            for one, share in fresh
            if share is not None
        )

    def accounts(self) -> tuple[str, ...]:
        """Those of which something is or was known."""
        return tuple(dict.fromkeys((*self._told, *self._counted)))

    def only_some_models(self, account_key: str, model: str | None, now: float) -> bool:
        """Whether what is gone for a model of an account is not gone for its other models."""
        gone = [one for one in self._told.get(account_key, {}).values() if one.gates and one.share_at(now) == 0]
        mine = [one for one in gone if one.about(model)]
        return bool(mine) and all(one.models for one in mine)

    def _known(self, account_key: str, rules: Quota | None, now: float) -> list[Allowance]:
        known = list(self._told.get(account_key, {}).values())
        if rules is not None and rules.windows and (counters := self._counted.get(account_key)) is not None:
            known += counters.allowances(rules.windows, now)
        return known

    # ── kept ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def reset(self, account_key: str | None = None) -> None:
        """Forget what is known of an account, or of all."""
        for kept in (self._told, self._counted, self._rules):
            if account_key is None:
                kept.clear()
            else:
                kept.pop(account_key, None)

    def dump(self) -> dict[str, JSON]:
        """As JSON, for :meth:`load` after a restart."""
        return {
            "told": {key: [one.plain() for one in windows.values()] for key, windows in self._told.items()},
            "counted": {
                key: {"rules": rules.model_dump(mode="json"), "counts": self._counted[key].plain()}
                for key, rules in self._rules.items()
            },
        }

    def load(self, state: JSON) -> None:
        """What :meth:`dump` gave; what cannot be read is left out."""
        match state:
            case {"told": dict(told_before), "counted": dict(counted)}:
                pass
            case _:
                return
        for key, listed in told_before.items():
            found = [one for item in (listed if isinstance(listed, list) else ()) if (one := read(item)) is not None]
            self._told[key] = {one.window: one for one in found[:MAX_WINDOWS]}
        for key, value in counted.items():
            match value:
                case {"rules": dict(rules), "counts": counts}:
                    try:
                        self._rules[key] = Quota.model_validate(rules)
                    except ValueError:
                        continue
                    self._counted[key] = Counters.read(counts)
                case _:
                    pass

    def _bound(self, windows: dict[str, Allowance], now: float) -> None:
        """Forget what is over when there is too much."""
        if len(windows) > MAX_WINDOWS:
            kept = sorted(windows.values(), key=lambda one: (one.share_at(now) is not None, one.gates, one.seen))[
                -MAX_WINDOWS:
            ]
            windows.clear()
            windows.update((one.window, one) for one in kept)
        while len(self._told) > MAX_ACCOUNTS:
            del self._told[
                min(self._told, key=lambda key: max((one.seen for one in self._told[key].values()), default=0.0))
            ]


def _tightest(found: list[tuple[float, Allowance]]) -> QuotaLeft | None:
    """The window with the smallest share; of several that are gone, the one that stays so for longest."""
    gone = [one for share, one in found if share <= 0]
    if gone:
        last = max(gone, key=lambda one: (one.firm, one.back))
        return QuotaLeft(0.0, last.window, last.back, last.firm)
    if not found:
        return None
    share, one = min(found, key=lambda pair: pair[0])
    return QuotaLeft(share, one.window, one.resets, one.firm)


def _holds(before: Allowance | None, now: float) -> bool:
    """Whether a window is gone so freshly that an answer which says otherwise may be older."""
    return before is not None and before.share_at(now) == 0 and now - before.seen < STRAGGLERS
