"""``omniroute evals``: ask suites of targets through the proxy, judge the answers, keep the scorecards."""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon.cli import console, plots
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of
from omniroute_addon.cli.run import KEY_VARIABLE, joined_or_started
from omniroute_addon.cli.usage import ledger_path
from omniroute_addon.home import data_dir

if TYPE_CHECKING:
    from omniroute_addon.evals.run import Card
    from omniroute_addon.evals.suite import Suite

app = typer.Typer(help="Ask suites of questions and keep score.", no_args_is_help=True, rich_markup_mode=None)


@app.command(name="list")
def list_(*, json: JSONOption = False) -> None:
    """List the suites: those that ship, and those of evals/ in the data dir."""
    from omniroute_addon.config import ConfigError
    from omniroute_addon.evals.suite import available, load

    found: list[dict[str, object]] = []
    for name, path in available(data_dir()).items():
        try:
            suite = load(path)
            known = {"cases": len(suite.cases), "title": suite.title, "description": suite.description}
        except ConfigError as error:
            known = {"cases": 0, "title": "", "description": f"cannot be used: {error}"}
        found.append({"name": name, **known, "file": str(path)})
    if json:
        console.as_json(found)
        return
    rows = [(str(one["name"]), str(one["cases"]), str(one["title"]), str(one["description"])) for one in found]
    console.table(("suite", "cases", "title", "about"), rows, numbers=("cases",), spare=("about",))


@app.command()
def run(
    suites: Annotated[list[str], typer.Argument(metavar="SUITE...", help="Names of `evals list`, or YAML files.")],
    *,
    target: Annotated[
        list[str] | None, typer.Option("--target", "-t", help="prefix/model, a combo or an alias; repeatable.")
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, max=100, help="Per cent that must pass, else exit code 1.")
    ] = 100.0,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=64, help="Questions under way at once.")] = 4,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Let `custom` checks run the Python files beside the suite.")
    ] = False,
    config: ConfigOption = None,
    json: JSONOption = False,
) -> None:
    """Ask every question of every target, through the rules, accounts, budgets and ledger of the proxy."""
    from omniroute_addon.evals.run import best, plain

    orders = [(*_suite(name, allow_code=allow_code), one) for name in suites for one in target or [None]]
    if not target:
        _check_models([suite for suite, _, _ in orders])
    with joined_or_started(config, headless=True) as proxy:
        if proxy.gateway is None:
            console.fail("`listen.gateway` is off in the config; evals need it")
        cards = asyncio.run(_run(orders, proxy.gateway, _key(config), ledger_path(config), parallel))
    failed = [card for card in cards if 100 * card.passed < threshold * card.total]
    if json:
        console.as_json({"threshold": threshold, "ok": not failed, "cards": [plain(card) for card in cards]})
    else:
        _show(best(cards))
    raise typer.Exit(1 if failed else 0)


@app.command()
def history(
    name: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run, as its id begins: every case of it.")
    ] = None,
    *,
    suite: Annotated[str | None, typer.Option("--suite", help="Only this one, by the id in its file.")] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="Only this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The latest ones.")] = 50,
    json: JSONOption = False,
) -> None:
    """Show scorecards over time."""
    from omniroute_addon.evals import store
    from omniroute_addon.evals.run import plain

    try:
        cards = store.cards(data_dir(), suite=suite, target=target, name=name, limit=limit)
    except sqlite3.Error as error:
        console.fail(f"{data_dir() / store.NAME} cannot be read: {error}")
    if json:
        console.as_json([plain(card) for card in cards])
    elif not cards:
        console.say("nothing like that has run yet")
    elif name is not None:
        _show(cards)
    else:
        _show_history(cards)


async def _run(
    orders: "Sequence[tuple[Suite, dict[str, Path], str | None]]",
    url: str,
    key: str | None,
    ledger: Path,
    parallel: int,
) -> "list[Card]":
    from omniroute_addon import environment
    from omniroute_addon.evals.gateway import Gateway, billed
    from omniroute_addon.evals.run import run as ask_all
    from omniroute_addon.evals.run import targets_of

    cards: list[Card] = []
    async with Gateway(environment.proxy_address(url, None), key) as gateway:
        with console.progress() as progress:
            for suite, code, target in orders:
                task = progress.add_task(f"{suite.id} · {target or targets_of(suite)}", total=len(suite.cases))
                card = await ask_all(
                    suite,
                    target,
                    gateway.ask,
                    code=code,
                    parallel=parallel,
                    told=lambda _, task=task: progress.advance(task),
                )
                cards.append(await billed(card, ledger))
                _keep(cards[-1])
    return cards


def _suite(name: str, *, allow_code: bool) -> "tuple[Suite, dict[str, Path]]":
    from omniroute_addon.evals.judge import ForbiddenError, code_of
    from omniroute_addon.evals.suite import find, load

    path = find(name, data_dir())
    if path is None:
        console.fail(
            f"there is no suite {name!r}", hint="`omniroute evals list` shows them; a path ends with .yaml.", code=2
        )
    suite = load(path)
    try:
        return suite, code_of(suite, path, allowed=allow_code)
    except ForbiddenError as error:
        hint = None if allow_code else "Read the file; --allow-code lets its checks run as you."
        console.fail(f"{path}: {error}", hint=hint, code=2)


def _check_models(suites: "Sequence[Suite]") -> None:
    from omniroute_addon.evals.run import NoTargetError, targets_of

    for suite in suites:
        try:
            targets_of(suite)
        except NoTargetError as error:
            console.fail(str(error), hint="Say whom to ask: --target glm/glm-4.7 (repeat it to compare).", code=2)


def _key(config: Path | None) -> str | None:
    key = os.environ.get(KEY_VARIABLE)
    if snapshot_of(config).keys and not key:
        console.fail("the gateway asks for a key (`keys` in the rules)", hint=f"Put one of them into {KEY_VARIABLE}.")
    return key


def _keep(card: "Card") -> None:
    from omniroute_addon.evals import store

    try:
        store.keep(data_dir(), card)
    except (sqlite3.Error, OSError) as error:
        console.tell(f"! the scorecard could not be kept: {error}", "yellow")


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(cards: "Sequence[Card]") -> None:
    for card in cards:
        console.say(f"{card.name} · {card.target} · {card.id}", "bold")
        for result in card.results:
            mark, style = ("✔", "green") if result.passed else ("✘", "red")
            console.say(f"  {mark} {result.name} · {result.seconds:.1f} s", style)
            if not result.passed:
                console.say(f"      {result.reason}", "yellow")
                if result.output:
                    console.say(f"      said: {' '.join(result.output.split())[:200]}", "dim")
        if card.elsewhere:
            console.say(f"  ! the rules had {', '.join(card.elsewhere)} answer", "yellow")
    rows = [
        (card.suite, card.target, *_score(card), plots.gauge(card.rate / 100, 10), *_figures(card)) for card in cards
    ]
    numbers = ("passed", "rate", "per question", "cost")
    console.table(("suite", "target", "passed", "rate", "", "per question", "cost"), rows, numbers=numbers, spare=("",))


def _show_history(cards: "Sequence[Card]") -> None:
    groups: dict[tuple[str, str], list[Card]] = {}
    for card in cards:
        groups.setdefault((card.suite, card.target), []).append(card)
    rows = [
        (card.id, plots.clock(card.started), card.suite, card.target, *_score(card), *_figures(card)) for card in cards
    ]
    numbers = ("passed", "rate", "per question", "cost")
    console.table(("run", "when", "suite", "target", "passed", "rate", "per question", "cost"), rows, numbers=numbers)
    for (suite, target), found in groups.items():
        if len(found) > 1:
            rates = plots.spark([card.rate for card in found])
            console.say(f"{suite} · {target}: {rates} {found[0].rate} % → {found[-1].rate} %")


def _score(card: "Card") -> tuple[str, str]:
    return f"{card.passed}/{card.total}", f"{card.rate} %"


def _figures(card: "Card") -> tuple[str, str]:
    """The time of a question, and what all of them have cost."""
    seconds = sum(result.seconds for result in card.results) / max(card.total, 1)
    return f"{seconds:.1f} s", "?" if card.micro is None else plots.money(card.micro)
