"""``omniroute explain``: which rule a call would meet, where it would go in which order, and why not elsewhere.

Nothing is sent. What the proxy has learned (cooldowns, quotas, money spent) is read from its ledger when there is one;
``--fresh`` explains as after a first start. ``--id`` tells what was decided for a call that was made.
"""

import random
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.decided import show_decided
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of

if TYPE_CHECKING:
    from omniroute_addon.config import Snapshot
    from omniroute_addon.config.ways import Ways
    from omniroute_addon.routing import Ask, Candidate, Plan
    from omniroute_addon.routing.state import State


def explain(
    *,
    client: Annotated[str | None, typer.Option("--client", help="claude-code, codex, gemini-cli, …")] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model that the tool asks for.")] = None,
    body: Annotated[Path | None, typer.Option("--body", help="A request body: its model, tools, images, size.")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", help="NAME: VALUE; as often as needed.")] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help="A whole request as it went over the wire: mitmweb's raw export.")
    ] = None,
    gateway: Annotated[bool, typer.Option("--gateway", help="The call comes to the gateway.")] = False,
    key: Annotated[str | None, typer.Option("--key", help="The name of the gateway key that is shown.")] = None,
    source: Annotated[str, typer.Option("--source", help="The address that the call comes from.")] = "127.0.0.1",
    at: Annotated[str | None, typer.Option("--at", help="When: 23:30 or 2026-11-01T23:30, local time.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="The host that is called, instead of --client.")] = None,
    path: Annotated[str | None, typer.Option("--path", help="The path that is called.")] = None,
    name: Annotated[
        str | None, typer.Option("--id", help="A call of the ledger, as mitmweb's comment names it: what was decided.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what the proxy has learned and spent.")] = False,
    config: ConfigOption = None,
    json: JSONOption = False,
) -> None:
    """Show the plan for a call: the rule, each candidate in order, and why the others are out. Sends nothing."""
    if name is not None:
        show_decided(name, config, json=json)
        return
    from omniroute_addon.engine.past import of_ledger
    from omniroute_addon.engine.question import Question, QuestionError, headers_of
    from omniroute_addon.routing import plan
    from omniroute_addon.routing.explain import as_json

    snapshot = snapshot_of(config)
    now = time.time() if at is None else _moment(at)
    try:
        asked = Question(
            client,
            model,
            b"" if body is None else body.read_bytes(),
            host,
            path,
            gateway,
            headers_of(header or ()),
            key,
            source,
        )
        ask = (asked if request is None else asked.with_request(request.read_bytes())).ask(snapshot)
    except QuestionError as error:
        console.fail(str(error), hint=error.hint, code=error.code)
    past = of_ledger(snapshot, now, fresh=fresh)
    decided = plan(ask, snapshot, past.standing, now, random.Random())  # noqa: S311 -- an example of a drawing
    budgets = past.budgets(decided, ask, now)
    if json:
        console.as_json({**as_json(decided, ask, snapshot, now, past.standing), "budgets": budgets, "past": past.words})
    else:
        _show(ask, decided, snapshot, now, past.standing)
        for one in budgets:
            console.say(f"budget {one['budget']}: {one['words']}")
        console.say(past.words, "dim")
        if ask.client == "codex" and snapshot.codex.plain_tools:
            console.say(
                "codex.plain_tools: models that get their tools as JavaScript are listed as ones with functions"
            )
    raise typer.Exit(1 if decided.error is not None else 0)


def _moment(text: str) -> float:
    """``23:30`` of today or an ISO date and time, local unless it says otherwise."""
    try:
        if len(text) <= len("23:30"):
            hour, _, minute = text.partition(":")
            today = datetime.now().astimezone()
            return today.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        console.fail(f"{text!r} is no time", hint="Say 23:30, or 2026-11-01T23:30.", code=2)


def _show(ask: "Ask", plan: "Plan", snapshot: "Snapshot", now: float, state: "State") -> None:
    from omniroute_addon.routing.explain import headline, rows, steps

    console.say(f"{ask.client} asks for {ask.model} ({ask.format}{f', {ask.host}' if ask.host else ''})", "bold")
    if plan.error is not None:
        console.say(plan.error.message, "red")
        return
    for line in steps(plan, ask, snapshot, now):
        console.say(line, "dim")
    if plan.untouched:
        console.say("no rule applies: the call passes through untouched")
        return
    console.say(headline(plan, ask).partition(": ")[2], "red" if plan.denied else "")
    found = rows(plan, ask, now, snapshot.ways)
    inside = [row for row in found if row.order is not None]
    if inside:
        columns = ["", "target", "account", "format", "tier", "by", "known", "why"]
        cells = [_row(number, ask, plan, now, state, ways=snapshot.ways) for number in range(len(inside))]
        kept = [index for index in range(len(columns)) if index < 5 or any(row[index] for row in cells)]
        console.table([columns[index] for index in kept], [[row[index] for index in kept] for row in cells])
    elif plan.denied is None:
        console.say("no candidate is left: the tool gets an error that lists the reasons below", "red")
    for row in found:
        if row.order is None:
            account = f" with account {row.account}" if row.account != "-" else ""
            console.say(f"out: {row.target}{account}: {row.note}", "yellow")


def _row(number: int, ask: "Ask", plan: "Plan", now: float, state: "State", *, ways: "Ways") -> tuple[str, ...]:
    from omniroute_addon.routing.explain import way

    one = plan.candidates[number]
    to = ask.format if one.origin or one.provider is None else one.provider.format
    model = one.model or one.asked or ""
    named = one.origin or one.target.endswith(f"/{model}")
    return (
        str(number + 1),
        one.target if named else f"{one.target} ({model})",
        "own login" if one.origin else one.account.name if one.account else "none needed",
        "its own" if to == ask.format else f"→ {to}",
        one.tier,
        str(way(one, ask, ways) or ""),
        _known(one, now, state),
        one.why,
    )


def _known(candidate: "Candidate", now: float, state: "State") -> str:
    """What plans go by, if there is anything."""
    left, price = state.quota(candidate, now), state.price(candidate)
    parts = [
        f"{left.share:.0%} of {left.window} left" if left is not None else "",
        f"${price:.2f}/M" if price else "",
        f"{uses}× used" if (uses := state.uses(candidate.account_key)) else "",
    ]
    return ", ".join(part for part in parts if part)
