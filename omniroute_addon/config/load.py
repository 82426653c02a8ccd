"""From YAML to a :class:`Snapshot`: the shipped registry and surfaces, the user's file over them, every name checked.

Validation is whole: all problems of a file are found before :class:`ConfigError` is raised. The first stage (shape of
the file) must be clean before the second (names across it) says anything, so that one typing error is one problem.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ByteSize

from omniroute_addon.config import build
from omniroute_addon.config.combos import ComboDefaults
from omniroute_addon.config.document import Document, KeyPath, read
from omniroute_addon.config.governance import Conditions, Governance
from omniroute_addon.config.models import (
    Codex,
    Combo,
    ComboTarget,
    ConfigError,
    Limits,
    Listen,
    Place,
    Problem,
    Provider,
    Route,
    RouteMatch,
    Snapshot,
    Timeouts,
    View,
)
from omniroute_addon.config.names import check_names
from omniroute_addon.config.outbound import check_loops, choice, of_environment
from omniroute_addon.config.paths import data_file, default_config
from omniroute_addon.config.references import check_references
from omniroute_addon.config.schema import ComboSpec, ConfigSpec, RegistrySpec, SurfacesSpec
from omniroute_addon.config.secret import Secrets, Sources
from omniroute_addon.config.section import Section
from omniroute_addon.config.semantic import check_semantic
from omniroute_addon.config.validate import validate
from omniroute_addon.config.ways import Ways


def load(
    path: Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    secrets: Secrets | None = None,
) -> Snapshot:
    """Read the configuration at ``path``, else the one in the data dir, else none. Raises ConfigError.

    ``secrets`` looks up ``{vault: NAME}`` keys; without it such accounts have no key.
    """
    env = os.environ if env is None else env
    source = path if path is not None else default_config(env)
    if source is None:
        return parse(None, None, env=env, secrets=secrets)
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError((Problem(str(source), None, "", f"cannot be read: {error.strerror}"),)) from error
    except UnicodeDecodeError as error:
        raise ConfigError((Problem(str(source), None, "", f"is not UTF-8 text: {error.reason}"),)) from error
    return parse(text, source, env=env, secrets=secrets)


def parse(
    text: str | None,
    source: Path | None,
    *,
    env: Mapping[str, str],
    secrets: Secrets | None = None,
) -> Snapshot:
    """The snapshot of a file's text; ``source`` names it in problems."""
    registry = _shipped("providers.yaml", RegistrySpec)
    surfaces = _shipped("surfaces.yaml", SurfacesSpec)
    document = read(text or "version: 1", str(source or "built-in"), env, keep=_is_secret)
    config = validate(document, ConfigSpec)
    if config is None:
        raise _error(document)

    sources = Sources(env, secrets)
    providers = build.providers(registry, config, document, sources)
    prefixes = build.prefixes(providers, document)
    accounts = build.accounts(config, document, providers, prefixes, sources)
    configured = {account.provider for account in accounts}
    providers = {
        name: replace(provider, keyless=_is_keyless(provider, name in registry.providers, name in configured))
        for name, provider in providers.items()
    }
    combos = {
        name: Combo(name, _targets(name, spec, config.combo_defaults, document, sources), spec.strategy, spec.enabled)
        for name, spec in config.combos.items()
    }
    routes = tuple(
        Route(
            RouteMatch(
                client=spec.match.client,
                model=spec.match.model,
                host=spec.match.host,
                path=spec.match.path,
                format=spec.match.format,
                headers=tuple((name.lower(), globs) for name, globs in spec.match.headers.items()),
                when=_part(Conditions, spec.match),
            ),
            spec.to,
            f"routes[{index}]" if spec.name is None else f"routes[{index}] {spec.name}",
            spec.enabled,
            spec.on_midstream_failure,
            spec.cache == "semantic",
        )
        for index, spec in enumerate(config.routes)
    )
    check_names(config, document, prefixes)
    check_references(config, document, prefixes)
    check_semantic(config, document, providers, prefixes)
    listen = _with(Listen(), config.listen)
    ways = Ways(choice(config.proxy, ("proxy",), document, sources), of_environment(env, listen))
    usable = build.usable(accounts, providers, env)
    final = {account.name: account for entries in usable.values() for account in entries}
    snapshot = Snapshot(
        source=source,
        listen=listen,
        providers=MappingProxyType(providers),
        accounts=tuple(final.get(account.name, account) for account in accounts),
        combos=MappingProxyType(combos),
        routes=routes,
        aliases=MappingProxyType(dict(config.aliases)),
        limits=_with(Limits(), config.limits),
        timeouts=_with(Timeouts(), config.timeouts),
        view=_with(View(), config.view),
        logs=config.logs.under(env),
        codex=Codex(plain_tools=config.codex.plain_tools),
        surfaces=build.surfaces(surfaces, config, document, providers, prefixes),
        governance=_part(Governance, config),
        keys=build.api_keys(config, document, sources),
        prefixes=MappingProxyType(prefixes),
        usable=MappingProxyType(usable),
        ways=ways,
    )
    check_loops(snapshot, document)
    build.check_listeners(snapshot.listen, snapshot.keys, document)
    if document.problems:
        raise _error(document)
    return replace(snapshot, warnings=build.warnings(snapshot, document))


def _targets(
    name: str, spec: ComboSpec, defaults: ComboDefaults, document: Document, sources: Sources
) -> tuple[ComboTarget, ...]:
    settings = spec.settings(defaults)
    general = choice(spec.proxy, ("combos", name, "proxy"), document, sources)
    found: list[ComboTarget] = []
    for index, one in enumerate(spec.targets):
        limit = settings.concurrency if one.concurrency is None else one.concurrency
        proxy = choice(one.proxy, ("combos", name, "targets", index, "proxy"), document, sources) or general
        place = Place(name, settings, limit, one.timeouts.given(), one.hedge, proxy)
        found.append(ComboTarget(one.target, place, one.weight, one.enabled))
    return tuple(found)


def _part[S: Section](section: type[S], spec: S) -> S:
    """The fields of ``section`` out of a spec that has more."""
    return section.model_construct(**{name: getattr(spec, name) for name in section.model_fields})


def _error(document: Document) -> ConfigError:
    """All problems, in the order of the file."""
    return ConfigError(tuple(sorted(document.problems, key=lambda problem: problem.line or 0)))


def _is_secret(path: KeyPath) -> bool:
    """Whether what it is when it is used, and not the text, has to be right."""
    if path[-2:] == ("proxy", "password"):
        return True
    return len(path) == 3 and path[0] in ("accounts", "keys") and path[2] == "key"


def _is_keyless(provider: Provider, shipped: bool, configured: bool) -> bool:
    return provider.auth.kind == "none" or build.is_loopback(provider.base_url) or not (shipped or configured)


@cache
def _shipped[T: BaseModel](name: str, model: type[T]) -> T:
    path = data_file(name)
    document: Document = read(path.read_text(encoding="utf-8"), str(path), {})
    value = validate(document, model)
    if value is None:
        raise _error(document)
    return value


def _with[T: (Listen, Limits, Timeouts, View)](defaults: T, spec: BaseModel) -> T:
    """The defaults with what the file sets; sizes become plain integers."""
    given = {name: getattr(spec, name) for name in spec.model_fields_set}
    plain = {name: int(value) if isinstance(value, ByteSize) else value for name, value in given.items()}
    if not isinstance(defaults, Listen):
        plain = {name: value for name, value in plain.items() if value is not None}
    return replace(defaults, **plain)
