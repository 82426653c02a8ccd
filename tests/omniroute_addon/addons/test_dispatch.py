"""Hooks are called as mitmproxy calls them: each case runs through mitmproxy's manager and through ours."""

import asyncio
import re
from collections.abc import Callable

import pytest
from mitmproxy import exceptions, hooks, options
from mitmproxy.addonmanager import AddonManager
from mitmproxy.master import Master
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import tflow

from omniroute_addon.addons import dispatch
from omniroute_addon.addons.dispatch import Dispatch
from tests.omniroute_addon.loopback import run

type Told = list[str]


class Addon:
    """Writes down when it is called."""

    def __init__(self, told: Told, name: str, *children: object) -> None:
        self.name = name
        self.told = told
        self.addons = list(children)

    def request(self, flow: object) -> None:
        self.told.append(self.name)

    def update(self, flows: list[object]) -> None:
        self.told.append(f"{self.name} updated by {len(flows)}")


class Slow(Addon):
    async def request(self, flow: object) -> None:
        self.told.append(f"{self.name} begins")
        await asyncio.sleep(0)
        self.told.append(f"{self.name} ends")


class Failing(Addon):
    def request(self, flow: object) -> None:
        self.told.append(f"{self.name} fails")
        raise ValueError(self.name)


class FailingSlowly(Addon):
    async def request(self, flow: object) -> None:
        await asyncio.sleep(0)
        self.told.append(f"{self.name} fails")
        raise ValueError(self.name)


class Halting(Addon):
    def request(self, flow: object) -> None:
        self.told.append(f"{self.name} halts")
        raise exceptions.AddonHalt


class HaltingSlowly(Addon):
    async def request(self, flow: object) -> None:
        await asyncio.sleep(0)
        self.told.append(f"{self.name} halts")
        raise exceptions.AddonHalt


class Unfit(Addon):
    request = "no function"  # type: ignore[assignment]  # on purpose


class Deaf:
    """No hook of ours."""

    name = "deaf"


class Growing(Addon):
    """Has a child from its first call on."""

    def request(self, flow: object) -> None:
        super().request(flow)
        self.addons = [Addon(self.told, "child")]


CASES: dict[str, Callable[[Told], list[object]]] = {
    "order": lambda told: [Addon(told, "a"), Deaf(), Addon(told, "b")],
    "parents come before their children": lambda told: [
        Addon(told, "a", Addon(told, "aa", Addon(told, "aaa")), Addon(told, "ab")),
        Addon(told, "b"),
    ],
    "one waits": lambda told: [Addon(told, "a"), Slow(told, "b", Addon(told, "ba")), Addon(told, "c")],
    "two wait": lambda told: [Slow(told, "a"), Slow(told, "b"), Addon(told, "c")],
    "a failure ends its addon's turn": lambda told: [
        Failing(told, "a", Addon(told, "aa")),
        Addon(told, "b", Failing(told, "ba"), Addon(told, "bb")),
        Addon(told, "c"),
    ],
    "a late failure, too": lambda told: [FailingSlowly(told, "a", Addon(told, "aa")), Slow(told, "b")],
    "a halt ends the event": lambda told: [Addon(told, "a"), Halting(told, "b"), Addon(told, "c")],
    "a late halt, too": lambda told: [Addon(told, "a"), HaltingSlowly(told, "b"), Addon(told, "c")],
    "what cannot be called is told": lambda told: [Addon(told, "a"), Unfit(told, "b"), Addon(told, "c")],
    "nobody": lambda _: [Deaf()],
}


def call(make: Callable[[Told], list[object]], *, ours: bool) -> Told:
    """What the addons say of two requests."""
    told: Told = []

    async def main() -> None:
        master = Master(options.Options())
        manager = master.addons
        if ours:
            assert dispatch.install(manager)
        assert isinstance(manager, Dispatch) == ours
        manager.add(*make(told))
        for _ in range(2):
            await manager.handle_lifecycle(HttpRequestHook(tflow.tflow()))
        master._legacy_log_events.uninstall()

    run(main)
    return told


@pytest.mark.parametrize("case", CASES)
def test_a_hook_is_called_as_mitmproxy_calls_it(case: str, caplog: pytest.LogCaptureFixture) -> None:
    def logged() -> list[str]:
        return [re.sub(r" at 0x\w+", "", one.message) for one in caplog.records if one.name.startswith("mitmproxy")]

    stock = call(CASES[case], ours=False)
    said = logged()
    caplog.clear()
    assert call(CASES[case], ours=True) == stock
    assert logged() == said


def test_a_child_that_comes_in_the_middle_of_an_event_is_called_from_the_next_on() -> None:
    told = call(lambda told: [Growing(told, "a"), Addon(told, "b")], ours=True)
    assert [one for one in told if "updated" not in one] == ["a", "b", "a", "child", "b"]


def test_addons_that_come_and_go_are_seen() -> None:
    told: Told = []

    async def main() -> None:
        master = Master(options.Options())
        manager = master.addons
        assert dispatch.install(manager)
        first, second = Addon(told, "first"), Addon(told, "second")
        manager.add(first)
        manager.trigger(HttpRequestHook(tflow.tflow()))
        manager.add(second)
        manager.trigger(HttpRequestHook(tflow.tflow()))
        manager.remove(first)
        manager.trigger(HttpRequestHook(tflow.tflow()))
        master._legacy_log_events.uninstall()

    run(main)
    assert told == ["first", "first", "second", "second"]


def test_an_option_that_an_addon_refuses_is_still_refused() -> None:
    class Strict:
        def configure(self, updated: set[str]) -> None:
            if "ssl_insecure" in updated:
                raise exceptions.OptionsError("not here")

    async def main() -> None:
        opts = options.Options()
        master = Master(opts)
        assert dispatch.install(master.addons)
        master.addons.add(Strict())
        with pytest.raises(exceptions.OptionsError, match="not here"):
            opts.update(ssl_insecure=True)
        master._legacy_log_events.uninstall()

    run(main)


@pytest.mark.parametrize("event", [hooks.UpdateHook([tflow.tflow()]), HttpRequestHook(tflow.tflow())])
def test_the_arguments_are_those_of_mitmproxy(event: hooks.Hook) -> None:
    assert dispatch.arguments(event) == event.args()


def test_the_manager_stays_one_of_mitmproxys() -> None:
    assert issubclass(Dispatch, AddonManager)
