"""Client connections of ours: hooks that wait, flows that the user stops, everything that still goes by sockets."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest
from mitmproxy import http
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

from omniroute_addon.addons.server import Handler
from omniroute_addon.engine.call import Sink
from tests.omniroute_addon import loopback
from tests.omniroute_addon.addons.stand import Stand, scene
from tests.omniroute_addon.loopback import Provider, closed, within


async def hello(sink: Sink) -> None:
    sink.start(200, [])
    await sink.write(b"hello")
    sink.finish()


class Waiting:
    """An addon whose hook takes its time."""

    def __init__(self, name: str) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        setattr(self, name, self._wait)

    async def _wait(self, flow: http.HTTPFlow) -> None:
        self.begun.set()
        await self.go_on.wait()


@pytest.mark.parametrize("hook", ["requestheaders", "request", "responseheaders", "response"])
def test_a_flow_waits_for_a_hook_that_takes_its_time_and_others_do_not(hook: str) -> None:
    stand = Stand(hello)

    async def main(stand: Stand) -> None:
        slow = Waiting(hook)
        stand.first.addons.append(slow)
        first = asyncio.get_running_loop().create_task(stand.ask())
        await within(slow.begun.wait())
        stand.first.addons.clear()
        assert b"hello" in await stand.ask()
        assert not first.done()
        slow.go_on.set()
        assert b"hello" in await within(first)

    scene(stand, main)


class Stopping:
    """What mitmweb's intercept does."""

    def __init__(self, name: str) -> None:
        self.stopped: asyncio.Future[http.HTTPFlow] = asyncio.get_running_loop().create_future()
        setattr(self, name, self._stop)

    def _stop(self, flow: http.HTTPFlow) -> None:
        flow.intercept()
        self.stopped.set_result(flow)


@pytest.mark.parametrize("hook", ["request", "response"])
def test_a_flow_that_the_user_stops_goes_on_when_the_user_lets_it(hook: str) -> None:
    async def main(stand: Stand) -> None:
        addon = Stopping(hook)
        stand.first.addons.append(addon)
        asked = asyncio.get_running_loop().create_task(stand.ask())
        flow = await within(addon.stopped)
        assert not asked.done()
        flow.resume()
        assert b"hello" in await within(asked)

    scene(Stand(hello), main)


def test_a_flow_that_is_killed_gets_no_answer() -> None:
    class Killing:
        def request(self, flow: http.HTTPFlow) -> None:
            flow.kill()

    async def main(stand: Stand) -> None:
        stand.first.addons.append(Killing())
        assert b"hello" not in await stand.ask()

    scene(Stand(hello), main)


@pytest.mark.parametrize("hook", ["request", "response"])
def test_a_flow_that_the_user_stops_and_then_kills_leaves_nobody_waiting(hook: str) -> None:
    async def main(stand: Stand) -> None:
        addon = Stopping(hook)
        stand.first.addons.append(addon)
        asked = asyncio.get_running_loop().create_task(stand.ask())
        flow = await within(addon.stopped)
        assert not asked.done()
        flow.kill()
        said = await within(asked)
        assert b"200 OK" not in said or hook == "response"
        while stand.connections:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0)

    scene(Stand(hello), main)


def test_a_call_to_anywhere_else_goes_by_a_socket() -> None:
    async def main(stand: Stand) -> None:
        stand.routes = False
        async with Provider([loopback.answer(200, b"from afar"), loopback.answer(200, b"from afar")]) as provider:
            for _ in range(2):
                said = await stand.ask(f"POST {provider.url}/ HTTP/1.1")
                assert said.endswith(b"from afar")

    scene(Stand(hello), main)


def test_requests_that_come_together_are_answered_in_their_order() -> None:
    count = 0

    async def number(sink: Sink) -> None:
        nonlocal count
        count += 1
        sink.start(200, [("content-length", "1")])
        await sink.write(str(count).encode())
        sink.finish()

    async def main(stand: Stand) -> None:
        reader, writer = await stand.dial()
        writer.write(b"POST http://provider.test/ HTTP/1.1\r\nhost: provider.test\r\ncontent-length: 0\r\n\r\n" * 3)
        bodies = [(await within(reader.readuntil(b"\r\n\r\n" + str(n).encode())))[-1:] for n in (1, 2, 3)]
        assert bodies == [b"1", b"2", b"3"]
        await closed(writer)

    scene(Stand(number), main)


def test_a_client_that_comes_and_goes_leaves_nothing() -> None:
    async def main(stand: Stand) -> None:
        _, writer = await stand.dial()
        await closed(writer)
        assert b"hello" in await stand.ask()
        while stand.connections:  # noqa: ASYNC110  mitmproxy has no event for it
            await asyncio.sleep(0)

    scene(Stand(hello), main)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def _gone(one: weakref.ref[object]) -> None:
    while one() is not None:  # noqa: ASYNC110  there is no event for it
        await asyncio.sleep(0)


async def _connection(stand: Stand) -> weakref.ref[object]:
    """The only open one, once mitmproxy knows it."""
    while not stand.connections:  # noqa: ASYNC110  the same
        await asyncio.sleep(0)
    (found,) = stand.connections.values()
    return weakref.ref(found)


POST = b"POST http://provider.test/ HTTP/1.1\r\nhost: provider.test\r\ncontent-length: 0\r\n\r\n"
CONNECT = b"CONNECT provider.test:80 HTTP/1.1\r\nhost: provider.test:80\r\n\r\n"


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("through_a_tunnel", [False, True])
def test_a_connection_that_has_ended_is_freed_without_the_garbage_collector(through_a_tunnel: bool) -> None:
    async def once(stand: Stand) -> weakref.ref[object]:
        reader, writer = await stand.dial()
        open_one = await _connection(stand)
        if through_a_tunnel:
            writer.write(CONNECT)
            assert b" 200 " in await within(reader.readuntil(b"\r\n\r\n"))
        writer.write(POST)
        await within(reader.readuntil(b"hello\r\n0\r\n\r\n"))
        await closed(writer)
        while stand.connections:  # noqa: ASYNC110  mitmproxy has no event for it
            await asyncio.sleep(0)
        return open_one

    async def main(stand: Stand) -> None:
        await once(stand)  # mitmproxy's first look at the types of each message leaves errors with their frames behind
        gc.collect()
        await within(_gone(await once(stand)))

    scene(Stand(hello), main)


@pytest.mark.usefixtures("no_collector")
def test_a_call_that_has_ended_is_freed_while_its_connection_goes_on() -> None:
    async def main(stand: Stand) -> None:
        await stand.ask()
        gc.collect()  # as above
        reader, writer = await stand.dial()
        writer.write(POST)
        await within(reader.readuntil(b"hello\r\n0\r\n\r\n"))
        first = weakref.ref(stand.flows.pop())
        writer.write(POST)
        await within(reader.readuntil(b"hello\r\n0\r\n\r\n"))
        await within(_gone(first))
        await closed(writer)

    scene(Stand(hello), main)


@pytest.mark.usefixtures("no_collector")
def test_a_connection_whose_hook_outlives_it_is_freed_when_the_hook_has_ended_and_the_flow_has_failed() -> None:
    class Failing:
        failed = False

        def error(self, flow: http.HTTPFlow) -> None:
            self.failed = True

    async def main(stand: Stand) -> None:
        await stand.ask()
        gc.collect()  # as above
        slow, failing = Waiting("request"), Failing()
        stand.first.addons += [slow, failing]
        _, writer = await stand.dial()
        open_one = await _connection(stand)
        writer.write(POST)
        await within(slow.begun.wait())
        await closed(writer)
        while stand.connections:  # noqa: ASYNC110  mitmproxy has no event for it
            await asyncio.sleep(0)
        assert not failing.failed
        stand.first.addons.clear()
        stand.first.addons.append(failing)
        slow.go_on.set()
        await within(_gone(open_one))
        assert failing.failed

    scene(Stand(hello), main)


def test_a_handler_of_ours_is_one_of_mitmproxys() -> None:
    assert issubclass(Handler, ProxyConnectionHandler)
