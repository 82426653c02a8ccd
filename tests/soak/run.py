"""The soak: mixed calls and held streams against a running proxy, and what is left of them when they have ended.

The calls run in two parts with a quiet moment after each: first a warm-up (in which every pool, cache and pattern
that is filled once is filled), then the rest. What is asked:

* every call got its own right answer;
* memory: the resident size stays within 10 % of what it was after the warm-up (and a few megabytes: small runs);
* nothing is left: as many tasks, threads, descriptors and connections as after the warm-up;
* every store is bounded: what a list, dict or cache of the process grew by does not go with the number of calls, unless
  it is one of ``BOUNDED``, and then it is no larger than said there.
"""

import asyncio
import contextlib
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from omniroute_addon.engine.engine import MEMORY_ITEMS
from omniroute_addon.engine.hedge import TARGETS
from omniroute_addon.engine.sharing import RECENT_ENTRIES
from omniroute_addon.engine.standing import KEPT as USED
from omniroute_addon.ledger.budgets import KNOWN
from tests.e2e.calls import ask
from tests.e2e.targets import targets
from tests.servers.certificates import authority
from tests.servers.provider import Provider, serving
from tests.soak import upstream
from tests.soak.kinds import CACHED, KINDS, RULES, SESSIONS, Clients, Kind, clients, right
from tests.soak.seen import Census, Watched, settled, watched

WARM = 0.4
"""The share of the calls after which everything that is filled once is filled (the largest store: 20,000 items)."""
SLACK = 6.0
"""Megabytes that small runs may add: ten percent of nothing is nothing."""
FEW = 40
"""What a store may grow by without a bound: far less than one for each call of the rarest kind."""
_REMEMBERED = MEMORY_ITEMS + FEW
BOUNDED: Mapping[str, int] = {
    "translators.memory.BoundedMemory._items": MEMORY_ITEMS,
    "translators.memory.Made": _REMEMBERED,
    "translators.memory.Remembered": _REMEMBERED,
    "translators.memory.Turn.extra": _REMEMBERED,
    "translators.hub.ToolCall": _REMEMBERED,
    "translators.hub.Signature": _REMEMBERED,
    "omniroute_addon.engine.kept.Answers._kept": RECENT_ENTRIES + CACHED,
    "omniroute_addon.engine.kept.Kept": RECENT_ENTRIES + CACHED,
    "omniroute_addon.engine.hedge.Paces._known": TARGETS,
    "omniroute_addon.engine.standing.Standing._uses": 2 * USED,
    "omniroute_addon.engine.standing.Standing._last": 2 * USED,
    "omniroute_addon.ledger.budgets.Budgets._known": KNOWN,
    "omniroute_addon.ledger.budgets.Charge": KNOWN,
    "omniroute_addon.accounts.sessions.Bindings._bound": SESSIONS,
    "omniroute_addon.ledger.prices._find()": 1024,
    "omniroute_addon.ledger.prices._tariff_in()": 512,
    "omniroute_addon.config.glob._compiled()": 4096,
    "mitmproxy.addons.eventstore.EventStore.data": 10_000,
}
"""The stores that may fill up, and with how much."""
JOURNAL = ".journal/"
MAY_COME: Mapping[str, int] = {JOURNAL: 1, "asyncio_": 32}
"""A journal that is about to be replaced by the next, and the threads of asyncio's pool, which come as they are needed."""
LOOKED_INTO = "/run"
"""The folder that the proxy looks into a few times a second."""
type Tell = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """What was seen; ``faults`` is empty when all is well."""

    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    samples: list[tuple[int, float]] = field(default_factory=list)
    """Calls so far, and megabytes resident."""
    idle: Census | None = None
    warm: Census | None = None
    end: Census | None = None
    held: int = 0
    seconds: float = 0.0
    log: str = ""

    @property
    def faults(self) -> list[str]:
        assert self.warm is not None
        assert self.end is not None
        return [*self.wrong[:20], *_logged(self.log), *_memory(self), *_left(self.warm, self.end), *_grown(self)]


def _logged(log: str) -> list[str]:
    at = log.find("Traceback")
    return [] if at < 0 else [f"the log has a traceback: {log[max(0, at - 300) : at + 1500]}"]


def _memory(report: Report) -> list[str]:
    assert report.warm is not None
    assert report.end is not None
    allowed = report.warm.rss * 1.1 + SLACK
    if report.end.rss <= allowed:
        return []
    return [f"memory: {report.warm.rss:.0f} MB after the warm-up, {report.end.rss:.0f} MB at the end"]


def _left(warm: Census, end: Census) -> list[str]:
    found: list[str] = []
    for what, before, now in (
        ("tasks", warm.tasks, end.tasks),
        ("threads", warm.threads, end.threads),
        ("files", _without_upstream(warm.files), _without_upstream(end.files)),
    ):
        more = {
            name: (before.get(name, 0), count)
            for name, count in now.items()
            if count > before.get(name, 0) + MAY_COME.get(name, 0)
        }
        if more:
            found.append(f"{what} left over (after the warm-up, at the end): {more}")
    return found


def _without_upstream(files: Mapping[str, int]) -> dict[str, int]:
    """Idle connections to a provider are kept for the next call; journals change their names."""
    found: Counter[str] = Counter()
    for name, count in files.items():
        if name != "upstream" and not name.endswith(LOOKED_INTO):
            found[JOURNAL if JOURNAL in name else name] += count
    return found


def _grown(report: Report) -> list[str]:
    assert report.warm is not None
    assert report.end is not None
    found: list[str] = []
    for before, now in ((report.warm.sizes, report.end.sizes), (report.warm.objects, report.end.objects)):
        for name, count in now.items():
            limit = BOUNDED.get(name)
            if limit is not None and count > limit:
                found.append(f"{name} holds {count}, more than its {limit}")
            elif ":" in name and name not in before:
                continue  # a module that was imported since
            elif limit is None and count - before.get(name, 0) > FEW:
                found.append(f"{name} grew from {before.get(name, 0)} to {count}")
    return found


# ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def soak(calls: int, held: int, *, seed: int = 0, workers: int = 16, headless: bool = True, tell: Tell) -> Report:
    behaviour = upstream.Upstream()
    report = Report()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="omniroute-soak-")))
        provider = stack.enter_context(serving())
        provider.remembers, provider.otherwise = False, behaviour
        running = stack.enter_context(watched(directory, rules(provider), headless=headless))
        report.idle = running.census()
        asyncio.run(_all(report, running, directory, behaviour, calls, held, Random(seed), workers, tell))
        report.log = running.proxy.log.read_text()
    report.seconds = time.monotonic() - began
    return report


def rules(provider: Provider) -> str:
    own = f"  anthropic: {{base_url: '{provider.url('anthropic-messages')}'}}\n"
    return targets(up=provider, bad=provider) + own + RULES


async def _all(
    report: Report,
    running: Watched,
    directory: Path,
    behaviour: upstream.Upstream,
    calls: int,
    held: int,
    dice: Random,
    workers: int,
    tell: Tell,
) -> None:
    assert report.idle is not None
    async with _echo(directory) as tunnel:
        warm_up = int(calls * WARM)
        for part, count in (("warm", warm_up), ("end", calls - warm_up)):
            async with clients(running.proxy, tunnel, dice) as used:
                if held:
                    tell(f"{part}: {held} held streams")
                    await _hold(report, used, behaviour, held)
                await _mixed(report, used, running, count, workers, tell)
            tell(f"{part}: waiting until all is quiet")
            census = await asyncio.to_thread(settled, running, report.warm or report.idle, 20.0)
            setattr(report, part, census)


async def _mixed(report: Report, used: Clients, running: Watched, calls: int, workers: int, tell: Tell) -> None:
    kinds, weights = list(KINDS), list(KINDS.values())
    order = iter(used.dice.choices(kinds, weights, k=calls))
    done = 0

    async def work() -> None:
        nonlocal done
        for kind in order:
            await _one(report, used, kind)
            done += 1
            if done % 500 == 0:
                report.samples.append((report.calls.total(), running.rss))
                tell(f"{report.calls.total()} calls, {running.rss:.0f} MB, {len(report.wrong)} wrong")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(workers):
            tasks.create_task(work())


async def _one(report: Report, used: Clients, kind: Kind) -> None:
    name = kind.__name__  # type: ignore[attr-defined]  # kinds are functions
    nonce = f"n{used.dice.getrandbits(40):x}"
    try:
        async with asyncio.timeout(60):
            await kind(used, nonce)
    except (AssertionError, TimeoutError, httpx.HTTPError, OSError, KeyError, ValueError, TypeError) as error:
        report.wrong.append(f"{name} {nonce}: {type(error).__name__}: {error}"[:2000])
    report.calls[name] += 1


async def _hold(report: Report, used: Clients, behaviour: upstream.Upstream, count: int) -> None:
    """So many streams at once that have begun and wait; then all of them end as they should."""
    started = asyncio.Semaphore(0)
    places = asyncio.Semaphore(50)

    async def one(number: int) -> None:
        nonce = f"h{number}"
        asked = ask("anthropic-messages", "to-openai-chat", stream=True, question=upstream.order("hold", nonce))
        body = b""
        await places.acquire()
        client = httpx.AsyncClient(proxy=used.proxy.url, verify=trust, timeout=120, trust_env=False)
        async with client, client.stream("POST", asked.url, content=asked.content) as response:
            async for chunk in response.aiter_bytes():
                if not body:
                    places.release()
                    started.release()
                body += chunk
        right(asked.format, httpx.Response(200, headers=response.headers, content=body), nonce, tools=False)

    trust = used.proxy.trust
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(one(number))
        for _ in range(count):
            await started.acquire()
        report.held = max(report.held, count)
        behaviour.gate.open()
    behaviour.gate = type(behaviour.gate)()


@contextlib.asynccontextmanager
async def _echo(directory: Path) -> AsyncGenerator[int]:
    """A TLS server that is nobody's provider."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            writer.write(b"echo " + await reader.readline())
            await writer.drain()
        writer.close()

    context = authority(directory, "localhost").server
    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
