"""``omniroute simulate``: the calls of the ledger through other rules; where they would have gone, and at what cost.

Nothing is sent, nothing is written. The rules come from ``--config``, the calls from the ledger of the running proxy
(else the default one) or from ``--ledger``.
"""

import csv
import io
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon.cli import console, plots
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of
from omniroute_addon.cli.usage import CSVOption, SinceOption, UntilOption, ledger_path

if TYPE_CHECKING:
    from omniroute_addon.engine.simulation import Change, Move
    from omniroute_addon.ledger.reports import Selection


REASONS = 5
"""The most frequent ones are shown."""


def simulate(
    *,
    since: SinceOption = "7d",
    until: UntilOption = "now",
    config: ConfigOption = None,
    ledger: Annotated[Path | None, typer.Option("--ledger", help="The database; default: the proxy's own.")] = None,
    calls: Annotated[bool, typer.Option("--calls", help="Show every call, not only sums.")] = False,
    assume_keys: Annotated[
        bool, typer.Option("--assume-keys", help="As if no key were missing: what would it be like with one?")
    ] = False,
    json: JSONOption = False,
    as_csv: CSVOption = False,
) -> None:
    """Send the calls of the ledger through other rules, without any network: where they would go, what they would cost."""
    from omniroute_addon.engine import simulation
    from omniroute_addon.ledger import reports
    from omniroute_addon.ledger.history import history

    try:
        chosen = reports.select(since, until, {})
    except ValueError as error:
        console.fail(str(error), code=2)
    rules = simulation.with_keys(snapshot_of(config)) if assume_keys else snapshot_of(config)
    path = ledger or ledger_path(None)
    logging.getLogger("omniroute_addon.ledger.budgets").setLevel(logging.ERROR)  # nobody has spent anything
    try:
        with reports.books(path) as open_books:
            changes = simulation.simulate(history(open_books, chosen.since, chosen.until), rules)
    except reports.NoLedgerError as error:
        console.fail(str(error), hint="Only calls that a proxy has recorded can be simulated.")
    for warning in rules.warnings:
        console.tell(f"warning: {warning}", "yellow")
    moves = simulation.moves(changes)
    if json:
        source = str(rules.source) if rules.source else None
        console.as_json({"config": source, "ledger": str(path), **_facts(chosen, changes, moves, calls=calls)})
    elif as_csv:
        console.write(_csv(_calls(changes) if calls else _moves(moves)))
    elif not changes:
        console.say(f"no calls between {plots.clock(chosen.since)} and {plots.clock(min(chosen.until, time.time()))}")
    else:
        _show(chosen, changes, moves, calls=calls)


# ── for scripts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _facts(
    chosen: "Selection", changes: "Sequence[Change]", moves: "Sequence[Move]", *, calls: bool
) -> dict[str, object]:
    from omniroute_addon.engine import simulation

    found: dict[str, object] = {
        "since": chosen.since,
        "until": chosen.until,
        "total": simulation.total(changes),
        "moves": list(_moves(moves)),
    }
    return {**found, "calls": list(_calls(changes))} if calls else found


def _moves(moves: "Iterable[Move]") -> Iterable[Mapping[str, object]]:
    for one in moves:
        yield {**asdict(one), "cost_before": one.cost_before / 1e6, "cost_after": one.cost_after / 1e6}


def _calls(changes: "Iterable[Change]") -> Iterable[Mapping[str, object]]:
    for one in changes:
        yield {
            **asdict(one),
            "moved": one.moved,
            "cost_before": None if one.cost_before is None else one.cost_before / 1e6,
            "cost_after": None if one.cost_after is None else one.cost_after / 1e6,
        }


def _csv(rows: Iterable[Mapping[str, object]]) -> bytes:
    text = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    return text.getvalue().encode()


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(chosen: "Selection", changes: "Sequence[Change]", moves: "Sequence[Move]", *, calls: bool) -> None:
    from omniroute_addon.engine import simulation

    whole = simulation.total(changes)
    console.say(f"{_count(whole['calls'], 'call')} since {plots.clock(chosen.since)}, {whole['moved']:,} move", "bold")
    if calls:
        for one in changes:
            _show_call(one)
        console.say()
    rows = [
        (
            one.before,
            one.after,
            f"{one.calls:,}",
            plots.money(one.cost_before),
            plots.money(one.cost_after, estimated=True),
        )
        for one in moves
    ]
    before, after = round(whole["cost_before"] * 1e6), round(whole["cost_after"] * 1e6)
    total = ("total", "", f"{whole['calls']:,}", plots.money(before), plots.money(after, estimated=True))
    console.table(("before", "after", "calls", "cost", "would be"), [*rows, total])
    console.say(_verdict(before, after))
    if whole["unanswered_before"] or whole["unanswered_after"]:
        console.say(f"without answer: {whole['unanswered_before']:,} before, {whole['unanswered_after']:,} after")
        _show_reasons(changes)
    unknown = max(whole["unknown_before"], whole["unknown_after"])
    if unknown:
        console.tell(
            f"{_count(unknown, 'call')} without a known cost: give their models a price under `prices:`", "dim"
        )
    console.tell("~ with the tokens of the recorded answers: another model would have said something else", "dim")


def _show_reasons(changes: "Sequence[Change]") -> None:
    """Why calls would get no answer, the most frequent first."""
    reasons: dict[str, int] = {}
    for one in changes:
        if not one.answered:
            reasons[one.why] = reasons.get(one.why, 0) + 1
    most = sorted(reasons.items(), key=lambda found: -found[1])
    for why, number in most[:REASONS]:
        first, *more = why.split("; ")
        console.say(f"  {number:,} × {first}", "yellow")
        for line in more:
            console.say(f"      {line}", "yellow")
    if len(most) > REASONS:
        console.say(f"  and {len(most) - REASONS} other reasons: --calls shows them", "yellow")
    if any("no account with a key" in why for why in reasons):
        console.say("  --assume-keys does as if no key were missing", "dim")


def _verdict(before: int, after: int) -> str:
    if before == after:
        return "the cost stays the same"
    share = f", {abs(after - before) / before:.0%}" if before else ""
    return f"~{plots.money(abs(after - before))} {'less' if after < before else 'more'}{share}"


def _show_call(one: "Change") -> None:
    console.say(f"{plots.clock(one.started)}  {one.client} asks for {one.model or 'no model'}")
    before, after = _at(one.before, one.account_before), _at(one.after, one.account)
    paid = "?" if one.cost_before is None else plots.money(one.cost_before)
    would = "?" if one.cost_after is None else plots.money(one.cost_after, estimated=True)
    where = f"stays at {after}" if before == after else f"{before} → {after}"
    console.say(f"    {where}, {paid} → {would}", "cyan" if one.moved else None)
    console.say(f"    {one.route}{f': {one.why}' if one.why else ''}", "dim")


def _at(target: str, account: str | None) -> str:
    return target if account is None else f"{target} ({account})"


def _count(number: float, word: str) -> str:
    return f"{number:,.0f} {word}" if number == 1 else f"{number:,.0f} {word}s"
