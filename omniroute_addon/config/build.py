"""Runtime values out of validated specs: registry and user's file merged, accounts with their keys, surfaces by host."""

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, SecretStr

from omniroute_addon.config.document import Document
from omniroute_addon.config.governance import Governance, Quota, Rates
from omniroute_addon.config.models import (
    ENDPOINT_SUFFIX,
    ORIGIN,
    Account,
    ApiKey,
    Auth,
    ClientRule,
    Listen,
    Model,
    Problem,
    Provider,
    Snapshot,
    Surface,
    Surfaces,
    format_of_url,
)
from omniroute_addon.config.models import is_loopback as is_loopback_host
from omniroute_addon.config.outbound import choice, unread
from omniroute_addon.config.references import idle, strangers
from omniroute_addon.config.schema import (
    AccountSpec,
    AuthSpec,
    ConfigSpec,
    ProviderSpec,
    RegistrySpec,
    SurfaceSpec,
    SurfacesSpec,
)
from omniroute_addon.config.secret import Sources, secret_of
from omniroute_addon.config.section import Section
from omniroute_addon.config.semantic import unused
from omniroute_addon.config.validate import meant
from translators.format import Profile

SHORTEST_KEY = 16
"""Characters of a gateway key."""


def is_loopback(url: str) -> bool:
    """Whether an address never leaves this machine."""
    return is_loopback_host(urlsplit(url).hostname or "")


# ── providers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def providers(registry: RegistrySpec, config: ConfigSpec, document: Document, sources: Sources) -> dict[str, Provider]:
    """The registry with the user's overrides and additions. An override may name a provider by a prefix of it."""
    prefix_of = {prefix: name for name, spec in registry.providers.items() for prefix in spec.prefixes}
    overrides: dict[str, tuple[str, ProviderSpec]] = {}
    for written, spec in config.providers.items():
        name = written if written in registry.providers else prefix_of.get(written, written)
        if name in overrides:
            document.report(("providers", written), f"provider {name} is already given as {overrides[name][0]!r}")
            continue
        overrides[name] = (written, spec)
    out: dict[str, Provider] = {}
    for name in dict.fromkeys((*registry.providers, *overrides)):
        shipped = registry.providers.get(name)
        written, own = overrides.get(name, (name, None))
        spec = _merged(shipped, own)
        provider = _provider(name, spec, own, config)
        if isinstance(provider, str):
            document.report(("providers", written), provider)
        else:
            proxy = choice(spec.proxy, ("providers", written, "proxy"), document, sources)
            out[name] = dataclasses.replace(provider, proxy=proxy)
    return out


def _merged(shipped: ProviderSpec | None, own: ProviderSpec | None) -> ProviderSpec:
    """Scalars of the user's entry win; headers, models and profiles are added to the registry's."""
    if shipped is None or own is None:
        return own or shipped or ProviderSpec()
    given: dict[str, object] = {name: getattr(own, name) for name in own.model_fields_set}
    for name in ("headers", "models", "model_profiles"):
        if name in given:
            given[name] = {**getattr(shipped, name), **getattr(own, name)}
    if own.profile is not None and shipped.profile is not None:
        fields = {name: getattr(own.profile, name) for name in own.profile.model_fields_set}
        given["profile"] = shipped.profile.model_copy(update=fields)
    if own.base_url is not None:
        implied = format_of_url(own.base_url)
        if own.format is None and implied is not None and ENDPOINT_SUFFIX[implied] != _ending(shipped):
            given["format"] = implied
        given.setdefault("endpoints", {})  # the registry's lead to another host
        given.setdefault("query", "")
    elif own.format is not None and own.format != shipped.format and own.format in shipped.endpoints:
        given["base_url"] = shipped.endpoints[own.format]
    return shipped.model_copy(update=given)


def _ending(spec: ProviderSpec) -> str | None:
    return ENDPOINT_SUFFIX.get(spec.format or "")


def _provider(name: str, spec: ProviderSpec, own: ProviderSpec | None, rules: Governance) -> Provider | str:
    """The provider, or what is wrong with it."""
    if "/" in name or name == ORIGIN or not name:
        return f"{name!r} cannot be a provider's name"
    if spec.base_url is None:
        return "key 'base_url' is missing: the whole address that is called, such as https://host/v1/chat/completions"
    wire_format = spec.format or format_of_url(spec.base_url)
    if wire_format is None:
        return f"key 'format' is missing, and {_shown(spec.base_url)} does not tell it"
    base = _profile(Profile(), spec.profile)
    return Provider(
        id=name,
        name=spec.name or name,
        base_url=spec.base_url,
        format=wire_format,
        prefixes=spec.prefixes,
        auth=_auth(spec.auth, wire_format),
        headers=MappingProxyType({header.lower(): value for header, value in spec.headers.items()}),
        query=spec.query,
        tier=spec.tier,
        models=tuple(Model(model, **dict(facts)) for model, facts in spec.models.items()),
        endpoints=MappingProxyType(dict(spec.endpoints)),
        model_prefix=spec.model_prefix,
        env=spec.env,
        base_profile=base,
        model_profiles=tuple((glob, _profile(base, fields)) for glob, fields in spec.model_profiles.items()),
        enabled=spec.enabled,
        login=spec.login,
        overridden=own is not None and own.base_url is not None,
        hidden=spec.hidden,
        timeouts=spec.timeouts.given(),
        pool=spec.pool or rules.pool,
        rates=spec.rates or rules.rates,
        quota=_over(rules.quota, spec.quota),
    )


def _auth(spec: AuthSpec | None, wire_format: str) -> Auth:
    if spec is not None:
        return Auth(spec.kind, spec.header)
    match wire_format:
        case "anthropic-messages":
            return Auth("x-api-key")
        case "gemini":
            return Auth("x-goog-api-key")
        case _:
            return Auth("bearer")


def _profile(base: Profile, spec: BaseModel | None) -> Profile:
    if spec is None:
        return base
    return dataclasses.replace(base, **{name: getattr(spec, name) for name in spec.model_fields_set})


def prefixes(known: Mapping[str, Provider], document: Document) -> dict[str, str]:
    """Every word that may stand before a slash → provider id; ids go before prefixes."""
    out = {name: name for name in known}
    for name, provider in known.items():
        for index, prefix in enumerate(provider.prefixes):
            owner = out.setdefault(prefix, name)
            if "/" in prefix or prefix == ORIGIN:
                document.report(("providers", name, "prefixes", index), f"{prefix!r} cannot be a prefix")
            elif owner != name:
                document.report(("providers", name, "prefixes", index), f"prefix {prefix!r} belongs to {owner}")
    return out


# ── accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def accounts(
    config: ConfigSpec,
    document: Document,
    providers: Mapping[str, Provider],
    known: Mapping[str, str],
    sources: Sources,
) -> tuple[Account, ...]:
    """The accounts of the file, each with its key or the reason why it has none."""
    out: list[Account] = []
    first: dict[str, int] = {}
    for index, spec in enumerate(config.accounts):
        if spec.name in first:
            document.report(("accounts", index, "name"), f"account {spec.name!r} is named twice")
        first.setdefault(spec.name, index)
        provider = known.get(spec.provider)
        if provider is None:
            document.report(
                ("accounts", index, "provider"),
                f"unknown provider {spec.provider!r}{meant(spec.provider, list(known))}",
            )
            continue
        key, missing = secret_of(spec.key, sources)
        own = _merged_account(spec, providers[provider])
        secret = SecretStr(key) if key else None
        proxy = choice(spec.proxy, ("accounts", index, "proxy"), document, sources)
        out.append(Account(spec.name, provider, secret, missing, spec.priority, spec.enabled, False, *own, proxy))
    return tuple(out)


def _merged_account(spec: AccountSpec, provider: Provider) -> tuple[Rates, Quota]:
    """The account's own, else its provider's; what an account leaves out of its own is the provider's."""
    return _over(provider.rates, spec.rates), _over(provider.quota, spec.quota)


def _over[S: Section](general: S, own: S | None) -> S:
    if own is None:
        return general
    return general.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


def api_keys(config: ConfigSpec, document: Document, sources: Sources) -> tuple[ApiKey, ...]:
    """Who may call the gateway."""
    out: list[ApiKey] = []
    for index, spec in enumerate(config.keys):
        if any(known.name == spec.name for known in out):
            document.report(("keys", index, "name"), f"key {spec.name!r} is named twice")
        key, missing = secret_of(spec.key, sources)
        digest = hashlib.sha256(key.encode()).digest() if key else None
        if spec.sha256 is not None:
            digest = bytes.fromhex(spec.sha256)
        if (spec.key is None) is (spec.sha256 is None):
            document.report(("keys", index), "needs either 'key' or 'sha256'")
        elif key is not None and len(key) < SHORTEST_KEY:
            document.report(("keys", index, "key"), f"is shorter than {SHORTEST_KEY} characters: it could be guessed")
        twin = next((known.name for known in out if digest is not None and known.digest == digest), None)
        if twin is not None:
            document.report(("keys", index), f"key {spec.name!r} is the same as {twin!r}")
        out.append(ApiKey(spec.name, digest, missing, spec.enabled, _instant(spec.expires)))
    return tuple(out)


def _instant(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def check_listeners(listen: Listen, keys: tuple[ApiKey, ...], document: Document) -> None:
    """Report listeners that other machines can reach and that would let them in without a key."""
    able = any(key.enabled for key in keys)
    for name, address in (("proxy", listen.proxy), ("gateway", listen.gateway), ("web", listen.web)):
        if address is None or address.loopback:
            continue
        wide = f"{address.host} is not a loopback address"
        if name == "web":
            document.report(("listen", name), f"{wide}, and the pages show every prompt: use an SSH tunnel")
        elif not able:
            document.report(("listen", name), f"{wide}; other machines need a key to come in: add one under keys")
    if listen.proxy_auth and not able:
        document.report(("listen", "proxy_auth"), "there is no key to ask for: add one under keys")


def usable(
    configured: tuple[Account, ...], known: Mapping[str, Provider], env: Mapping[str, str]
) -> dict[str, tuple[Account, ...]]:
    """Provider → its accounts by priority; one without any gets the account of its environment variable.

    An account without a key entry at a provider that needs one is told so here, where the provider is known.
    """
    out: dict[str, tuple[Account, ...]] = {}
    for name, provider in known.items():
        own = [
            account
            if account.key or account.missing or provider.keyless
            else dataclasses.replace(account, missing="the account has no 'key'")
            for account in configured
            if account.provider == name
        ]
        if own:
            out[name] = tuple(sorted(own, key=lambda account: account.priority))
            continue
        variable = next((variable for variable in provider.env if env.get(variable)), None)
        if variable is not None:
            key = SecretStr(env[variable].strip())
            account = Account(f"${variable}", name, key, implicit=True, rates=provider.rates, quota=provider.quota)
            out[name] = (account,)
    return out


# ── surfaces ────────────────────────────────────────────────────────────────────────────────────────────────────────


def surfaces(
    shipped: SurfacesSpec,
    config: ConfigSpec,
    document: Document,
    known: Mapping[str, Provider],
    named: Mapping[str, str],
) -> Surfaces:
    """All surfaces, the user's before the shipped ones; one of the same name replaces it."""
    specs = {
        **config.surfaces,
        **{name: spec for name, spec in shipped.surfaces.items() if name not in config.surfaces},
    }
    found: list[Surface] = []
    by_host: dict[str, list[Surface]] = {}
    for name, spec in specs.items():
        unknown = [provider for provider in spec.provider if provider not in named]
        if unknown:
            document.report(("surfaces", name, "provider"), f"unknown provider {unknown[0]!r}")
            continue
        surface = _surface(name, spec, [named[provider] for provider in spec.provider], known)
        found.append(surface)
        for host in surface.hosts:
            by_host.setdefault(host, []).append(surface)
    rules = (*config.clients, *shipped.clients)
    return Surfaces(
        tuple(found),
        MappingProxyType({host: tuple(entries) for host, entries in by_host.items()}),
        tuple(ClientRule(rule.client, rule.header.lower(), rule.match) for rule in rules),
    )


def _surface(name: str, spec: SurfaceSpec, owners: list[str], known: Mapping[str, Provider]) -> Surface:
    """Of several providers behind one host, the one whose address the user has overridden stands for it."""
    owner = next((one for one in owners if known[one].overridden), owners[0])
    paths = {"generate": spec.paths.generate, "count": spec.paths.count}
    return Surface(
        name=name,
        client=spec.client,
        format=spec.format,
        provider=owner,
        hosts=spec.hosts,
        paths=MappingProxyType({operation: globs for operation, globs in paths.items() if globs}),
        websocket=spec.websocket,
        slash_models=spec.slash_models,
    )


# ── warnings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def warnings(snapshot: Snapshot, document: Document) -> tuple[Problem, ...]:
    """What is allowed and still likely a mistake."""
    out: list[Problem] = []
    index_of = {account.name: index for index, account in enumerate(snapshot.accounts)}
    for entries in snapshot.usable.values():
        for account in entries:
            if account.missing is not None and account.enabled:
                path = ("accounts", index_of[account.name], "key")
                out.append(document.problem(path, f"account {account.name} has no key: {account.missing}"))
    for index, key in enumerate(snapshot.keys):
        if key.missing is not None and key.enabled:
            path = ("keys", index, "key")
            out.append(document.problem(path, f"nobody can call as {key.name}: {key.missing}"))
    for name, provider in snapshot.providers.items():
        ending = ENDPOINT_SUFFIX.get(provider.format)
        if provider.overridden and ending and not urlsplit(provider.base_url).path.endswith(ending):
            text = f"{_shown(provider.base_url)} does not end with {ending}; it is called as written"
            out.append(document.problem(("providers", name, "base_url"), text))
    out += [*strangers(snapshot, document), *idle(snapshot, document), *unused(snapshot, document), *unread(snapshot)]
    return tuple(sorted(out, key=lambda problem: problem.line or 0))


def _shown(url: str) -> str:
    """The address without the name and password that may stand in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
