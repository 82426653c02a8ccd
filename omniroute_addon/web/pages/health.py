"""Health in six cards: the system, providers with their breakers, rate limits, lockouts, caches, latency."""

import os
import platform
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from omniroute_addon import __version__
from omniroute_addon.accounts.breakers import Opened
from omniroute_addon.config.models import ORIGIN
from omniroute_addon.engine.engine import Engine
from omniroute_addon.home import data_dir
from omniroute_addon.ledger import latency, reports
from omniroute_addon.ledger.reports import Books, Line, NoLedgerError
from omniroute_addon.web import figures
from omniroute_addon.web.rendering import in_json
from omniroute_addon.web.resource import Answer, Asked, Page, Resource
from omniroute_addon.web.site import Site

type Span = Literal["1h", "24h", "7d"]

BEGAN = time.time()
"""The pages are loaded when the proxy starts."""
SPANS: tuple[Span, ...] = ("1h", "24h", "7d")
MOST = 100
"""Targets whose latency is told."""


class HealthAsked(Asked):
    since: Span = "24h"
    """Of successes and latency."""


class System(Answer):
    version: str
    python: str
    pid: int
    stopping: bool
    started: float
    uptime: float
    """Seconds."""
    memory: int | None
    """Bytes; None where the system does not tell."""
    running: int
    """Calls under way."""
    rules: str | None
    data: str
    ledger: str
    ledger_size: int | None
    """Bytes; None without a ledger."""
    warnings: tuple[str, ...]
    """Of the rules."""


class Provider(Answer):
    name: str
    """``origin:`` and a provider is the own login of a tool."""
    state: Literal["closed", "open", "half-open"]
    reason: str | None
    until: float | None
    """When the breaker lets a probe through."""
    used: int
    """Attempts whose answers were used."""
    failed: int
    """Attempts."""


class Rate(Answer):
    """An account or target where calls are under way or wait, or whose provider says how many it still takes."""

    key: str
    open: int
    waiting: int
    paused: float
    """Seconds."""
    left: int | None
    left_for: float | None
    """Seconds."""


class Lockout(Answer):
    key: str
    scope: Literal["account", "target", "address"]
    reason: str | None
    until: float
    failures: int | None
    """In a row."""


class Caches(Answer):
    hits: int
    """Questions that a kept answer was given to, since the start; and so on."""
    misses: int
    joined: int
    """Calls that have joined one like them."""
    again: int
    """Errands that were answered again."""
    entries: int
    bytes: int
    evicted: int
    similar: int | None
    """Questions that got the answer to one that means the same; None where the rules do not want that."""
    saved: float
    """US dollars at list prices, in the span."""
    signatures: int
    """Of reasoning, kept for tools that cannot carry them."""
    signature_bytes: int
    sessions: int
    """That stay with an account."""
    prompt_share: float | None
    """Of the input in the span, what providers had in their caches."""


class Times(Answer):
    """Seconds."""

    name: str
    attempts: int
    first_p50: float | None
    first_p95: float | None
    first_p99: float | None
    whole_p50: float | None
    whole_p95: float | None
    whole_p99: float | None


class Health(Answer):
    now: float
    system: System
    providers: tuple[Provider, ...]
    rates: tuple[Rate, ...]
    lockouts: tuple[Lockout, ...]
    caches: Caches
    latency: tuple[Times, ...]
    """By provider."""
    targets: tuple[Times, ...]


type _Found = tuple[list[latency.Latency], list[latency.Latency], Line, dict[str, tuple[int, int]]]


async def health(site: Site, asked: HealthAsked) -> Health:
    """How the proxy and the providers are."""
    engine = site.engine
    now = engine.now()
    try:
        by_provider, by_target, total, replayed = await site.ledger(lambda books: _read(books, asked.since))
    except NoLedgerError:
        by_provider, by_target, total, replayed = [], [], Line(()), {}
    return Health(
        now=now,
        system=_system(site, now),
        providers=tuple(_providers(engine, by_provider, now)),
        rates=tuple(
            Rate(
                key=one.key, open=one.open, waiting=one.waiting, paused=one.paused, left=one.left, left_for=one.left_for
            )
            for one in engine.standing.limits.busy()
        ),
        lockouts=tuple(_lockouts(engine, now)),
        caches=_caches(engine, total, replayed),
        latency=tuple(_times(one) for one in by_provider if one.attempts),
        targets=tuple(_times(one) for one in by_target if one.attempts)[:MOST],
    )


def _read(books: Books, since: Span) -> _Found:
    chosen = reports.select(since, "now", {})
    by_provider, by_target = (latency.latencies(books, chosen.since, by) for by in ("provider", "target"))
    total = (books.sums(chosen) or [Line(())])[0]
    return by_provider, by_target, total, books.replayed(chosen.since, chosen.until)


def _system(site: Site, now: float) -> System:
    snapshot, path = site.snapshot, site.ledger_path
    return System(
        version=__version__,
        python=platform.python_version(),
        pid=os.getpid(),
        stopping=site.engine.stopping,
        started=BEGAN,
        uptime=now - BEGAN,
        memory=_memory(),
        running=sum(line.running for line in site.feed.latest()),
        rules=None if snapshot.source is None else str(snapshot.source),
        data=str(data_dir()),
        ledger=str(path),
        ledger_size=path.stat().st_size if path.exists() else None,
        warnings=tuple(str(one) for one in snapshot.warnings),
    )


def _memory() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _providers(engine: Engine, known: Sequence[latency.Latency], now: float) -> Iterable[Provider]:
    """Those that the rules can use or that were used, then what else has an open breaker."""
    snapshot = engine.snapshot
    opened = {one.key: one for one in engine.standing.breakers.opened(now)}
    figures_of = {one.name: one for one in known}
    usable = [name for name, accounts in snapshot.usable.items() if any(one.missing is None for one in accounts)]
    names = sorted({*usable, *figures_of})
    for name in (*names, *sorted(set(opened) - set(names))):
        yield _provider(name, opened.get(name), figures_of.get(name))


def _provider(name: str, opened: Opened | None, known: latency.Latency | None) -> Provider:
    return Provider(
        name=name,
        state=opened.state if opened else "closed",
        reason=opened.reason if opened else None,
        until=opened.until if opened else None,
        used=known.attempts if known else 0,
        failed=known.failed if known else 0,
    )


def _lockouts(engine: Engine, now: float) -> Iterable[Lockout]:
    for one in engine.standing.health.cooling(now):
        scope: Literal["account", "target"] = "account" if one.scope == "account" else "target"
        yield Lockout(key=one.key, scope=scope, reason=one.reason, until=one.until, failures=one.failures)
    for address, until in engine.lockouts.locked(now):
        yield Lockout(key=address, scope="address", reason=None, until=until, failures=None)


def _caches(engine: Engine, total: Line, replayed: dict[str, tuple[int, int]]) -> Caches:
    kept = engine.caches()
    names = Caches.model_fields.keys() & kept.keys()
    semantic = kept.get("semantic")
    return Caches.model_validate(
        {
            **{name: kept[name] for name in names},
            "similar": semantic["hits"] if isinstance(semantic, dict) else None,
            "saved": sum(saved for _, saved in replayed.values()) / 1e6,
            "prompt_share": total.cache_read / total.input if total.input else None,
        }
    )


def _times(one: latency.Latency) -> Times:
    first, whole = one.first, one.whole
    return Times(
        name=one.name,
        attempts=one.attempts,
        first_p50=first[0],
        first_p95=first[1],
        first_p99=first[2],
        whole_p50=whole[0],
        whole_p95=whole[1],
        whole_p99=whole[2],
    )


RESOURCES = (
    Resource(
        "GET",
        "health",
        health,
        page=Page(
            "health",
            "health.html",
            "health.title",
            values={"apart": figures.apart, "json": in_json, "spans": SPANS, "origin": f"{ORIGIN}:"},
        ),
    ),
)
