"""Names across the user's file: what routes, aliases and combos point at, and whether combos go round in circles."""

from collections.abc import Iterable, Mapping

from omniroute_addon.config.document import Document, KeyPath
from omniroute_addon.config.models import MAX_COMBO_DEPTH, ORIGIN
from omniroute_addon.config.schema import ConfigSpec
from omniroute_addon.config.validate import meant


def check_names(config: ConfigSpec, document: Document, prefixes: Mapping[str, str]) -> None:
    """Report every name that means nothing."""
    for name in config.combos:
        if "/" in name or name == ORIGIN:
            document.report(("combos", name), f"a combo cannot be called {name!r}")
    for path, target in _named(config):
        if problem := _wrong(target, config, prefixes):
            document.report(document.place(path), problem)
    for name in config.combos:
        chain = _too_deep(name, config)
        if chain is None:
            continue
        if name == chain[-1]:
            document.report(("combos", name), f"goes round in a circle: {' → '.join(chain)}")
        elif chain[-1] not in chain[:-1]:
            document.report(("combos", name), f"nests deeper than {MAX_COMBO_DEPTH}: {' → '.join(chain)}")


def _named(config: ConfigSpec) -> Iterable[tuple[KeyPath, str]]:
    """Every place that names a target."""
    for name, combo in config.combos.items():
        for index, entry in enumerate(combo.targets):
            yield ("combos", name, "targets", index), entry.target
    for index, route in enumerate(config.routes):
        for position, target in enumerate(route.to):
            yield ("routes", index, "to", position), target
    for alias, target in config.aliases.items():
        yield ("aliases", alias), target
    for model, targets in config.fallback_chains.items():
        for position, target in enumerate(targets):
            yield ("fallback_chains", model, position), target


def _wrong(target: str, config: ConfigSpec, prefixes: Mapping[str, str]) -> str | None:
    if target == ORIGIN or target in config.combos:
        return None
    prefix, slash, model = target.partition("/")
    if not slash:
        hint = meant(target, [ORIGIN, *config.combos]) or "; a target is origin, a combo's name or prefix/model"
        return f"unknown target {target!r}{hint}"
    if prefix not in prefixes:
        return f"target {target!r} has an unknown provider {prefix!r}{meant(prefix, list(prefixes))}"
    return None if model else f"target {target!r} names no model"


def _too_deep(name: str, config: ConfigSpec, above: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """The first chain of combos from ``name`` on that is too long or comes back to itself."""
    chain = (*above, name)
    if name in above or len(chain) > MAX_COMBO_DEPTH:
        return chain
    for entry in config.combos[name].targets:
        if entry.target in config.combos and (found := _too_deep(entry.target, config, chain)):
            return found
    return None
