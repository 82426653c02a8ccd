"""Circuit breakers: a provider or target that fails again and again is left alone, then asked by one call first.

Theory of operation. *Closed*: failures in a row are counted, a success starts again. At the threshold it *opens*: for
``reset`` seconds nobody is let through. Then it is *half-open*: one call, the probe, is let through, the others stay
out until the probe has ended. Its success closes the breaker, its failure opens it again, longer after the third time
in a row; a probe that ends without either (the client has left) makes room for the next. Failures of calls that began
before it opened change nothing, and a row that ends in the future counts no more: the clock was set back. In memory, no
clock of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from omniroute_addon.accounts.health import SET_BACK
from omniroute_addon.config.governance import Breaker, Resilience
from omniroute_addon.config.models import Provider, is_loopback
from translators.hub import JSON

type State = Literal["closed", "open", "half-open"]

QUIET = 600.0
"""Seconds without a failure after which the row is over, and an opening that nobody has tested is forgotten."""
PATIENT = 3
"""Openings in a row of the same length; each further one doubles it, up to ``LONGEST`` times."""
LONGEST = 16
MAX_ENTRIES = 4096


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    """In a row."""
    first: float = 0.0
    last: float = 0.0
    openings: int = 0
    """In a row."""
    until: float = 0.0
    """When it becomes half-open; counts only with ``openings``."""
    reason: str = ""
    """Of the last failure."""
    probe: object = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A breaker that is not closed, for people."""

    key: str
    state: State
    until: float
    reason: str


class Breakers:
    """Keys are a provider's and a target's; they are independent of each other."""

    def __init__(self) -> None:
        self._circuits: dict[str, _Circuit] = {}

    def __bool__(self) -> bool:
        """Whether any has something to say."""
        return bool(self._circuits)

    def state(self, key: str, now: float) -> State:
        circuit = self._circuits.get(key)
        if circuit is None or circuit.openings == 0:
            return "closed"
        if not circuit.last - SET_BACK <= now <= max(circuit.until, circuit.last) + QUIET:
            return "closed"
        return "open" if now < circuit.until else "half-open"

    def open(self, keys: Iterable[str], now: float) -> Opened | None:
        """The open breaker that keeps a candidate out longest; None when it may be tried, perhaps as a probe."""
        if not self._circuits:
            return None
        found = [self._opened(key, now) for key in keys if key in self._circuits and self.state(key, now) == "open"]
        return max(found, key=lambda one: one.until, default=None)

    def probed(self, keys: Iterable[str], now: float) -> str | None:
        """The half-open breaker whose probe is under way; a candidate must wait for its end."""
        for key in keys if self._circuits else ():
            if self.state(key, now) == "half-open" and self._circuits[key].probe is not None:
                return key
        return None

    def enter(self, keys: Iterable[str], call: object, now: float) -> None:
        """A call goes out; it is the probe of every half-open breaker among ``keys``. Ask ``probed`` before."""
        for key in keys if self._circuits else ():
            if self.state(key, now) == "half-open":
                self._circuits[key].probe = call

    def leave(self, call: object) -> None:
        """The call has ended, however it went."""
        for circuit in self._circuits.values():
            if circuit.probe is call:
                circuit.probe = None

    def succeeded(self, keys: Iterable[str]) -> None:
        for key in keys if self._circuits else ():
            self._circuits.pop(key, None)

    def failed(self, key: str, call: object, limits: Breaker, reason: str, now: float) -> None:
        """``call``: the one that has failed, as given to ``enter``."""
        circuit = self._circuits.get(key)
        if circuit is None or (
            self.state(key, now) == "closed" and not circuit.last - SET_BACK <= now <= circuit.last + QUIET
        ):
            self._bound()
            circuit = self._circuits[key] = _Circuit(first=now)
        match self.state(key, now):
            case "open":
                return
            case "half-open" if circuit.probe is not call:
                return
            case _:
                pass
        circuit.failures += 1
        circuit.last, circuit.reason = now, reason
        if circuit.openings or circuit.failures >= limits.failures:
            circuit.openings += 1
            circuit.until = now + limits.reset * min(2 ** max(circuit.openings - PATIENT, 0), LONGEST)
            circuit.probe = None

    def opened(self, now: float) -> tuple[Opened, ...]:
        """All that are not closed, soonest first."""
        found = (self._opened(key, now) for key in self._circuits if self.state(key, now) != "closed")
        return tuple(sorted(found, key=lambda one: one.until))

    def reset(self, key: str | None = None) -> None:
        """Close one, or all."""
        if key is None:
            self._circuits.clear()
        else:
            self._circuits.pop(key, None)

    def dump(self) -> list[JSON]:
        """As JSON; rows that have opened nothing are not worth it."""
        return [
            {
                "key": key,
                "until": one.until,
                "reason": f"the breaker is open: {_row(one)}",
                "breaker": one.openings,
                "failures": one.failures,
                "first": one.first,
                "last": one.last,
                "said": one.reason,
            }
            for key, one in self._circuits.items()
            if one.openings
        ]

    def load(self, state: JSON, now: float, longest: float) -> None:
        """What ``dump`` gave. What is over, cannot be read, or ends later than ``longest`` seconds from now is left out."""
        for item in state if isinstance(state, list) else ():
            match item:
                case {
                    "key": str(key),
                    "until": int() | float() as until,
                    "breaker": int(openings),
                    "failures": int(failures),
                    "first": int() | float() as first,
                    "last": int() | float() as last,
                    "said": str(reason),
                } if last <= now + 1 and first <= last and now - QUIET < until <= now + longest and openings > 0:
                    self._circuits[key] = _Circuit(failures, first, last, openings, until, reason)
                case _:
                    pass

    def _opened(self, key: str, now: float) -> Opened:
        one, state = self._circuits[key], self.state(key, now)
        if state == "open":
            at = datetime.fromtimestamp(one.until).strftime("%H:%M:%S")  # noqa: DTZ006 -- people's own clock
            words = f"the breaker of {key} is open: {_row(one)}; one probe at {at}"
        else:
            words = f"the breaker of {key} is half-open: {'a' if one.probe else 'the next call is the'} probe"
            words += " is under way" if one.probe else ""
        return Opened(key, state, one.until, words)

    def _bound(self) -> None:
        """Forget the rows that failed longest ago when there are too many."""
        if len(self._circuits) >= MAX_ENTRIES:
            kept = sorted(self._circuits.items(), key=lambda pair: pair[1].last)[MAX_ENTRIES // 2 :]
            self._circuits = dict(kept)


def _row(one: _Circuit) -> str:
    again = f", opened {one.openings} times" if one.openings > 1 else ""
    return f"{one.failures} failures in {max(1, round(one.last - one.first))} s{again} ({one.reason})"


def limits_for(resilience: Resilience, provider: Provider | None, *, origin: bool) -> Breaker | None:
    """The thresholds that hold for a provider; None without breakers."""
    if not resilience.enabled:
        return None
    if provider is not None and _is_local(provider.base_url):
        return resilience.local
    login = origin or provider is None or provider.login or provider.tier == "subscription"
    return resilience.subscription if login else resilience.api_key


@lru_cache(1024)
def _is_local(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")
