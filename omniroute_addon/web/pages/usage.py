"""Usage and costs: the ledger's sums in groups and over time, what is left of budgets, and the rows as CSV."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from omniroute_addon.ledger import reports
from omniroute_addon.ledger.budgets import dollars
from omniroute_addon.ledger.reports import Books, Line, Selection
from omniroute_addon.web import charts, figures
from omniroute_addon.web.replays import choices
from omniroute_addon.web.resource import Answer, Download, Page, Resource
from omniroute_addon.web.site import Site
from omniroute_addon.web.spans import SpanAsked

type By = Literal["provider", "model", "account", "client", "key", "tier", "combo", "target", "asked", "day", "hour"]
type Measure = Literal["cost", "worth", "tokens", "calls"]

SPANS = ("today", "24h", "7d", "30d", "90d")
TIMES = ("day", "hour")
MOST = 5000
ROWS = 100
SERIES = 6
"""The greatest groups that a chart tells apart; the others are one."""
HOURS, DAYS = 2 * 86400.0, 62 * 86400.0
"""Up to which span a chart has a bar for each hour, and for each day; of longer ones for each month."""
SLOTS = 62
_GLOB = Field(default="", max_length=200, description="A glob")


class UsageAsked(SpanAsked):
    by: By = "provider"
    measure: Measure = Field(default="cost", description="What the chart shows, and what the rows are ordered by")
    limit: int = Field(default=ROWS, ge=1, le=MOST, description="Rows; the CSV has all")
    provider: str = _GLOB
    model: str = _GLOB
    account: str = _GLOB
    client: str = _GLOB
    key: str = _GLOB
    tier: str = _GLOB
    combo: str = _GLOB
    target: str = _GLOB
    asked: str = _GLOB

    @property
    def where(self) -> dict[str, str]:
        """The filters that are set."""
        return {name: glob for name in reports.FILTERS if (glob := str(getattr(self, name)))}

    def query(self, **changed: object) -> dict[str, object]:
        """For a link to the same page with something changed; what is as always is left out."""
        return {**self.model_dump(exclude_defaults=True), **changed}


class Sums(Answer):
    """Money is US dollars, tokens are those that providers have reported."""

    calls: int
    attempts: int
    failed: int
    """Attempts."""
    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    """Of the output."""
    cost: float
    worth: float
    """At list prices, whoever paid."""
    estimated: int
    """Attempts whose cost is an estimate."""
    unknown: int
    """Answers whose cost nobody knows."""

    @property
    def tokens(self) -> int:
        return self.input + self.output


class Group(Sums):
    name: str
    share: float
    """Of the measure, 0 to 1."""


class Slot(Answer):
    """An hour, day or month in local time, and the measure of each series in it."""

    name: str
    values: tuple[float, ...]


class Budget(Answer):
    """A budget in the period that runs; US dollars."""

    name: str
    period: str
    each: str | None
    limit: float
    spent: float
    held: float
    """For calls under way."""
    left: float
    resets: float
    on_exceed: str


class Usage(Answer):
    since: float
    until: float
    total: Sums
    rows: tuple[Group, ...]
    more: int
    """Rows that are not here."""
    unit: Literal["hour", "day", "month"]
    series: tuple[str, ...]
    slots: tuple[Slot, ...]
    budgets: tuple[Budget, ...] = ()
    targets: tuple[str, ...] = ()
    """That the rules name; to reckon with at ``usage/elsewhere``."""
    chart: SkipJsonSchema[str] = Field(exclude=True)


async def usage(site: Site, asked: UsageAsked) -> Usage:
    """Tokens and money of the calls in the ledger, by groups and over time."""
    chosen = asked.chosen(asked.where)
    budgets, targets = _budgets(site), choices(site.snapshot)
    found = await site.ledger(lambda books: _read(books, asked, chosen))
    return found.model_copy(update={"budgets": budgets, "targets": targets})


async def as_csv(site: Site, asked: UsageAsked) -> Download:
    """All rows of a report as comma-separated values."""
    chosen = asked.chosen(asked.where)
    lines = await site.ledger(lambda books: books.sums(chosen, (asked.by,)))
    if asked.by not in TIMES:
        lines.sort(key=lambda line: _weight(line, asked.measure), reverse=True)
    return Download(f"omniroute-usage-by-{asked.by}.csv", reports.as_csv(lines, (asked.by,)))


def _budgets(site: Site) -> tuple[Budget, ...]:
    buckets = site.engine.money.budgets.buckets(site.engine.now())
    return tuple(
        Budget(
            name=one.budget.name,
            period=one.period,
            each=one.each,
            limit=one.limit / 1e6,
            spent=one.spent / 1e6,
            held=one.reserved / 1e6,
            left=one.left / 1e6,
            resets=one.end,
            on_exceed=one.budget.on_exceed,
        )
        for one in sorted(buckets, key=lambda one: (one.budget.name, one.limit, one.each or ""))
    )


def _read(books: Books, asked: UsageAsked, chosen: Selection) -> Usage:
    """In a thread: the chart takes tens of milliseconds."""
    total = (books.sums(chosen) or [Line(())])[0]
    lines = books.sums(chosen, (asked.by,))
    lines.sort(key=lambda line: _order(line, asked), reverse=True)
    whole = sum(_value(line, asked.measure) for line in lines)
    groups = () if asked.by in TIMES else (asked.by,)
    unit = _unit(chosen)
    over_time = books.sums(chosen, ("hour" if unit == "hour" else "day", *groups))
    series, slots = _slots(over_time, lines if groups else (), chosen, unit, asked.measure)
    return Usage(
        since=chosen.since,
        until=chosen.until,
        total=Sums.model_validate(reports.plain(total, ())),
        rows=tuple(
            Group.model_validate(
                {
                    **reports.plain(line, ("name",)),
                    "share": _value(line, asked.measure) / whole if whole else 0,
                }
            )
            for line in lines[: asked.limit]
        ),
        more=max(0, len(lines) - asked.limit),
        unit=unit,
        series=series,
        slots=slots,
        chart=_chart(series, slots, asked.measure) if total.attempts else "",
    )


def _value(line: Line, measure: Measure) -> float:
    match measure:
        case "cost":
            return line.micro / 1e6
        case "worth":
            return line.worth / 1e6
        case "tokens":
            return line.tokens
        case "calls":
            return line.calls


def _weight(line: Line, measure: Measure) -> tuple[float, ...]:
    return _value(line, measure), line.worth, line.tokens, line.attempts


def _order(line: Line, asked: UsageAsked) -> tuple[Any, ...]:
    return line.group if asked.by in TIMES else _weight(line, asked.measure)


# ── over time ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _unit(chosen: Selection) -> Literal["hour", "day", "month"]:
    length = chosen.until - chosen.since
    return "hour" if length <= HOURS + 60 else "day" if length <= DAYS else "month"


def _slots(
    lines: Sequence[Line], greatest: Sequence[Line], chosen: Selection, unit: str, measure: Measure
) -> tuple[tuple[str, ...], tuple[Slot, ...]]:
    """The sums of ``lines`` (time, then group) by slot and series; without groups there is one series."""
    known = [line.group[0] for line in greatest[:SERIES]]
    rest = len(greatest) - len(known)
    series = (*known, *([f"… +{rest}"] if rest else [])) or ("",)
    place: Mapping[str, int] = {name: number for number, name in enumerate(known)}
    found: dict[str, list[float]] = {}
    for line in lines:
        values = found.setdefault(_slot(line.group[0], unit), [0.0] * len(series))
        values[place.get(line.group[1], len(series) - 1) if greatest else 0] += _value(line, measure)
    if not found:
        return series, ()
    names = list(dict.fromkeys((*_between(min(found), chosen, unit), *sorted(found))))[-SLOTS:]
    return series, tuple(Slot(name=name, values=tuple(found.get(name, [0.0] * len(series)))) for name in names)


def _slot(name: str, unit: str) -> str:
    return name[:7] if unit == "month" else name


def _between(first: str, chosen: Selection, unit: str) -> Iterator[str]:
    """Every slot from the first that has something until the end."""
    form = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}[unit]
    end = datetime.fromtimestamp(min(chosen.until, datetime.now().timestamp()))  # noqa: DTZ005, DTZ006 -- local
    at = datetime.strptime(first, form)  # noqa: DTZ007 -- local
    for _ in range(100 * SLOTS):
        if at > end:
            return
        yield at.strftime(form)
        step = {"hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(days=31)}[unit]
        at = (at + step).replace(day=1) if unit == "month" else at + step


def _chart(series: Sequence[str], slots: Sequence[Slot], measure: Measure) -> str:
    names = [slot.name[5:].replace(":00", " h") if len(slot.name) > 7 else slot.name for slot in slots]
    values = {name: [slot.values[number] for slot in slots] for number, name in enumerate(series)}
    words = figures.short if measure in ("tokens", "calls") else _dollars
    return charts.bars(f"{slots[0].name} – {slots[-1].name}", names, values, words)


def _dollars(value: float) -> str:
    return figures.money(value * 1e6)


def in_words(amount: float) -> str:
    """Dollars of a budget."""
    return dollars(round(amount * 1e6))


def drill(by: str, name: str) -> dict[str, str] | None:
    """The filter that a group's name stands for; None for what has no name."""
    if by in TIMES or name in ("-", "unknown"):
        return None
    if by == "account":
        provider, _, account = name.rpartition("/")
        return None if account == "-" else {"provider": provider, "account": account}
    return {by: name}


RESOURCES = (
    Resource(
        "GET",
        "usage",
        usage,
        page=Page(
            "usage",
            "usage.html",
            "usage.title",
            values={
                "spans": SPANS,
                "groups": get_args(By.__value__),
                "measures": get_args(Measure.__value__),
                "charts": charts,
                "drill": drill,
                "dollars": in_words,
                "apart": figures.apart,
            },
        ),
    ),
    Resource("GET", "usage/csv", as_csv, download="text/csv"),
)
