"""A second attempt beside one that is slow to begin: the first with a meaningful event has the call, the other is gone.

``hedge: {after: 2s}`` or ``{after: p95}`` stands in a combo, one of its targets, or ``combo_defaults``; the nearest
holds. It concerns streams only: of a whole answer nobody can tell whether it has begun. Never more than one per call.

Theory of operation. A :class:`Race` runs an exchange's attempts one by one, each in the exchange's own task, unless the
rules want a hedge; then each has a task of its own. Before an attempt commits it asks ``claim``: the first to ask goes
on at once and cancels the other, whose connection, places and reservation are freed by the ``finally`` of its attempt,
as when a client leaves; what it has used counts as for one. An attempt that fails leaves the call to the other. The
second goes to the next target, not to the next account: that of a slow target would be as slow.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from math import ceil

from omniroute_addon.config.combos import Hedge
from omniroute_addon.engine.verdict import Action, Verdict
from omniroute_addon.routing.candidate import Candidate

SAMPLES = 100
LEAST = 20
"""Samples below which nothing is known."""
TARGETS = 2000
_SHARE = 0.95
_STAYS: tuple[Action, ...] = ("wait", "retry", "retry-unsigned")
"""Verdicts after which a candidate may be asked again."""

type Attempt = Callable[[Candidate], Coroutine[None, None, Verdict | None]]


class Paces:
    """How long targets take to their first meaningful event: the last ``SAMPLES`` of each, in memory."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, deque[float]] = OrderedDict()

    def note(self, target: str, seconds: float) -> None:
        self._known.setdefault(target, deque(maxlen=SAMPLES)).append(seconds)
        self._known.move_to_end(target)
        if len(self._known) > TARGETS:
            self._known.popitem(last=False)

    def p95(self, target: str) -> float | None:
        """None while there are too few samples."""
        samples = self._known.get(target, ())
        if len(samples) < LEAST:
            return None
        return sorted(samples)[ceil(_SHARE * len(samples)) - 1]


def wait_of(candidate: Candidate, general: Hedge | None, paces: Paces) -> float | None:
    """Seconds after which a second attempt begins beside one of the candidate's; None for never."""
    hedge = general
    if candidate.place is not None:
        hedge = candidate.place.hedge or candidate.place.settings.hedge
    if hedge is None or hedge.after is None:
        return None
    return paces.p95(candidate.target_key) if hedge.after == "p95" else hedge.after


class Race:
    """Of one exchange."""

    def __init__(self, paces: Paces, general: Hedge | None, *, able: bool) -> None:
        """``able``: the call is one that can be hedged."""
        self._paces = paces
        self._general = general
        self._able = able
        self._over = False
        self._tasks: set[asyncio.Task[Verdict | None]] = set()
        self._winner: asyncio.Task[Verdict | None] | None = None

    @property
    def running(self) -> bool:
        """Two attempts are under way, and none of them may answer for both."""
        return len(self._tasks) > 1 and self._winner is None

    @property
    def overtaken(self) -> bool:
        """The attempt that asks has lost the call to the other."""
        mine = asyncio.current_task()
        return mine in self._tasks and self._winner is not None and mine is not self._winner

    async def run(
        self, candidates: list[Candidate], attempt: Attempt, beside: Callable[[Candidate], bool]
    ) -> Verdict | None:
        """An attempt at the first of ``candidates``, and its verdict; None when the client has been answered.

        ``beside``: whether one may begin now at that candidate, too. The list is brought up to date: the one that the verdict is on comes first;
        one that has failed beside it is gone, unless it may be asked again.
        """
        first = candidates[0]
        after = wait_of(first, self._general, self._paces) if self._able and not self._over else None
        second = next((one for one in candidates if one.target_key != first.target_key), None)
        if after is None or second is None:
            return await attempt(first)
        self._winner = None
        try:
            return await self._hedged(candidates, second, attempt, after, beside)
        except asyncio.CancelledError as error:
            return await self._stopped(error)
        finally:
            self._tasks.clear()

    async def claim(self, candidate: Candidate, seconds: float) -> None:
        """An attempt has its first meaningful event. Who comes second never gets past this."""
        if self._able:
            self._paces.note(candidate.target_key, seconds)
        mine = asyncio.current_task()
        if mine not in self._tasks:
            return
        if self._winner is not None:
            await asyncio.Future()
        self._winner = mine
        for task in self._tasks:
            if task is not mine:
                task.cancel()

    def ended(self, candidate: Candidate, seconds: float) -> None:
        """An attempt is over. One that was overtaken would have taken longer than that; in a queue it was not asked."""
        if self.overtaken:
            self._paces.note(candidate.target_key, seconds)

    async def _hedged(
        self,
        candidates: list[Candidate],
        second: Candidate,
        attempt: Attempt,
        after: float,
        beside: Callable[[Candidate], bool],
    ) -> Verdict | None:
        slow = self._begin(candidates[0], attempt)
        await asyncio.wait({slow}, timeout=after)
        if slow.done() or self._winner is not None or not beside(second):
            return await slow
        self._over = True
        quick = self._begin(second, attempt)
        await asyncio.wait({slow, quick})
        if self._winner is slow:
            return slow.result()
        verdict = quick.result()
        if self._winner is quick or (verdict is not None and verdict.action == "give-up"):
            candidates.remove(second)
            candidates.insert(0, second)
            return verdict
        if verdict is None or verdict.action not in _STAYS:
            candidates.remove(second)
        return slow.result()

    def _begin(self, candidate: Candidate, attempt: Attempt) -> asyncio.Task[Verdict | None]:
        task = asyncio.create_task(attempt(candidate))
        self._tasks.add(task)
        return task

    async def _stopped(self, error: asyncio.CancelledError) -> Verdict | None:
        """The exchange is cancelled: so are its attempts. One that could still end the client's answer has done so."""
        for task in self._tasks:
            task.cancel(*error.args)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._winner is None or self._winner.cancelled():
            raise error
        return self._winner.result()
