"""What calls may cost and have cost: the prices and budgets of the rules that hold now, for plans and exchanges.

Theory of operation. ``reserve`` before an attempt goes out, ``settle`` when it is over; no ``await`` in either. The cost
is that of the tokens which the provider has reported. A provider that fails is taken at its word and costs nothing. An
answer that broke off, or that the client did not wait for, has used tokens all the same: what was not reported is
estimated from the request and from what came of the answer, and the cost is marked as an estimate. An answer without a
word about tokens, or of a model without a price, counts against budgets as what they have held for it.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine.encodings import decoder
from omniroute_addon.ledger import AttemptRecord
from omniroute_addon.ledger.budgets import Budgets, Charge, Reservation, Spending, Spent, most
from omniroute_addon.ledger.prices import Cost, Prices
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.candidate import Candidate
from omniroute_addon.routing.state import BudgetBlock
from translators import FORMATS, hub
from translators.answer import Answer
from translators.jsontext import member

_BYTES_PER_TOKEN = 4


def nothing(starts: Sequence[float]) -> Iterable[Spent]:
    """What earlier processes have spent, when nobody knows."""
    del starts
    return ()


class Money:
    """Of one engine."""

    def __init__(self, snapshot: Snapshot, now: float, spent: Spending = nothing) -> None:
        """``spent``: what others have paid."""
        self.budgets = Budgets()
        self._spent = spent
        self.use(snapshot, now)

    def use(self, snapshot: Snapshot, now: float) -> None:
        """Take over a configuration; what is spent and reserved stays."""
        self.prices = Prices.of(snapshot)
        self.budgets.use(snapshot.governance.budgets, self._spent, now)

    def price(self, candidate: Candidate, now: float) -> float | None:
        """US dollars per million tokens, three parts input to one part output; None when unknown."""
        return self.prices.per_million(*_names(candidate), now, tier=candidate.tier)

    def over(self, candidate: Candidate, ask: Ask, now: float) -> BudgetBlock | None:
        """A budget that is used up for calls like this."""
        if not self.budgets.active or ask.operation == "count":
            return None
        charge = Charge.of(candidate, ask)
        block = self.budgets.over(charge, now)
        if block is not None and self.prices.estimate(*_names(candidate), 1, 1, now, tier=charge.tier) == 0:
            return self.budgets.over(charge, now, free=True)
        return block

    def reserve(
        self, candidate: Candidate, ask: Ask, now: float, *, body: bytes = b"", limit: int | None = None
    ) -> Reservation | BudgetBlock:
        """The most that an attempt may cost, or the budget that has no room for it; see :func:`ledger.budgets.most`.

        ``body``: the client's request.
        """
        charge = Charge.of(candidate, ask)
        if ask.operation == "count" or not self.budgets.covering(charge, now):
            return self.budgets.note(charge, now)
        answers, hour = _answers(ask.format, body), b'"1h"' in body
        micro = most(self.prices, candidate, ask, now, limit=limit, answers=answers, hour=hour)
        return self.budgets.reserve(charge, micro, now)

    def settle(self, held: Reservation, attempt: AttemptRecord, ask: Ask, *, left: bool = False) -> None:
        """The attempt is over: its cost goes into its record and to the budgets. ``left``: the client did not wait."""
        try:
            attempt.cost = self._cost(held, attempt, ask, left=left)
        finally:
            self.budgets.settle(held, attempt.cost.micro or 0 if attempt.cost else 0)

    def _cost(self, held: Reservation, attempt: AttemptRecord, ask: Ask, *, left: bool) -> Cost | None:
        if ask.operation == "count":
            return Cost(0, estimated=False, source="free")
        if not (attempt.used or left or attempt.usage.output is not None):
            return None
        if attempt.stop is None:
            attempt.usage = heard(attempt, ask)
        cost = self.prices.cost(
            attempt.provider or "", attempt.model or "", attempt.usage, attempt.started, attempt.tier
        )
        if cost.micro is None and held.micro:
            return Cost(held.micro, estimated=True, source="reserved")
        return cost


def heard(attempt: AttemptRecord, ask: Ask) -> hub.Usage:
    """The tokens of an answer without an end: as reported, and what is missing estimated."""
    said = _said(attempt)
    usage = attempt.usage
    given = ask.facts.tokens if usage.input is None else usage.input
    return replace(usage, input=given, output=max(usage.output or 0, said), estimated=True)


def _said(attempt: AttemptRecord) -> int:
    """Tokens of what came of the answer, roughly."""
    kept = attempt.response_body.content()
    if not kept:
        return 0
    headers = {name.lower(): value for name, value in attempt.response_headers}
    answer = Answer(FORMATS[attempt.format], aside=True)
    events: list[hub.Event] = []
    with contextlib.suppress(ValueError):  # cut in the middle of something
        events = answer.feed(decoder(headers.get("content-encoding", "")).decode(kept), headers.get("content-type", ""))
    size = sum(_size(event.delta) for event in events if isinstance(event, hub.PartDelta))
    return round(size / _BYTES_PER_TOKEN * attempt.response_body.size / len(kept))


def _size(delta: hub.Delta) -> int:
    match delta:
        case hub.TextDelta(text) | hub.ArgumentsDelta(text):
            return len(text.encode(errors="replace"))
        case _:
            return 0


def _answers(form: str, body: bytes) -> int:
    """How many answers the client wants at once."""
    wanted: object = None
    if form == "openai-chat" and b'"n"' in body:
        wanted = member(body, "n")
    elif form == "gemini" and b"andidate" in body:
        config = member(body, "generationConfig")
        wanted = config.get("candidateCount") if isinstance(config, dict) else None
    return wanted if isinstance(wanted, int) and wanted > 1 else 1


def _names(candidate: Candidate) -> tuple[str, str]:
    return candidate.provider.id if candidate.provider else "", candidate.model or candidate.asked or ""
