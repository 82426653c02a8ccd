"""What the YAML files may say: pydantic models of ``omniroute.yaml``, ``providers.yaml`` and ``surfaces.yaml``.

Every short form (``to: name``, ``auth: bearer``, ``key: "${ENV}"``) is brought into its long form before validation, so
that there are no unions and a problem always has one key path. Names across the file are checked in ``load``.
"""

import ipaddress
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, field_validator

from omniroute_addon.config.models import AVAILABLE_FORMATS, FORMAT_NAMES, STRATEGIES, Address, Tier


class Spec(BaseModel):
    """Base: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


type Words = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
type Seconds = Annotated[float, Field(gt=0, le=86400)]


def _format(value: str) -> str:
    if value not in FORMAT_NAMES:
        raise ValueError(f"unknown format {value!r}; formats are {', '.join(FORMAT_NAMES)}")
    return value


type FormatName = Annotated[str, BeforeValidator(lambda value: _format(value) if isinstance(value, str) else value)]


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
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise ValueError(f"{host} is not a loopback address; binding wider needs API keys, which are not available yet")
    return Address(host, int(port))


type Listener = Annotated[Address | None, BeforeValidator(_address)]


class ListenSpec(Spec):
    proxy: Listener = None
    gateway: Listener = None
    web: Listener = None


class LimitsSpec(Spec):
    inline_wait: Annotated[float, Field(ge=0, le=60)] = 3.0
    max_request: Annotated[ByteSize, Field(gt=0)] | None = None
    max_answer: Annotated[ByteSize, Field(gt=0)] | None = None
    max_error: Annotated[ByteSize, Field(gt=0)] | None = None


class TimeoutsSpec(Spec):
    connect: Seconds | None = None
    first_event: Seconds | None = None
    idle: Seconds | None = None
    whole: Seconds | None = None


class ViewSpec(Spec):
    max_flows: Annotated[int, Field(gt=0)] | None = None
    max_bytes: Annotated[ByteSize, Field(gt=0)] | None = None
    max_body: Annotated[ByteSize, Field(ge=0)] | None = None


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


class AuthSpec(Spec):
    kind: Literal["bearer", "x-api-key", "x-goog-api-key", "none", "header"]
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")] | None = None


class ModelSpec(Spec):
    format: FormatName | None = None
    context: Annotated[int, Field(gt=0)] | None = None


def _models(value: object) -> object:
    """A list of names, or a mapping of names to facts (or to nothing)."""
    if isinstance(value, list):
        return {name if isinstance(name, str) else str(name): {} for name in value}
    if isinstance(value, dict):
        return {name: {} if facts is None else facts for name, facts in value.items()}
    return value


class ProfileSpec(Spec):
    """The fields of a translators Profile; which of them are set tells what an override overrides."""

    developer_role: bool = True
    system_position: Literal["any", "leading", "none"] = "any"
    reasoning_field: Literal["reasoning_content", "reasoning", "none"] = "reasoning_content"
    reasoning_style: Literal["effort", "thinking", "none"] = "effort"
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    max_output: Annotated[int, Field(gt=0)] | None = None
    max_tools: Annotated[int, Field(gt=0)] | None = None
    images: bool = True
    documents: bool = True
    strict_tools: bool = True
    stream: Literal["as-asked", "always", "never"] = "as-asked"
    stream_usage: bool = True
    omit: frozenset[str] = frozenset()
    text_parts: bool = True
    think_tags: bool = False


class ProviderSpec(Spec):
    name: str | None = None
    base_url: Url | None = None
    format: FormatName | None = None
    prefixes: Words = ()
    auth: Annotated[AuthSpec, BeforeValidator(_auth)] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    query: str = ""
    tier: Tier = "api-key"
    models: Annotated[dict[str, ModelSpec], BeforeValidator(_models)] = Field(default_factory=dict)
    endpoints: dict[FormatName, Url] = Field(default_factory=dict)
    model_prefix: str = ""
    env: Words = ()
    profile: ProfileSpec | None = None
    model_profiles: dict[str, ProfileSpec] = Field(default_factory=dict)
    enabled: bool = True
    login: bool = False


class RegistrySpec(Spec):
    """``providers.yaml``."""

    version: Literal[1]
    providers: dict[str, ProviderSpec]


# ── accounts, combos, routes ────────────────────────────────────────────────────────────────────────────────────────


def _key(value: object) -> object:
    return {"value": value} if isinstance(value, str) else value


class KeySpec(Spec):
    """Where a key comes from; exactly one is set."""

    value: str | None = Field(None, repr=False)
    """As written, ``${ENV}`` and all."""
    env: str | None = None
    vault: str | None = None


class AccountSpec(Spec):
    name: Annotated[str, Field(min_length=1)]
    provider: str
    key: Annotated[KeySpec, BeforeValidator(_key)] | None = None
    priority: int = 1
    enabled: bool = True

    @field_validator("key")
    @classmethod
    def _one_source(cls, key: KeySpec | None) -> KeySpec | None:
        if key is not None and sum(source is not None for source in (key.value, key.env, key.vault)) != 1:
            raise ValueError('must be "${NAME}", {env: NAME} or {vault: NAME}')
        return key


class TargetSpec(Spec):
    target: str
    weight: Annotated[float, Field(ge=0)] = 1.0


def _target(value: object) -> object:
    return {"target": value} if isinstance(value, str) else value


class ComboSpec(Spec):
    strategy: str = "priority"
    targets: tuple[Annotated[TargetSpec, BeforeValidator(_target)], ...]
    enabled: bool = True

    @field_validator("targets")
    @classmethod
    def _some(cls, targets: tuple[TargetSpec, ...]) -> tuple[TargetSpec, ...]:
        if not targets:
            raise ValueError("names no target")
        return targets

    @field_validator("strategy")
    @classmethod
    def _available(cls, strategy: str) -> str:
        if strategy not in STRATEGIES:
            raise ValueError(f"unknown strategy {strategy!r}; strategies are {', '.join(STRATEGIES)}")
        if strategy != "priority":
            raise ValueError(f"strategy {strategy} is not available yet; use priority")
        return strategy


class MatchSpec(Spec):
    client: Words = ()
    model: Words = ()
    host: Words = ()
    path: Words = ()
    format: Words = ()
    headers: dict[str, Words] = Field(default_factory=dict)


class RouteSpec(Spec):
    match: MatchSpec = MatchSpec()
    to: Annotated[Words, Field(min_length=1)]


# ── surfaces ────────────────────────────────────────────────────────────────────────────────────────────────────────


class PathsSpec(Spec):
    generate: Words = ()
    count: Words = ()


class SurfaceSpec(Spec):
    client: str
    format: FormatName
    provider: Annotated[Words, Field(min_length=1)]
    hosts: Annotated[Words, Field(min_length=1)]
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


class ClientSpec(Spec):
    client: str
    header: str
    match: str


class SurfacesSpec(Spec):
    """``surfaces.yaml``."""

    version: Literal[1]
    surfaces: dict[str, SurfaceSpec]
    clients: tuple[ClientSpec, ...] = ()


class ConfigSpec(Spec):
    """``omniroute.yaml``."""

    version: Literal[1]
    listen: ListenSpec = ListenSpec()
    providers: dict[str, ProviderSpec] = Field(default_factory=dict)
    accounts: tuple[AccountSpec, ...] = ()
    combos: dict[str, ComboSpec] = Field(default_factory=dict)
    routes: tuple[RouteSpec, ...] = ()
    aliases: dict[str, str] = Field(default_factory=dict)
    limits: LimitsSpec = LimitsSpec()
    timeouts: TimeoutsSpec = TimeoutsSpec()
    view: ViewSpec = ViewSpec()
    surfaces: dict[str, SurfaceSpec] = Field(default_factory=dict)
    clients: tuple[ClientSpec, ...] = ()
