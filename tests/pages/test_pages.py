"""A small walk over every page on every run; ``python -m tests.pages`` makes the large one, with real tools."""

from pathlib import Path

import pytest

from tests.omniroute_addon.web.conftest import CHROMIUM

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

from tests.pages.figures import compare
from tests.pages.stops import stops
from tests.pages.traffic import busy
from tests.pages.walk import LOOKS, chromium, walk

HERE = "arabic-phone"
"""Where the most can go wrong; ``test_hostile.py`` walks in English and light."""


@pytest.mark.timeout(300)
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (apt-get install chromium)")
def test_every_page_is_without_fault_and_says_what_the_ledger_has(tmp_path: Path) -> None:
    with busy(tmp_path, 1000, None, print) as found, chromium() as browser:
        seen = walk(browser, found, stops(found), [look for look in LOOKS if look.name == HERE], print)
        figures = compare(found)
    assert seen.faults == []
    assert [str(one) for one in figures if not one.right] == []
    assert len(figures) >= 10
