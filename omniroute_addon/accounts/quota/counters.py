"""Quotas that are counted here, by the rules of the configuration, for providers that do not tell.

Days, weeks and months begin at 00:00 of the rule's zone; the shorter windows slide, in sixty steps. What is kept is
counts only, none of the future (the clock may be set back): which limits hold is the rules' affair at the time of asking, so that a changed rule holds at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from omniroute_addon.accounts.health import SET_BACK
from omniroute_addon.accounts.quota.allowance import FAR, PERIODS, Allowance
from omniroute_addon.config.governance import Window
from omniroute_addon.ledger.periods import Period, span
from translators.hub import JSON

_STEPS = 60
_CALENDAR: Mapping[str, Period] = {"day": "daily", "week": "weekly", "month": "monthly"}
type _Slots = dict[float, tuple[int, int]]
"""When a slot begins → its requests and tokens."""


class Counters:
    """Of one account."""

    def __init__(self) -> None:
        self._slots: dict[str, _Slots] = {}
        self._spans: dict[str, tuple[float, float]] = {}

    def add(self, rules: Sequence[Window], now: float, requests: int, tokens: int) -> None:
        """What was used, in every window of the rules."""
        for rule in rules:
            slots = self._slots.setdefault(_key(rule), {})
            oldest, begin, _ = self._times(rule, now)
            for old in [one for one in slots if not oldest <= one <= now + SET_BACK]:
                del slots[old]
            before = slots.get(begin, (0, 0))
            slots[begin] = before[0] + requests, before[1] + tokens
        known = {_key(rule) for rule in rules}
        self._slots = {key: slots for key, slots in self._slots.items() if key in known}

    def allowances(self, rules: Sequence[Window], now: float) -> Iterator[Allowance]:
        """What is left by the rules."""
        for rule in rules:
            slots = self._slots.get(_key(rule), {})
            oldest, _, end = self._times(rule, now)
            used = sorted((begin, counts) for begin, counts in slots.items() if oldest <= begin <= now + SET_BACK)
            for index, (about, limit) in enumerate((("requests", rule.requests), ("tokens", rule.tokens))):
                if limit is None:
                    continue
                total = sum(counts[index] for _, counts in used)
                left = max(0, limit - total)
                resets = end or _slides(rule, [(begin, counts[index]) for begin, counts in used], limit)
                yield Allowance(
                    f"{rule.window} {about}", left / limit, now, resets, "counted", float(limit), firm=rule.firm
                )

    def _times(self, rule: Window, now: float) -> tuple[float, float, float | None]:
        """The first slot that still counts, the slot of now, and when a calendar window ends."""
        if rule.window not in _CALENDAR:
            step = PERIODS[rule.window] / _STEPS
            begin = now // step * step
            return begin - (_STEPS - 1) * step, begin, None
        key = _key(rule)
        first, end = self._spans.get(key, (0.0, 0.0))
        if not first <= now < end:
            first, end = self._spans[key] = span(_CALENDAR[rule.window], now, ZoneInfo(rule.timezone))
        return first, first, end

    def plain(self) -> dict[str, JSON]:
        return {
            key: [[begin, requests, tokens] for begin, (requests, tokens) in slots.items()]
            for key, slots in self._slots.items()
        }

    @classmethod
    def read(cls, value: JSON) -> "Counters":
        """Counters that were written down; what cannot be read is left out."""
        made = cls()
        for key, listed in value.items() if isinstance(value, dict) else ():
            slots = made._slots.setdefault(key, {})
            for one in listed if isinstance(listed, list) else ():
                match one:
                    case [int() | float() as begin, int(requests), int(tokens)]:
                        if 0 <= begin < FAR and requests >= 0 and tokens >= 0:
                            slots[float(begin)] = requests, tokens
                    case _:
                        pass
        return made


def _key(rule: Window) -> str:
    return f"{rule.window} {rule.timezone}" if rule.window in _CALENDAR else rule.window


def _slides(rule: Window, used: Sequence[tuple[float, int]], limit: int) -> float | None:
    """When enough of a sliding window is past, or, while something is left, all of it."""
    length, total = PERIODS[rule.window], sum(count for _, count in used)
    if total >= limit:
        for begin, count in used:
            total -= count
            if total < limit:
                return begin + length
    return used[-1][0] + length if used else None
