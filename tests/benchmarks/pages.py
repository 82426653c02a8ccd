"""First paint of every page of ours with 10,000 calls in the ledger, and how long the server works on it.

Logs, scorecards and rules are as large as they get: both line logs full, a thousand cards, 100 rules and 30 combos; the
call whose page is opened is one of a coding agent's, with its four bodies.
"""

import contextlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
from playwright.sync_api import Browser, sync_playwright

from omniroute_addon.config.logs import LinesLog
from omniroute_addon.evals import store
from omniroute_addon.evals.run import Billed, Card, Result
from omniroute_addon.logs.entries import Entry, Tab
from omniroute_addon.logs.lines import Bounds, Lines, files
from omniroute_addon.logs.writer import directory as logs_in
from omniroute_addon.web import pages
from tests.benchmarks import subjects
from tests.benchmarks.translators import claude_code_request
from tests.omniroute_addon.web.conftest import CHROMIUM, FLAGS
from tests.omniroute_addon.web.seeding import seed
from tests.servers.proxy import Proxy, running

CALLS = 10_000
PAINT_TARGET = 300.0
"""Milliseconds."""
_ROUNDS = 7
_RULES, _COMBOS = 100, 30
_PAINT = "(performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime"


@dataclass(frozen=True, slots=True)
class PageFigure:
    """Medians, in milliseconds."""

    path: str
    server: float
    paint: float


@dataclass(frozen=True, slots=True)
class Site:
    """Our pages at a running proxy."""

    web: str
    """mitmweb's address, with the login token."""

    @property
    def root(self) -> str:
        return self.web.partition("?")[0].rstrip("/") + "/"

    @property
    def base(self) -> str:
        return self.root + "omniroute/"

    @property
    def token(self) -> str:
        return self.web.partition("?token=")[2]

    def ask(self, path: str, method: str = "GET", **more: object) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.request(  # pyright: ignore[reportCallIssue]
            method,
            self.base + path,
            headers=headers,
            trust_env=False,
            timeout=60,
            **more,  # pyright: ignore[reportArgumentType]
        ).raise_for_status()


def measure(tell: Callable[[str], None]) -> list[PageFigure]:
    """Each page several times, in a browser that has its scripts and styles already. Nothing without a Chromium."""
    if not can_look():
        return []
    found: list[PageFigure] = []
    with _stand() as site, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{site.base}?token={site.token}")
        for name, path in _paths(site):
            tell(f"the page /{name}")
            server = [_seconds(lambda path=path: site.ask(path)) * 1000 for _ in range(_ROUNDS)]
            paint: list[float] = []
            for _ in range(_ROUNDS):
                page.goto(site.base + path)
                page.wait_for_load_state("load")
                page.wait_for_function(f"() => {_PAINT}")
                paint.append(float(page.evaluate(_PAINT)))
            found.append(PageFigure(f"/{name}", statistics.median(server), statistics.median(paint)))
    return found


def can_look() -> bool:
    return CHROMIUM is not None or shutil.which("chromium") is not None


@contextlib.contextmanager
def chromium(*more: str) -> Generator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS.split(), *more])
        yield browser
        browser.close()


def _paths(site: Site) -> Iterator[tuple[str, str]]:
    """Names and addresses: the navigation's, those of one thing, and the heaviest of some."""
    for one in pages.resources():
        if one.page is not None and "{" not in one.page.path:
            yield one.page.path, one.page.path
    call = site.ask("api/calls?limit=1").json()["calls"][0]["id"]
    again = site.ask(f"api/calls/{call}/replays", "POST", json={}).json()["id"]
    card = site.ask("api/evals").json()["cards"][0]["id"]
    yield "calls/{id}", f"calls/{call}"
    yield "replays/{id}", f"replays/{again}"
    yield "evals/cards/{id}", f"evals/cards/{card}"
    for path in ("?search=nothing", "usage?since=30d&by=account", "health?since=7d"):
        yield path, path
    for tab in ("proxy", "audit", "console", "console&search=nothing"):
        yield f"logs?tab={tab}", f"logs?tab={tab}"


@contextlib.contextmanager
def _stand() -> Generator[Site]:
    with tempfile.TemporaryDirectory(prefix="omniroute-bench-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        ledger = seed(place / "seeded" / "ledger.db", CALLS, end=time.time() - 60, every=250)
        _fill(place / "home")
        with subjects.provider(place) as served:
            trusted = {"SSL_CERT_FILE": str(served.authority)}
            with running(place, _rules(ledger, served.port), headless=False, env=trusted) as proxy:
                _call(proxy)
                assert proxy.web is not None
                yield Site(proxy.web)


def _rules(ledger: Path, port: int) -> str:
    local = f'{{format: openai-chat, base_url: "https://localhost:{port}/v1/chat/completions", auth: bearer}}'
    routes = "\n".join(f"  - {{match: {{model: 'm{number}-*'}}, to: c{number % _COMBOS}}}" for number in range(_RULES))
    combos = "\n".join(f"  c{number}: {{targets: [other/a{number}, other/b, other/c]}}" for number in range(_COMBOS))
    return (
        f"ledger: {{path: {json.dumps(str(ledger))}, retention: 365d}}\nproviders:\n  other: {local}\n"
        "accounts:\n  - {name: other, provider: other, key: sk-bench-other}\n"
        f"combos:\n{combos}\nroutes:\n{routes}\n  - {{match: {{client: claude-code}}, to: other/bench-model}}\n"
    )


def _fill(home: Path) -> None:
    """Both line logs and the scorecards, up to their bounds."""
    bounds = LinesLog()
    tabs: tuple[Tab, ...] = ("audit", "console")
    for tab in tabs:
        lines = Lines(logs_in(home), tab, Bounds(int(bounds.max_bytes), bounds.max_age))
        began = time.time() - 80_000
        for part in range(80):
            lines.add(
                [
                    Entry(f"{part}-{number}", began + part * 1000 + number, tab, "warning", "engine", "words " * 20, {})
                    for number in range(500)
                ]
            )
        for number, (path, _) in enumerate(files(logs_in(home), tab)):
            os.utime(path, (time.time() - number * 10_000,) * 2)  # as if they had been written when they say
    for number in range(store.KEPT):
        started = time.time() - number * 600
        results = tuple(
            Result(f"case-{n}", f"case {n}", n % 3 > 0, 1.5, "an answer " * 20, billed=Billed("glm/glm-4.7"))
            for n in range(10)
        )
        store.keep(home, Card(f"{number:08x}-card", "golden", "Golden", "glm/glm-4.7", started, started + 20, results))


def _call(proxy: Proxy) -> None:
    """One of a coding agent's, with a long answer."""
    body = orjson.loads(claude_code_request().body)
    body["messages"].append({"role": "user", "content": "chunks=400 pause=0"})
    headers = {"x-api-key": "sk-bench", "user-agent": "claude-cli/2.0.0 (external, cli)"}
    with httpx.Client(proxy=proxy.url, verify=proxy.trust, trust_env=False, timeout=60) as client:
        answer = client.post("https://api.anthropic.com/v1/messages", json=body, headers=headers)
        answer.raise_for_status()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
