"""A call sent to one target of somebody's choice: the rules as they are, but for the one that says where to. Pure.

Policies, budgets, cooldowns and accounts count as for any call; only routes, aliases and fallback chains do not.
"""

from dataclasses import replace
from types import MappingProxyType

from omniroute_addon.config.models import ORIGIN, Route, RouteMatch, Snapshot
from omniroute_addon.routing.names import listed, near

ROUTE = "replay"
"""The name of the rule by which such a call goes."""


def forced(snapshot: Snapshot, target: str) -> Snapshot:
    """The configuration in which every call goes to ``target``."""
    rules = snapshot.governance.model_copy(update={"fallback_chains": {}})
    return replace(
        snapshot,
        routes=(Route(RouteMatch(), (target,), ROUTE),),
        aliases=MappingProxyType({}),
        governance=rules,
    )


def unknown(target: str, snapshot: Snapshot) -> str | None:
    """Why ``target`` is none: ``origin``, a combo's name or ``prefix/model``; None when it is one."""
    if target == ORIGIN or target in snapshot.combos:
        return None
    prefix, slash, model = target.partition("/")
    if slash and model and snapshot.provider_of(prefix) is not None:
        return None
    meant = near(target, [ORIGIN, *snapshot.combos, *(entry.id for entry in listed(snapshot))], 3)
    hint = f"; did you mean {', '.join(meant)}?" if meant else ""
    return f"unknown target {target!r}: it is origin, a combo's name or prefix/model{hint}"
