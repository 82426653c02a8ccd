"""Being let in to a candidate: the breakers, the place in its target's line, the place in its account's.

Everything that a call holds while its attempt runs is in one :class:`Entry`, which is closed exactly once, however the
attempt ends; a probe that is left in the middle makes room for the next that way.
"""

import asyncio
import time
from collections.abc import Callable, Iterator

from omniroute_addon.accounts.breakers import Breakers
from omniroute_addon.accounts.limits import Lane, Limits, SentOn
from omniroute_addon.config.governance import Rates
from omniroute_addon.routing.candidate import Candidate


class Entry:
    """One call at one candidate."""

    def __init__(self, candidate: Candidate, closed: Callable[["Entry"], None]) -> None:
        self.candidate = candidate
        self._closed = closed
        self._lanes: list[Lane] = []
        self._open = True

    async def take(self, lane: Lane, rates: Rates, patience: float, *, careful: bool, hurry: bool) -> SentOn | None:
        said = await lane.take(self, rates, patience, careful=careful, hurry=hurry)
        if said is None:
            self._lanes.append(lane)
        return said

    def heard(self, *, good: bool) -> None:
        """The head of the answer has come."""
        for lane in self._lanes:
            lane.heard(self, good=good)

    def close(self) -> None:
        """Safe to repeat."""
        if self._open:
            self._open = False
            for lane in self._lanes:
                lane.end(self)
            self._closed(self)


class Door:
    """Lets calls in. One per engine."""

    def __init__(self, breakers: Breakers, limits: Limits) -> None:
        self._breakers = breakers
        self._limits = limits
        self._waiting: list[asyncio.Future[None]] = []
        """For the end of a probe."""

    async def enter(
        self, candidate: Candidate, patience: float, now: Callable[[], float], *, careful: bool, hurry: bool
    ) -> Entry | SentOn:
        """Wait for what there is to wait for, at most ``patience`` seconds.

        ``careful``: the account's quota is nearly gone, so its calls go out one by one. ``hurry``: there are other
        candidates, so do not wait for another call to find out whether this one is there again.
        """
        keys = () if candidate.origin and not hurry else breaker_keys(candidate)  # its tool has nobody else to ask
        ends = time.monotonic() + patience
        while (busy := self._breakers.probed(keys, now())) is not None:
            if hurry or not await self._probe_ended(ends - time.monotonic()):
                return SentOn(f"the breaker of {busy} waits for its probe", soon=hurry, kind="overloaded")
        opened = self._breakers.open(keys, now())
        if opened is not None and (hurry or not candidate.origin):
            return SentOn(opened.reason, opened.until - now(), kind="overloaded")
        entry = Entry(candidate, self._left)
        self._breakers.enter(keys, entry, now())
        try:
            for lane, rates, longest, is_account in self._lanes(candidate):
                wait = max(min(longest, ends - time.monotonic()), 0.0)
                said = await entry.take(lane, rates, wait, careful=careful and is_account, hurry=hurry and is_account)
                if said is not None:
                    entry.close()
                    return said
        except BaseException:
            entry.close()
            raise
        return entry

    def account_lane(self, candidate: Candidate) -> Lane | None:
        """The line of its account; the client's own login keeps its own pace."""
        return None if candidate.origin else self._limits.lane(candidate.account_key)

    def _lanes(self, candidate: Candidate) -> Iterator[tuple[Lane, Rates, float, bool]]:
        """The target's line first: who waits there must not hold a place of the account."""
        place = candidate.place
        if place is not None and place.concurrency is not None:
            rates = Rates(concurrency=place.concurrency, learn=False)
            yield self._limits.lane(f"{place.combo} {candidate.target_key}"), rates, place.settings.queue_timeout, False
        lane = self.account_lane(candidate)
        if lane is not None:
            rates = rates_of(candidate)
            yield lane, rates, rates.max_wait, True

    async def _probe_ended(self, patience: float) -> bool:
        """Wait until some call has left; False when that takes too long."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(max(patience, 0)):
                await future
        except TimeoutError:
            return False
        finally:
            if future in self._waiting:
                self._waiting.remove(future)
        return True

    def _left(self, entry: Entry) -> None:
        self._breakers.leave(entry)
        self.stir()

    def stir(self) -> None:
        """Whoever waits for a probe looks again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


def breaker_keys(candidate: Candidate) -> tuple[str, str]:
    return candidate.provider_key, candidate.target_key


def rates_of(candidate: Candidate) -> Rates:
    if candidate.account is not None:
        return candidate.account.rates
    return candidate.provider.rates if candidate.provider is not None else Rates()
