"""Money, quotas, rates, policies and shaping: the sections of ``omniroute.yaml`` whose validated form is what the
product reads.
"""

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from omniroute_addon.config.caching import Cache, Idempotency
from omniroute_addon.config.combos import ComboDefaults
from omniroute_addon.config.section import Count, Dollars, Duration, Section, Share, Words, Zone, one_or_many

type Tier = Literal["subscription", "api-key", "cheap", "free"]

type AccountStrategy = Literal[
    "session-affinity", "fill-first", "round-robin", "p2c", "random", "least-used", "cost-optimized"
]


# ── accounts: who answers, how fast, how much ───────────────────────────────────────────────────────────────────────


class Pool(Section):
    """How a call chooses among the accounts of one provider that have the same priority."""

    strategy: AccountStrategy = "session-affinity"
    """``session-affinity`` keeps a session on its account; ``p2c`` is the less used of two drawn ones."""
    sticky: Count = 3
    """Consecutive calls on one account before ``round-robin`` goes on."""


class Rates(Section):
    """The pace of one account; None is no limit of ours. Waiting longer than ``max_wait`` means: next candidate."""

    rpm: Count | None = None
    """Calls in a minute."""
    min_gap: Duration = 0.0
    """Time between the starts of two calls."""
    concurrency: Count | None = None
    """Calls under way."""
    max_wait: Duration = 30.0
    """The longest wait for a turn; then the next candidate."""
    learn: bool = True
    """Slow down by what the provider's rate-limit headers say."""


class Window(Section):
    """A quota that is counted here, for providers that do not tell (Gemini CLI: 1,000 requests a day)."""

    window: Literal["minute", "hour", "5h", "day", "week", "month"]
    """How long it is."""
    requests: Count | None = None
    """Calls in a window."""
    tokens: Count | None = None
    """Tokens, input and output, in a window."""
    timezone: Zone = "UTC"
    """Where a day, week or month begins at 00:00; the shorter windows slide."""
    firm: bool = True
    """``false``: a published figure, perhaps not this account's own; at its end the account is tried last, not left out."""

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.requests is None and self.tokens is None:
            raise ValueError("counts nothing: it needs 'requests' or 'tokens'")
        return self


class Quota(Section):
    keep: Share = 0.0
    """The reserve that routing leaves untouched in every window of an account."""
    windows: tuple[Window, ...] = ()
    """Quotas that are counted here."""


class Breaker(Section):
    """After ``failures`` in a row the provider (and each target by itself) is left alone for ``reset``; one probe then."""

    failures: Count
    """In a row, until it opens."""
    reset: Duration
    """How long it stays open."""


class Resilience(Section):
    """Breakers by kind of provider: a login (subscription), a key (api-key, cheap and free tiers), a loopback address."""

    enabled: bool = True
    subscription: Breaker = Breaker(failures=8, reset=60)
    api_key: Annotated[Breaker, Field(alias="api-key")] = Breaker(failures=12, reset=30)
    local: Breaker = Breaker(failures=2, reset=15)

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True, defer_build=True
    )


# ── routes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

FEATURES = ("images", "documents", "audio", "video", "tools", "tool-results", "thinking", "structured", "stream")
"""What ``has:`` can ask of a request's body."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
type Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
type _HoursInput = Annotated[str, Field(pattern=r"^\d{1,2}:\d{2}-\d{1,2}:\d{2}$")]
type _FeaturesInput = _Feature | tuple[_Feature, ...]
type _Feature = Annotated[str, Field(json_schema_extra={"enum": list(FEATURES)})]
type Features = Annotated[tuple[str, ...], BeforeValidator(one_or_many, json_schema_input_type=_FeaturesInput)]


class Hours(Section):
    """A span of the day, ``HH:MM-HH:MM`` in minutes since midnight; one that ends before it begins goes past midnight."""

    begin: int
    end: int

    def __str__(self) -> str:
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.begin, self.end))


def _hours(value: object) -> object:
    found = re.fullmatch(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a span of the day such as 09:00-18:00")
    h1, m1, h2, m2 = map(int, found.groups())
    if h1 > 24 or h2 > 24 or m1 > 59 or m2 > 59 or h1 * 60 + m1 > 1440 or h2 * 60 + m2 > 1440:
        raise ValueError(f"{value!r} is not a span of the day such as 09:00-18:00")
    if (h1, m1) == (h2, m2):
        raise ValueError(f"{value!r} ends when it begins")
    return {"begin": h1 * 60 + m1, "end": h2 * 60 + m2}


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError(f"{value!r} is not an address or network such as 10.0.0.0/8") from None


class Conditions(Section):
    """The conditions of a match beyond names: when, from where, and what is in the body."""

    session: Words = ()
    """Globs of the client's session id."""
    key: Words = ()
    """Globs of the gateway key's name."""
    hours: Annotated[Hours, BeforeValidator(_hours, json_schema_input_type=_HoursInput)] | None = None
    """``22:00-06:00``."""
    days: Annotated[tuple[Day, ...], BeforeValidator(one_or_many, json_schema_input_type=Day | tuple[Day, ...])] = ()
    """Of the week, at the time of the call."""
    timezone: Zone | None = None
    """For ``hours`` and ``days``; the machine's own when it is not given."""
    has: Features = ()
    """Features that all must be in the request."""
    lacks: Features = ()
    """Features of which none may be in the request."""
    tokens_over: Annotated[int, Field(ge=0)] | None = None
    """Estimated tokens of the input."""
    tokens_under: Count | None = None
    """The same, the other way."""
    source: Words = ()
    """Networks or addresses of the client."""

    @field_validator("has", "lacks")
    @classmethod
    def _known(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        for feature in features:
            if feature not in FEATURES:
                raise ValueError(f"unknown feature {feature!r}; features are {', '.join(FEATURES)}")
        return features

    @field_validator("source")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_network(one) for one in networks)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if both := sorted(set(self.has) & set(self.lacks)):
            raise ValueError(f"no request has and lacks {both[0]!r}")
        if self.tokens_over is not None and self.tokens_under is not None and self.tokens_over >= self.tokens_under - 1:
            raise ValueError(f"no request has more than {self.tokens_over} and less than {self.tokens_under} tokens")
        return self

    @property
    def reads_body(self) -> bool:
        return bool(self.has or self.lacks or self.tokens_over is not None or self.tokens_under is not None)


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Price(Section):
    """US dollars per million tokens. Cached input costs ``input`` unless it has a price of its own."""

    input: Dollars = 0.0
    """Of input."""
    output: Dollars = 0.0
    """Of output, reasoning included."""
    cache_read: Dollars | None = None
    """Of input that comes from the cache."""
    cache_write: Dollars | None = None
    """Of input that goes into the cache."""
    request: Dollars = 0.0
    """US dollars for each call."""


class BudgetMatch(Section):
    """Globs of what a budget covers; all that are given must match."""

    client: Words = ()
    """Of tools, such as ``claude-code``."""
    key: Words = ()
    """Of gateway keys' names."""
    model: Words = ()
    """The model that the client asked for."""
    provider: Words = ()
    """Of the registry's ids."""
    account: Words = ()
    """Of accounts' names."""
    tier: Annotated[tuple[Tier, ...], BeforeValidator(one_or_many, json_schema_input_type=Tier | tuple[Tier, ...])] = ()
    """How it is paid for."""
    combo: Words = ()
    """Of the combo that named the target."""
    target: Words = ()
    """``glm/*``, ``origin``."""


class Budget(Section):
    """US dollars that what ``match`` covers may cost in each period."""

    name: Annotated[str, Field(min_length=1)]
    """Reports and refusals name it."""
    match: BudgetMatch = BudgetMatch()
    each: Literal["client", "key", "model", "provider", "account", "tier", "combo", "target"] | None = None
    """A budget of this size for each of them, instead of one for all together."""
    daily: Dollars | None = None
    """From 00:00."""
    weekly: Dollars | None = None
    """Weeks begin on Monday."""
    monthly: Dollars | None = None
    """From the first."""
    timezone: Zone = "UTC"
    """Where days, weeks and months begin."""
    warn_at: Share = 0.8
    """The share at which the log warns, once a period."""
    on_exceed: Literal["fallback", "deny", "warn"] = "fallback"
    """``fallback``: what it covers is left out unless it costs nothing; ``deny``: the call is refused."""
    enabled: bool = True

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if self.daily is None and self.weekly is None and self.monthly is None:
            raise ValueError("limits nothing: it needs 'daily', 'weekly' or 'monthly'")
        return self


# ── policies and shaping ────────────────────────────────────────────────────────────────────────────────────────────


class PolicyMatch(Section):
    client: Words = ()
    """Globs of tools."""
    key: Words = ()
    """Globs of gateway keys' names."""
    model: Words = ()
    """Globs of the asked model."""


class Policy(Section):
    """What a client or key may use. All policies that match hold; the first denial says its name."""

    name: Annotated[str, Field(min_length=1)]
    """Explanations name it."""
    match: PolicyMatch = PolicyMatch()
    """Whom it holds for; everybody when it is empty."""
    allow: Words = ()
    """Globs of targets (``glm/*``, ``origin``) or upstream models; when given, everything else is left out."""
    deny: Words = ()
    """Globs of what is left out."""
    prefer: Words = ()
    """Providers whose targets go first."""
    max_tokens: Count | None = None
    """Upper bound of the output that is asked for."""
    enabled: bool = True

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.allow or self.deny or self.prefer or self.max_tokens):
            raise ValueError("does nothing: it needs 'allow', 'deny', 'prefer' or 'max_tokens'")
        return self


class ThinkingRule(Section):
    """What becomes of the client's thinking settings; ``passthrough`` leaves them alone."""

    mode: Literal["passthrough", "auto", "custom", "adaptive"] = "passthrough"
    """``auto`` drops the client's settings, ``custom`` sets ``budget``, ``adaptive`` goes by the call."""
    budget: Annotated[int, Field(ge=0, le=1_000_000)] = 10240
    """Tokens, for ``custom``."""
    effort: Literal["none", "low", "medium", "high", "xhigh", "max"] = "medium"
    """The base of ``adaptive``."""


class Thinking(ThinkingRule):
    models: dict[str, ThinkingRule] = Field(default_factory=dict)
    """Globs of targets; the first that matches replaces the general rule."""


class SystemPrompt(Section):
    """Text added to every routed call's system prompt. Off unless given: it changes what prompt caches see."""

    text: str = ""
    """What is added."""
    position: Literal["prepend", "append"] = "append"
    """Before or after the client's own."""
    enabled: bool = True


class Bypass(Section):
    """Calls of a tool that get a canned answer without any provider."""

    warmup: bool = False
    """A tool's warm-up call."""
    titles: bool = False
    """Titles for conversations."""
    quota_probe: bool = False
    """A call that only reads its rate-limit headers."""
    count_tokens: bool = False
    """Counts of tokens, estimated here."""


class Shaping(Section):
    sanitize: bool = False
    """Drop fields that a client's format does not document from passed-on whole answers."""
    progress: bool = False
    """Honour ``X-OmniRoute-Progress`` at the gateway."""


class Sessions(Section):
    ttl: Duration = 3600.0
    """How long a silent session keeps its account."""
    max: Count = 10_000
    """Sessions that are remembered."""


class Ledger(Section):
    enabled: bool = True
    """Whether calls are recorded."""
    path: str | None = None
    """The database; None is ``ledger.db`` in the data dir."""
    retention: Duration = 90 * 86400.0
    """How long a call is kept."""


class Governance(Section):
    """The sections themselves, by their key in the file."""

    combo_defaults: ComboDefaults = ComboDefaults()
    fallback_chains: dict[str, Words] = Field(default_factory=dict)
    """Glob of the asked model → targets that are tried after those of its rule."""
    pool: Pool = Pool()
    rates: Rates = Rates()
    quota: Quota = Quota()
    """What accounts may use up."""
    resilience: Resilience = Resilience()
    prices: dict[str, Price] = Field(default_factory=dict)
    """Glob of ``provider/model``, or of the model alone → price; the first that matches goes before the price list."""
    budgets: tuple[Budget, ...] = ()
    """What may be spent."""
    policies: tuple[Policy, ...] = ()
    """Who may use what."""
    thinking: Thinking = Thinking()
    """What becomes of thinking settings."""
    system_prompt: SystemPrompt = SystemPrompt(enabled=False)
    bypass: Bypass = Bypass()
    shaping: Shaping = Shaping()
    """Changes of answers and progress."""
    sessions: Sessions = Sessions()
    """How conversations stay on their account."""
    ledger: Ledger = Ledger()
    """The record of all calls."""
    idempotency: Idempotency = Idempotency()
    """What becomes of a call that comes twice."""
    cache: Cache = Cache()
    """Answers that are given again."""
