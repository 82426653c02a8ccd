"""Client connections that run hooks in place, write once per event and reach the relay without a socket.

Stock mitmproxy starts a task and takes a lock for every hook, and writes to the socket once per command. Here an event
is worked off with all that follows from it (hooks that are done at once included) in one go, and what was written
meanwhile leaves in one write. The order of events is the same: what arises while one is worked on is queued behind it.

``Listener`` is mitmproxy's own proxy server; it turns each new connection handler into ours before that begins, and
that gives each HTTP layer its way to the relay (``layers``). Where mitmproxy is not the one this was written against
(``contract``), nothing of this is used: hooks run in tasks and the relay is reached by its ports. Replays always reach
it so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Protocol

from mitmproxy import connection, flow
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.proxy import commands, events, layer, server
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.utils import asyncio_utils

from omniroute_addon.addons import dispatch, lighter
from omniroute_addon.addons.dispatch import Dispatch, arguments
from omniroute_addon.addons.layers import FULL, Call, Turn, adopt, part
from omniroute_addon.addons.outgoing import Outgoing
from omniroute_addon.engine.call import ClientLeftError
from omniroute_addon.engine.engine import Engine
from omniroute_addon.engine.relay import Relay

server_log = logging.getLogger(server.__name__)
_PER_CALL = ("Streaming request to ", "Streaming response from ")
"""What mitmproxy would tell its event log of every call; the call's row says more."""
_KILL = flow.Flow.kill


def _kill(self: flow.Flow) -> None:
    """mitmproxy's own lets a flow that is stopped, and the client with it, wait forever."""
    _KILL(self)
    if self._resume_event is not None:
        self._resume_event.set()


class _Gone(layer.Layer):
    """Of a connection that has ended."""

    def __init__(self) -> None:
        pass

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        yield from ()

    handle_event = _handle_event


_GONE = _Gone()


async def _late() -> None:
    """Nobody is left to be timed out."""


class Host(Protocol):
    """The addon: it has an engine as soon as there is a configuration."""

    engine: Engine | None


class Listener(Proxyserver):
    """mitmproxy's proxy server, with handlers of ours where that is safe."""

    name = "proxyserver"

    def __init__(self, host: Host, manager: AddonManager) -> None:
        """``host`` has the engine whose relay routed flows go to; ``manager`` is made to dispatch by ours, too."""
        super().__init__()
        self._host = host
        if dispatch.install(manager):
            lighter.install()
            flow.Flow.kill = _kill  # type: ignore[method-assign]

    @contextmanager
    def register_connection(self, connection_id: tuple | str, handler: ProxyConnectionHandler) -> Iterator[None]:
        if isinstance(handler.master.addons, Dispatch):
            engine = self._host.engine
            if engine is not None:
                engine.relay.reached_directly()
            handler.__class__ = Handler
            assert isinstance(handler, Handler)
            handler.prepare(None if engine is None else engine.relay)
        else:
            handler.__class__ = Outgoing
        assert isinstance(handler, Outgoing)
        handler.leave_by(lambda: self._host.engine)
        with super().register_connection(connection_id, handler):
            yield


class Handler(Outgoing):
    relay: Relay | None
    _queue: list[events.Event]
    _busy: bool
    _unsent: dict[connection.Connection, list[bytes]]
    _starting: list[Call]
    """To begin when what was written has left."""
    _calls: set[Call]
    _waiting: list[asyncio.Future[None]]
    _unfinished: dict[commands.StartHook, tuple[object, Awaitable[None] | None]]
    """Hooks that are not done at once, on their way to ``_do``."""
    _slow: int
    """Hooks that are still to end."""
    _left: bool
    """The client has."""

    def prepare(self, relay: Relay | None) -> None:
        self.relay = relay
        self._queue = []
        self._busy = False
        self._unsent = {}
        self._starting = []
        self._calls = set()
        self._waiting = []
        self._unfinished = {}
        self._slow = 0
        self._left = False

    async def handle_client(self) -> None:
        try:
            await super().handle_client()
        finally:
            for call in list(self._calls):
                call.leave()
            self._left = True
            self._part()

    async def handle_connection(self, connection: connection.Connection) -> None:
        try:
            await super().handle_connection(connection)
        except asyncio.CancelledError as error:
            # mitmproxy keeps it in a variable of the frame that it points to: a circle, with this handler in it.
            raise error.with_traceback(None) from None

    def _part(self) -> None:
        """When nothing is to come any more, free what the layers hold at once."""
        if self._left and not self._slow and self.layer is not _GONE:
            top, self.layer = self.layer, _GONE
            part(top)
            self.timeout_watchdog.callback = _late

    async def server_event(self, event: events.Event) -> None:
        self.advance(event)

    def advance(self, event: events.Event) -> None:
        """Work off an event and all that follows from it; behind those in work when called in the middle of one."""
        self._queue.append(event)
        if self._busy:
            return
        self._busy = True
        self.timeout_watchdog.register_activity()
        try:
            while self._queue:
                try:
                    for command in self.layer.handle_event(self._queue.pop(0)):
                        self._do(command)
                except Exception:  # noqa: BLE001  as mitmproxy does
                    self.log("mitmproxy has crashed!", logging.ERROR, exc_info=True)
        finally:
            self._busy = False
        while self._unsent:
            self._send(*self._unsent.popitem())
        while self._starting:
            self._starting.pop(0).begin()
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.done():
                    one.set_result(None)

    def _do(self, command: commands.Command) -> None:
        match command:
            case commands.SendData():
                if command.connection in self.transports:
                    assert self.transports[command.connection].writer
                    self._unsent.setdefault(command.connection, []).append(command.data)
            case commands.StartHook():
                self._hook(command)
            case Turn():
                pass  # its call wakes itself
            case commands.Log():
                if server_log.isEnabledFor(command.level) and not command.message.startswith(_PER_CALL):
                    self.log(command.message, command.level)
            case commands.OpenConnection():
                self._open(command)
            case commands.RequestWakeup():
                self.wakeup_timer.add(self._task(self.wakeup(command), f"wakeup timer ({command.delay:.1f}s)"))
            case commands.ConnectionCommand():
                self._close(command)
            case _:
                raise RuntimeError(f"unexpected command: {command}")

    def _open(self, command: commands.OpenConnection) -> None:
        target = command.connection
        assert target not in self.transports
        task = self._task(self.open_connection(command), f"server connection handler {target.address}")
        self.transports[target] = server.ConnectionIO(handler=task)

    def _close(self, command: commands.ConnectionCommand) -> None:
        assert isinstance(command, commands.CloseConnection)
        if command.connection in self.transports:
            self._send(command.connection, self._unsent.pop(command.connection, []))
            half = isinstance(command, commands.CloseTcpConnection) and command.half_close
            self.close_connection(command.connection, half)

    def _task(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        return asyncio_utils.create_task(work, name=name, keep_ref=False, client=self.client.peername)

    def _send(self, target: connection.Connection, pieces: list[bytes]) -> None:
        found = self.transports.get(target)
        if found is None or not pieces:
            return
        writer = found.writer
        assert writer is not None
        if not writer.is_closing():
            writer.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    # ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def hook(self, hook: commands.StartHook) -> bool:
        if hook in self._unfinished:
            return False
        addons = self.master.addons
        assert isinstance(addons, Dispatch)
        (data,) = arguments(hook)
        rest = addons.begin_lifecycle(hook)
        if rest is None and not (isinstance(data, flow.Flow) and data.intercepted):
            self._adopt(hook)
            return True
        self._unfinished[hook] = data, rest
        return False

    def _hook(self, hook: commands.StartHook) -> None:
        if self.hook(hook):
            self._completed(hook)
            return
        data, rest = self._unfinished.pop(hook)
        self._slow += 1
        asyncio_utils.create_task(
            self._finish(hook, data, rest), name=f"handle_hook({hook.name})", keep_ref=True, client=self.client.peername
        )

    async def _finish(self, hook: commands.StartHook, data: object, rest: Awaitable[None] | None) -> None:
        """A hook that takes its time, or a flow that the user has stopped."""
        try:
            with self.timeout_watchdog.disarm():
                if rest is not None:
                    await rest
                if isinstance(data, flow.Flow):
                    await data.wait_for_resume()
            self._adopt(hook)
            self._completed(hook)
        finally:
            self._slow -= 1
            self._part()

    def _completed(self, hook: commands.StartHook) -> None:
        if hook.blocking:
            self.advance(events.HookCompleted(hook))

    def _adopt(self, hook: commands.StartHook) -> None:
        if isinstance(hook, layer.NextLayerHook):
            adopt(hook.data.layer, self)

    # ── calls to the relay ─────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, call: Call) -> None:
        self._calls.add(call)
        self._starting.append(call)

    def over(self, call: Call) -> None:
        self._calls.discard(call)

    async def client_ready(self) -> None:
        found = self.transports.get(self.client)
        if found is None:
            raise ClientLeftError
        writer = found.writer
        assert isinstance(writer, asyncio.StreamWriter)
        if writer.transport.get_write_buffer_size() >= FULL:
            try:
                await writer.drain()
            except OSError as error:
                raise ClientLeftError from error

    def next_event(self) -> asyncio.Future[None]:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return waiting
