"""What a loaded configuration is: frozen values that the rest of the product reads, and never the YAML behind them.

A :class:`Snapshot` is one consistent configuration. A reload makes a new one; an exchange keeps the one it started with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from omniroute_addon.config.combos import ComboDefaults, Hedge, MidstreamFailure
from omniroute_addon.config.glob import matches
from omniroute_addon.config.governance import Conditions, Governance, Pool, Quota, Rates, Tier
from omniroute_addon.config.logs import Logs
from omniroute_addon.config.ways import Choice, Outbound, Ways, is_loopback
from translators.format import Profile

type Operation = Literal["generate", "count", "models", "websocket"]

FORMAT_NAMES = (
    "anthropic-messages",
    "openai-chat",
    "openai-responses",
    "gemini",
    "gemini-cli",
    "antigravity",
    "kiro",
    "cursor",
)
AVAILABLE_FORMATS = frozenset(
    ("anthropic-messages", "openai-chat", "openai-responses", "gemini", "gemini-cli", "antigravity")
)

ENDPOINT_SUFFIX: Mapping[str, str] = MappingProxyType(
    {
        "anthropic-messages": "/messages",
        "openai-chat": "/chat/completions",
        "openai-responses": "/responses",
        "gemini": "/models",
        "gemini-cli": "/v1internal",
        "antigravity": "/v1internal",
    }
)
"""How the endpoint of a format ends; the same prefix with another ending is the same service's other endpoint."""

MAX_COMBO_DEPTH = 3
"""How many combos may stand inside each other, the first included."""

ORIGIN = "origin"
"""The target that is the client's own call."""


def format_of_url(url: str) -> str | None:
    """The format that an endpoint's path speaks, by its ending; None when it says nothing."""
    path = urlsplit(url).path.rstrip("/")
    return next((name for name, suffix in ENDPOINT_SUFFIX.items() if path.endswith(suffix)), None)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener binds; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Only this machine can reach it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Listen:
    """The three listeners; None is off."""

    proxy: Address | None = Address("127.0.0.1", 8080)
    gateway: Address | None = Address("127.0.0.1", 20128)
    web: Address | None = Address("127.0.0.1", 8081)
    proxy_auth: bool = False
    """The proxy asks this machine's tools for a key, too."""


@dataclass(frozen=True, slots=True)
class Limits:
    inline_wait: float = 3.0
    """The longest throttle, in seconds, that is waited out while the client waits."""
    max_request: int = 64 * 1024 * 1024
    """Bytes of a request body, decoded."""
    max_answer: int = 64 * 1024 * 1024
    """Bytes of an answer that must be held whole."""
    max_error: int = 1024 * 1024
    """Bytes of an upstream's error body that are read."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds."""

    connect: float = 10.0
    first_event: float = 180.0
    """Until the first meaningful event of a stream."""
    idle: float = 300.0
    """Between two reads."""
    whole: float = 900.0
    """For an answer that does not stream."""


@dataclass(frozen=True, slots=True)
class View:
    """What mitmweb keeps."""

    max_flows: int = 500
    max_bytes: int = 64 * 1024 * 1024
    max_body: int = 4 * 1024 * 1024
    """Bytes of one recorded body."""


@dataclass(frozen=True, slots=True)
class Codex:
    """How Codex is treated."""

    plain_tools: bool = False
    """Change the model list that it fetches so that no model gets its tools as JavaScript."""


@dataclass(frozen=True, slots=True)
class Auth:
    """How a key is sent."""

    kind: Literal["bearer", "x-api-key", "x-goog-api-key", "header", "none"] = "bearer"
    name: str | None = None
    """The header's name when kind is ``header``."""

    def header(self, key: str) -> tuple[str, str] | None:
        """Name and value of the header that carries the key."""
        match self.kind:
            case "none":
                return None
            case "bearer":
                return "authorization", f"Bearer {key}"
            case "header":
                return (self.name or "").lower(), key
            case _:
                return self.kind, key


@dataclass(frozen=True, slots=True)
class Model:
    """One model that a provider is known to have."""

    name: str
    format: str | None = None
    """The endpoint it lives on, when that is not the provider's default."""
    context: int | None = None
    """Tokens of its window."""
    tools: bool | None = None
    """What it can take; None is unknown, and unknown is tried."""
    images: bool | None = None
    reasoning: bool | None = None
    enabled: bool = True
    hidden: bool = False
    """Usable, but not listed."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An upstream service."""

    id: str
    name: str
    base_url: str
    """The address that is called, whole; see design.md section 5 for gemini and gemini-cli."""
    format: str
    prefixes: tuple[str, ...] = ()
    """Words that may stand before the slash of a target, besides the id."""
    auth: Auth = Auth()
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    """Query of every call, without the question mark."""
    tier: Tier = "api-key"
    models: tuple[Model, ...] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Addresses of further formats that this provider speaks."""
    model_prefix: str = ""
    """Stands before model names that have no slash."""
    env: tuple[str, ...] = ()
    """Environment variables that may hold its key."""
    base_profile: Profile = field(default_factory=Profile)
    model_profiles: tuple[tuple[str, Profile], ...] = ()
    """Glob of the model's name → profile; the first that matches replaces the base."""
    enabled: bool = True
    login: bool = False
    """Its credentials come from a login flow, not from a key."""
    keyless: bool = False
    """Calls need no key: loopback address, auth ``none``, or the user's own without accounts."""
    overridden: bool = False
    """The user's file sets ``base_url``; then it holds for ``origin`` calls, too."""
    hidden: bool = False
    """Usable, but its models are not listed."""
    timeouts: Mapping[str, float] = field(default_factory=dict)
    """Fields of ``Timeouts`` that are other at this provider."""
    pool: Pool = field(default_factory=Pool)
    rates: Rates = field(default_factory=Rates)
    """Of a provider without accounts; an account has its own."""
    quota: Quota = field(default_factory=Quota)
    proxy: Choice | None = None
    """On the way to it."""

    def model(self, name: str | None) -> Model | None:
        """What is known of a model, by the upstream's name or the name in the rules."""
        wanted = {name, (name or "").removeprefix(self.model_prefix)}
        return next((entry for entry in self.models if entry.name in wanted), None)

    def profile(self, model: str | None = None) -> Profile:
        """What the model at this provider tolerates."""
        name = model or ""
        return next((profile for glob, profile in self.model_profiles if matches(glob, name)), self.base_profile)

    def signer(self, model: str | None) -> str:
        """Under whose name the signatures of the model's reasoning are kept."""
        return self.profile(model).signer or self.id

    def endpoint(self, wire_format: str) -> str:
        """The address for calls of a format: a known one, else ``base_url`` with that format's ending."""
        if wire_format == self.format:
            return self.base_url
        if wire_format in self.endpoints:
            return self.endpoints[wire_format]
        parts = urlsplit(self.base_url)
        path, ending, other = parts.path.rstrip("/"), ENDPOINT_SUFFIX.get(self.format), ENDPOINT_SUFFIX.get(wire_format)
        if ending is None or other is None or not path.endswith(ending):
            return self.base_url
        return urlunsplit(parts._replace(path=path.removesuffix(ending) + other))

    def speaking(self, client_format: str, model: str) -> "Provider":
        """This provider at the endpoint that suits a call: the model's own, else the client's format, else the default."""
        known = next((entry.format for entry in self.models if entry.name == model), None) if self.models else None
        wire_format = known or (client_format if client_format in self.endpoints else self.format)
        if wire_format == self.format:
            return self
        return replace(self, format=wire_format, base_url=self.endpoint(wire_format))


@dataclass(frozen=True, slots=True)
class Account:
    """One set of credentials at a provider."""

    name: str
    provider: str
    key: SecretStr | None = None
    missing: str | None = None
    """Why there is no key, in words; None when there is one or none is needed."""
    priority: int = 1
    enabled: bool = True
    implicit: bool = False
    """Not in the file: made of an environment variable that the registry names."""
    rates: Rates = field(default_factory=Rates)
    quota: Quota = field(default_factory=Quota)
    proxy: Choice | None = None
    """Instead of what its combo or provider says."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller of the gateway; of its key only the digest is kept."""

    name: str
    digest: bytes | None = field(default=None, repr=False)
    """SHA-256."""
    missing: str | None = None
    """Why there is no key, in words."""
    enabled: bool = True
    expires: float | None = None
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a target is tried with, by the combo that names it."""

    combo: str
    settings: ComboDefaults
    concurrency: int | None
    """Calls under way at the target."""
    timeouts: Mapping[str, float] = field(default_factory=dict)
    """Fields of ``Timeouts`` that are other at this target; they go before the provider's."""
    hedge: Hedge | None = None
    """The target's own; goes before the combo's."""
    proxy: Choice | None = None
    """The target's own or the combo's."""


@dataclass(frozen=True, slots=True)
class ComboTarget:
    target: str
    place: Place
    weight: float = 1.0
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Combo:
    """Named targets and how to choose among them."""

    name: str
    targets: tuple[ComboTarget, ...]
    strategy: str = "priority"
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """Globs; every key that has some must match one of them."""

    client: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    format: tuple[str, ...] = ()
    headers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    when: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True, slots=True)
class Route:
    match: RouteMatch
    to: tuple[str, ...]
    name: str
    """``routes[INDEX]``, and what the file calls it."""
    enabled: bool = True
    on_midstream_failure: MidstreamFailure | None = None
    """Goes before what the combo says."""
    semantic: bool = False
    """A question may get the answer to one in other words."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What a client knocks on: hosts and paths, with their format."""

    name: str
    client: str
    """Who knocks, unless a client rule knows better."""
    format: str
    provider: str
    """The registry's name for the service behind the hosts; its ``base_url`` override holds for ``origin``."""
    hosts: tuple[str, ...]
    paths: Mapping[str, tuple[str, ...]]
    """Operation → globs of the path."""
    websocket: Literal["refuse", "pass"] = "pass"
    """What an upgrade request gets on a ``generate`` path."""
    slash_models: bool = False
    """Model names of this service contain slashes, so they are never read as ``prefix/model``."""


@dataclass(frozen=True, slots=True)
class ClientRule:
    """Who a request comes from, by one header."""

    client: str
    header: str
    match: str


@dataclass(frozen=True, slots=True)
class Surfaces:
    """All surfaces, by host."""

    all: tuple[Surface, ...] = ()
    by_host: Mapping[str, tuple[Surface, ...]] = field(default_factory=dict)
    clients: tuple[ClientRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file, and where."""

    file: str
    line: int | None
    key_path: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key_path}: {self.message}" if self.key_path else f"{place}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; every problem that was found."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One configuration, validated whole."""

    source: Path | None
    """The user's file; None when there is none."""
    listen: Listen = Listen()
    providers: Mapping[str, Provider] = field(default_factory=dict)
    accounts: tuple[Account, ...] = ()
    """As in the file, in order; see :meth:`accounts_of` for what a provider can use."""
    combos: Mapping[str, Combo] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Glob of the asked model → target, in the file's order."""
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    view: View = View()
    logs: Logs = field(default_factory=Logs)
    codex: Codex = Codex()
    surfaces: Surfaces = Surfaces()
    governance: Governance = field(default_factory=Governance)
    keys: tuple[ApiKey, ...] = ()
    """When there are any, the gateway serves nobody else; the proxy serves other machines only with one of them."""
    warnings: tuple[Problem, ...] = ()
    prefixes: Mapping[str, str] = field(default_factory=dict)
    """Every word before a slash → provider id."""
    usable: Mapping[str, tuple[Account, ...]] = field(default_factory=dict)
    ways: Ways = field(default_factory=Ways)

    def outbounds(self) -> frozenset[Outbound]:
        """Every outbound proxy that a call may leave by."""
        places = (target.place for combo in self.combos.values() for target in combo.targets)
        return self.ways.named(one.proxy for one in (*self.providers.values(), *self.accounts, *places))

    def accounts_of(self, provider: str) -> tuple[Account, ...]:
        """The provider's accounts by priority: those of the file, else the one of its environment variable."""
        return self.usable.get(provider, ())

    def provider_of(self, prefix: str) -> Provider | None:
        """The provider that a word before a slash names."""
        name = self.prefixes.get(prefix)
        return None if name is None else self.providers[name]
