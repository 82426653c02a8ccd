"""How fast an account or target may be used: places for calls, taken in the order of asking.

Theory of operation. A :class:`Pace` is arithmetic: given the rules (``Rates``), what the provider's headers said and
the calls so far, how long must the next one wait? A :class:`Lane` is the queue before one pace: whoever cannot go at
once waits in line, a timer wakes the first when time alone lets it go, the end of a call wakes it otherwise. A caller
that is cancelled or has waited long enough leaves the line at once; a place that came in the same moment is given back.

Against herds: when an account has been refused, those in its line are *sent on* with the reason instead of each finding
out by itself; and after a refusal or a pause calls go out one by one until the head of one has come back good. A head
that stays away for ``HERD`` seconds holds nobody up any longer, since a refusal comes at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal, Protocol

from omniroute_addon.accounts.quota.grammar import amount, instant, span
from omniroute_addon.config.governance import Rates
from translators.hub import JSON

MINUTE = 60.0
HERD = 5.0
LONGEST_LEARNED = 3600.0
"""A pace is learned for this long at most; what is gone for longer is a quota's affair."""
MAX_LANES = 4096
LANES_KEPT, STARTS_KEPT = 500, 300
"""Of lanes and of the last minute's calls of each: what a restart remembers."""

_FAMILIES = ("x-ratelimit-{}-requests", "anthropic-ratelimit-requests-{}", "x-ratelimit-{}")


class Timer(Protocol):
    def cancel(self) -> None: ...


type Later = Callable[[float, Callable[[], None]], Timer]
"""Calls back after some seconds."""


class Pace:
    """The calls of one account or target. No clock of its own; ``now`` is any clock that never goes back."""

    def __init__(self) -> None:
        self.open = 0
        """Calls under way."""
        self._starts: deque[float] = deque()
        """Of the last minute."""
        self._unheard: dict[object, float] = {}
        """Calls whose answer has not begun, and since when they are out."""
        self._left: tuple[int, float] | None = None
        """Requests that the provider still allows, and until when that holds."""
        self._paused = 0.0
        self._cautious = False

    def wait(self, rates: Rates, now: float, *, careful: bool = False, alone: bool = False) -> float:
        """Seconds until the next call may go out; infinite when only the end of another lets it.

        ``careful``: one by one, as after a refusal. ``alone``: it has nowhere else to go, so what a header said keeps
        it only as long as it may wait; after all a provider refuses by itself.
        """
        if rates.concurrency is not None and self.open >= rates.concurrency:
            return inf
        seconds = max(self._paused - now, 0.0)
        if self._starts:
            seconds = max(seconds, self._starts[-1] + rates.min_gap - now)
            if rates.rpm is not None and len(self._starts) >= rates.rpm:
                seconds = max(seconds, self._starts[-rates.rpm] + MINUTE - now)
        seconds = max(seconds, self.herd(now, careful=careful))
        if rates.learn and self._left is not None:
            left, until = self._left
            matters = now < until and not (alone and until - now > rates.max_wait)
            if matters and len(self._unheard) >= left:
                seconds = max(seconds, inf if self._unheard else until - now)
        return seconds

    def herd(self, now: float, *, careful: bool = False) -> float:
        """Of that wait, the part in which another call finds out whether the account has room."""
        if not self._unheard or not (careful or self._cautious):
            return 0.0
        return max(0.0, max(self._unheard.values()) + HERD - now)

    def start(self, call: object, rates: Rates, now: float) -> None:
        """A call goes out."""
        self.open += 1
        self._unheard[call] = now
        self._starts.append(now)
        while len(self._starts) > 1 and (rates.rpm is None or self._starts[0] <= now - MINUTE):
            self._starts.popleft()

    def heard(self, call: object, *, good: bool) -> None:
        """The head of its answer has come. A good one lets the others go out side by side again."""
        self._unheard.pop(call, None)
        if good:
            self._cautious = False

    def end(self, call: object) -> None:
        self._unheard.pop(call, None)
        self.open -= 1

    def pause(self, until: float) -> None:
        """Nothing goes out before ``until``, and one call first then."""
        self._paused = max(self._paused, until)
        self._cautious = True

    def caution(self) -> None:
        """It was refused: later one call goes out first."""
        self._cautious = True

    def learn(self, left: int, until: float) -> None:
        """The provider allows so many further requests."""
        self._left = left, until

    def idle(self, now: float) -> bool:
        """Whether there is nothing to remember."""
        quiet = not self._starts or self._starts[-1] <= now - MINUTE
        return self.open == 0 and quiet and self._paused <= now and (self._left is None or self._left[1] <= now)

    def dump(self, now: float, ahead: float) -> JSON:
        """What is known, or None; ``ahead``: of its own clock is the one that a restart reads, by so many seconds."""
        starts = [round(at + ahead, 2) for at in list(self._starts)[-STARTS_KEPT:] if at > now - MINUTE]
        left = [self._left[0], round(self._left[1] + ahead, 2)] if self._left and self._left[1] > now else None
        paused = round(self._paused + ahead, 2) if self._paused > now else None
        return [starts, left, paused, self._cautious] if starts or left or paused or self._cautious else None

    def load(self, kept: JSON, now: float, ahead: float) -> None:
        """What ``dump`` gave; what cannot be read or true is left out. Calls under way have ended with their process."""
        match kept:
            case [list(starts), left, paused, bool() as cautious]:
                times = sorted(at - ahead for at in starts if isinstance(at, int | float))
                self._starts.extend(at for at in times if now - MINUTE < at <= now)
                self._cautious = cautious
                if isinstance(paused, int | float) and paused - ahead <= now + LONGEST_LEARNED:
                    self._paused = paused - ahead
                match left:
                    case [int(count), int() | float() as until] if until - ahead <= now + LONGEST_LEARNED:
                        self._left = max(count, 0), until - ahead
                    case _:
                        pass
            case _:
                pass

    def held(self, now: float) -> float:
        """Seconds until a pause that was ordered ends."""
        return max(self._paused - now, 0.0)

    def allowed(self, now: float) -> tuple[int, float] | None:
        """Requests that the provider still allows, and for how many seconds that holds; None when it does not say."""
        return None if self._left is None or self._left[1] <= now else (self._left[0], self._left[1] - now)

    def forget(self) -> None:
        """What was learned, not what is under way."""
        self._left, self._paused, self._cautious = None, 0.0, False


@dataclass(frozen=True, slots=True)
class Busy:
    """A line where something goes on, for people. Times are in seconds from now."""

    key: str
    open: int
    waiting: int
    paused: float
    left: int | None
    """Requests that the provider still allows, for ``left_for`` seconds."""
    left_for: float | None


@dataclass(frozen=True, slots=True)
class SentOn:
    """A caller that got no place."""

    reason: str
    wait: float | None = None
    """Seconds until it is worth another try, as far as that is known."""
    soon: bool = False
    """Another call is finding out; it is worth to come back when there is nobody else."""
    kind: Literal["rate_limit", "overloaded"] = "rate_limit"


@dataclass(eq=False, slots=True)
class _Waiter:
    call: object
    rates: Rates
    careful: bool
    alone: bool
    deadline: float
    future: asyncio.Future[SentOn | None]
    timer: Timer | None = None


class Lane:
    """The line before one pace."""

    def __init__(self, now: Callable[[], float], later: Later) -> None:
        self.pace = Pace()
        self._now = now
        self._later = later
        self._line: deque[_Waiter] = deque()
        self._timer: Timer | None = None

    async def take(
        self, call: object, rates: Rates, patience: float, *, careful: bool = False, hurry: bool = False
    ) -> SentOn | None:
        """Wait for a place, at most ``patience`` seconds; None when ``call`` has it, until :meth:`end`.

        ``hurry``: there are others to ask, so do not wait for another call to find out whether this one is there again.
        """
        now = self._now()
        wait = self.pace.wait(rates, now, careful=careful, alone=not hurry)
        if wait <= 0 and not self._line:
            self.pace.start(call, rates, now)
            return None
        if hurry and self.pace.herd(now, careful=careful) > 0:
            return SentOn("another call finds out whether it has room", HERD, soon=True)
        if patience < wait < inf:
            return _too_slow(wait)
        future: asyncio.Future[SentOn | None] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(call, rates, careful, not hurry, now + patience, future)
        self._line.append(waiter)
        waiter.timer = self._later(patience, lambda: self._give_up(waiter, patience))
        self._serve()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.result() is None:
                self.end(call)
            raise
        finally:
            waiter.timer.cancel()
            if waiter in self._line:
                self._line.remove(waiter)
                self._serve()

    def heard(self, call: object, *, good: bool) -> None:
        self.pace.heard(call, good=good)
        self._serve()

    def end(self, call: object) -> None:
        """Give the place back."""
        self.pace.end(call)
        self._serve()

    def pause(self, seconds: float) -> None:
        self.pace.pause(self._now() + seconds)
        self._serve()

    def learn(self, left: int, seconds: float) -> None:
        self.pace.learn(left, self._now() + seconds)
        self._serve()

    def send_on(self, reason: str, wait: float | None) -> None:
        """It was refused: nobody in line needs to wait any longer, and later one call goes first."""
        self.pace.caution()
        while self._line:
            self._answer(self._line.popleft(), SentOn(reason, wait))

    @property
    def waiting(self) -> int:
        return len(self._line)

    def forget(self) -> None:
        self.pace.forget()
        self._serve()

    def _serve(self) -> None:
        """Let go out who may; set the timer for who may by time alone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._now()
        while self._line:
            first = self._line[0]
            if first.future.done():  # cancelled in this very turn of the loop: a place would be lost with it
                self._line.popleft()
                continue
            wait = self.pace.wait(first.rates, now, careful=first.careful, alone=first.alone)
            if wait <= 0:
                self._line.popleft()
                self.pace.start(first.call, first.rates, now)
                self._answer(first, None)
            elif wait != inf and now + wait > first.deadline:
                self._line.popleft()
                self._answer(first, _too_slow(wait))
            else:
                self._timer = self._later(min(wait, HERD), self._serve)
                return

    def _give_up(self, waiter: _Waiter, patience: float) -> None:
        if waiter in self._line:
            self._line.remove(waiter)
            self._answer(waiter, SentOn(f"no place within {patience:g} s"))
            self._serve()

    @staticmethod
    def _answer(waiter: _Waiter, said: SentOn | None) -> None:
        if not waiter.future.done():
            waiter.future.set_result(said)


class Limits:
    """The lanes of one process, by key."""

    def __init__(self, now: Callable[[], float] = time.monotonic, later: Later | None = None) -> None:
        """``later``: that of the running event loop, if not given."""
        self._now = now
        self._later: Later = later or (lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call))
        self._lanes: dict[str, Lane] = {}

    def lane(self, key: str) -> Lane:
        found = self._lanes.get(key)
        if found is None:
            self._bound()
            found = self._lanes[key] = Lane(self._now, self._later)
        return found

    def names(self) -> list[str]:
        """Of the lanes that somebody has used."""
        return list(self._lanes)

    def busy(self) -> list[Busy]:
        """Where calls are under way or wait, or the provider has said how many it still takes."""
        now = self._now()
        found: list[Busy] = []
        for key, lane in self._lanes.items():
            pace, paused = lane.pace, lane.pace.held(now)
            left, seconds = pace.allowed(now) or (None, None)
            if pace.open or lane.waiting or paused or left is not None:
                found.append(Busy(key, pace.open, lane.waiting, paused, left, seconds))
        return found

    def learned(self, key: str, headers: Mapping[str, str], wall: float) -> None:
        """An answer has come; ``headers`` by their names in lower case, ``wall`` in Unix seconds."""
        for family in _FAMILIES:
            left = amount(headers.get(family.format("remaining"), ""))
            seconds = _until(headers.get(family.format("reset"), ""), wall)
            if left is not None and seconds is not None:
                self.lane(key).learn(int(left), min(seconds, LONGEST_LEARNED))
                return

    def reset(self, key: str | None = None) -> None:
        """Forget what was learned of one, or of all; calls under way keep their places."""
        for name, lane in self._lanes.items():
            if key in (None, name):
                lane.forget()

    def dump(self, wall: float) -> JSON:
        """What a restart should remember; ``wall`` is now, in Unix seconds."""
        now = self._now()
        paces = ((key, lane.pace.dump(now, wall - now)) for key, lane in self._lanes.items())
        return dict([(key, pace) for key, pace in paces if pace is not None][-LANES_KEPT:])

    def load(self, kept: JSON, wall: float) -> None:
        """What ``dump`` gave. What the clock was set back behind is forgotten."""
        if isinstance(kept, dict):
            now = self._now()
            for key, pace in kept.items():
                self.lane(key).pace.load(pace, now, wall - now)

    def _bound(self) -> None:
        if len(self._lanes) >= MAX_LANES:
            now = self._now()
            busy = {key: lane for key, lane in self._lanes.items() if lane.waiting or not lane.pace.idle(now)}
            self._lanes = busy


def _too_slow(wait: float) -> SentOn:
    return SentOn(f"its pace allows no call for {max(wait, 1):.0f} s", wait)


def _until(text: str, wall: float) -> float | None:
    """Seconds until a window is full again, from a span or an instant; a remainder without an end is not believed."""
    after = span(text)
    if after is not None:
        return after
    at = instant(text, wall)
    return at - wall if at is not None and at > wall else None
