"""What was decided for a call of the ledger, and what came of it: ``omniroute explain --id``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from omniroute_addon.cli import console, plots
from omniroute_addon.cli.usage import ledger_path

_CALL = """SELECT id, started, ended, client, format, model, session, key, route, combo, status, outcome, plan
FROM exchanges LEFT JOIN decisions ON exchange = id WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2"""
_ATTEMPTS = """SELECT number, target, account, tier, started, first_event, ended, status, outcome, used, input, output, micro
FROM attempts WHERE exchange = ? ORDER BY number"""

type _Facts = dict[str, Any]


def show_decided(name: str, config: Path | None, *, json: bool) -> None:
    """``name``: the exchange's id or how it begins, as mitmweb's comment has it."""
    found = _read(name, config)
    if json:
        console.as_json(found)
    else:
        _show(found)


def _read(name: str, config: Path | None) -> _Facts:
    from omniroute_addon.ledger import reports

    try:
        with reports.books(ledger_path(config)) as books:
            calls = [_named(_CALL, row) for row in books.rows(_CALL, name)]
            if not calls:
                console.fail(f"the ledger has no call {name!r}", hint="`omniroute status` lists the latest ones.")
            if len(calls) > 1:
                console.fail(f"more than one call begins with {name!r}", hint="Give more of its id.", code=2)
            (call,) = calls
            plan = call.pop("plan")
            call["decision"] = orjson.loads(plan) if plan else None
            call["attempts"] = [_named(_ATTEMPTS, row) for row in books.rows(_ATTEMPTS, call["id"])]
            return call
    except reports.NoLedgerError as error:
        console.fail(str(error))


def _named(sql: str, row: tuple[Any, ...]) -> _Facts:
    """The columns that a statement selects, with their values."""
    columns = sql.removeprefix("SELECT ").partition("\nFROM ")[0]
    return dict(zip([column.strip() for column in columns.split(",")], row, strict=True))


def _show(call: _Facts) -> None:
    from omniroute_addon.ledger.decision import known

    key = f" with key {call['key']}" if call["key"] else ""
    console.say(f"{call['client']}{key} asked for {call['model']} on {plots.clock(call['started'])}", "bold")
    decided: Mapping[str, Any] = call["decision"] or {}
    for route, unmet in decided.get("tried", ()):
        console.say(
            f"{route}: not this one, {'it is disabled' if unmet == 'enabled' else f'{unmet} did not match'}", "dim"
        )
    for policy in decided.get("policies", ()):
        console.say(f"policy {policy} held", "dim")
    if denied := decided.get("denied"):
        console.say(f"budget {denied['name']} refused the call: {denied['words']}", "red")
    console.say(f"{call['route']}{f' → combo {call["combo"]}' if call['combo'] else ''}")
    if candidates := decided.get("candidates"):
        rows = [
            (str(number), one["target"], one["account"] or "-", known(one), one["why"])
            for number, one in enumerate(candidates, 1)
        ]
        console.table(("", "target", "account", "known", "why"), rows)
    for out in decided.get("excluded", ()):
        account = f" with account {out['account']}" if out["account"] else ""
        until = f" until {plots.clock(out['until'])}" if out["until"] is not None else ""
        console.say(f"out: {out['target']}{account}: {out['reason']}{until}", "yellow")
    if like := decided.get("semantic"):
        console.say(_like(like, hit=call["route"] == "cache.semantic"))
    for one in call["attempts"]:
        account = f" ({one['account']})" if one["account"] else ""
        took = f", {plots.duration(one['ended'] - one['started'])}" if one["ended"] else ""
        cost = "" if one["micro"] is None else f", {plots.money(one['micro'])}"
        what = f"try {one['number']}" if one["number"] else "embedding"
        console.say(f"{what}: {one['target']}{account}: {one['outcome']}{took}{cost}")
    console.say(call["outcome"], "green" if call["outcome"] in ("done", "bypassed", "replayed") else "red")


def _like(found: Mapping[str, Any], *, hit: bool) -> str:
    """What the semantic cache has found."""
    said = f"call {found['exchange'][:8]}, similarity {found['similarity']}, threshold {found['threshold']}"
    if not hit:
        return f"semantic cache: the nearest question is that of {said}"
    tokens = [count for count in found.get("tokens", ()) if count is not None]
    return f"semantic cache: answered as {said}" + (f"; saved {sum(tokens):,} tokens" if tokens else "")
