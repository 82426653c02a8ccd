"""A target with an account, ready to try; and what the rules name but a call cannot use."""

from dataclasses import dataclass, replace

from omniroute_addon.config.models import ORIGIN, Account, Place, Provider, Tier, Timeouts
from omniroute_addon.config.ways import Outbound, Ways
from translators.format import Profile


@dataclass(frozen=True, slots=True)
class Candidate:
    target: str
    """As written in the rules: ``glm/glm-4.7``, or ``origin``."""
    provider: Provider | None
    """At the endpoint for this call; the surface's provider for ``origin``, None when that is unknown."""
    model: str | None
    """The upstream's name for the model; None keeps what the client asked for."""
    account: Account | None
    """None for ``origin`` and for providers that need no key."""
    origin: bool = False
    asked: str | None = None
    """The model that the client asked for."""
    place: Place | None = None
    why: str = ""
    """Why it stands where it stands, for the explanation."""

    def because(self, why: str) -> "Candidate":
        """The same with one more reason for its place."""
        said = f"{why}; {self.why}" if self.why else why
        return Candidate(
            self.target, self.provider, self.model, self.account, self.origin, self.asked, self.place, said
        )

    @property
    def profile(self) -> Profile:
        """What the upstream tolerates; the client's own call is not for us to change."""
        if self.origin or self.provider is None:
            return Profile()
        return self.provider.profile(self.model or self.asked)

    @property
    def tier(self) -> Tier:
        """The client's own login counts as a subscription."""
        return "subscription" if self.origin or self.provider is None else self.provider.tier

    @property
    def signer(self) -> str | None:
        """Who signs the reasoning in its answers; None when nobody can tell."""
        return None if self.provider is None else self.provider.signer(self.model or self.asked)

    def timeouts(self, general: Timeouts) -> Timeouts:
        """How long to wait for it: as its combo says, else its provider, else as in general."""
        own = {} if self.provider is None else self.provider.timeouts
        place = {} if self.place is None else self.place.timeouts
        return replace(general, **{**own, **place}) if own or place else general

    def way(self, url: str, ways: Ways) -> Outbound | None:
        """The outbound proxy on the way to ``url``, its address."""
        own = (self.account, self.place, self.provider)
        return ways.to_url(url, *(None if one is None else one.proxy for one in own))

    @property
    def provider_key(self) -> str:
        """What a provider's breaker is kept under."""
        owner = self.provider.id if self.provider else ""
        return f"{ORIGIN}:{owner}" if self.origin else owner

    @property
    def account_key(self) -> str:
        """What an account's cooldown is kept under."""
        if self.origin:
            return f"{ORIGIN}:{self.provider.id if self.provider else ''}"
        return f"{self.provider.id if self.provider else ''}:{self.account.name if self.account else ''}"

    @property
    def target_key(self) -> str:
        """What a target's cooldown is kept under."""
        owner = self.provider.id if self.provider else ""
        model = self.model or self.asked or ""
        return f"{ORIGIN}:{owner}/{model}" if self.origin else f"{owner}/{model}"


@dataclass(frozen=True, slots=True)
class Excluded:
    """What the rules name but the call cannot use."""

    target: str
    account: str | None
    reason: str
    until: float | None = None
    """Unix seconds when that may change by itself; None when waiting does not help."""
    policy: str | None = None
    """The policy that leaves it out."""
