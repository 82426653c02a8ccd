"""``omniroute usage`` and ``costs``: tokens and money of the calls in the ledger, in groups."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon.cli import console, plots
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of

if TYPE_CHECKING:
    from omniroute_addon.ledger.reports import Line, Selection

DAYS_SHOWN = 31
_SPARE = ("reasoning", "share", "tries", "cached", "failed", "output")
_NUMBERS = frozenset(
    ("calls", "tries", "failed", "input", "cached", "output", "reasoning", "tokens", "cost", "at list price")
)

SinceOption = Annotated[str, typer.Option("--since", help="7d, 12h, today, yesterday, 2026-11-01.")]
UntilOption = Annotated[str, typer.Option("--until", help="The same; not included.")]
ByOption = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        help="provider, model, account, client, key, tier, combo, target, asked, outcome, day, hour; or several.",
    ),
]
CSVOption = Annotated[bool, typer.Option("--csv", help="Comma-separated, with a header.")]
ClientFilter = Annotated[str | None, typer.Option("--client", help="Only this client (glob).")]
KeyFilter = Annotated[str | None, typer.Option("--key", help="Only this gateway key (glob).")]
ProviderFilter = Annotated[str | None, typer.Option("--provider", help="Only this provider (glob).")]
AccountFilter = Annotated[str | None, typer.Option("--account", help="Only this account (glob).")]
ModelFilter = Annotated[str | None, typer.Option("--model", help="Only this upstream model (glob).")]
TierFilter = Annotated[str | None, typer.Option("--tier", help="Only this tier (glob).")]
ComboFilter = Annotated[str | None, typer.Option("--combo", help="Only this combo (glob).")]


def usage(
    *,
    since: SinceOption = "7d",
    until: UntilOption = "now",
    by: ByOption = None,
    client: ClientFilter = None,
    key: KeyFilter = None,
    provider: ProviderFilter = None,
    account: AccountFilter = None,
    model: ModelFilter = None,
    tier: TierFilter = None,
    combo: ComboFilter = None,
    config: ConfigOption = None,
    json: JSONOption = False,
    as_csv: CSVOption = False,
) -> None:
    """Show the tokens that calls took, by model or in other groups."""
    where = _where(client, key, provider, account, model, tier, combo)
    _report(_Asked("usage", since, until, _groups(by, "model"), where, config, json, as_csv))


def costs(
    *,
    since: SinceOption = "30d",
    until: UntilOption = "now",
    by: ByOption = None,
    client: ClientFilter = None,
    key: KeyFilter = None,
    provider: ProviderFilter = None,
    account: AccountFilter = None,
    model: ModelFilter = None,
    tier: TierFilter = None,
    combo: ComboFilter = None,
    config: ConfigOption = None,
    json: JSONOption = False,
    as_csv: CSVOption = False,
) -> None:
    """Show what calls cost, by provider or in other groups, and what they were worth at list prices."""
    where = _where(client, key, provider, account, model, tier, combo)
    _report(_Asked("costs", since, until, _groups(by, "provider"), where, config, json, as_csv))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options of a report."""

    what: str
    since: str
    until: str
    by: tuple[str, ...]
    where: dict[str, str | None]
    config: Path | None
    json: bool
    csv: bool


def ledger_path(config: Path | None) -> Path:
    """The database of a configuration: the one named, else that of the running proxy, else the default one."""
    from omniroute_addon import running
    from omniroute_addon.config import ConfigError
    from omniroute_addon.home import data_dir
    from omniroute_addon.ledger.ledger import path_of

    try:
        return path_of(snapshot_of(config or running.config_of(running.find(data_dir()))))
    except ConfigError:
        if config is not None:
            raise
        return data_dir() / "ledger.db"  # what was recorded is there even when the rules have an error now


def _report(asked: _Asked) -> None:
    from omniroute_addon.ledger import reports

    try:
        chosen = reports.select(asked.since, asked.until, asked.where)
    except ValueError as error:
        console.fail(str(error), code=2)
    for name in asked.by:
        if name not in reports.GROUPS:
            console.fail(f"cannot group by {name!r}", hint=f"Groups are {', '.join(reports.GROUPS)}.", code=2)
    try:
        with reports.books(ledger_path(asked.config)) as open_books:
            lines = open_books.sums(chosen, asked.by)
            whole = (open_books.sums(chosen) or [reports.Line(())])[0]
            days = open_books.sums(chosen, ("day",))
    except reports.NoLedgerError as error:
        console.fail(str(error))
    if asked.json:
        rows = [reports.plain(line, asked.by) for line in lines]
        span = {"since": chosen.since, "until": chosen.until, "by": asked.by}
        console.as_json({**span, "rows": rows, "total": reports.plain(whole, ())})
    elif asked.csv:
        console.write(reports.as_csv(lines, asked.by))
    else:
        _show(asked, chosen, lines, whole, days)


def _show(asked: _Asked, chosen: "Selection", lines: "Sequence[Line]", whole: "Line", days: "Sequence[Line]") -> None:
    if not whole.attempts:
        console.say(f"no calls since {plots.clock(chosen.since)}")
        return
    title = f"{asked.what} since {plots.clock(chosen.since)}"
    ordered = list(lines) if set(asked.by) & {"day", "hour"} else sorted(lines, key=_weight(asked.what), reverse=True)
    if asked.what == "usage":
        columns = (*asked.by, "calls", "tries", "failed", "input", "cached", "output", "reasoning", "cost", "share")
        rows = [_usage_row(line, line.tokens / max(whole.tokens, 1)) for line in ordered]
        rows.append(("total", *[""] * (len(asked.by) - 1), *_usage_row(whole, None)))
    else:
        columns = (*asked.by, "calls", "tokens", "cost", "at list price", "share")
        rows = [_cost_row(line, line.micro / max(whole.micro, 1)) for line in ordered]
        rows.append(("total", *[""] * (len(asked.by) - 1), *_cost_row(whole, None)))
    console.table(columns, rows, title=title, numbers=_NUMBERS, spare=_SPARE)
    if len(days) > 1 and "day" not in asked.by:
        _show_days(asked.what, days)
    if whole.estimated:
        console.tell(f"~ {whole.estimated} of {whole.attempts} tries have an estimated cost", "dim")
    if whole.unknown:
        console.tell(f"? {whole.unknown} answers have no known cost: give their models a price under `prices:`", "dim")


def _weight(what: str) -> "Callable[[Line], object]":
    return (lambda line: line.tokens) if what == "usage" else (lambda line: (line.micro, line.worth, line.tokens))


def _usage_row(line: "Line", share: float | None) -> tuple[str, ...]:
    numbers = (line.input, line.cache_read, line.output, line.reasoning)
    return (
        *line.group,
        str(line.calls),
        str(line.attempts),
        str(line.failed),
        *(plots.count(number) for number in numbers),
        _cost(line),
        "" if share is None else plots.bar(share),
    )


def _cost_row(line: "Line", share: float | None) -> tuple[str, ...]:
    return (
        *line.group,
        str(line.calls),
        plots.count(line.tokens),
        _cost(line),
        plots.money(line.worth) if line.worth or not line.unknown else "",
        "" if share is None else plots.bar(share),
    )


def _cost(line: "Line") -> str:
    """What nobody knows is not nothing."""
    if line.unknown and not line.micro and line.unknown == line.attempts - line.failed:
        return "unknown"
    return plots.money(line.micro, estimated=line.estimated > 0) + (" + ?" if line.unknown else "")


def _show_days(what: str, days: "Sequence[Line]") -> None:
    """One bar a day, the latest last."""
    shown = days[-DAYS_SHOWN:]
    values = [line.tokens if what == "usage" else line.micro for line in shown]
    most = max(values) or 1
    console.table(
        ("day", "tokens" if what == "usage" else "cost", ""),
        [
            (line.group[0], plots.count(value) if what == "usage" else plots.money(value), plots.bar(value / most, 40))
            for line, value in zip(shown, values, strict=True)
        ],
        numbers=_NUMBERS,
    )


def _groups(by: list[str] | None, default: str) -> tuple[str, ...]:
    named = [name.strip() for one in by or [] for name in one.split(",") if name.strip()]
    return tuple(dict.fromkeys(named)) or (default,)


def _where(  # noqa: PLR0917 -- one for each option
    client: str | None,
    key: str | None,
    provider: str | None,
    account: str | None,
    model: str | None,
    tier: str | None,
    combo: str | None,
) -> dict[str, str | None]:
    return {
        "client": client,
        "key": key,
        "provider": provider,
        "account": account,
        "model": model,
        "tier": tier,
        "combo": combo,
    }
