"""A call asked again: of several targets at once, the answers side by side, with what changed and what it cost."""

import asyncio
from typing import Literal

from pydantic import Field

from omniroute_addon.addons.inspect import role
from omniroute_addon.ledger import calls
from omniroute_addon.ledger.reports import NoLedgerError
from omniroute_addon.web import secrets
from omniroute_addon.web.conversation import Talk, of_answer, plain_text, shortened
from omniroute_addon.web.differences import Change, differences
from omniroute_addon.web.lines import Call, plain
from omniroute_addon.web.replays import MOST, Heard, Replay, Run, known
from omniroute_addon.web.resource import Answer, Asked, Page, RefusedError, Resource
from omniroute_addon.web.site import Site

_ID = r"^[0-9a-z-]{1,64}$"


class StartAsked(Asked):
    id: str = Field(pattern=_ID, description="The call's id, or how it begins")


class ReplayBody(Asked):
    """What is to be asked."""

    rules: bool = Field(default=True, description="Once by the rules of now")
    targets: tuple[str, ...] = Field(
        default=(), max_length=MOST - 1, description="And once of each: `prefix/model`, a combo, `origin`"
    )


class ReplayAsked(Asked):
    id: str = Field(pattern=_ID)


class RunShown(Answer):
    target: str | None
    """None: by the rules."""
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    call: Call | None
    bytes: int
    """Of the answer so far."""
    talk: Talk | None
    changes: tuple[Change, ...] | None
    """Against the answer that the tool got; None while there is nothing to compare."""


class ReplayShown(Answer):
    id: str
    running: bool
    ended: int
    """Runs that have."""
    call: Call | None
    """The one that is asked again."""
    talk: Talk | None
    """The answer that the tool got; None when it is no longer kept."""
    runs: tuple[RunShown, ...]


async def start(site: Site, asked: StartAsked, body: ReplayBody) -> ReplayShown:
    """Ask a call again, by today's rules and of chosen targets."""
    targets: list[str | None] = [*([None] if body.rules else []), *dict.fromkeys(body.targets)]
    if not targets:
        raise RefusedError(409, "nothing to ask: say rules or targets")
    for target in targets:
        if target is not None and not known(target, site.snapshot):
            raise RefusedError(404, f"{target!r} is no target: say prefix/model, a combo or origin")
    line = site.feed.find(asked.id) or await _line(site, asked.id)
    flows = site.flows(line.id) if line is not None else []
    client = next((flow for flow in flows if role(flow) == "exchange"), None)
    if line is None or client is None:
        raise RefusedError(404, "there is no such call, or its flow is no longer kept")
    if site.engine.stopping:
        raise RefusedError(409, "the proxy is stopping")
    try:
        replay = site.replays.start(line.id, client, targets)
    except ValueError as error:
        raise RefusedError(409, f"this call cannot be asked again: {error}") from error
    return await _shown(site, replay)


async def look(site: Site, asked: ReplayAsked) -> ReplayShown:
    """A replay: how far it is, and the answers."""
    return await _shown(site, _find(site, asked.id))


async def cancel(site: Site, asked: ReplayAsked) -> ReplayShown:
    """End what still runs of a replay."""
    replay = _find(site, asked.id)
    site.replays.cancel(replay)
    return await _shown(site, replay)


def _find(site: Site, name: str) -> Replay:
    replay = site.replays.find(name)
    if replay is None:
        raise RefusedError(404, "there is no such replay; the latest few are kept, until the proxy stops")
    return replay


async def _line(site: Site, name: str) -> calls.Line | None:
    try:
        return await site.ledger(lambda books: calls.one(books, name))
    except NoLedgerError:
        return None


async def _shown(site: Site, replay: Replay) -> ReplayShown:
    line = site.feed.find(replay.call) or await _line(site, replay.call)
    before = None if replay.before is None else _talk(*replay.before, replay.hidden)
    runs = [await _run(replay, run, before) for run in replay.runs]
    return ReplayShown(
        id=replay.id,
        running=replay.running,
        ended=sum(run.state not in ("waiting", "running") for run in replay.runs),
        call=None if line is None else plain(line),
        talk=None if before is None else shortened(before),
        runs=tuple(runs),
    )


async def _run(replay: Replay, run: Run, before: Talk | None) -> RunShown:
    talk = _heard(replay, run.heard) if run.state not in ("waiting", "running") else None
    changes = None
    if before is not None and talk is not None and run.state == "done":
        changes = await asyncio.to_thread(differences, plain_text(before), plain_text(talk))
    return RunShown(
        target=run.target,
        state=run.state,
        call=None if run.exchange is None else plain(calls.of_record(run.exchange.record)),
        bytes=run.heard.tape.size,
        talk=None if talk is None else shortened(talk),
        changes=changes,
    )


def _heard(replay: Replay, heard: Heard) -> Talk | None:
    if heard.status is None:
        return None
    kind = next((value for name, value in heard.headers if name.lower() == "content-type"), "")
    return _talk(replay.form, heard.status, kind, heard.tape.content(), replay.hidden)


def _talk(form: str, status: int, content_type: str, body: bytes, hidden: frozenset[str]) -> Talk | None:
    body = secrets.without(body.decode("utf-8", "replace"), hidden).encode()
    try:
        return of_answer(form, status, content_type, body)
    except ValueError:
        return None


RESOURCES = (
    Resource("POST", "calls/{id}/replays", start, status=201),
    Resource("GET", "replays/{id}", look, page=Page("replays/{id}", "replay.html", "replay.title", navigation=False)),
    Resource("DELETE", "replays/{id}", cancel),
)
