"""Which account serves a session at a provider: prompt caches are kept per account, so a session stays where it is.

Bounded: the session that was silent longest goes first, one that was silent for ``ttl`` seconds is forgotten.
"""

from collections import OrderedDict

from omniroute_addon.config.governance import Sessions
from translators.hub import JSON

KEPT = 2000
"""Sessions that a restart remembers."""


class Bindings:
    def __init__(self) -> None:
        self._bound: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        """(session, provider) → account and when it was last used, in that order."""

    def account_of(self, session: str, provider: str, limits: Sessions, now: float) -> str | None:
        found = self._bound.get((session, provider))
        return None if found is None or now - found[1] > limits.ttl else found[0]

    def bind(self, session: str, provider: str, account: str, limits: Sessions, now: float) -> None:
        """The session has been served by this account."""
        self._bound.pop((session, provider), None)
        self._bound[session, provider] = account, now
        while self._bound:
            place, (_, used) = next(iter(self._bound.items()))
            if len(self._bound) <= limits.max and now - used <= limits.ttl:
                return
            del self._bound[place]

    def dump(self) -> list[JSON]:
        """The sessions used last, as JSON, for :meth:`load` after a restart."""
        return [
            [session, provider, account, used]
            for (session, provider), (account, used) in list(self._bound.items())[-KEPT:]
        ]

    def load(self, state: JSON, now: float) -> None:
        """What :meth:`dump` gave; what cannot be read or is from the future is left out."""
        for item in state if isinstance(state, list) else ():
            match item:
                case [str(session), str(provider), str(account), int() | float() as used] if used <= now + 1:
                    self._bound[session, provider] = account, float(used)
                case _:
                    pass

    def reset(self, account: str | None = None) -> None:
        """Set the sessions of one account free, or all."""
        self._bound = OrderedDict(
            (place, bound) for place, bound in self._bound.items() if account is not None and bound[0] != account
        )

    def __len__(self) -> int:
        return len(self._bound)
