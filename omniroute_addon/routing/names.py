"""Model names: which there are, what a bare one means, and what somebody may have meant. Pure."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from omniroute_addon.config.models import AVAILABLE_FORMATS, Provider, Snapshot


@dataclass(frozen=True, slots=True)
class ModelName:
    """A name that a gateway call may ask for."""

    id: str
    """``prefix/model``, a combo's name or an alias without globs."""
    owner: str
    """The provider's id, ``combo`` or ``alias``."""


def served(provider: Provider, snapshot: Snapshot) -> bool:
    """Whether calls to the provider have a chance: enabled, a format we speak, and a key or none needed."""
    if not provider.enabled or provider.format not in AVAILABLE_FORMATS:
        return False
    accounts = snapshot.accounts_of(provider.id)
    if accounts:
        return any(account.enabled and account.missing is None for account in accounts)
    return provider.keyless


def listed(snapshot: Snapshot) -> Iterator[ModelName]:
    """What ``/v1/models`` shows: combos, aliases, and the models of providers that can be called."""
    for combo in snapshot.combos.values():
        if combo.enabled:
            yield ModelName(combo.name, "combo")
    for alias in snapshot.aliases:
        if "*" not in alias and "?" not in alias:
            yield ModelName(alias, "alias")
    for provider in snapshot.providers.values():
        if served(provider, snapshot):
            for model in provider.models:
                yield ModelName(f"{prefix_of(provider)}/{model.name}", provider.id)


def prefix_of(provider: Provider) -> str:
    """The word that people write before the slash: the first prefix, else the id."""
    return provider.prefixes[0] if provider.prefixes else provider.id


def bare(model: str, snapshot: Snapshot) -> str | None:
    """``prefix/model`` for a name without a prefix that exactly one callable provider lists."""
    owners = [
        provider
        for provider in snapshot.providers.values()
        if served(provider, snapshot) and any(entry.name == model for entry in provider.models)
    ]
    return f"{prefix_of(owners[0])}/{model}" if len(owners) == 1 else None


def near(name: str, known: Iterable[str], count: int = 5) -> tuple[str, ...]:
    """The known names most like this one, best first; also compared without their prefix."""
    names = list(dict.fromkeys(known))
    lowered = {entry.lower(): entry for entry in names}
    tails = {entry.lower().rpartition("/")[2]: entry for entry in reversed(names)}
    asked = name.lower()
    hits = [lowered[hit] for hit in difflib.get_close_matches(asked, lowered, n=count, cutoff=0.6)]
    tail = asked.rpartition("/")[2]
    hits += [tails[hit] for hit in difflib.get_close_matches(tail, tails, n=count, cutoff=0.6)]
    return tuple(dict.fromkeys(hits))[:count]
