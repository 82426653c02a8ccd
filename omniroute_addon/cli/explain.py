"""``omniroute explain``: which rule a call would meet, where it would go in which order, and why not elsewhere.

Nothing is sent. Cooldowns live in the running proxy and are not known here.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of

if TYPE_CHECKING:
    from omniroute_addon.config import Snapshot
    from omniroute_addon.config.models import Surface
    from omniroute_addon.routing.plan import Ask, Plan

GATEWAY_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options that describe the call."""

    client: str | None
    model: str | None
    body: bytes
    host: str | None
    path: str | None
    gateway: bool


def explain(
    *,
    client: Annotated[str | None, typer.Option("--client", help="claude-code, codex, gemini-cli, …")] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model that the tool asks for.")] = None,
    body: Annotated[Path | None, typer.Option("--body", help="A request body to read the model from.")] = None,
    gateway: Annotated[bool, typer.Option("--gateway", help="The call comes to the gateway.")] = False,
    host: Annotated[str | None, typer.Option("--host", help="The host that is called, instead of --client.")] = None,
    path: Annotated[str | None, typer.Option("--path", help="The path that is called.")] = None,
    config: ConfigOption = None,
    json: JSONOption = False,
) -> None:
    """Show the plan for a call: the rule, each candidate in order, and why the others are out. Sends nothing."""
    from omniroute_addon.accounts.health import Health
    from omniroute_addon.routing.plan import plan

    snapshot = snapshot_of(config)
    asked = _Asked(client, model, b"" if body is None else body.read_bytes(), host, path, gateway)
    ask = _gateway_ask(asked) if gateway else _intercepted_ask(asked, snapshot)
    decided = plan(ask, snapshot, Health(), time.time())
    if json:
        console.as_json(as_facts(ask, decided))
    else:
        _show(ask, decided)
    raise typer.Exit(1 if decided.error is not None else 0)


def _gateway_ask(asked: _Asked) -> "Ask":
    from omniroute_addon.gateway.endpoints import endpoint
    from omniroute_addon.routing.plan import Ask

    path = asked.path or GATEWAY_PATH
    served = endpoint("POST", path)
    if served is None:
        console.fail(f"the gateway does not serve POST {path}", code=2)
    model = _model(asked, served.format, path)
    if served.prefix and not model.startswith(served.prefix + "/"):
        model = f"{served.prefix}/{model}"
    return Ask(client=asked.client or "gateway", format=served.format, model=model, path=path, gateway=True)


def _intercepted_ask(asked: _Asked, snapshot: "Snapshot") -> "Ask":
    from omniroute_addon.routing import surfaces
    from omniroute_addon.routing.plan import Ask

    if asked.host is not None:
        found = surfaces.match(snapshot.surfaces, asked.host, "POST", asked.path or "/")
        if found is None:
            known = asked.host.lower() in surfaces.hosts(snapshot)
            where = f"{asked.host}{asked.path or '/'}"
            console.fail(
                f"{where} is on no surface: such a call passes through untouched",
                hint="The host is decrypted, this path is not ours." if known else "The host is not even decrypted.",
            )
        surface, client = found.surface, asked.client or found.client
    else:
        surface = _surface_of(asked.client, snapshot)
        client = asked.client or surface.client
    path = asked.path or _sample(surface.paths.get("generate", ("/",))[0])
    model = _model(asked, surface.format, path)
    return Ask(
        client=client,
        format=surface.format,
        model=model,
        host=asked.host or surface.hosts[0],
        path=path.replace("MODEL", model),
        provider=surface.provider,
        slash_models=surface.slash_models,
    )


def _surface_of(client: str | None, snapshot: "Snapshot") -> "Surface":
    """The surface that a client knocks on. A tool known by its headers only is looked for by its provider's default."""
    known = {surface.client: surface for surface in reversed(snapshot.surfaces.all)}
    by_header = {rule.client for rule in snapshot.surfaces.clients}
    if client is None:
        console.fail(
            "who calls?",
            hint=f"--client is one of {', '.join(sorted({*known, *by_header}))}; or give --host and --path",
            code=2,
        )
    home = CLIENT_HOMES.get(client)
    if home is not None and (surface := next((one for one in snapshot.surfaces.all if home in one.hosts), None)):
        return surface
    if client not in known:
        if client in by_header:
            console.fail(f"{client} calls more than one provider", hint="Say which with --host and --path.", code=2)
        console.fail(f"unknown client {client!r}", hint=f"Known are {', '.join(sorted({*known, *by_header}))}.", code=2)
    return known[client]


CLIENT_HOMES: Mapping[str, str] = {
    "claude-code": "api.anthropic.com",
    "codex": "chatgpt.com",
    "gemini-cli": "generativelanguage.googleapis.com",
    "qwen-code": "dashscope.aliyuncs.com",
}
"""Where a tool calls that shares its surface with others."""


def _model(asked: _Asked, wire_format: str, path: str) -> str:
    from translators import FORMATS, WireRequest

    if asked.model is not None:
        return asked.model
    read = FORMATS[wire_format].model_of(WireRequest(path=path, body=asked.body)) if asked.body or asked.path else None
    if read is None:
        console.fail("which model is asked for?", hint="Give --model, or a request with --body.", code=2)
    return read


def _sample(glob: str) -> str:
    """A path that the glob matches."""
    return glob.replace("*", "MODEL", 1).replace("*", "")


def as_facts(ask: "Ask", plan: "Plan") -> dict[str, object]:
    """The plan for a script; keys are never part of it."""
    return {
        "ask": {"client": ask.client, "format": ask.format, "model": ask.model, "host": ask.host, "path": ask.path},
        "route": plan.route,
        "combo": plan.combo,
        "untouched": plan.untouched,
        "candidates": [
            {
                "target": one.target,
                "provider": one.provider.id if one.provider else None,
                "model": one.model or one.asked,
                "account": one.account.name if one.account else None,
                "format": one.provider.format if one.provider and not one.origin else ask.format,
                "url": one.provider.base_url if one.provider and not one.origin else None,
                "origin": one.origin,
            }
            for one in plan.candidates
        ],
        "excluded": [
            {"target": one.target, "account": one.account, "reason": one.reason, "until": one.until}
            for one in plan.excluded
        ],
        "error": plan.error.message if plan.error else None,
    }


def _show(ask: "Ask", plan: "Plan") -> None:
    console.say(f"{ask.client} asks for {ask.model} ({ask.format}{f', {ask.host}' if ask.host else ''})", "bold")
    if plan.error is not None:
        console.say(plan.error.message, "red")
        return
    if plan.untouched:
        console.say("no rule applies: the call passes through untouched")
        return
    console.say(f"rule {plan.route}" + (f", combo {plan.combo}" if plan.combo else ""))
    if plan.candidates:
        rows = [_row(number, ask, plan) for number in range(len(plan.candidates))]
        console.table(("", "target", "account", "format", "model"), rows)
    else:
        console.say("no candidate is left: the tool gets an error that lists the reasons below", "red")
    for one in plan.excluded:
        account = f" with account {one.account}" if one.account else ""
        console.say(f"out: {one.target}{account}: {one.reason}", "yellow")


def _row(number: int, ask: "Ask", plan: "Plan") -> tuple[str, ...]:
    one = plan.candidates[number]
    to = ask.format if one.origin or one.provider is None else one.provider.format
    shown = to if to == ask.format else f"{ask.format} → {to}"
    account = "the tool's own login" if one.origin else one.account.name if one.account else "none needed"
    return str(number + 1), one.target, account, shown, one.model or one.asked or ""
