"""The figures of a run in ``docs/performance.md``: a table, line by line against the targets, and the profiles."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.burst import ADDED, LATER
from tests.benchmarks.live import FLAT, LEFT_TARGET, NOBODY, RATE, Steady, Watched
from tests.benchmarks.pages import CALLS, PAINT_TARGET, PageFigure
from tests.benchmarks.profiles import FIRST, Profile
from tests.benchmarks.proxies import HELD, Row
from tests.benchmarks.subjects import OURS, PASSTHROUGH, STOCK, TRANSLATED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
_END = "<!-- end -->\n"
_TABLE, _PROFILES = "<!-- written by make bench -->\n", "<!-- written by make profile -->\n"
_PAGES = "<!-- pages, written by make bench -->\n"

_HEAD = """\
{machine}; the machine's load at the end of the run was {load}.

| measure | stock | passthrough | × | translated | × | target |
|---|---:|---:|---:|---:|---:|---|
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Of ``measure``; ``at_least`` compares with stock, ``at_most`` is absolute."""

    measure: str
    at_least: float | None = None
    at_most: float | None = None


TARGETS = (
    Target("requests/s, c=1", at_least=1.3),
    Target("requests/s, c=16", at_least=1.3),
    Target("requests/s, c=64", at_least=1.3),
    Target("chunks/s, c=16, full speed", at_least=3.0),
    Target("first token, kept connection", at_least=1.0),
    Target("requests/s with mitmweb, c=16", at_least=1.0),
    Target(f"{HELD} held streams, delay of a chunk, p99", at_most=150.0),
    Target(ADDED, at_most=LATER),
    Target("RSS peak, all loads", at_most=250.0),
    Target("RSS peak, held streams", at_most=250.0),
    Target("start until calls are served", at_most=1.5),
)
_BY_MEASURE = {target.measure: target for target in TARGETS}


def write(rows: list[Row]) -> None:
    _replace(_TABLE, _HEAD.format(machine=_machine(), load=f"{os.getloadavg()[0]:.1f}") + "".join(_lines(rows)))


def write_profiles(profiles: list[Profile]) -> None:
    head = f"{_machine()}. Shares of the time of the thread that does the work; the first {FIRST} of each load.\n\n"
    lines = [
        f"- **{one.scenario}**: {', '.join(f'`{name}` {share:.1%}' for name, share in one.costs)}\n" for one in profiles
    ]
    _replace(_PROFILES, head + "".join(lines))


def write_pages(painted: list[PageFigure], watched: list[Watched], steady: Steady) -> None:
    head = f"{_machine()}; the machine's load at the end of the run was {os.getloadavg()[0]:.1f}.\n\n"
    rows = [
        f"| `{one.path}` | {one.server:.0f} | {one.paint:.0f} | {'met' if one.paint <= PAINT_TARGET else 'missed'} |\n"
        for one in painted
    ]
    table = f"| page, {CALLS:,} calls | server, ms | first paint, ms | ≤ {PAINT_TARGET:.0f} ms |\n|---|---:|---:|---|\n"
    lines = "\n".join(lines_of_live(watched, steady))
    _replace(_PAGES, head + table + "".join(rows) + f"\n{lines}\n")


def lines_of_live(watched: list[Watched], steady: Steady) -> list[str]:
    """Tables in Markdown."""
    lines = [
        "| 16 clients, translated | requests/s | × | CPU per request, ms | × | target |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for one in watched:
        judged = (
            "" if one.condition == NOBODY else f"{'met' if one.left >= LEFT_TARGET else 'missed'}: ≥ {LEFT_TARGET:g}"
        )
        lines.append(
            f"| {one.condition} | {one.rate:.0f} | {one.left:.2f} | {one.cost:.2f} | {one.times:.2f} | {judged} |"
        )
    last = steady.looks[-1]
    minutes = last.at / 60
    told = (
        ("script's heap, MB", lambda look: look.heap, ".1f"),
        ("DOM nodes", lambda look: look.nodes, ",.0f"),
        ("renderer's memory, MB", lambda look: look.renderer, ".0f"),
        ("page's processor time, of a core", lambda look: look.busy, ".2f"),
        ("proxy's memory, MB", lambda look: look.proxy, ".0f"),
        ("rows", lambda look: look.rows, ".0f"),
        ("newest row's age, s", lambda look: look.behind, ".1f"),
    )
    lines += [
        "",
        f"| {minutes:.1f} minutes at {steady.rate:.0f} exchanges/s (target {RATE}) | lowest | highest | end against begin | target |",
        "|---|---:|---:|---:|---|",
    ]
    for name, value, form in told:
        several = [value(look) for look in steady.looks]
        grown = steady.grown(value)
        target = f"{'met' if grown <= FLAT else 'missed'}: ≤ {FLAT:g}" if "MB" in name or "nodes" in name else ""
        lines.append(
            f"| {name} | {format(min(several), form)} | {format(max(several), form)} | {grown:.2f} | {target} |"
        )
    lines += ["", f"Tasks of the page above 50 ms: {last.tasks}, the longest {last.longest:.0f} ms."]
    return lines


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _replace(begin: str, text: str) -> None:
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text(before + begin + text + _END + rest.partition(_END)[2])


def _lines(rows: list[Row]) -> list[str]:
    measures: dict[str, dict[str, Row]] = {}
    for row in rows:
        measures.setdefault(row.measure, {})[row.subject] = row
    return [_line(measure, found) for measure, found in measures.items()]


def _line(measure: str, found: dict[str, Row]) -> str:
    stock = found.get(STOCK)
    cells = [f"{measure}, {next(iter(found.values())).unit}", _number(stock.median) if stock else ""]
    ours = [found.get(PASSTHROUGH), found.get(TRANSLATED) or found.get(OURS)]
    for row in ours:
        if row is None:
            cells += ["", ""]
        else:
            cells += [_number(row.median), f"{_times(row, stock):.2f}" if stock else ""]
    present = [row for row in ours if row is not None]
    cells.append(_judged(_BY_MEASURE.get(measure), present, stock) if stock else "")
    return f"| {' | '.join(cells)} |\n"


def _times(row: Row, stock: Row) -> float:
    more_is_better = row.unit in ("1/s", "of them")
    return median(
        (own / theirs if more_is_better else theirs / own) if own and theirs else 0.0
        for own, theirs in zip(row.values, stock.values, strict=True)
    )


def _judged(target: Target | None, ours: list[Row], stock: Row) -> str:
    if target is None:
        return ""
    if target.at_least is not None:
        passed = all(_times(row, stock) >= target.at_least for row in ours)
        return f"{'met' if passed else 'missed'}: ≥ {target.at_least:g} × stock"
    assert target.at_most is not None
    passed = all(row.median <= target.at_most for row in ours)
    return f"{'met' if passed else 'missed'}: ≤ {target.at_most:g} {stock.unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
