"""mitmweb's view and pages learn of a flow's changes once for many, never of a secret, and only as fast as they read."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from mitmproxy import flowfilter, http, options
from mitmproxy.log import LogEntry
from mitmproxy.test import taddons, tflow
from mitmproxy.tools.web.app import ClientConnection

from omniroute_addon.addons import mitmweb
from omniroute_addon.addons.gathered import BEHIND, PAGES, SLICE, Announcer, GatheredView
from omniroute_addon.addons.lifecycle import OmniRoute
from omniroute_addon.addons.view import exposed
from tests.omniroute_addon.loopback import run

type Message = dict[str, Any]


class Page(ClientConnection):
    """An open page: what it was sent is in ``heard`` as soon as it reads."""

    def __init__(self) -> None:
        self.filters = {}
        self._send_queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.heard: list[Message] = []

    __hash__ = object.__hash__

    async def read(self, until: Callable[[Message], bool]) -> Message:
        while True:
            message = json.loads(await asyncio.wait_for(self._send_queue.get(), 30))
            self.heard.append(message)
            if until(message):
                return message

    @property
    def kinds(self) -> list[str]:
        return [one["type"].removeprefix("flows/") for one in self.heard]


def of(kind: str, shown: http.HTTPFlow) -> Callable[[Message], bool]:
    def wanted(message: Message) -> bool:
        payload = message.get("payload")
        name = payload["flow"]["id"] if isinstance(payload, dict) and "flow" in payload else payload
        return message["type"] == f"flows/{kind}" and name == shown.id

    return wanted


def called(comment: str = "") -> http.HTTPFlow:
    shown = tflow.tflow(resp=True)
    shown.comment = comment
    return shown


@asynccontextmanager
async def opened(pages: int = 1) -> AsyncGenerator[tuple[GatheredView, Announcer, list[Page]]]:
    view = GatheredView()
    with taddons.context(view):
        told = Announcer()
        view.sig_view_add.connect(told.added)
        view.sig_view_remove.connect(told.removed)
        view.sig_view_update.connect(told.updated)
        view.sig_view_refresh.connect(told.refreshed)
        several = [Page() for _ in range(pages)]
        ClientConnection.connections.update(several)
        try:
            yield view, told, several
        finally:
            ClientConnection.connections.clear()


def test_the_installed_mitmproxy_is_one_that_we_were_written_against() -> None:
    """When this fails: read what changed in ``modules``, run everything with it, then add its digest."""
    assert PAGES.found() in PAGES.digests


def test_many_changes_of_a_flow_are_announced_once_and_as_they_are_in_the_end() -> None:
    async def main() -> None:
        async with opened(2) as (view, _, pages):
            shown = called()
            view.add([shown])
            assert view.get_by_id(shown.id) is shown
            for page in pages:
                await page.read(of("add", shown))
            for number in range(10):
                shown.comment = str(number)
                view.update([shown])
            for page in pages:
                message = await page.read(of("update", shown))
                assert message["payload"]["flow"]["comment"] == "9"
                assert page.kinds == ["add", "update"]

    run(main)


def test_a_flow_that_came_and_went_between_two_looks_is_not_announced() -> None:
    async def main() -> None:
        async with opened() as (view, _, [page]):
            passing, stays = called(), called()
            view.add([passing, stays])
            view.remove([passing])
            await page.read(of("add", stays))
            view.remove([stays])
            await page.read(of("remove", stays))
            assert page.kinds == ["add", "remove"]

    run(main)


def test_a_flow_waits_while_a_secret_can_be_read_in_it() -> None:
    async def main() -> None:
        async with opened() as (view, _, [page]):
            hidden, plain = called(), called()
            hidden.request.headers["authorization"] = "Bearer secret"
            view.add([hidden, plain])
            await page.read(of("add", plain))
            assert exposed(hidden)
            hidden.request.headers["authorization"] = "[redacted]"
            await page.read(of("add", hidden))
            hidden.request.headers["authorization"] = "Bearer secret"
            view.update([hidden, plain])
            await page.read(of("update", plain))
            assert "Bearer secret" not in str(page.heard)

    run(main)


def test_filters_of_the_view_hold_for_what_has_changed() -> None:
    async def main() -> None:
        async with opened() as (view, _, [page]):
            view.set_filter(flowfilter.parse("~comment wanted"))
            await page.read(lambda message: message["type"] == "flows/reset")
            shown = called("wanted")
            view.add([shown])
            await page.read(of("add", shown))
            shown.comment = "other"
            view.update([shown])
            await page.read(of("remove", shown))
            shown.comment = "wanted"
            view.update([shown])
            await page.read(of("add", shown))
            assert list(view) == [shown]

    run(main)


def test_another_order_makes_pages_read_all_flows_anew() -> None:
    async def main() -> None:
        async with opened() as (view, _, [page]):
            view.set_reversed(boolean=True)
            await page.read(lambda message: message["type"] == "flows/reset")

    run(main)


def test_a_storm_of_flows_is_announced_slice_by_slice_and_in_order() -> None:
    async def main() -> None:
        async with opened() as (view, told, [page]):
            several = [called() for _ in range(SLICE + 5)]
            view.add(several)
            told._tell()
            assert page._send_queue.qsize() == SLICE
            await page.read(of("add", several[-1]))
            assert [one["payload"]["flow"]["id"] for one in page.heard] == [one.id for one in several]

    run(main)


def test_a_page_that_does_not_read_is_left_alone_until_it_does() -> None:
    async def main() -> None:
        async with opened(2) as (view, told, [slow, quick]):
            for number in range(BEHIND + 50):
                told.said(LogEntry(str(number), "info"))
                quick._send_queue.get_nowait()
            assert slow._send_queue.qsize() == BEHIND + 1
            shown = called()
            view.add([shown])
            await quick.read(of("add", shown))
            assert slow._send_queue.qsize() == BEHIND + 1
            await slow.read(lambda message: message["type"] == "flows/reset")
            view.update([shown])
            await slow.read(of("update", shown))
            assert "flows/add" not in [one["type"] for one in slow.heard]

    run(main)


@pytest.mark.parametrize("comment", ["", "wanted"])
def test_nobody_looking_costs_no_json(comment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with opened(0) as (view, told, _):
            shown = called(comment)
            view.add([shown])
            view.update([shown])
            view._settle()
            view.remove([shown])
            told.said(LogEntry("words", "info"))
            assert (told._new, told._changed, told._gone) == ({}, {}, {})
            told._tell()

    monkeypatch.setattr("omniroute_addon.addons.gathered.flow_to_json", lambda _: pytest.fail("JSON for nobody"))
    run(main)


@pytest.mark.parametrize("known", [True, False])
def test_with_another_mitmproxy_mitmwebs_own_way_is_used(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not known:
        monkeypatch.setattr(mitmweb, "PAGES", replace(PAGES, digests=("of another",)))

    async def main() -> None:
        page = Page()
        web = mitmweb.Web(options.Options(), OmniRoute())
        assert isinstance(web.view, GatheredView) == known
        ClientConnection.connections.add(page)
        try:
            shown = called()
            web.view.add([shown])
            assert page._send_queue.empty() == known
            await page.read(of("add", shown))
            shown.comment = "new"
            web.view.update([shown])
            assert (await page.read(of("update", shown)))["payload"]["flow"]["comment"] == "new"
        finally:
            ClientConnection.connections.clear()
            web.events.done()

    run(main)
