"""One call: what was decided, every attempt on a timeline, what was lost, the four bodies side by side.

The ledger tells of all but the bodies; those are in mitmweb's view until newer flows have pushed them out.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from mitmproxy import exceptions, http
from mitmproxy.addons.export import curl_command
from mitmproxy.addons.savehar import SaveHar
from pydantic import Field

from omniroute_addon.addons.inspect import KEY, role
from omniroute_addon.ledger import call as ledger_call
from omniroute_addon.ledger import calls
from omniroute_addon.ledger.decision import known
from omniroute_addon.ledger.reports import Books, NoLedgerError
from omniroute_addon.web import bodies, secrets
from omniroute_addon.web.lines import Call, plain
from omniroute_addon.web.replays import choices
from omniroute_addon.web.resource import Answer, Asked, Download, Page, RefusedError, Resource
from omniroute_addon.web.site import Site

_OF_CLIENT = ("exchange", "untouched")
"""Roles of the flow that is the tool's own call."""


class CallAsked(Asked):
    id: str = Field(pattern=r"^[0-9a-z-]{1,64}$", description="The call's id, or how it begins")


class DetailAsked(CallAsked):
    attempt: int | None = Field(
        default=None, ge=1, le=1000, description="Whose bodies; the one that was used by default"
    )


class BodyAsked(DetailAsked):
    side: bodies.Side


class Tried(Answer):
    """A rule that did not apply."""

    route: str
    unmet: str


class Candidate(Answer):
    target: str
    account: str | None
    why: str
    known: str
    """Quota, price and use, as they were."""


class Excluded(Answer):
    target: str
    account: str | None
    reason: str
    until: float | None


class Decision(Answer):
    route: str
    combo: str | None
    policies: tuple[str, ...]
    tried: tuple[Tried, ...]
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    refused: str | None
    """Why the call went nowhere: a budget's words, or a name that means nothing."""


class Loss(Answer):
    path: str
    reason: str


class Attempt(Answer):
    number: int
    target: str
    account: str | None
    tier: str | None
    format: str | None
    started: float
    first_event: float | None
    ended: float | None
    status: int | None
    outcome: str
    used: bool
    stop: str | None
    input: int | None
    output: int | None
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None
    estimated: bool
    cost: float | None
    cost_estimated: bool
    cost_source: str | None
    losses: tuple[Loss, ...]


class Detail(Answer):
    call: Call
    format: str | None
    operation: str | None
    session: str | None
    source: str | None
    decision: Decision | None
    attempts: tuple[Attempt, ...]
    shown: int | None
    """The attempt whose bodies are shown."""
    kept: bool
    """Whether the flow is still there: its bodies, export and replay."""
    bodies: tuple[bodies.Body, ...]
    flow: str | None
    """The id of the call's flow in mitmweb."""
    targets: tuple[str, ...]
    """Of the rules, to ask again."""


class FlowAsked(Asked):
    id: str = Field(pattern=r"^[0-9a-f-]{1,64}$")


class FlowCall(Answer):
    call: str


async def detail(site: Site, asked: DetailAsked) -> Detail:
    """One call with all that is known of it."""
    line, kept = await _find(site, asked.id)
    flows = site.flows(line.id)
    client, attempt, number = _pair(flows, kept, asked.attempt)
    hide = _hiding(site, flows)
    shown = await asyncio.to_thread(bodies.shown, bodies.of_flows(client, attempt), hide)
    decided = (kept.decision if kept else None) or (client.metadata[KEY].get("decision") if client else None)
    return Detail(
        call=plain(line),
        format=kept.format if kept else None,
        operation=kept.operation if kept else None,
        session=kept.session if kept else None,
        source=kept.source if kept else None,
        decision=_decision(decided) if decided else None,
        attempts=tuple(_attempt(one) for one in kept.attempts) if kept else (),
        shown=number,
        kept=client is not None,
        bodies=shown,
        flow=client.id if client else None,
        targets=choices(site.snapshot),
    )


async def body(site: Site, asked: BodyAsked) -> Download:
    """One body, all of it; keys are redacted."""
    line, kept = await _find(site, asked.id)
    flows = _flows(site, line.id)
    client, attempt, _ = _pair(flows, kept, asked.attempt)
    for side, _, message in bodies.of_flows(client, attempt):
        if side == asked.side:
            content = await asyncio.to_thread(bodies.whole, message, _hiding(site, flows))
            return Download(f"omniroute-{line.id[:8]}-{side}.txt", content)
    raise RefusedError(404, "this call has no such body")


async def har(site: Site, asked: CallAsked) -> Download:
    """The call and its attempts as HAR; keys are redacted."""
    line, _ = await _find(site, asked.id)
    flows = _flows(site, line.id)
    content = orjson.dumps(SaveHar().make_har(flows), option=orjson.OPT_INDENT_2)
    return Download(f"omniroute-{line.id[:8]}.har", _hiding(site, flows)(content.decode()).encode())


async def curl(site: Site, asked: CallAsked) -> Download:
    """The call as the tool made it, as a curl command; keys are redacted."""
    line, _ = await _find(site, asked.id)
    flows = _flows(site, line.id)
    client = next(flow for flow in flows if role(flow) in _OF_CLIENT)
    try:
        command = curl_command(client)
    except (exceptions.CommandError, ValueError) as error:
        raise RefusedError(409, f"this body cannot be written as a command: {error}") from error
    return Download(f"omniroute-{line.id[:8]}.sh", (_hiding(site, flows)(command) + "\n").encode())


async def of_flow(site: Site, asked: FlowAsked) -> FlowCall:
    """The call that a flow of mitmweb belongs to."""
    for flow in site.inspect.flows():
        if flow.id == asked.id and (name := flow.metadata.get(KEY, {}).get("exchange")) is not None:
            return FlowCall(call=name)
    raise RefusedError(404, "this flow is no routed call, or it is no longer there")


async def _find(site: Site, name: str) -> tuple[calls.Line, ledger_call.Call | None]:
    """What runs and has just ended is known before the ledger has it."""
    line = site.feed.find(name)

    def look(books: Books) -> tuple[calls.Line | None, ledger_call.Call | None]:
        found = line or calls.one(books, name)
        return found, None if found is None else ledger_call.read(books, found.id)

    try:
        found, kept = await site.ledger(look)
    except NoLedgerError:
        found, kept = line, None
    if found is None:
        raise RefusedError(404, f"there is no call {name!r}, or more than one begins so")
    return found, kept


def _pair(
    flows: Sequence[http.HTTPFlow], kept: ledger_call.Call | None, number: int | None
) -> tuple[http.HTTPFlow | None, http.HTTPFlow | None, int | None]:
    """The call's flow, an attempt's and its number: the one asked for, else the one that was used, else the last."""
    client = next((flow for flow in flows if role(flow) in _OF_CLIENT), None)
    tries = {flow.metadata[KEY].get("number"): flow for flow in flows if role(flow) == "attempt"}
    attempts = kept.attempts if kept else ()
    # The ledger learns of a call a moment after it has ended; mitmweb has its attempts by then.
    numbers = [one.number for one in attempts if one.used] or [one.number for one in attempts] or sorted(tries)
    number = number or (numbers[-1] if numbers else None)
    return client, tries.get(number), number


def _flows(site: Site, name: str) -> list[http.HTTPFlow]:
    flows = site.flows(name)
    if not any(role(flow) in _OF_CLIENT for flow in flows):
        raise RefusedError(409, "its flow is no longer kept: newer ones have taken its place (`view:` in the rules)")
    return flows


def _hiding(site: Site, flows: Sequence[http.HTTPFlow]) -> Callable[[str], str]:
    """Takes the keys of these flows out of a text, wherever they were pasted or echoed."""
    keys = frozenset(key for flow in flows for key in site.inspect.secrets_of(flow))
    return lambda text: secrets.without(text, keys)


def _decision(decided: Mapping[str, Any]) -> Decision:
    found = DecidedAsKept.model_validate(decided)
    refused = found.error or (f"{found.denied['name']}: {found.denied['words']}" if found.denied else None)
    return Decision(
        route=found.route,
        combo=found.combo,
        policies=found.policies,
        tried=tuple(Tried(route=route, unmet=unmet) for route, unmet in found.tried),
        candidates=tuple(
            Candidate(
                target=str(one["target"]), account=_text(one.get("account")), why=str(one["why"]), known=known(one)
            )
            for one in found.candidates
        ),
        excluded=tuple(Excluded.model_validate(one) for one in found.excluded),
        refused=refused,
    )


class DecidedAsKept(Answer):
    """As ``ledger.decision`` writes it."""

    route: str
    combo: str | None = None
    policies: tuple[str, ...] = ()
    tried: tuple[tuple[str, str], ...] = ()
    candidates: tuple[dict[str, object], ...] = ()
    excluded: tuple[dict[str, object], ...] = ()
    denied: dict[str, object] | None = None
    error: str | None = None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _attempt(one: ledger_call.Attempt) -> Attempt:
    return Attempt(
        number=one.number,
        target=one.target,
        account=one.account,
        tier=one.tier,
        format=one.format,
        started=one.started,
        first_event=one.first_event,
        ended=one.ended,
        status=one.status,
        outcome=one.outcome,
        used=bool(one.used),
        stop=one.stop,
        input=one.input,
        output=one.output,
        cache_read=one.cache_read,
        cache_write=one.cache_write,
        reasoning=one.reasoning,
        estimated=bool(one.estimated),
        cost=None if one.micro is None else one.micro / 1e6,
        cost_estimated=bool(one.cost_estimated),
        cost_source=one.cost_source,
        losses=tuple(Loss(path=path, reason=reason) for path, reason in one.losses),
    )


RESOURCES = (
    Resource("GET", "calls/{id}", detail, page=Page("calls/{id}", "call.html", "call.title", navigation=False)),
    Resource("GET", "calls/{id}/bodies/{side}", body, download="text/plain"),
    Resource("GET", "calls/{id}/har", har, download="application/json"),
    Resource("GET", "calls/{id}/curl", curl, download="text/plain"),
    Resource("GET", "flows/{id}", of_flow, page=Page("flows/{id}", "flow.html", "call.title", navigation=False)),
)
