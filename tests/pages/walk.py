"""The walk: every page in every look, in a Chromium that tells of each fault.

A fault is anything on the console, anything that the content-security policy has stopped, a stranger's script that ran
(``window.__xss``), what axe-core calls serious, a page wider than the screen, or a word without a translation.
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from omniroute_addon.web.languages import ENGLISH, language
from tests.omniroute_addon.web.conftest import CHROMIUM, FLAGS
from tests.pages.stops import Stop
from tests.pages.traffic import Busy

_PATIENCE = 60_000
"""Milliseconds."""
TRAP = """window.__violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.__violations.push(`${event.violatedDirective} ${event.blockedURI}`));"""
_WIDE = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= innerWidth) return [];
  const out = (one) => { const box = one.getBoundingClientRect(); return box.right > innerWidth + 1 || box.left < -1; };
  const found = [...document.querySelectorAll("body *")].filter((one) => out(one) && !one.closest(".scroll, pre, .sr"));
  return [`${root.scrollWidth} px`, ...found.slice(0, 5).map((one) => one.outerHTML.slice(0, 120))];
}"""


@dataclass(frozen=True, slots=True)
class Look:
    name: str
    theme: str = "light"
    language: str = ENGLISH
    width: int = 1280
    height: int = 800


LOOKS = (
    Look("light"),
    Look("dark", theme="dark"),
    Look("phone", width=390),
    Look("arabic", language="ar"),
    Look("arabic-phone", theme="dark", language="ar", width=390),
)


@dataclass(slots=True)
class Seen:
    """What a walk has brought."""

    visits: int = 0
    faults: list[str] = field(default_factory=list[str])


@contextmanager
def chromium() -> Generator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


def walk(
    browser: Browser,
    busy: Busy,
    stops: Iterable[Stop],
    looks: Iterable[Look],
    tell: Callable[[str], None],
    *,
    shots: Path | None = None,
    whole: bool = True,
) -> Seen:
    """``shots``: where pictures go, of ``whole`` pages or of what is seen first."""
    seen = Seen()
    ordered = sorted(stops, key=lambda stop: stop.login)  # who has logged in stays so
    for look in looks:
        context = _context(browser, busy, look)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        said: list[str] = []
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("console", lambda message, said=said: said.extend(_trouble(message)))
        for stop in ordered:
            tell(f"{stop.name}, {look.name}")
            said.clear()
            _visit(page, busy, stop)
            found = [*(one for one in said if stop.status == 200 or str(stop.status) not in one), *_faults(page)]
            seen.faults += [f"{stop.name}, {look.name}: {fault}" for fault in found]
            seen.visits += 1
            if shots is not None:
                page.screenshot(path=shots / f"{stop.name}-{look.name}.png", full_page=whole)
        context.close()
    return seen


def _context(browser: Browser, busy: Busy, look: Look) -> BrowserContext:
    context = browser.new_context(viewport={"width": look.width, "height": look.height})
    context.add_init_script(TRAP)
    chosen = {"omniroute_language": look.language, "omniroute_theme": look.theme}
    context.add_cookies(
        [{"name": name, "value": value, "url": f"{busy.base}/omniroute/"} for name, value in chosen.items()]
    )
    return context


def _visit(page: Page, busy: Busy, stop: Stop) -> None:
    root = f"{busy.base}/omniroute/"
    if stop.login and not any("mitmproxy-auth" in one.get("name", "") for one in page.context.cookies()):
        page.goto(f"{root}?token={busy.token}")
    answer = page.goto(root + stop.path)
    assert answer is not None
    assert answer.status == stop.status, f"{stop.path}: {answer.status}"
    stop.act(page)


def _trouble(message: ConsoleMessage) -> list[str]:
    return [message.text] if message.type in ("error", "warning") else []


def _faults(page: Page) -> list[str]:
    found = [f"policy: {one}" for one in page.evaluate("window.__violations")]
    if page.evaluate("window.__xss !== undefined"):
        found.append("a stranger's script ran")
    found += [f"wider than the screen: {one}" for one in page.evaluate(_WIDE)]
    said = set(page.inner_text("body").split())
    found += [f"no words for {key}" for key in said & set(language(ENGLISH).words)]
    return found + [
        f"{one['id']}: {node['html'][:200]}"
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
