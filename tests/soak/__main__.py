"""``python -m tests.soak`` and ``python -m tests.soak fuzz``: long runs against a real proxy; exit code 1 for any fault."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.soak.fuzz.run import Outcome
from tests.soak.fuzz.run import fuzz as run_fuzz
from tests.soak.run import Report
from tests.soak.run import soak as run_soak

_out = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
_progress = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def soak(
    context: typer.Context,
    *,
    calls: Annotated[int, typer.Option(min=100, help="Mixed calls.")] = 50_000,
    held: Annotated[int, typer.Option(min=0, help="Streams that are held open at once.")] = 1000,
    seed: Annotated[int, typer.Option(help="Which calls.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Calls under way at once.")] = 16,
    web: Annotated[bool, typer.Option("--web", help="With mitmweb.")] = False,
) -> None:
    """Mixed calls and held streams; what is left of them when they have ended."""
    if context.invoked_subcommand is not None:
        return
    with _progress.status("starting") as status:
        report = run_soak(calls, held, seed=seed, workers=workers, headless=not web, tell=status.update)
    _show(report)
    raise typer.Exit(1 if report.faults else 0)


def _megabytes(samples: list[tuple[int, float]]) -> str:
    shown = samples[:: max(1, len(samples) // 12)]
    return ", ".join(f"{rss:.0f} MB at {calls:,}" for calls, rss in shown)


def _show(report: Report) -> None:
    assert report.idle is not None
    assert report.warm is not None
    assert report.end is not None
    total = report.calls.total()
    _out.print(f"{total:,} calls in {report.seconds:.0f} s, {report.held:,} streams held at once")
    _out.print("  " + ", ".join(f"{name} {count}" for name, count in report.calls.most_common()))
    _out.print(
        f"memory: {report.idle.rss:.0f} MB idle, {report.warm.rss:.0f} after warm-up, {report.end.rss:.0f} at the end"
    )
    _out.print(f"  {_megabytes(report.samples)}")
    for census in (report.warm, report.end):
        _out.print("  " + ", ".join(f"heap {name} {size >> 20} MB" for name, size in census.heap.items()))
    _out.print(
        f"tasks {sum(report.warm.tasks.values())} → {sum(report.end.tasks.values())}, files {dict(report.end.files)}"
    )
    for name, count in sorted(report.end.sizes.items(), key=lambda item: -item[1])[:25]:
        _out.print(f"  {count:>8} {name} ({report.warm.sizes.get(name, 0)} after warm-up)")
    for fault in report.faults:
        _out.print(f"✗ {fault}", style="red", markup=False)
    _out.print("✓ passed" if not report.faults else f"✗ {len(report.faults)} faults")


@app.command()
def fuzz(
    *,
    calls: Annotated[int, typer.Option(min=10, help="Hostile calls.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Which calls.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that make them.")] = 2,
    log: Annotated[Path | None, typer.Option(help="Where the proxy's log is kept.")] = None,
) -> None:
    """Hostile clients and providers at a running proxy, and a clean client beside them."""
    with _progress.status("starting") as status:
        outcome = run_fuzz(calls, seed, workers, tell=status.update)
    _show_outcome(outcome, seed)
    if log is not None:
        log.write_text(outcome.log)
    raise typer.Exit(1 if outcome.faults else 0)


def _show_outcome(outcome: Outcome, seed: int) -> None:
    rate = outcome.calls / max(outcome.seconds, 1)
    _out.print(f"{outcome.calls:,} hostile calls of seed {seed} in {outcome.seconds:.0f} s ({rate:.0f}/s)")
    _out.print(f"  reached an upstream: {outcome.reached:,} ({outcome.reached / max(outcome.calls, 1):.0%})")
    _out.print("  " + ", ".join(f"{name} {count:,}" for name, count in outcome.kinds.most_common()))
    _out.print("  statuses: " + ", ".join(f"{name} {count:,}" for name, count in outcome.statuses.most_common()))
    per_call = outcome.cpu * 1000 / max(outcome.calls + outcome.right, 1)
    _out.print(f"  the proxy used {outcome.cpu:.0f} s of processor time, {per_call:.1f} ms for each call")
    _out.print(f"clean client: {outcome.right:,} right, {len(outcome.wrong)} wrong, slowest {outcome.slowest:.1f} s")
    _out.print(f"memory: {_megabytes(outcome.samples)}")
    if outcome.idle is not None and outcome.end is not None:
        _out.print(f"tasks {sum(outcome.idle.tasks.values())} → {sum(outcome.end.tasks.values())}")
        _out.print(", ".join(f"heap {name} {size >> 20} MB" for name, size in outcome.end.heap.items()))
        grown = {**outcome.end.sizes, **outcome.end.objects}
        before = {**outcome.idle.sizes, **outcome.idle.objects}
        for name in sorted(grown, key=lambda name: before.get(name, 0) - grown[name])[:15]:
            _out.print(f"  {before.get(name, 0):>8} → {grown[name]:>8} {name}")
    for fault in outcome.faults[:30]:
        _out.print(f"✗ {fault}", style="red", markup=False)
    _out.print("✓ passed" if not outcome.faults else f"✗ {len(outcome.faults)} faults")


if __name__ == "__main__":
    app()
