"""What a proxy has learned, as its ledger keeps it: for commands that explain or try out rules beside the proxy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.money import Money
from omniroute_addon.engine.standing import Standing
from omniroute_addon.ledger.budgets import Charge
from omniroute_addon.ledger.ledger import path_of
from omniroute_addon.ledger.reports import NoLedgerError, books
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.plan import Plan
from translators.hub import JSON


@dataclass(frozen=True, slots=True)
class Past:
    standing: Standing
    words: str
    """Where it comes from."""

    def budgets(self, plan: Plan, ask: Ask, now: float) -> Sequence[dict[str, JSON]]:
        """The budgets that a candidate of the plan would be charged to."""
        found: dict[tuple[str, str, str | None], dict[str, JSON]] = {}
        for candidate in plan.candidates:
            for bucket in self.standing.money.budgets.covering(Charge.of(candidate, ask), now):
                place = (bucket.budget.name, bucket.period, bucket.each)
                found[place] = {
                    "budget": bucket.budget.name,
                    "period": bucket.period,
                    "each": bucket.each,
                    "on_exceed": bucket.budget.on_exceed,
                    "limit": bucket.limit / 1e6,
                    "spent": bucket.spent / 1e6,
                    "words": bucket.words,
                }
        return list(found.values())


def of_ledger(snapshot: Snapshot, now: float, *, fresh: bool = False) -> Past:
    """The past in the ledger of a configuration; an empty one when there is none, or none is wanted."""
    if fresh:
        return Past(_standing(snapshot, now), "as after a first start: nothing is learned or spent")
    try:
        with books(path_of(snapshot)) as ledger:
            found = _standing(snapshot, now, Money(snapshot, now, ledger.spent))
            found.load(lambda part: cast("JSON", ledger.state(part)))
            return Past(found, "with what the proxy has learned and spent; --fresh explains without")
    except NoLedgerError as error:
        return Past(_standing(snapshot, now), str(error))


def _standing(snapshot: Snapshot, now: float, money: Money | None = None) -> Standing:
    return Standing(lambda: snapshot, lambda: now, money)
