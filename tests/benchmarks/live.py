"""The live page while calls come: what it costs the proxy, and whether browser and proxy stay as they are.

``throughput`` puts the same load on one proxy while nobody looks, while a bare client reads the page's websocket (what
the server alone has to do for a page), with the page open in Chromium, and with mitmweb's own page open there, in turns.

``steady`` keeps about fifty exchanges a second, streams of a second each, running for some minutes, with the page open.
Besides it there are a page that is paused, one that is frozen as a browser freezes background tabs, and two websockets
(ours and mitmweb's) whose clients never read.
"""

import asyncio
import contextlib
import socket
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import aiohttp
from playwright.sync_api import Browser, Page

from tests.benchmarks import subjects
from tests.benchmarks.pages import Site, can_look, chromium
from tests.benchmarks.proxies import cpu, run
from tests.benchmarks.subjects import Process

CONDITIONS = NOBODY, READER, LIVE, MITMWEB = "nobody looks", "its websocket read", "Live open", "mitmweb's page open"
LEFT_TARGET = 0.9
"""Of the throughput without."""
RATE = 50
FLAT = 1.1
"""Times as much at the end as after warming up is no growth."""
_STREAM = 10
"""Chunks, one every 100 ms."""
_SETTLED = 1000
"""Milliseconds after which a page has nothing more to do than to follow."""
_EVERY = 10.0
"""Seconds between two looks."""
_WATCH = """() => {
  window.tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration))).observe({type: "longtask"});
}"""
_SEEN = """() => {
  const rows = [...document.querySelectorAll("#calls tr")];
  const at = Math.max(...rows.map((row) => Number(row.dataset.at)));
  return {rows: rows.length, behind: Date.now() / 1000 - at, tasks: tasks.length, longest: Math.max(0, ...tasks)};
}"""


@dataclass(frozen=True, slots=True)
class Watched:
    """Medians of the rounds; ``left`` and ``saved`` are those of the rounds' own ratios."""

    condition: str
    rate: float
    """Requests a second, translated, 16 clients."""
    left: float
    """Of the rate while nobody looks."""
    cost: float
    """The proxy's processor time for a request, ms."""
    times: float
    """The cost against that while nobody looks."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there is at one moment, garbage collected."""

    at: float
    """Seconds since the page was opened."""
    heap: float
    """MB that the page's script holds."""
    nodes: int
    renderer: float
    """MB resident of the page's process."""
    busy: float
    """Its processor time since the look before, of a core."""
    proxy: float
    rows: int
    behind: float
    """Seconds between the start of the newest row's call and now."""
    tasks: int
    """Long ones (above 50 ms) so far."""
    longest: float
    """Of them, ms."""


@dataclass(frozen=True, slots=True)
class Steady:
    rate: float
    """Exchanges a second."""
    looks: tuple[Look, ...]

    def grown(self, value: Callable[[Look], float]) -> float:
        """The median of the last quarter against that of the first one, from when the table is full."""
        full = max(look.rows for look in self.looks)
        warm = [value(look) for look in self.looks if look.rows == full]
        quarter = max(1, len(warm) // 4)
        return median(warm[-quarter:]) / (median(warm[:quarter]) or 1)


# ── throughput ──────────────────────────────────────────────────────────────────────────────────────────────────────


def throughput(rounds: int, tell: Callable[[str], None]) -> list[Watched]:
    if not can_look():
        return []
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CONDITIONS}
    with _proxy() as process, chromium() as browser:
        site = _site(process)
        subject = subjects.ours_by(subjects.TRANSLATED, process)
        run(subject.job("requests", 16, seconds=2))
        for number in range(2 * rounds):
            for name in CONDITIONS:
                tell(f"throughput, round {number + 1} of {2 * rounds}: {name}")
                with _looking(name, site, browser), cpu(process) as used:
                    asked = run(subject.job("requests", 16, seconds=1.5))
                found[name].append((asked.calls / asked.seconds, used[0] * 1000 / (asked.calls + 16)))
    return [_watched(name, found[name], found[NOBODY]) for name in CONDITIONS]


def _watched(name: str, values: list[tuple[float, float]], alone: list[tuple[float, float]]) -> Watched:
    pairs = list(zip(values, alone, strict=True))
    return Watched(
        name,
        median(rate for rate, _ in values),
        median(one[0] / other[0] for one, other in pairs),
        median(cost for _, cost in values),
        median(one[1] / other[1] for one, other in pairs),
    )


@contextlib.contextmanager
def _looking(condition: str, site: Site, browser: Browser) -> Generator[None]:
    match condition:
        case "its websocket read":
            with _reading(site):
                yield
        case "Live open":
            with contextlib.closing(_open(browser, site)) as page:
                page.wait_for_timeout(_SETTLED)
                yield
        case "mitmweb's page open":
            page = browser.new_page()
            page.goto(site.web)
            page.wait_for_selector(".flow-table")
            page.wait_for_timeout(_SETTLED)
            yield
            page.close()
        case _:
            yield


def _open(browser: Browser, site: Site) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{site.base}?token={site.token}")
    page.wait_for_selector("#link[data-state=open]")
    return page


@contextlib.contextmanager
def _reading(site: Site) -> Generator[None]:
    """A client that reads what a page would be sent, and does nothing with it."""
    begun, over = threading.Event(), threading.Event()

    async def read() -> None:
        headers = {"authorization": f"Bearer {site.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(f"{site.base}live", max_msg_size=0) as feed,
        ):
            await feed.receive()
            begun.set()
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    await feed.receive(timeout=0.5)

    thread = threading.Thread(target=lambda: asyncio.run(read()), daemon=True)
    thread.start()
    assert begun.wait(30)
    yield
    over.set()
    thread.join()


# ── some minutes ────────────────────────────────────────────────────────────────────────────────────────────────────


def steady(minutes: float, tell: Callable[[str], None]) -> Steady | None:
    if not can_look():
        return None
    seconds = minutes * 60
    with (
        _proxy() as process,
        chromium("--js-flags=--expose-gc") as browser,
        ThreadPoolExecutor(1) as beside,
        contextlib.ExitStack() as others,
    ):
        site = _site(process)
        for path in ("omniroute/live", "updates"):
            others.enter_context(_never_reading(site, path))
        page, paused, frozen = (_open(browser, site) for _ in range(3))
        paused.click("#pause")
        frozen.context.new_cdp_session(frozen).send("Page.setWebLifecycleState", {"state": "frozen"})
        page.evaluate(_WATCH)
        job = subjects.ours_by(subjects.TRANSLATED, process).job(
            "chunks", RATE * _STREAM // 10, seconds=seconds, chunks=_STREAM, pause=100
        )
        load = beside.submit(run, job)
        looks = list(_looks(browser, page, process, seconds, tell))
        done = load.result()
    return Steady(done.calls / done.seconds, tuple(looks))


def _looks(
    browser: Browser, page: Page, process: Process, seconds: float, tell: Callable[[str], None]
) -> Generator[Look]:
    """One every ``_EVERY`` seconds."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    renderer = _renderer_of(browser, page)
    began = time.monotonic()
    last, used = began, subjects.cpu_of(renderer)
    while (at := time.monotonic() - began) < seconds:
        tell(f"the live page for {seconds / 60:.1f} minutes: {at:.0f} s")
        devtools.send("HeapProfiler.collectGarbage")
        known = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
        seen = page.evaluate(_SEEN)
        now, now_used = time.monotonic(), subjects.cpu_of(renderer)
        yield Look(
            at=at,
            heap=known["JSHeapUsedSize"] / 1e6,
            nodes=int(known["Nodes"]),
            renderer=_resident(renderer),
            busy=(now_used - used) / max(now - last, 1e-3),
            proxy=process.memory()[0],
            **seen,
        )
        last, used = time.monotonic(), subjects.cpu_of(renderer)
        page.wait_for_timeout(min(_EVERY, seconds / 12) * 1000)


def _renderer_of(browser: Browser, page: Page) -> int:
    """The process of the page: the one that gets busy when the page's script does."""
    devtools = browser.new_browser_cdp_session()

    def busy() -> dict[int, float]:
        known = devtools.send("SystemInfo.getProcessInfo")["processInfo"]
        return {one["id"]: one["cpuTime"] for one in known if one["type"] == "renderer"}

    before = busy()
    page.evaluate("() => { const end = performance.now() + 700; while (performance.now() < end); }")
    after = busy()
    page.evaluate("() => { tasks.length = 0; }")
    return max(after, key=lambda pid: after[pid] - before.get(pid, 0.0))


def _resident(pid: int) -> float:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024


@contextlib.contextmanager
def _never_reading(site: Site, path: str) -> Generator[None]:
    """A websocket that is opened, and whose client then reads nothing."""
    address = urlsplit(site.root)
    assert address.hostname is not None
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((address.hostname, address.port or 80))
        lines = (
            f"GET /{path} HTTP/1.1",
            f"Host: {address.netloc}",
            f"Authorization: Bearer {site.token}",
            f"Sec-WebSocket-Key: {b64encode(bytes(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            "Connection: Upgrade",
            "Upgrade: websocket",
        )
        client.sendall("\r\n".join((*lines, "", "")).encode())
        assert b" 101 " in client.recv(32)
        yield


@contextlib.contextmanager
def _proxy() -> Generator[Process]:
    with tempfile.TemporaryDirectory(prefix="omniroute-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        with subjects.provider(home) as served, subjects.ours(home, served, web=True) as process:
            yield process


def _site(process: Process) -> Site:
    assert process.web is not None
    return Site(process.web)
