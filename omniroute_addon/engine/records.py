"""How the records of an exchange and of its attempts begin: what is known before anything is sent, without secrets."""

import time
import uuid
from collections.abc import Iterable, Mapping

from omniroute_addon.config.models import Snapshot
from omniroute_addon.engine import headers as header_rules
from omniroute_addon.engine.call import Call, Dial
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.ledger.prices import paid_as
from omniroute_addon.ledger.record import Tape
from omniroute_addon.routing.ask import Ask, told_session
from omniroute_addon.routing.candidate import Candidate, Excluded
from translators.hub import JSON


def exchange_record(
    call: Call,
    ask: Ask,
    snapshot: Snapshot,
    decision: Mapping[str, JSON],
    *,
    route: str,
    combo: str | None = None,
    session: str | None = None,
    excluded: Iterable[Excluded] = (),
) -> ExchangeRecord:
    return ExchangeRecord(
        id=call.id,
        client=call.client,
        format=call.format,
        operation=call.operation,
        model=call.model,
        route=route,
        combo=combo,
        started=time.time(),
        response_body=Tape(snapshot.view.max_body),
        excluded=tuple(f"{out.target}: {out.reason}" for out in excluded),
        streaming=call.streaming,
        session=session or told_session(ask.headers),
        key=ask.key,
        source=ask.source,
        decision=decision,
    )


def attempt_record(
    call: Call, candidate: Candidate, upstream: str, dial: Dial, *, number: int, limit: int, reserved: int
) -> AttemptRecord:
    """``upstream`` is the format that is spoken there; ``limit`` how much of the answer is kept."""
    return AttemptRecord(
        id=str(uuid.uuid4()),
        number=number,
        target=candidate.target,
        account=candidate.account.name if candidate.account else None,
        format=upstream,
        method=dial.method,
        url=header_rules.redact_query(dial.url),
        headers=header_rules.redact(dial.headers, dial.secrets),
        body=dial.body,
        started=time.time(),
        response_body=Tape(limit),
        provider=candidate.provider.id if candidate.provider else None,
        model=candidate.model or candidate.asked,
        combo=candidate.place.combo if candidate.place else None,
        tier=paid_as(candidate.provider, call.wire.headers, origin=candidate.origin),
        reserved=reserved,
    )
