"""First paint of every page of ours with 10,000 calls in the ledger, and how long the server works on it."""

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

from omniroute_addon.web import pages
from tests.omniroute_addon.web.conftest import CHROMIUM, FLAGS
from tests.omniroute_addon.web.seeding import seed
from tests.servers.proxy import running

CALLS = 10_000
PAINT_TARGET = 300.0
"""Milliseconds."""
_ROUNDS = 7
_PAINT = "(performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime"


@dataclass(frozen=True, slots=True)
class PageFigure:
    """Medians, in milliseconds."""

    path: str
    server: float
    paint: float


def paths() -> Iterator[str]:
    """Those of the navigation, and the heaviest of usage."""
    for one in pages.resources():
        if one.page is not None and "{" not in one.page.path:
            yield one.page.path
    yield "usage?since=30d&by=account"


def measure(tell: Callable[[str], None]) -> list[PageFigure]:
    """Each page several times, in a browser that has its scripts and styles already. Nothing without a Chromium."""
    if CHROMIUM is None and shutil.which("chromium") is None:
        return []
    found: list[PageFigure] = []
    with tempfile.TemporaryDirectory() as directory:
        path = seed(Path(directory) / "seeded" / "ledger.db", CALLS, end=time.time() - 60, every=250)
        rules = f"ledger: {{path: {json.dumps(str(path))}, retention: 365d}}\nroutes: []\n"
        with running(Path(directory), rules, headless=False) as proxy, sync_playwright() as driver:
            assert proxy.web is not None
            base, _, token = proxy.web.partition("?token=")
            base = base.rstrip("/") + "/omniroute/"
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{base}?token={token}")
            for one in paths():
                tell(f"the page /{one}")
                server = [_served(base + one, token) for _ in range(_ROUNDS)]
                paint: list[float] = []
                for _ in range(_ROUNDS):
                    page.goto(base + one)
                    page.wait_for_load_state("load")
                    page.wait_for_function(f"() => {_PAINT}")
                    paint.append(float(page.evaluate(_PAINT)))
                found.append(PageFigure(f"/{one}", statistics.median(server), statistics.median(paint)))
            browser.close()
    return found


def _served(url: str, token: str) -> float:
    began = time.perf_counter()
    httpx.get(url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=60).raise_for_status()
    return (time.perf_counter() - began) * 1000
