"""``omniroute status`` and ``quota``: what runs now, what rests, what is left of budgets and quotas.

Both read what the proxy writes down (its record, the ledger and its state) and work when none runs, too.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from omniroute_addon.cli import console, plots
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of
from omniroute_addon.cli.usage import ledger_path
from omniroute_addon.home import data_dir

if TYPE_CHECKING:
    from omniroute_addon.ledger.budgets import Bucket
    from omniroute_addon.ledger.reports import Books
    from omniroute_addon.running import Running
    from translators.hub import JSON

LATEST = 5
HEALTH = "health"
QUOTA = "quota"
CACHE = "cache"
"""The keys of the proxy's state in the ledger."""


def status(
    *,
    config: ConfigOption = None,
    json: JSONOption = False,
    latest: Annotated[int, typer.Option("--latest", help="How many of the last calls to show.")] = LATEST,
) -> None:
    """Show the proxies that run, what rests, today's cost, budgets and the last calls; exit code 1 without a proxy."""
    from omniroute_addon import running
    from omniroute_addon.ledger import reports

    now = time.time()
    alive = [record for _, record in running.records(data_dir()) if record.alive]
    path = ledger_path(config or (running.config_of(alive[0]) if alive else None))
    found: dict[str, object] = {"proxies": [asdict(record) for record in alive]}
    try:
        with reports.books(path) as books:
            found |= _of_books(books, config or running.config_of(alive[0] if alive else None), latest, now)
    except reports.NoLedgerError as error:
        found["ledger"] = str(error)
    if json:
        console.as_json(found)
    else:
        _show(alive, found, now)
    raise typer.Exit(0 if alive else 1)


def quota(*, config: ConfigOption = None, json: JSONOption = False) -> None:
    """Show what is left of every account's quota windows, and when they begin again."""
    from omniroute_addon.ledger import reports

    now = time.time()
    try:
        with reports.books(ledger_path(config)) as books:
            known = books.state(QUOTA)
    except reports.NoLedgerError as error:
        console.fail(str(error))
    windows = _windows(known, now)
    if json:
        console.as_json(windows)
        return
    if not windows:
        console.say("no quota is known yet: it is read from the providers' answers")
        return
    rows = [
        (
            str(one["account"]),
            str(one["window"]),
            plots.gauge(_number(one["share"]) or 0),
            _left(one),
            _until(one["resets"], now),
            _learned(one, now),
        )
        for one in windows
    ]
    console.table(("account", "window", "", "", "resets", "learned"), rows)


# ── what is known ───────────────────────────────────────────────────────────────────────────────────────────────────


def _of_books(books: "Books", config: Path | None, latest: int, now: float) -> dict[str, object]:
    from omniroute_addon.ledger import reports

    day = reports.select("today", "now", {}, now)
    today = (books.sums(day) or [reports.Line(())])[0]
    replayed = books.replayed(day.since, day.until)
    return {
        "today": reports.plain(today, ()),
        "replayed": {
            "today": {how: {"calls": calls, "saved": saved / 1e6} for how, (calls, saved) in replayed.items()},
            "cache": books.state(CACHE),
        },
        "budgets": [_of_bucket(bucket) for bucket in _buckets(books, config, now)],
        "resting": [one for one in _resting(books.state(HEALTH)) if (_number(one.get("until")) or 0) > now],
        "latest": books.latest(latest),
    }


def _buckets(books: "Books", config: Path | None, now: float) -> "Sequence[Bucket]":
    from omniroute_addon.config import ConfigError
    from omniroute_addon.ledger.budgets import Budgets

    try:
        configured = snapshot_of(config).governance.budgets
    except ConfigError:
        return ()
    budgets = Budgets()
    budgets.use(configured, books.spent, now)
    return budgets.buckets(now)


def _of_bucket(bucket: "Bucket") -> dict[str, object]:
    return {
        "name": bucket.budget.name,
        "period": bucket.period,
        "each": bucket.each,
        "limit": bucket.limit / 1e6,
        "spent": bucket.spent / 1e6,
        "left": bucket.left / 1e6,
        "resets": bucket.end,
        "on_exceed": bucket.budget.on_exceed,
    }


def _resting(state: object, place: str = "") -> Iterator[dict[str, object]]:
    """Whatever in the state has an end: cooldowns, open breakers, lockouts."""
    if isinstance(state, Mapping):
        known = cast("Mapping[str, object]", state)
        if "until" in known:
            yield {"key": place, **known}
            return
        for name, value in known.items():
            yield from _resting(value, name)
    elif isinstance(state, list):
        for value in cast("list[object]", state):
            yield from _resting(value, place)


def _windows(state: object, now: float) -> list[dict[str, object]]:
    """Every window that the proxy knows, as it is by now."""
    from omniroute_addon.accounts.quota import Quotas

    quotas = Quotas()
    quotas.load(cast("JSON", state))
    return [
        {
            "account": account,
            "window": one.window,
            "share": one.share,
            "limit": one.limit,
            "resets": one.full,
            "source": one.source,
            "seen": one.seen,
            "heeded": one.gates,
        }
        for account in sorted(quotas.accounts())
        for one in quotas.windows(account, now)
    ]


# ── shown ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(alive: "Sequence[Running]", found: Mapping[str, object], now: float) -> None:
    if alive:
        rows = [
            [str(one.pid), *(value or "-" for value in (one.proxy, one.gateway, one.web, one.config))] for one in alive
        ]
        console.table(("pid", "proxy", "gateway", "web", "config"), rows)
    else:
        console.tell("no proxy is running; start one with: omniroute up")
    if "today" not in found:
        return
    _show_today(cast("Mapping[str, object]", found["today"]))
    _show_replayed(cast("Mapping[str, Mapping[str, Any]]", found["replayed"]))
    _show_budgets(_objects(found["budgets"]), now)
    _show_resting(_objects(found["resting"]), now)
    _show_latest(_objects(found["latest"]))


def _show_today(today: Mapping[str, object]) -> None:
    cost = plots.money(round((_number(today["cost"]) or 0) * 1e6), estimated=bool(today["estimated"]))
    tokens = plots.count((_number(today["input"]) or 0) + (_number(today["output"]) or 0))
    console.say(f"today: {today['calls']} calls, {tokens} tokens, {cost}")


def _show_replayed(found: Mapping[str, Mapping[str, Any]]) -> None:
    today, kept = found["today"], found["cache"]
    if today:
        calls = ", ".join(f"{one['calls']} {how}" for how, one in today.items())
        saved = plots.money(round(sum(one["saved"] for one in today.values()) * 1e6))
        console.say(f"answered again: {calls}; saved {saved} at list prices")
    if kept and kept["entries"]:
        console.say(f"cache: {kept['entries']} kept, {kept['bytes'] / 1024:.0f} KiB")
    if kept and (similar := kept.get("semantic")):
        console.say(
            f"semantic cache: {similar['entries']} kept, {similar['bytes'] / 1024:.0f} KiB; {similar['hits']} hits,"
            f" {similar['misses']} misses, {similar['failed']} without a vector"
        )


def _show_budgets(budgets: Sequence[Mapping[str, object]], now: float) -> None:
    if not budgets:
        return
    rows = [
        (
            f"{one['name']}{f' ({one["each"]})' if one['each'] else ''}",
            str(one["period"]),
            plots.gauge((_number(one["spent"]) or 0) / (_number(one["limit"]) or 1)),
            f"${one['spent']:.2f} of ${one['limit']:.2f}",
            _until(one["resets"], now),
        )
        for one in budgets
    ]
    console.table(("budget", "period", "", "spent", "resets"), rows, spare=("",))


def _show_resting(resting: Sequence[Mapping[str, object]], now: float) -> None:
    if resting:
        rows = [(str(one.get("key", "")), str(one.get("reason", "")), _until(one.get("until"), now)) for one in resting]
        console.table(("resting", "why", "until"), rows)


def _show_latest(latest: Sequence[Mapping[str, object]]) -> None:
    if not latest:
        return
    rows = [
        (
            plots.clock(_number(one["started"]) or 0),
            str(one["client"] or ""),
            str(one["model"] or ""),
            str(one["target"] or ""),
            str(one["attempts"] or 0),
            plots.count((_number(one["input"]) or 0) + (_number(one["output"]) or 0)),
            plots.money(round(_number(one["micro"]) or 0)),
            str(one["outcome"]),
        )
        for one in latest
    ]
    columns = ("last calls", "client", "model", "target", "tries", "tokens", "cost", "outcome")
    console.table(columns, rows, numbers=("tries", "tokens", "cost"), spare=("tries", "tokens", "client", "model"))


def _left(window: Mapping[str, object]) -> str:
    share, limit = _number(window["share"]) or 0, _number(window["limit"])
    amount = "" if limit is None else f", {plots.count(share * limit)} of {plots.count(limit)}"
    return f"{share:.0%} left{amount}"


def _learned(window: Mapping[str, object], now: float) -> str:
    """From what, when, and whether routing goes by it."""
    ago = f"{plots.duration(now - (_number(window['seen']) or 0))} ago"
    source = {"headers": f"from an answer {ago}", "error": f"from an error {ago}", "counted": "counted here"}
    shown = "" if window["heeded"] else ", only shown"
    return source[str(window["source"])] + shown


def _objects(value: object) -> Sequence[Mapping[str, object]]:
    return cast("Sequence[Mapping[str, object]]", value)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _until(value: object, now: float) -> str:
    when = _number(value)
    return "" if when is None else f"in {plots.duration(when - now)} ({plots.clock(when)})"
