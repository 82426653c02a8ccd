"""Pages as their visitors see them: a real proxy, a logged-in Chromium that bears no error, axe-core.

``visit`` opens a page and holds it to what every page must be: no errors on the console, nothing against the
content-security policy. ``serious`` is what axe-core finds.
"""

import os
import shutil
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest

from tests.web.conftest import Opened, open_stock, open_up

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

__all__ = ["open_stock", "open_up"]

CHROMIUM = os.environ.get("OMNIROUTE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --disable-component-update"
)
SECONDS = 20_000

in_every_look = pytest.mark.parametrize(
    "theme, language, size",
    [
        ("light", "en", (1280, 800)),
        ("dark", "de", (1280, 800)),
        ("light", "ar", (1280, 800)),
        ("dark", "en", (390, 844)),
    ],
)

type Visit = Callable[..., "playwright.Page"]


@pytest.fixture(scope="module")
def browser() -> Generator["playwright.Browser"]:
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: "playwright.Browser") -> Generator[Visit]:
    """``visit(opened, path, language="ar", theme="dark", **context)``: the page under ``/omniroute/``, logged in."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def go(opened: Opened, path: str = "", *, language: str = "en", theme: str = "light", **context: Any) -> Any:
        visitor = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})
        contexts.append(visitor)
        address = f"{opened.web.base}/omniroute/"
        chosen = {"omniroute_language": language, "omniroute_theme": theme}
        visitor.add_cookies([{"name": name, "value": value, "url": address} for name, value in chosen.items()])
        page = visitor.new_page()
        page.set_default_timeout(SECONDS)
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{address}?{opened.web.url.partition('?')[2]}")
        if path:
            page.goto(f"{address}{path}")
        return page

    yield go
    for one in contexts:
        one.close()
    assert wrong == []


@pytest.fixture
def serious() -> Callable[["playwright.Page"], list[str]]:
    """What axe-core finds in a page that would keep somebody from using it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

    def look(page: "playwright.Page") -> list[str]:
        found = axe.Axe().run(page).response["violations"]
        return [
            f"{one['id']}: {node['html'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    return look


@pytest.fixture
def api() -> Callable[..., httpx.Response]:
    """``api(opened, path, **query)``: the JSON of a page, as a script asks for it."""

    def ask(opened: Opened, path: str, method: str = "GET", json: object = None, **query: object) -> httpx.Response:
        return httpx.request(
            method,
            f"{opened.web.base}/omniroute/api/{path}",
            params={name: str(value) for name, value in query.items()},
            json=json,
            headers={"authorization": f"Bearer {opened.web.url.partition('token=')[2]}"},
            trust_env=False,
            timeout=30,
        )

    return ask
