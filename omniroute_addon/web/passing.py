"""A call that no rule has touched, in one line: it has no exchange and is not in the ledger, but people look for it."""

from mitmproxy import http

from omniroute_addon.addons.inspect import KEY
from omniroute_addon.ledger.calls import Line
from omniroute_addon.ledger.record import UNTOUCHED
from omniroute_addon.ledger.schema import RUNNING


def of_flow(flow: http.HTTPFlow) -> Line:
    """As it is now; tokens and money are not counted."""
    known, answer = flow.metadata[KEY], flow.response
    over = None if answer is None else answer.timestamp_end
    if over is None and flow.error is not None:
        over = flow.error.timestamp
    return Line(
        id=flow.id,
        started=flow.request.timestamp_start,
        ended=over,
        client=known["client"],
        key=None,
        model=known["model"],
        route="",
        combo=None,
        target=known["host"],
        account=None,
        provider=known["provider"],
        tries=1,
        first=None,
        speed=None,
        input=None,
        output=None,
        cache_read=None,
        estimated=False,
        micro=None,
        status=None if answer is None else answer.status_code,
        outcome=RUNNING if over is None else UNTOUCHED,
    )
