"""What a plan may ask of the past: a read-only view that the engine implements, and nothing else.

Keys are a candidate's ``target_key`` or ``account_key``. Whoever implements it changes nothing while a plan is made.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from omniroute_addon.routing.ask import Ask
    from omniroute_addon.routing.candidate import Candidate


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a candidate may not be tried now."""

    reason: str
    """``cooling down``, ``the breaker of glm is open``."""
    until: float | None
    """Unix seconds; None when waiting does not help."""


@dataclass(frozen=True, slots=True)
class QuotaLeft:
    """The tightest window of an account."""

    share: float
    """What is left of it, 0 to 1."""
    window: str
    """``5h``, ``week``: as the provider or the rules call it."""
    resets: float | None = None
    """Unix seconds."""
    firm: bool = True
    """False: counted against a published figure, which may not be the account's own."""

    @property
    def gone(self) -> bool:
        return self.share <= 0


@dataclass(frozen=True, slots=True)
class BudgetBlock:
    """A budget that has no room for a call."""

    name: str
    on_exceed: Literal["fallback", "deny", "warn"]
    words: str
    """How much of what is spent."""
    until: float
    """When its period ends, Unix seconds."""


class State(Protocol):
    """What is known of earlier calls."""

    def rest(self, candidate: "Candidate", now: float) -> Rest | None:
        """Cooldown, open breaker or lockout; None when the candidate may be tried."""
        ...

    def uses(self, key: str) -> int:
        """How often a target or account has been used."""
        ...

    def last_used(self, key: str) -> float:
        """When; 0 for never."""
        ...

    def in_flight(self, key: str) -> int:
        """Calls under way."""
        ...

    def turn(self, name: str) -> int:
        """How often the turn of a round robin (``combo:NAME``, ``pool:PROVIDER``) has been taken."""
        ...

    def account_of(self, session: str, provider: str) -> str | None:
        """The account that serves a session at a provider."""
        ...

    def quota(self, candidate: "Candidate", now: float) -> QuotaLeft | None:
        """The tightest window of the candidate's account; None when nothing is known."""
        ...

    def price(self, candidate: "Candidate") -> float | None:
        """US dollars per million tokens, three parts input to one part output; None when unknown."""
        ...

    def over_budget(self, candidate: "Candidate", ask: "Ask", now: float) -> BudgetBlock | None:
        """A budget that has no room for this call at this candidate."""
        ...


class Unknown:
    """A state without a past."""

    def rest(self, candidate: "Candidate", now: float) -> Rest | None:
        return None

    def uses(self, key: str) -> int:
        return 0

    def last_used(self, key: str) -> float:
        return 0.0

    def in_flight(self, key: str) -> int:
        return 0

    def turn(self, name: str) -> int:
        return 0

    def account_of(self, session: str, provider: str) -> str | None:
        return None

    def quota(self, candidate: "Candidate", now: float) -> QuotaLeft | None:
        return None

    def price(self, candidate: "Candidate") -> float | None:
        return None

    def over_budget(self, candidate: "Candidate", ask: "Ask", now: float) -> BudgetBlock | None:
        return None
