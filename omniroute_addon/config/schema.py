"""What the YAML files may say: pydantic models of ``omniroute.yaml``, ``providers.yaml`` and ``surfaces.yaml``.

Every short form (``to: name``, ``auth: bearer``, ``key: "${ENV}"``) is brought into its long form before validation, so
that there are no unions and a problem always has one key path. Names across the file are checked in ``load``.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BeforeValidator, ByteSize, Field, field_validator

from omniroute_addon.config.combos import COMBO_STRATEGIES, ComboDefaults, Hedge, MidstreamFailure
from omniroute_addon.config.governance import Conditions, Governance, Pool, Quota, Rates, Tier
from omniroute_addon.config.logs import Logs
from omniroute_addon.config.models import AVAILABLE_FORMATS, FORMAT_NAMES, Address
from omniroute_addon.config.outbound import Proxy
from omniroute_addon.config.secret import Secret
from omniroute_addon.config.section import Count, Duration, Section, Words
from omniroute_addon.config.validate import meant

type Seconds = Annotated[float, Field(gt=0, le=86400)]


def _format(value: str) -> str:
    if value not in FORMAT_NAMES:
        raise ValueError(f"unknown format {value!r}; formats are {', '.join(FORMAT_NAMES)}")
    return value


type FormatName = Annotated[
    str,
    BeforeValidator(lambda value: _format(value) if isinstance(value, str) else value),
    Field(json_schema_extra={"enum": list(FORMAT_NAMES)}),
]


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")) or not value.partition("://")[2].partition("/")[0]:
        raise ValueError("must be a whole address that starts with http:// or https://")
    if "?" in value or "#" in value:
        raise ValueError("must not have a query or fragment; put a query under 'query'")
    return value.rstrip("/")


type Url = Annotated[str, Field(strict=True), BeforeValidator(lambda v: _url(v) if isinstance(v, str) else v)]


# ── listeners and limits ────────────────────────────────────────────────────────────────────────────────────────────


def _address(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, colon, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 65535 or not host:
        raise ValueError(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8080")
    return Address(host, int(port))


type _ListenerInput = Annotated[str, Field(pattern=r"^.+:\d{1,5}$")] | None
type Listener = Annotated[Address | None, BeforeValidator(_address, json_schema_input_type=_ListenerInput)]


class ListenSpec(Section):
    proxy: Listener = None
    """For tools behind the proxy; null is off."""
    gateway: Listener = None
    """For tools with a base URL; null is off."""
    web: Listener = None
    """mitmweb; null is off."""
    proxy_auth: bool = False


class LimitsSpec(Section):
    inline_wait: Annotated[float, Field(ge=0, le=60)] = 3.0
    max_request: Annotated[ByteSize, Field(gt=0)] | None = None
    max_answer: Annotated[ByteSize, Field(gt=0)] | None = None
    max_error: Annotated[ByteSize, Field(gt=0)] | None = None


class TimeoutsSpec(Section):
    connect: Seconds | None = None
    """Until there is a connection."""
    first_event: Seconds | None = None
    idle: Seconds | None = None
    whole: Seconds | None = None

    def given(self) -> Mapping[str, float]:
        return MappingProxyType(self.model_dump(exclude_none=True))


class ViewSpec(Section):
    max_flows: Annotated[int, Field(gt=0)] | None = None
    """Flows that mitmweb keeps."""
    max_bytes: Annotated[ByteSize, Field(gt=0)] | None = None
    """Bytes of all flows that mitmweb keeps."""
    max_body: Annotated[ByteSize, Field(ge=0)] | None = None


class CodexSpec(Section):
    plain_tools: bool = False


# ── providers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _auth(value: object) -> object:
    match value:
        case str():
            return {"kind": value}
        case {"header": name, **rest} if not rest:
            return {"kind": "header", "header": name}
        case {}:
            raise ValueError("must be bearer, x-api-key, x-goog-api-key, none or {header: NAME}")
        case _:
            return value


class AuthSpec(Section):
    kind: Literal["bearer", "x-api-key", "x-goog-api-key", "none", "header"]
    """How the key is sent."""
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")] | None = None
    """The header's name, for ``header``."""


type _AuthInput = Literal["bearer", "x-api-key", "x-goog-api-key", "none"] | dict[Literal["header"], str] | AuthSpec


class ModelSpec(Section):
    format: FormatName | None = None
    context: Count | None = None
    tools: bool | None = None
    images: bool | None = None
    """Takes images."""
    reasoning: bool | None = None
    """Takes thinking settings."""
    enabled: bool = True
    hidden: bool = False


type _ModelsInput = list[str] | dict[str, ModelSpec | None]


def _models(value: object) -> object:
    """A list of names, or a mapping of names to facts (or to nothing)."""
    if isinstance(value, list):
        return {name if isinstance(name, str) else str(name): {} for name in value}
    if isinstance(value, dict):
        return {name: {} if facts is None else facts for name, facts in value.items()}
    return value


class ProfileSpec(Section):
    """The fields of a translators Profile; which of them are set tells what an override overrides."""

    developer_role: bool = True
    system_position: Literal["any", "leading", "none"] = "any"
    reasoning_field: Literal["reasoning_content", "reasoning", "none"] = "reasoning_content"
    reasoning_style: Literal["effort", "thinking", "enable_thinking", "reasoning", "none"] = "effort"
    efforts: Words = ()
    thinking_budgets: bool = True
    thinks_when_forced: bool = True
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What a chat upstream calls the bound."""
    max_output: Annotated[int, Field(gt=0)] | None = None
    seed_field: Literal["seed", "random_seed"] = "seed"
    """What it calls the seed."""
    max_stops: Annotated[int, Field(gt=0)] | None = None
    max_tools: Annotated[int, Field(gt=0)] | None = None
    """Tools that are taken."""
    tool_choices: frozenset[Literal["auto", "none", "required", "tool"]] = frozenset(
        {"auto", "none", "required", "tool"}
    )
    tool_id_pattern: str | None = None
    structured: Literal["json_schema", "json_object", "none"] = "json_schema"
    images: bool = True
    """Takes images."""
    documents: bool = True
    """Takes documents."""
    audio: bool = True
    """Takes audio."""
    video: bool = False
    strict_tools: bool = True
    top_k: bool = False
    cache_control: bool = False
    cache_key: bool = False
    alternate: bool = False
    null_content: bool = True
    user_after_tool: bool = True
    max_temperature: Annotated[float, Field(gt=0)] | None = None
    """Higher ones are lowered."""
    stores: bool = True
    needs_instructions: bool = False
    names: bool = True
    stream: Literal["as-asked", "always", "never"] = "as-asked"
    stream_usage: bool = True
    omit: frozenset[str] = frozenset()
    text_parts: bool = True
    unsigned_thinking: bool = False
    reasoning_lost: str | None = None
    signer: str | None = None
    think_tags: bool = False
    tool_schema: Literal["subset", "json"] = "subset"
    prefill: Literal["turn", "prefix", "partial", "none"] = "turn"
    envelope: dict[str, str] = Field(default_factory=dict)


class ProviderSpec(Section):
    name: str | None = None
    """For people."""
    base_url: Url | None = None
    """The whole address that is called; for gemini up to ``/models``, for gemini-cli up to ``/v1internal``."""
    format: FormatName | None = None
    """What ``base_url`` speaks, when its path does not tell."""
    prefixes: Words = ()
    auth: Annotated[AuthSpec, BeforeValidator(_auth, json_schema_input_type=_AuthInput)] | None = None
    """How keys are sent."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Of every call."""
    query: str = ""
    tier: Tier = "api-key"
    """How it is paid for."""
    models: Annotated[dict[str, ModelSpec], BeforeValidator(_models, json_schema_input_type=_ModelsInput)] = Field(
        default_factory=dict
    )
    """Known models: names, or names with facts."""
    endpoints: dict[FormatName, Url] = Field(default_factory=dict)
    model_prefix: str = ""
    env: Words = ()
    profile: ProfileSpec | None = None
    """What its models tolerate."""
    model_profiles: dict[str, ProfileSpec] = Field(default_factory=dict)
    enabled: bool = True
    login: bool = False
    hidden: bool = False
    pool: Pool | None = None
    """Instead of the general ``pool``."""
    rates: Rates | None = None
    """Instead of the general ``rates``."""
    quota: Quota | None = None
    """Over the general ``quota``."""
    timeouts: TimeoutsSpec = TimeoutsSpec()
    """Instead of the general ``timeouts``."""
    proxy: Proxy | None = None
    """Instead of the general ``proxy``."""


class RegistrySpec(Section):
    """``providers.yaml``."""

    version: Literal[1]
    providers: dict[str, ProviderSpec]


# ── accounts, combos, routes ────────────────────────────────────────────────────────────────────────────────────────


class KeyedSpec(Section):
    """An entry with a name and a secret."""

    name: Annotated[str, Field(min_length=1)]
    """Rules and reports use it."""
    key: Secret | None = None
    """``${VARIABLE}``, ``{env: NAME}`` or ``{vault: NAME}``."""
    enabled: bool = True


class AccountSpec(KeyedSpec):
    provider: str
    """The provider's id or a prefix of it."""
    priority: int = 1
    """Lower ones go first."""
    rates: Rates | None = None
    """What is left out is the provider's."""
    quota: Quota | None = None
    """What is left out is the provider's."""
    proxy: Proxy | None = None
    """Instead of what its combo or provider says."""


class ApiKeySpec(KeyedSpec):
    """A caller of the gateway; its secret is ``key``, or only its digest is written down."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """What ``printf %s KEY | sha256sum`` prints."""
    expires: datetime | None = None
    """A day or an instant; UTC unless it says otherwise."""


class TargetSpec(Section):
    target: str
    """``prefix/model``, ``origin`` or a combo."""
    weight: Annotated[float, Field(ge=0)] = 1.0
    """For ``weighted``."""
    enabled: bool = True
    concurrency: Count | None = None
    """Calls under way at this target."""
    timeouts: TimeoutsSpec = TimeoutsSpec()
    """What is left out is the provider's."""
    hedge: Hedge | None = None
    """Instead of what the combo says."""
    proxy: Proxy | None = None
    """Instead of what the combo says."""


def _target(value: object) -> object:
    return {"target": value} if isinstance(value, str) else value


type _Target = Annotated[TargetSpec, BeforeValidator(_target, json_schema_input_type=str | TargetSpec)]


class ComboSpec(Section):
    strategy: Annotated[str, Field(json_schema_extra={"enum": list(COMBO_STRATEGIES)})] = "priority"
    """How the targets are ordered."""
    targets: Annotated[tuple[_Target, ...], Field(json_schema_extra={"minItems": 1})]
    """What is tried."""
    enabled: bool = True
    retries: Annotated[int, Field(ge=0, le=10)] | None = None
    retry_delay: Duration | None = None
    concurrency: Count | None = None
    queue_timeout: Duration | None = None
    max_attempts: Count | None = None
    max_time: Duration | None = None
    on_midstream_failure: MidstreamFailure | None = None
    hedge: Hedge | None = None
    proxy: Proxy | None = None
    """Of all its targets, instead of what their providers say."""

    @field_validator("targets")
    @classmethod
    def _some(cls, targets: tuple[TargetSpec, ...]) -> tuple[TargetSpec, ...]:
        if not targets:
            raise ValueError("names no target")
        return targets

    @field_validator("strategy")
    @classmethod
    def _available(cls, strategy: str) -> str:
        if strategy not in COMBO_STRATEGIES:
            hint = meant(strategy, COMBO_STRATEGIES) or f"; strategies are {', '.join(COMBO_STRATEGIES)}"
            raise ValueError(f"unknown strategy {strategy!r}{hint}")
        return strategy

    def settings(self, defaults: ComboDefaults) -> ComboDefaults:
        given = {name: getattr(self, name) for name in ComboDefaults.model_fields if getattr(self, name) is not None}
        return defaults.model_copy(update=given)


class MatchSpec(Conditions):
    client: Words = ()
    """Globs of tools, such as ``claude-code``."""
    model: Words = ()
    """Globs of the asked model."""
    host: Words = ()
    """Globs of the called host."""
    path: Words = ()
    """Globs of the path."""
    format: Words = ()
    """Globs of the client's wire format."""
    headers: dict[str, Words] = Field(default_factory=dict)
    """Header → globs of its value."""


class RouteSpec(Section):
    match: MatchSpec = MatchSpec()
    """All of it must hold; every call when it is empty."""
    to: Annotated[Words, Field(min_length=1)]
    """Targets in order."""
    name: str | None = None
    """For explanations and reports."""
    on_midstream_failure: MidstreamFailure | None = None
    """Instead of what the combo says."""
    enabled: bool = True
    cache: Literal["semantic"] | None = None
    """``semantic``: a question may get the answer to one in other words, see ``cache.semantic``."""


# ── surfaces ────────────────────────────────────────────────────────────────────────────────────────────────────────


class PathsSpec(Section):
    generate: Words = ()
    """Globs of paths of calls."""
    count: Words = ()
    """Globs of paths that count tokens."""


class SurfaceSpec(Section):
    client: str
    format: FormatName
    """What is spoken there."""
    provider: Annotated[Words, Field(min_length=1)]
    hosts: Annotated[Words, Field(min_length=1)]
    """Plain host names."""
    paths: PathsSpec
    websocket: Literal["refuse", "pass"] = "pass"
    slash_models: bool = False

    @field_validator("format")
    @classmethod
    def _spoken(cls, name: str) -> str:
        if name not in AVAILABLE_FORMATS:
            raise ValueError(f"format {name} is not available yet")
        return name

    @field_validator("hosts")
    @classmethod
    def _plain(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if "*" in host or "/" in host or host.count(":") == 1:
                raise ValueError(f"{host!r} must be a plain host name, without *, port or path")
        return tuple(host.lower() for host in hosts)


class ClientSpec(Section):
    client: str
    """The name for rules."""
    header: str
    """The header that tells."""
    match: str
    """Glob of its value."""


class SurfacesSpec(Section):
    """``surfaces.yaml``."""

    version: Literal[1]
    surfaces: dict[str, SurfaceSpec]
    clients: tuple[ClientSpec, ...] = ()


class ConfigSpec(Governance):
    """``omniroute.yaml``."""

    version: Literal[1]
    """Of the file's shape."""
    listen: ListenSpec = ListenSpec()
    """Where tools connect."""
    providers: dict[str, ProviderSpec] = Field(default_factory=dict)
    """Overrides of and additions to the shipped registry."""
    accounts: tuple[AccountSpec, ...] = ()
    """Credentials."""
    keys: tuple[ApiKeySpec, ...] = ()
    """Who may call the gateway; nobody else then."""
    combos: dict[str, ComboSpec] = Field(default_factory=dict)
    """Name → targets and how to choose among them."""
    routes: tuple[RouteSpec, ...] = ()
    """The first that matches decides."""
    aliases: dict[str, str] = Field(default_factory=dict)
    """Glob of the asked model → target, when no route matches."""
    limits: LimitsSpec = LimitsSpec()
    """Bounds of waits and sizes."""
    timeouts: TimeoutsSpec = TimeoutsSpec()
    """In seconds."""
    proxy: Proxy | None = None
    """On the way to providers; ``env`` unless it is set."""
    view: ViewSpec = ViewSpec()
    """What mitmweb keeps."""
    logs: Logs = Logs()
    """What is written down to be read."""
    codex: CodexSpec = CodexSpec()
    """How Codex is treated."""
    surfaces: dict[str, SurfaceSpec] = Field(default_factory=dict)
    """Further hosts and paths to open; one of a shipped name replaces it."""
    clients: tuple[ClientSpec, ...] = ()
    """Who a call comes from, by a header."""
