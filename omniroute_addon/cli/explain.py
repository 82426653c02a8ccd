"""``omniroute explain``: which rule a call would meet, where it would go in which order, and why not elsewhere.

Nothing is sent. What the proxy has learned (cooldowns, quotas, money spent) is read from its ledger when there is one;
``--fresh`` explains as after a first start. ``--id`` tells what was decided for a call that was made.
"""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from omniroute_addon.cli import console
from omniroute_addon.cli.decided import show_decided
from omniroute_addon.cli.options import ConfigOption, JSONOption, snapshot_of

if TYPE_CHECKING:
    from omniroute_addon.config import Snapshot
    from omniroute_addon.config.models import Surface
    from omniroute_addon.config.ways import Ways
    from omniroute_addon.routing import Ask, Candidate, Plan
    from omniroute_addon.routing.state import State

GATEWAY_PATH = "/v1/chat/completions"
LOGIN = {"authorization": "Bearer login"}
"""What Claude Code shows unless the options say otherwise; it decides whether its own call costs money."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options that describe the call."""

    client: str | None
    model: str | None
    body: bytes
    host: str | None
    path: str | None
    gateway: bool
    headers: Mapping[str, str]


def explain(
    *,
    client: Annotated[str | None, typer.Option("--client", help="claude-code, codex, gemini-cli, …")] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model that the tool asks for.")] = None,
    body: Annotated[Path | None, typer.Option("--body", help="A request body: its model, tools, images, size.")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", help="NAME: VALUE; as often as needed.")] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help="A whole request as it went over the wire: mitmweb's raw export.")
    ] = None,
    gateway: Annotated[bool, typer.Option("--gateway", help="The call comes to the gateway.")] = False,
    key: Annotated[str | None, typer.Option("--key", help="The name of the gateway key that is shown.")] = None,
    source: Annotated[str, typer.Option("--source", help="The address that the call comes from.")] = "127.0.0.1",
    at: Annotated[str | None, typer.Option("--at", help="When: 23:30 or 2026-11-01T23:30, local time.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="The host that is called, instead of --client.")] = None,
    path: Annotated[str | None, typer.Option("--path", help="The path that is called.")] = None,
    name: Annotated[
        str | None, typer.Option("--id", help="A call of the ledger, as mitmweb's comment names it: what was decided.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what the proxy has learned and spent.")] = False,
    config: ConfigOption = None,
    json: JSONOption = False,
) -> None:
    """Show the plan for a call: the rule, each candidate in order, and why the others are out. Sends nothing."""
    if name is not None:
        show_decided(name, config, json=json)
        return
    from omniroute_addon.engine.past import of_ledger
    from omniroute_addon.routing import plan
    from omniroute_addon.routing.explain import as_json

    snapshot = snapshot_of(config)
    now = time.time() if at is None else _moment(at)
    asked = _Asked(
        client, model, b"" if body is None else body.read_bytes(), host, path, gateway, _headers(header or ())
    )
    if request is not None:
        asked = _captured(request, asked)
    ask = _gateway_ask(asked) if gateway else _intercepted_ask(asked, snapshot)
    if ask.client == "claude-code" and "x-api-key" not in asked.headers:
        asked = replace(asked, headers={**LOGIN, **asked.headers})
    ask = _with_body(replace(ask, key=key, source=source, headers=asked.headers), asked)
    past = of_ledger(snapshot, now, fresh=fresh)
    decided = plan(ask, snapshot, past.standing, now, random.Random())  # noqa: S311 -- an example of a drawing
    budgets = past.budgets(decided, ask, now)
    if json:
        console.as_json({**as_json(decided, ask, snapshot, now, past.standing), "budgets": budgets, "past": past.words})
    else:
        _show(ask, decided, snapshot, now, past.standing)
        for one in budgets:
            console.say(f"budget {one['budget']}: {one['words']}")
        console.say(past.words, "dim")
        if ask.client == "codex" and snapshot.codex.plain_tools:
            console.say(
                "codex.plain_tools: models that get their tools as JavaScript are listed as ones with functions"
            )
    raise typer.Exit(1 if decided.error is not None else 0)


def _moment(text: str) -> float:
    """``23:30`` of today or an ISO date and time, local unless it says otherwise."""
    try:
        if len(text) <= len("23:30"):
            hour, _, minute = text.partition(":")
            today = datetime.now().astimezone()
            return today.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        console.fail(f"{text!r} is no time", hint="Say 23:30, or 2026-11-01T23:30.", code=2)


def _headers(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, colon, value = one.partition(":")
        if not colon or not name.strip():
            console.fail(f"{one!r} is no header", hint="Say --header 'NAME: VALUE'.", code=2)
        found[name.strip().lower()] = value.strip()
    return found


def _captured(file: Path, asked: _Asked) -> _Asked:
    """The request of a file; what other options say goes before it."""
    head, _, body = file.read_bytes().replace(b"\r\n", b"\n", 1).partition(b"\n")
    words = head.decode("latin-1").split()
    lines, _, body = body.replace(b"\r\n", b"\n").partition(b"\n\n")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        console.fail(f"{file} is no HTTP request", hint="It begins like: POST /v1/messages HTTP/1.1", code=2)
    headers = _headers(lines.decode("latin-1").splitlines())
    address = urlsplit(words[1])
    return replace(
        asked,
        host=asked.host or (None if asked.gateway else address.hostname or headers.get("host", "").partition(":")[0]),
        path=asked.path or address.path,
        body=asked.body or body,
        headers={**headers, **asked.headers},
    )


def _with_body(ask: "Ask", asked: _Asked) -> "Ask":
    """What rules can see of the body and the session."""
    from omniroute_addon.routing import BodyFacts, Told
    from translators import WireRequest

    if asked.body:
        wire = WireRequest("POST", ask.path, headers=ask.headers, body=asked.body)
        return replace(ask, facts=BodyFacts(ask.format, wire, ask.headers))
    empty = BodyFacts(ask.format, WireRequest(path=ask.path, body=b"{}"), ask.headers)
    return replace(ask, facts=Told(session=empty.session))


def _gateway_ask(asked: _Asked) -> "Ask":
    from omniroute_addon.gateway.endpoints import endpoint
    from omniroute_addon.routing.ask import Ask

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
    from omniroute_addon.routing.ask import Ask

    if asked.host is not None:
        found = surfaces.match(snapshot.surfaces, asked.host, "POST", asked.path or "/", headers=asked.headers)
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


def _show(ask: "Ask", plan: "Plan", snapshot: "Snapshot", now: float, state: "State") -> None:
    from omniroute_addon.routing.explain import headline, rows, steps

    console.say(f"{ask.client} asks for {ask.model} ({ask.format}{f', {ask.host}' if ask.host else ''})", "bold")
    if plan.error is not None:
        console.say(plan.error.message, "red")
        return
    for line in steps(plan, ask, snapshot, now):
        console.say(line, "dim")
    if plan.untouched:
        console.say("no rule applies: the call passes through untouched")
        return
    console.say(headline(plan, ask).partition(": ")[2], "red" if plan.denied else "")
    found = rows(plan, ask, now, snapshot.ways)
    inside = [row for row in found if row.order is not None]
    if inside:
        columns = ["", "target", "account", "format", "tier", "by", "known", "why"]
        cells = [_row(number, ask, plan, now, state, ways=snapshot.ways) for number in range(len(inside))]
        kept = [index for index in range(len(columns)) if index < 5 or any(row[index] for row in cells)]
        console.table([columns[index] for index in kept], [[row[index] for index in kept] for row in cells])
    elif plan.denied is None:
        console.say("no candidate is left: the tool gets an error that lists the reasons below", "red")
    for row in found:
        if row.order is None:
            account = f" with account {row.account}" if row.account != "-" else ""
            console.say(f"out: {row.target}{account}: {row.note}", "yellow")


def _row(number: int, ask: "Ask", plan: "Plan", now: float, state: "State", *, ways: "Ways") -> tuple[str, ...]:
    from omniroute_addon.routing.explain import way

    one = plan.candidates[number]
    to = ask.format if one.origin or one.provider is None else one.provider.format
    model = one.model or one.asked or ""
    named = one.origin or one.target.endswith(f"/{model}")
    return (
        str(number + 1),
        one.target if named else f"{one.target} ({model})",
        "own login" if one.origin else one.account.name if one.account else "none needed",
        "its own" if to == ask.format else f"→ {to}",
        one.tier,
        str(way(one, ask, ways) or ""),
        _known(one, now, state),
        one.why,
    )


def _known(candidate: "Candidate", now: float, state: "State") -> str:
    """What plans go by, if there is anything."""
    left, price = state.quota(candidate, now), state.price(candidate)
    parts = [
        f"{left.share:.0%} of {left.window} left" if left is not None else "",
        f"${price:.2f}/M" if price else "",
        f"{uses}× used" if (uses := state.uses(candidate.account_key)) else "",
    ]
    return ", ".join(part for part in parts if part)
