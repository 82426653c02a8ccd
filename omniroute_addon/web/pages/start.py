"""The first run: which tools and keys are here, first rules that fit them, and a call to try them.

What is chosen stands in the address until it is written; a rule file that is there is shown and never changed. A key that
is typed in goes into the vault, and nowhere else.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from omniroute_addon import firstrun
from omniroute_addon.accounts.vault import Vault, VaultError, from_vault
from omniroute_addon.config import ConfigError, Problem, Snapshot, load, parse
from omniroute_addon.config.masking import masked
from omniroute_addon.config.models import ORIGIN
from omniroute_addon.engine import trial
from omniroute_addon.firstrun.proposal import MODEL
from omniroute_addon.ledger.calls import Line
from omniroute_addon.logs.writer import audit
from omniroute_addon.web.rendering import in_json
from omniroute_addon.web.resource import Answer, Asked, Page, RefusedError, Resource
from omniroute_addon.web.site import Site

_COMMAND = r"[a-z]{1,20}"
_TARGET = rf"(?:{ORIGIN}|[a-z0-9-]{{1,40}}/{MODEL})"
_MOST = 20
"""Tools or targets that may be chosen."""


class StartAsked(Asked):
    """What is chosen; without a choice, what is proposed."""

    tools: str = Field(
        default="", max_length=400, pattern=rf"^({_COMMAND}(,{_COMMAND})*)?$", description="Commands: `claude,codex`"
    )
    targets: str = Field(
        default="", max_length=4000, pattern=rf"^({_TARGET}(,{_TARGET})*)?$", description="`origin,glm/glm-4.7`"
    )


class WriteBody(Asked):
    tools: tuple[str, ...] = Field(min_length=1, max_length=_MOST, description="Commands")
    targets: tuple[str, ...] = Field(min_length=1, max_length=_MOST, description="In order; `origin`: the own login")


class KeyBody(Asked):
    provider: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    key: SecretStr = Field(min_length=8, max_length=1000, description="Goes into the vault, and nowhere else")


class Kept(Answer):
    vault: str
    """The entry's name."""
    target: str
    """What can be asked with it."""


class LastCall(Answer):
    id: str
    ok: bool
    running: bool
    target: str | None
    tries: int


class ToolShown(Answer):
    command: str
    title: str
    client: str
    installed: bool
    login: str | None
    """Where its login was seen; nothing of what it is."""
    start: str
    """The command that starts it through the proxy."""
    without_login: str | None
    """The same for somebody without a login there."""
    chosen: bool
    last: LastCall | None
    """Its newest call since the proxy started."""


class KeyShown(Answer):
    provider: str
    title: str
    tier: str
    there: Literal["environment", "vault"] | None
    variable: str
    """The one that holds its key, or should."""
    target: str
    """What it would be asked."""
    models: tuple[str, ...]
    chosen: bool
    """With rules: whether they name it."""


class Trial(Answer):
    """What the rules name and can be asked for a word."""

    account: str
    target: str
    missing: str | None
    """Why it cannot."""
    at_most: float | None
    """US dollars."""


class Trouble(Answer):
    line: int | None
    message: str


class Start(Answer):
    file: str
    """Where the rules are, or would be."""
    written: bool
    used: bool
    """Whether the rules of the file hold."""
    problems: tuple[Trouble, ...]
    text: tuple[str, ...]
    """Lines of the file, without secrets; of the proposal when there is none."""
    tools: tuple[ToolShown, ...]
    keys: tuple[KeyShown, ...]
    origin: bool
    """Whether the tools' own logins are asked."""
    trials: tuple[Trial, ...]
    now: float


async def start(site: Site, asked: StartAsked) -> Start:
    """What is on this machine, and first rules for it; or the rules that are there."""
    machine = await asyncio.to_thread(firstrun.look, os.environ)
    path = _path(site.snapshot)
    written = await asyncio.to_thread(path.exists)
    if written:
        text, problems = await asyncio.to_thread(_file, path)
        wish = firstrun.Wish((), _named(site.snapshot))
    else:
        wish = _wish(asked, machine)
        text = _text(wish, machine)
        problems = parse(text, path, env=os.environ, secrets=from_vault).warnings
    return Start(
        file=str(path),
        written=written,
        used=site.snapshot.source is not None and not problems,
        problems=tuple(Trouble(line=one.line, message=one.message) for one in problems),
        text=tuple(masked(text).splitlines()),
        tools=tuple(_tools(machine, wish, site.feed.latest(), site.snapshot if written else None)),
        keys=tuple(_keys(machine, wish)),
        origin=ORIGIN in wish.targets,
        trials=tuple(_trials(site)) if written else (),
        now=site.engine.now(),
    )


async def write(site: Site, body: WriteBody) -> Start:
    """Write the first rule file; refused where there is one."""
    path = _path(site.snapshot)
    machine = await asyncio.to_thread(firstrun.look, os.environ)
    text = _text(firstrun.Wish(body.tools, body.targets), machine)
    try:
        await asyncio.to_thread(firstrun.write, path, text, os.environ, from_vault)
    except FileExistsError as error:
        raise RefusedError(409, f"there is a rule file already: {path}") from error
    except ConfigError as error:
        raise RefusedError(409, "; ".join(one.message for one in error.problems[:3])) from error
    except OSError as error:
        raise RefusedError(409, f"the file cannot be written: {error.strerror}") from error
    audit("first rules", "page", rules=str(path))
    site.look()
    return await start(site, StartAsked())


async def keep(site: Site, body: KeyBody) -> Kept:
    """Put a provider's key into the vault; rules that name it use it at once."""
    secret = body.key.get_secret_value().strip()
    if len(secret) < 8 or not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise RefusedError(409, "this does not look like a key: one word, at least 8 characters")
    machine = await asyncio.to_thread(firstrun.look, os.environ)
    found = next((one for one in machine.keys if one.provider == body.provider), None)
    if found is None:
        raise RefusedError(404, f"the guide knows no provider {body.provider!r}")
    try:
        await asyncio.to_thread(lambda: Vault().set(found.provider, secret))
    except VaultError as error:
        raise RefusedError(409, str(error)) from error
    except OSError as error:
        raise RefusedError(409, f"the vault cannot be written: {error.strerror}") from error
    audit("vault set", "page", name=found.provider)
    site.look(again=True)
    return Kept(vault=found.provider, target=found.target)


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────────


def _path(snapshot: Snapshot) -> Path:
    return snapshot.source or firstrun.place(os.environ)


def _wish(asked: StartAsked, machine: firstrun.Machine) -> firstrun.Wish:
    default = firstrun.proposed(machine.tools, machine.keys)
    return firstrun.Wish(
        tuple(asked.tools.split(",")) if asked.tools else default.tools,
        tuple(asked.targets.split(",")) if asked.targets else default.targets,
    )


def _text(wish: firstrun.Wish, machine: firstrun.Machine) -> str:
    try:
        return firstrun.text(wish, machine.keys)
    except firstrun.ProposalError as error:
        raise RefusedError(409, str(error)) from error


def _file(path: Path) -> tuple[str, tuple[Problem, ...]]:
    """The text as it is now, and what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        load(path, secrets=from_vault)
    except ConfigError as error:
        return text, error.problems
    except (OSError, UnicodeDecodeError) as error:
        return "", (Problem(str(path), None, "", f"cannot be read: {error}"),)
    return text, ()


def _tools(
    machine: firstrun.Machine, wish: firstrun.Wish, calls: list[Line], rules: Snapshot | None
) -> Iterator[ToolShown]:
    named = {name for route in rules.routes for name in route.match.client} if rules else set[str]()
    for one in machine.tools:
        last = next((line for line in calls if line.client == one.client), None)
        yield ToolShown(
            command=one.tool.command,
            title=one.tool.title,
            client=one.client,
            installed=one.installed,
            login=one.login,
            start=one.command,
            without_login=one.without_login,
            chosen=one.tool.command in wish.tools or one.client in named,
            last=None
            if last is None
            else LastCall(id=last.id, ok=last.ok, running=last.running, target=last.target, tries=last.tries),
        )


def _keys(machine: firstrun.Machine, wish: firstrun.Wish) -> Iterator[KeyShown]:
    """Those that are chosen come first, in the order in which they will be asked."""
    chosen = {target.partition("/")[0]: target for target in wish.targets}
    order = [*chosen]
    for one in sorted(
        machine.keys, key=lambda key: order.index(key.provider) if key.provider in chosen else len(order)
    ):
        yield KeyShown(
            provider=one.provider,
            title=one.title,
            tier=one.tier,
            there="vault" if one.vault else "environment" if one.variable else None,
            variable=one.variable or one.variables[0],
            target=chosen.get(one.provider, one.target),
            models=one.models,
            chosen=one.provider in chosen,
        )


def _named(snapshot: Snapshot) -> tuple[str, ...]:
    """Every target of the rules, each by its provider's own name."""
    named = [one.target for combo in snapshot.combos.values() for one in combo.targets]
    named += [target for route in snapshot.routes for target in route.to]
    found = [ORIGIN] if ORIGIN in named else []
    for prefix, _, model in (target.partition("/") for target in named if target not in snapshot.combos):
        if model and (provider := snapshot.provider_of(prefix)) is not None:
            found.append(f"{provider.id}/{model}")
    return tuple(dict.fromkeys(found))


def _trials(site: Site) -> Iterator[Trial]:
    """One for each account of a provider that the rules name."""
    snapshot = site.snapshot
    for provider in dict.fromkeys(target.partition("/")[0] for target in _named(snapshot) if target != ORIGIN):
        found = snapshot.providers[provider]
        target = trial.target_of(found, snapshot)
        for account in snapshot.usable.get(provider, ()):
            if target is not None and account.enabled:
                cost = trial.at_most(site.engine, found, target)
                yield Trial(
                    account=f"{provider}:{account.name}",
                    target=target,
                    missing=account.missing,
                    at_most=None if cost is None else cost / 1e6,
                )


RESOURCES = (
    Resource(
        "GET",
        "start",
        start,
        page=Page("start", "start.html", "start.title", while_new=True, values={"json": in_json}),
    ),
    Resource("POST", "start", write),
    Resource("POST", "start/keys", keep),
)
