"""A call in one line, as pages and scripts see it."""

from omniroute_addon.ledger.calls import Line
from omniroute_addon.web.resource import Answer


class Call(Answer):
    """One exchange. Times are Unix seconds, money is dollars."""

    id: str
    started: float
    ended: float | None
    client: str
    key: str | None
    model: str | None
    route: str
    combo: str | None
    target: str | None
    account: str | None
    provider: str | None
    tries: int
    first_token: float | None
    tokens_per_second: float | None
    input: int | None
    output: int | None
    cache_read: int | None
    estimated: bool
    cost: float | None
    status: int | None
    outcome: str
    marks: tuple[str, ...]


def plain(line: Line) -> Call:
    return Call(
        id=line.id,
        started=line.started,
        ended=line.ended,
        client=line.client,
        key=line.key,
        model=line.model,
        route=line.route,
        combo=line.combo,
        target=line.target,
        account=line.account,
        provider=line.provider,
        tries=line.tries,
        first_token=line.first,
        tokens_per_second=line.speed,
        input=line.input,
        output=line.output,
        cache_read=line.cache_read,
        estimated=line.estimated,
        cost=None if line.micro is None else line.micro / 1e6,
        status=line.status,
        outcome=line.outcome,
        marks=line.marks,
    )
