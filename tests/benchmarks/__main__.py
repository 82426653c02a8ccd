"""``make bench``: our proxy against stock mitmdump, the translators and the planner alone; a table, or ``--json``.

``--profile`` names the first costs of each load instead (needs py-spy and the right to watch another process).
"""

import platform
import sys
from dataclasses import asdict
from typing import Annotated, Literal

import orjson
import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks import burst, live, pages, planner, profiles, proxies, translators
from tests.benchmarks.pages import PAINT_TARGET, PageFigure
from tests.benchmarks.planner import PLAN_TARGET, PlanFigure
from tests.benchmarks.proxies import Row
from tests.benchmarks.report import lines_of_live, write, write_pages, write_profiles
from tests.benchmarks.subjects import OURS, PASSTHROUGH, STOCK, SUBJECTS, TRANSLATED
from tests.benchmarks.translators import EVENTS_TARGET, LISTENER_TARGET, REQUEST_TARGET, Figures

LATER = 20.0
"""Milliseconds by which a chunk may reach the client later than through mitmproxy alone."""

_out = Console(width=None if sys.stdout.isatty() else 160)
_progress = Console(stderr=True)


def main(
    *,
    only: Annotated[
        Literal["proxies", "translators", "planner", "pages"] | None, typer.Option(help="One of the four parts.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds over the subjects.")] = 3,
    minutes: Annotated[float, typer.Option(min=0.2, help="How long the live page is watched.")] = 0.5,
    json: Annotated[bool, typer.Option("--json", help="Every value of every round, as JSON.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Where the time goes, load by load.")] = False,
) -> None:
    """Measure on loopback; takes about ten minutes with three rounds, and writes docs/performance.md."""
    with _progress.status("starting") as status:

        def tell(what: str) -> None:
            status.update(what)

        if profile:
            write_profiles(profiles.measure(tell))
            return
        rows = proxies.measure(rounds, tell) + burst.measure(rounds, tell) if only in (None, "proxies") else []
        figures = translators.measure(tell) if only in (None, "translators") else None
        tell("the planner")
        plans = planner.measure() if only in (None, "planner") else []
        with_pages = only in (None, "pages")
        painted = pages.measure(tell) if with_pages else []
        watched = live.throughput(rounds, tell) if with_pages else []
        steady = live.steady(minutes, tell) if with_pages else None
    if json:
        document = {
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "proxies": [asdict(row) | {"median": row.median} for row in rows],
            "translators": asdict(figures) if figures else None,
            "planner": [asdict(figure) for figure in plans],
            "pages": [asdict(figure) for figure in painted],
            "live": {"watched": [asdict(one) for one in watched], "steady": asdict(steady) if steady else None},
        }
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        return
    if rows:
        _show_proxies(rows)
        write(rows)
    if figures:
        _show_translators(figures)
    if plans:
        _show_plans(plans)
    if painted and steady:
        _show_pages(painted)
        for line in lines_of_live(watched, steady):
            _out.print(line, markup=False)
        write_pages(painted, watched, steady)


def _show_pages(figures: list[PageFigure]) -> None:
    table = Table("page", title=f"pages with {pages.CALLS:,} calls in the ledger, medians", title_justify="left")
    table.add_column("server, ms", justify="right")
    table.add_column(f"first paint, ms (at most {PAINT_TARGET:.0f})", justify="right")
    for one in figures:
        style = "green" if one.paint <= PAINT_TARGET else "red"
        table.add_row(one.path, f"{one.server:.0f}", f"[{style}]{one.paint:.0f}[/]")
    _out.print(table)


def _show_proxies(rows: list[Row]) -> None:
    table = Table(title="median of the rounds (lowest to highest)", title_justify="left")
    table.add_column("measure")
    for name in SUBJECTS:
        table.add_column(name, justify="right")
    measures: dict[str, dict[str, Row]] = {}
    for row in rows:
        measures.setdefault(row.measure, {})[row.subject] = row
    for measure, found in measures.items():
        # What concerns our process as a whole stands in the column of its fullest work.
        cells = {TRANSLATED: found.get(OURS), **found}
        unit = next(iter(found.values())).unit
        table.add_row(f"{measure}, {unit}", *(_cell(row) if (row := cells.get(name)) else "" for name in SUBJECTS))
    _out.print(table)
    for clients in (1, 16):
        of_median, of_p99 = (measures[f"delay of a chunk, c={clients}, {what}"] for what in ("median", "p99"))
        for name in (PASSTHROUGH, TRANSLATED):
            later = of_median[name].median - of_median[STOCK].median
            at_worst = of_p99[name].median - of_p99[STOCK].median
            passed = later <= LATER and at_worst <= LATER
            _out.print(
                f"{'✓' if passed else '✗'} c={clients}, {name}: each chunk {later:+.1f} ms against mitmproxy alone"
                f" (p99 {at_worst:+.1f} ms; allowed +{LATER:.0f} ms)",
                style="green" if passed else "red",
            )


def _cell(row: Row) -> str:
    digits = 0 if row.median >= 100 else 2
    return f"{row.median:,.{digits}f} ({min(row.values):,.{digits}f}…{max(row.values):,.{digits}f})"


def _show_translators(figures: Figures) -> None:
    table = Table(
        title=f"translators, one core; request of {figures.request_bytes / 1000:.0f} KB", title_justify="left"
    )
    for column in ("client", "upstream", "request ms", "stream events/s"):
        table.add_column(column, justify="right" if column[-1] == "s" else "left")
    for pair in figures.pairs:
        events = pair.events_per_second
        table.add_row(
            pair.client,
            pair.upstream,
            _judged(f"{pair.request_ms:.2f}", good=pair.request_ms <= REQUEST_TARGET),
            "passthrough" if events is None else _judged(f"{events:,.0f}", good=events >= EVENTS_TARGET),
        )
    _out.print(table)
    listeners = Table(title="passthrough listener", title_justify="left")
    listeners.add_column("format")
    listeners.add_column("MB/s", justify="right")
    for one in figures.listeners:
        good = one.megabytes_per_second >= LISTENER_TARGET
        listeners.add_row(one.format, _judged(f"{one.megabytes_per_second:.0f}", good=good))
    _out.print(listeners)
    _out.print(
        f"targets: request ≤ {REQUEST_TARGET:g} ms, ≥ {EVENTS_TARGET:,.0f} events/s, listener ≥ {LISTENER_TARGET:g} MB/s;"
        " red is below"
    )


def _show_plans(plans: list[PlanFigure]) -> None:
    table = Table(
        title=f"one plan: {planner.ROUTES} rules, {planner.TARGETS} candidates; target ≤ {PLAN_TARGET:.0f} µs",
        title_justify="left",
    )
    table.add_column("strategy")
    table.add_column("µs", justify="right")
    for one in plans:
        table.add_row(one.strategy, _judged(f"{one.microseconds:.0f}", good=one.microseconds <= PLAN_TARGET))
    _out.print(table)


def _judged(text: str, *, good: bool) -> str:
    return f"[{'green' if good else 'red'}]{text}[/]"


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
