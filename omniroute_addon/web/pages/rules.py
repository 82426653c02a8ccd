"""The rules that hold: as a picture with live health, as the file's text, with switches, explanations and changes.

What is shown is the snapshot in use; the text is the file's as it is now, which may have errors that keep it from being
used. A switch edits the file's text at one place and is refused when the result would not load.
"""

import asyncio
import hashlib
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, cast

import orjson
from pydantic import Field

from omniroute_addon.accounts.vault import from_vault
from omniroute_addon.addons.inspect import role
from omniroute_addon.config import ConfigError, Problem, load
from omniroute_addon.config.document import written
from omniroute_addon.config.load import parse
from omniroute_addon.config.masking import masked
from omniroute_addon.config.models import ORIGIN, Route, RouteMatch, Snapshot
from omniroute_addon.config.switching import NotSwitchableError, switched
from omniroute_addon.engine import question
from omniroute_addon.engine.past import Past
from omniroute_addon.home import replace_file
from omniroute_addon.logs.writer import audit
from omniroute_addon.routing import explain as words
from omniroute_addon.routing.ask import Ask
from omniroute_addon.routing.plan import plan
from omniroute_addon.web import picture as drawing
from omniroute_addon.web.resource import Answer, Asked, Page, RefusedError, Resource
from omniroute_addon.web.site import Site

CAPTURED = 30
"""Calls to choose from."""
LONGEST = 2_000_000
"""Characters of a pasted request."""

type Health = Literal["good", "warn", "bad", "off"]


class Trouble(Answer):
    line: int | None
    key: str
    message: str


class Step(Answer):
    """A target as a combo or a route has it."""

    target: str
    path: tuple[str | int, ...] | None
    """Of its switch; None for what has none."""
    enabled: bool
    weight: float | None


class RouteShown(Answer):
    name: str
    path: tuple[str | int, ...]
    enabled: bool
    conditions: tuple[str, ...]
    to: tuple[str, ...]


class ComboShown(Answer):
    name: str
    path: tuple[str | int, ...]
    enabled: bool
    strategy: str
    targets: tuple[Step, ...]


class TargetShown(Answer):
    target: str
    health: Health
    reason: str
    """Why it cannot be used now; empty when it can."""
    until: float | None
    accounts: tuple[str, ...]


class AccountShown(Answer):
    name: str
    provider: str
    path: tuple[str | int, ...] | None
    """None for keys that come from the environment."""
    enabled: bool
    health: Health
    reason: str
    until: float | None


class Reloaded(Answer):
    at: float
    lines: tuple[str, ...]


class Choice(Answer):
    id: str
    words: str


class Rules(Answer):
    file: str | None
    version: str
    """Of the file's text; a switch names it, so that it turns what somebody has seen."""
    used: bool
    """Whether the file as it is could be used."""
    problems: tuple[Trouble, ...]
    warnings: tuple[Trouble, ...]
    text: tuple[str, ...]
    """Lines, without secrets."""
    routes: tuple[RouteShown, ...]
    combos: tuple[ComboShown, ...]
    targets: tuple[TargetShown, ...]
    accounts: tuple[AccountShown, ...]
    reloads: tuple[Reloaded, ...]
    calls: tuple[Choice, ...]
    """Captured ones that can be explained."""
    clients: tuple[str, ...]


class SwitchBody(Asked):
    path: tuple[Annotated[int, Field(ge=0, le=100_000)] | Annotated[str, Field(max_length=1000)], ...] = Field(
        min_length=1, max_length=4, description="Of the entry: routes, 0; combos, NAME, targets, 1; accounts, 0; …"
    )
    enabled: bool
    version: str = Field(max_length=64, description="Of the file that was looked at")


class ExplainBody(Asked):
    """A captured call, or a described one."""

    call: str | None = Field(
        default=None, pattern=r"^[0-9a-z-]{1,64}$", description="A captured call; the rest is not looked at"
    )
    client: str | None = Field(default=None, max_length=200)
    model: str | None = Field(default=None, max_length=1000)
    body: str = Field(default="", max_length=LONGEST, description="JSON, or a whole HTTP request")
    gateway: bool = False


class Way(Answer):
    order: int | None
    """1 is tried first; None is out."""
    target: str
    account: str
    address: str
    note: str
    why: str


class Explained(Answer):
    headline: str
    steps: tuple[str, ...]
    ways: tuple[Way, ...]
    budgets: tuple[str, ...]


async def rules(site: Site) -> Rules:
    """The rules that hold, and the file they come from."""
    return await _shown(site)


async def switch(site: Site, body: SwitchBody) -> Rules:
    """Turn an entry of the rule file on or off; everything else in it stays as written."""
    source = site.snapshot.source
    if source is None:
        raise RefusedError(409, "there is no rule file")
    path = tuple(body.path)
    try:
        await asyncio.to_thread(_turn, source, path, body)
    except NotSwitchableError as error:
        raise RefusedError(409, str(error)) from error
    except ConfigError as error:
        raise RefusedError(409, f"the rules would have errors: {_said(error)}") from error
    except OSError as error:
        raise RefusedError(409, f"the file cannot be written: {error.strerror}") from error
    audit("switched on" if body.enabled else "switched off", "page", what=written(path))
    site.look()
    return await _shown(site)


async def explain(site: Site, body: ExplainBody) -> Explained:
    """Which rule a call would meet, where it would go in which order, and why not elsewhere. Sends nothing."""
    snapshot, standing, now = site.snapshot, site.engine.standing, site.engine.now()
    ask = _captured(site, body.call) if body.call is not None else _described(body, snapshot)
    found = plan(ask, snapshot, standing, now, random.Random())  # noqa: S311 -- an example of a drawing
    return Explained(
        headline=words.headline(found, ask),
        steps=words.steps(found, ask, snapshot, now),
        ways=tuple(
            Way(
                order=row.order,
                target=row.target,
                account=row.account,
                address=row.address,
                note=row.note,
                why=row.why,
            )
            for row in words.rows(found, ask, now, snapshot.ways)
        ),
        budgets=tuple(f"{one['budget']}: {one['words']}" for one in Past(standing, "").budgets(found, ask, now)),
    )


def _turn(source: Path, path: tuple[str | int, ...], body: SwitchBody) -> None:
    """In a thread."""
    real = source.resolve()
    try:
        text = real.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise NotSwitchableError("the file is not UTF-8 text") from error
    if _version(text) != body.version:
        raise NotSwitchableError("the file has changed meanwhile; look again")
    edited = switched(text, path, body.enabled)
    if edited != text:
        parse(edited, source, env=os.environ, secrets=from_vault)
        replace_file(real, edited.encode(), real.stat().st_mode & 0o7777)


async def _shown(site: Site) -> Rules:
    snapshot = site.snapshot
    text, problems = await asyncio.to_thread(_file, snapshot.source)
    targets = tuple(_targets(site))
    accounts = tuple(_accounts(site, targets))
    return Rules(
        file=None if snapshot.source is None else str(snapshot.source),
        version=_version(text),
        used=not problems,
        problems=tuple(_trouble(one) for one in problems),
        warnings=tuple(_trouble(one) for one in snapshot.warnings),
        text=tuple(masked(text).splitlines()),
        routes=tuple(_route(index, route) for index, route in enumerate(snapshot.routes)),
        combos=tuple(_combos(snapshot)),
        targets=tuple(one for one, _ in targets),
        accounts=accounts,
        reloads=tuple(Reloaded(at=one.at, lines=one.lines) for one in site.changes.latest),
        calls=tuple(_choices(site)),
        clients=tuple(question.clients(snapshot)),
    )


def _file(source: Path | None) -> tuple[str, tuple[Problem, ...]]:
    """The text as it is now, and what is wrong with it."""
    if source is None:
        return "", ()
    try:
        text = source.read_bytes().decode()
    except OSError as error:
        return "", (Problem(str(source), None, "", f"cannot be read: {error.strerror}"),)
    except UnicodeDecodeError as error:
        return "", (Problem(str(source), None, "", f"is not UTF-8 text: {error.reason}"),)
    try:
        load(source, secrets=from_vault)
    except ConfigError as error:
        return text, error.problems
    return text, ()


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _trouble(one: Problem) -> Trouble:
    return Trouble(line=one.line, key=one.key_path, message=one.message)


def _said(error: ConfigError) -> str:
    return "; ".join(f"{one.key_path}: {one.message}" for one in error.problems[:3])


def _route(index: int, route: Route) -> RouteShown:
    return RouteShown(
        name=route.name,
        path=("routes", index),
        enabled=route.enabled,
        conditions=tuple(_conditions(route.match)),
        to=route.to,
    )


def _conditions(match: RouteMatch) -> Iterator[str]:
    for name in ("client", "model", "host", "path", "format"):
        if globs := getattr(match, name):
            yield f"{name} {' | '.join(globs)}"
    for name, globs in match.headers:
        yield f"{name}: {' | '.join(globs)}"
    for name in match.when.model_fields_set:
        value = getattr(match.when, name)
        if value not in (None, ()):
            words = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
            yield " ".join(map(str, (name, *words)))


def _combos(snapshot: Snapshot) -> Iterator[ComboShown]:
    for name, combo in snapshot.combos.items():
        yield ComboShown(
            name=name,
            path=("combos", name),
            enabled=combo.enabled,
            strategy=combo.strategy,
            targets=tuple(
                Step(
                    target=one.target,
                    path=("combos", name, "targets", index),
                    enabled=one.enabled,
                    weight=one.weight if combo.strategy == "weighted" else None,
                )
                for index, one in enumerate(combo.targets)
            ),
        )


def _named(snapshot: Snapshot) -> list[str]:
    """Every target of the rules, combos left out."""
    found = [one.target for combo in snapshot.combos.values() for one in combo.targets]
    found += [target for route in snapshot.routes for target in route.to]
    found += [*snapshot.aliases.values()]
    found += [target for chain in snapshot.governance.fallback_chains.values() for target in chain]
    return [target for target in dict.fromkeys(found) if target not in snapshot.combos]


def _targets(site: Site) -> Iterator[tuple[TargetShown, dict[str, tuple[str, float | None]]]]:
    """Each with what is against its accounts: asked of the planner, so that the page says what calls would meet."""
    snapshot, now = site.snapshot, site.engine.now()
    for target in _named(snapshot):
        if target == ORIGIN:
            yield TargetShown(target=target, health="good", reason="", until=None, accounts=()), {}
            continue
        ask = Ask(client="page", format="openai-chat", model=target.partition("/")[2], path="/", gateway=True)
        alone = replace(
            snapshot,
            routes=(Route(RouteMatch(), (target,), "page"),),
            governance=snapshot.governance.model_copy(update={"fallback_chains": {}, "policies": ()}),
        )
        found = plan(ask, alone, site.engine.standing, now, random.Random())  # noqa: S311
        fit = [one.account.name for one in found.candidates if one.account is not None]
        out = {one.account: (one.reason, one.until) for one in found.excluded if one.account is not None}
        first = found.excluded[0] if found.excluded else None
        health: Health = "good" if found.candidates and not out else "warn" if found.candidates else "bad"
        yield (
            TargetShown(
                target=target,
                health=health,
                reason=first.reason if first is not None else "",
                until=first.until if first is not None else None,
                accounts=tuple(dict.fromkeys([*fit, *out])),
            ),
            out,
        )


def _accounts(
    site: Site, targets: tuple[tuple[TargetShown, dict[str, tuple[str, float | None]]], ...]
) -> Iterator[AccountShown]:
    snapshot = site.snapshot
    resting = {account: said for _, out in targets for account, said in out.items()}
    shown = {account for target, _ in targets for account in target.accounts}
    implicit = [one for several in snapshot.usable.values() for one in several if one.implicit and one.name in shown]
    for index, one in enumerate([*snapshot.accounts, *implicit]):
        reason, until = resting.get(one.name, ("", None))
        if one.missing is not None:
            reason = reason or one.missing
        health: Health = "off" if not one.enabled else "bad" if reason else "good"
        yield AccountShown(
            name=one.name,
            provider=one.provider,
            path=None if one.implicit else ("accounts", index),
            enabled=one.enabled,
            health=health,
            reason=reason,
            until=until,
        )


def _choices(site: Site) -> Iterator[Choice]:
    kept = {flow.metadata["omniroute"]["exchange"] for flow in site.inspect.flows() if role(flow) == "exchange"}
    for line in [line for line in site.feed.latest() if line.id in kept][:CAPTURED]:
        yield Choice(id=line.id, words=f"{line.client} · {line.model} → {line.target}")


def _captured(site: Site, name: str) -> Ask:
    line = site.feed.find(name)
    flows = site.flows(name if line is None else line.id)
    flow = next((flow for flow in flows if role(flow) == "exchange"), None)
    if flow is None:
        raise RefusedError(404, "there is no such call, or its flow is no longer kept")
    try:
        return site.intercept.again(flow)[1]
    except ValueError as error:
        raise RefusedError(409, f"this call cannot be explained: {error}") from error


def _described(body: ExplainBody, snapshot: Snapshot) -> Ask:
    asked = question.Question(body.client or None, body.model or None, gateway=body.gateway)
    content = body.body.encode(errors="replace").lstrip()
    try:
        whole = content and not content.startswith(b"{")
        return (asked.with_request(content) if whole else replace(asked, body=content)).ask(snapshot)
    except question.QuestionError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise RefusedError(409, f"{error}{hint}") from error
    except ValueError as error:
        raise RefusedError(409, f"the request cannot be read: {error}") from error


def picture(data: Rules, say: Callable[[str], str]) -> str:
    """The SVG of ``data``; ``say`` gives words of a key."""
    boxes: list[drawing.Box] = []
    links: list[drawing.Link] = []
    combos = {combo.name for combo in data.combos}

    def end(target: str) -> str:
        return f"c {target}" if target in combos else f"t {target}"

    for route in data.routes:
        about = " · ".join(route.conditions) or say("rules.every_call")
        name = route.name.partition(" ")[2] or route.name
        state = "good" if route.enabled else "off"
        boxes.append(drawing.Box(f"r {route.name}", 0, name, about if route.enabled else say("rules.off"), state))
        links += [drawing.Link(f"r {route.name}", end(target), not route.enabled) for target in route.to]
    for combo in data.combos:
        state = "good" if combo.enabled else "off"
        about = combo.strategy if combo.enabled else say("rules.off")
        boxes.append(drawing.Box(f"c {combo.name}", 1, combo.name, about, state))
        links += [
            drawing.Link(f"c {combo.name}", end(one.target), not (combo.enabled and one.enabled))
            for one in combo.targets
        ]
    for target in data.targets:
        about = target.reason or say(f"rules.health_{target.health}")
        boxes.append(drawing.Box(f"t {target.target}", 2, target.target, about, target.health))
        links += [drawing.Link(f"t {target.target}", f"a {name}") for name in target.accounts]
    for account in data.accounts:
        about = account.reason or say(f"rules.health_{account.health}")
        boxes.append(drawing.Box(f"a {account.name}", 3, account.name, f"{account.provider} · {about}", account.health))
    heads = tuple(say(f"rules.{name}") for name in ("routes", "combos", "targets", "accounts"))
    return drawing.picture(say("rules.picture"), heads, boxes, links)


def text_of(path: tuple[str | int, ...]) -> str:
    return orjson.dumps(path).decode()


RESOURCES = (
    Resource(
        "GET",
        "rules",
        rules,
        page=Page("rules", "rules.html", "rules.title", values={"picture": picture, "text_of": text_of}),
    ),
    Resource("POST", "rules/switch", switch),
    Resource("POST", "rules/explain", explain),
)
