"""What conditions name: a word without a wildcard must be something that the rules know, else it could never match."""

from collections.abc import Iterable, Mapping

from omniroute_addon.config.document import Document, KeyPath
from omniroute_addon.config.models import ORIGIN, Problem, Snapshot
from omniroute_addon.config.schema import ConfigSpec
from omniroute_addon.config.validate import meant

GATEWAY_CLIENT = "gateway"
"""Who calls the gateway, unless its headers tell."""

type _Words = tuple[KeyPath, tuple[str, ...]]


def check_references(config: ConfigSpec, document: Document, prefixes: Mapping[str, str]) -> None:
    """Report every word of a condition that names nothing, and every name that stands for two things."""
    accounts = [account.name for account in config.accounts]
    known: Mapping[str, list[str]] = {
        "provider": [*dict.fromkeys(prefixes.values())],
        "account": accounts,
        "combo": [*config.combos],
        "key": [key.name for key in config.keys],
    }
    for kind, path, words in _conditions(config):
        for position, word in enumerate(words):
            if _is_glob(word) or word in known[kind] or (kind == "account" and word.startswith("$")):
                continue
            text = f"unknown {kind} {word!r}"
            if kind == "provider" and word in prefixes:
                text = f"{word!r} is a prefix; the provider's name is {prefixes[word]!r}"
            document.report(document.place((*path, position)), text + meant(word, known[kind]))
    for path, words in _targets(config):
        for position, word in enumerate(words):
            prefix, slash, _ = word.partition("/")
            if _is_glob(prefix) or (slash and prefix in prefixes) or (not slash and word == ORIGIN):
                continue
            hint = meant(prefix, [ORIGIN, *prefixes])
            document.report(document.place((*path, position)), f"unknown provider {prefix!r}{hint}")
    _check_names(document, "budgets", [budget.name for budget in config.budgets])
    _check_names(document, "policies", [policy.name for policy in config.policies])


def strangers(snapshot: Snapshot, document: Document) -> Iterable[Problem]:
    """Clients that nobody is taken for, which is likely a mistake; only headers of the future could prove it."""
    surfaces = snapshot.surfaces
    known = {GATEWAY_CLIENT, *(one.client for one in surfaces.all), *(rule.client for rule in surfaces.clients)}
    for path, words in _clients(snapshot):
        for position, word in enumerate(words):
            if not _is_glob(word) and word not in known:
                place = document.place((*path, position))
                yield document.problem(place, f"no tool is known as {word!r}{meant(word, sorted(known))}")


def idle(snapshot: Snapshot, document: Document) -> Iterable[Problem]:
    """Combos that have nothing to try."""
    for name, combo in snapshot.combos.items():
        if combo.enabled and not any(target.enabled for target in combo.targets):
            yield document.problem(("combos", name), "every target is disabled, so there is nothing to try")


def _is_glob(word: str) -> bool:
    return "*" in word or "?" in word


def _conditions(config: ConfigSpec) -> Iterable[tuple[str, KeyPath, tuple[str, ...]]]:
    """Kind of name, place, words."""
    for index, budget in enumerate(config.budgets):
        for kind in ("provider", "account", "combo", "key"):
            yield kind, ("budgets", index, "match", kind), getattr(budget.match, kind)
    for index, policy in enumerate(config.policies):
        yield "key", ("policies", index, "match", "key"), policy.match.key
    for index, route in enumerate(config.routes):
        yield "key", ("routes", index, "match", "key"), route.match.key


def _targets(config: ConfigSpec) -> Iterable[_Words]:
    for index, budget in enumerate(config.budgets):
        yield ("budgets", index, "match", "target"), budget.match.target
    for index, policy in enumerate(config.policies):
        yield ("policies", index, "prefer"), tuple(f"{name}/*" for name in policy.prefer)


def _clients(snapshot: Snapshot) -> Iterable[_Words]:
    for index, route in enumerate(snapshot.routes):
        yield ("routes", index, "match", "client"), route.match.client
    for index, budget in enumerate(snapshot.governance.budgets):
        yield ("budgets", index, "match", "client"), budget.match.client
    for index, policy in enumerate(snapshot.governance.policies):
        yield ("policies", index, "match", "client"), policy.match.client


def _check_names(document: Document, section: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            document.report((section, index, "name"), f"{name!r} is named twice")
