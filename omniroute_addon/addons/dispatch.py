"""Calls hooks without walking all addons: which addons implement a hook is found once and kept.

Stock mitmproxy asks every addon for every hook, and enters a context manager and a coroutine for each; that is a third
of what a request costs there. The semantics are mitmproxy's: the order of the chain, parents before their children,
an exception ends its top-level addon's turn and is logged, ``AddonHalt`` ends the event, awaitables are awaited.

What is kept is thrown away when the chain or the ``addons`` of any addon differ from what they were, and with every
``add``, ``remove``, ``register`` and change of options. Only this differs: an addon that comes in the middle of an
event is called from the next on, and a hook that an addon grows by itself later is not seen.

Only for the mitmproxy that ``contract`` knows; any other dispatches by itself.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import fields

from mitmproxy import exceptions, flow, hooks
from mitmproxy.addonmanager import AddonManager, safecall, traverse

from omniroute_addon.addons import contract

logger = logging.getLogger(__name__)

type Group = tuple[Callable[..., object], ...]

RARE = frozenset(["running", "done"])
"""Left to mitmproxy: these may add addons that are still to have their turn."""


def install(manager: AddonManager) -> bool:
    """Make ``manager`` dispatch by ours; False, and nothing changed, when mitmproxy is not the one this was made for."""
    if not contract.SHORT_WAY.holds():
        return False
    manager.__class__ = Dispatch
    assert isinstance(manager, Dispatch)
    manager.forget()
    return True


class Dispatch(AddonManager):
    _chain: list[object]
    _parents: list[tuple[object, list[object]]]
    """Addons with children, and the children they had."""
    _found: dict[str, tuple[Group, ...]]

    def forget(self) -> None:
        self._chain, self._parents, self._found = [], [], {}

    def groups(self, name: str) -> tuple[Group, ...]:
        """The functions of a hook: one group for each top-level addon that has any."""
        if self._chain != self.chain or any(getattr(parent, "addons", ()) != kept for parent, kept in self._parents):
            self.forget()
            self._chain = list(self.chain)
            self._parents = [(addon, list(addon.addons)) for addon in traverse(self.chain) if hasattr(addon, "addons")]
        found = self._found.get(name)
        if found is None:
            every = (self._functions(addon, name) for addon in self.chain)
            found = self._found[name] = tuple(group for group in every if group)
        return found

    def _functions(self, addon: object, name: str) -> Group:
        found: list[Callable[..., object]] = []
        try:
            found.extend(function for _, function in self._iter_hooks(addon, _named(name)))
        except exceptions.AddonManagerError as error:
            found.append(_raising(error))
        return tuple(found)

    def begin(self, event: hooks.Hook) -> Awaitable[None] | None:
        """Call the event's hooks; what is left to await when one of them is not done at once."""
        groups = self.groups(event.name)
        return self._call(groups, 0, 0, arguments(event)) if groups else None

    def begin_lifecycle(self, event: hooks.Hook) -> Awaitable[None] | None:
        """``handle_lifecycle`` as far as it goes at once."""
        rest = self.begin(event)
        if rest is not None:
            return self._lifecycle(rest, event)
        message = arguments(event)[0]
        return self.begin(hooks.UpdateHook([message])) if isinstance(message, flow.Flow) else None

    async def _lifecycle(self, rest: Awaitable[None], event: hooks.Hook) -> None:
        await rest
        message = arguments(event)[0]
        if isinstance(message, flow.Flow):
            await self.trigger_event(hooks.UpdateHook([message]))

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        rest = self.begin_lifecycle(event)
        if rest is not None:
            await rest

    async def trigger_event(self, event: hooks.Hook) -> None:
        if event.name in RARE:
            await super().trigger_event(event)
            return
        rest = self.begin(event)
        if rest is not None:
            await rest

    def trigger(self, event: hooks.Hook) -> None:
        if isinstance(event, hooks.ConfigureHook):
            self.forget()
        if self.groups(event.name):
            super().trigger(event)

    def register(self, addon: object) -> object:
        self.forget()
        try:
            return super().register(addon)
        finally:
            self.forget()

    def _call(self, groups: tuple[Group, ...], turn: int, place: int, args: list[object]) -> Awaitable[None] | None:
        """Go on with the function at ``place`` of the group ``turn``."""
        while turn < len(groups):
            group = groups[turn]
            try:
                while place < len(group):
                    result = group[place](*args)
                    place += 1
                    if result is not None and inspect.isawaitable(result):
                        return self._resume(result, groups, turn, place, args)
            except exceptions.AddonHalt:
                return None
            except Exception as error:  # noqa: BLE001  any failure of an addon is logged
                _told(error)
            turn, place = turn + 1, 0
        return None

    async def _resume(
        self, result: Awaitable[object], groups: tuple[Group, ...], turn: int, place: int, args: list[object]
    ) -> None:
        try:
            await result
        except exceptions.AddonHalt:
            return
        except Exception as error:  # noqa: BLE001  as above
            _told(error)
            turn, place = turn + 1, 0
        rest = self._call(groups, turn, place, args)
        if rest is not None:
            await rest


def _told(error: Exception) -> None:
    """What mitmproxy does with an addon's exception: it logs it, but raises those of options."""
    with safecall():
        raise error


_NAMES: dict[type[hooks.Hook], tuple[str, ...]] = {}


def arguments(event: hooks.Hook) -> list[object]:
    """``event.args()``, the names of its fields looked up once."""
    kind = type(event)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(field.name for field in fields(event))  # type: ignore[arg-type]  # all are dataclasses
    return [getattr(event, name) for name in names]


def _raising(error: Exception) -> Callable[..., object]:
    """In place of a hook that cannot be called: mitmproxy says so at every event."""

    def fail(*_: object) -> None:
        raise error

    return fail


class _Named(hooks.Hook):
    """A stand-in: mitmproxy's look-up asks an event for nothing but its name."""

    name = ""


def _named(name: str) -> hooks.Hook:
    event = object.__new__(_Named)
    event.name = name  # type: ignore[misc]  # of the class elsewhere
    return event
