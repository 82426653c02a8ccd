"""One answer and several readers: what each gets, who holds whom up, and what becomes of it when they leave."""

import asyncio

import pytest

from omniroute_addon.engine import flight as module
from omniroute_addon.engine.call import SHUTDOWN, Sink
from omniroute_addon.engine.flight import Flight, Seat
from tests.omniroute_addon.engine.stage import BrokenError, Collected
from tests.omniroute_addon.loopback import run


class Scripted:
    """An exchange that writes what it is given."""

    def __init__(self, *pieces: bytes, breaks: bool = False, gate: asyncio.Event | None = None) -> None:
        self.pieces, self.breaks, self.gate = pieces, breaks, gate
        self.abandoned = self.cancelled = False
        self.written = 0

    def abandon(self) -> None:
        self.abandoned = True

    async def run(self, sink: Sink) -> None:
        try:
            sink.start(200, [("content-type", "text/plain")])
            for piece in self.pieces:
                await sink.write(piece)
                self.written += 1
                await asyncio.sleep(0)
            if self.gate is not None:
                await self.gate.wait()
            if self.breaks:
                raise BrokenError
            sink.finish()
        except asyncio.CancelledError as error:
            if SHUTDOWN in error.args:
                await sink.write(b"stopped")
                sink.finish()
                return
            self.cancelled = True
            raise


class Slow(Collected):
    """A client that reads nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def write(self, chunk: bytes) -> None:
        await self.go.wait()
        await super().write(chunk)


def aloft(exchange: Scripted, room: int = 1 << 20) -> tuple[Flight, list[Flight]]:
    landed: list[Flight] = []
    return Flight(exchange, room, landed.append), landed  # type: ignore[arg-type]  # all of an exchange that it uses


async def fly(flight: Flight, seat: Seat, sink: Sink) -> None:
    try:
        await flight.follow(seat, sink)
    finally:
        flight.leave(seat)


def test_all_get_the_same_and_who_comes_late_gets_it_from_the_start() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        flight, landed = aloft(Scripted(b"one ", b"two", gate=gate))
        sinks = [Collected(), Collected()]
        early = asyncio.create_task(fly(flight, flight.board(), sinks[0]))
        await sinks[0].wrote.wait()
        late = asyncio.create_task(fly(flight, flight.board(), sinks[1]))
        await sinks[1].wrote.wait()
        gate.set()
        await asyncio.gather(early, late)
        await flight.ended()
        assert {(one.status, one.body, one.ended, one.starts) for one in sinks} == {(200, b"one two", "finished", 1)}
        assert (flight.kept, landed) == (b"one two", [flight])

    run(main)


def test_the_first_may_leave_and_the_last_takes_the_exchange_along() -> None:
    async def main() -> None:
        exchange = Scripted(b"one", gate=asyncio.Event())
        flight, landed = aloft(exchange)
        sinks = [Collected(), Collected()]
        tasks = [asyncio.create_task(fly(flight, flight.board(), sink)) for sink in sinks]
        await asyncio.gather(*(sink.wrote.wait() for sink in sinks))
        for task, cancelled in zip(tasks, (False, True), strict=True):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert exchange.cancelled == cancelled
        await flight.ended()
        assert (flight.kept, flight.open, landed) == (None, False, [flight])

    run(main)


def test_an_exchange_that_never_began_is_abandoned_with_its_last_seat() -> None:
    async def main() -> None:
        exchange = Scripted()
        flight, landed = aloft(exchange)
        seats = [flight.board(), flight.board()]
        flight.leave(seats[0])
        assert not exchange.abandoned
        flight.leave(seats[1])
        flight.leave(seats[1])
        assert exchange.abandoned
        assert landed == [flight]

    run(main)


def test_a_broken_exchange_breaks_for_all(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        flight, _ = aloft(Scripted(b"half", breaks=True))
        sinks = [Collected(), Collected()]
        await asyncio.gather(*(fly(flight, flight.board(), sink) for sink in sinks))
        assert [(one.body, one.ended) for one in sinks] == [(b"half", "aborted")] * 2
        assert flight.kept is None

    run(main)
    assert "an exchange failed inside OmniRoute" in caplog.text


def test_when_the_proxy_stops_all_are_told_once() -> None:
    async def main() -> None:
        flight, _ = aloft(Scripted(b"half ", gate=asyncio.Event()))
        sinks = [Collected(), Collected()]
        tasks = [asyncio.create_task(fly(flight, flight.board(), sink)) for sink in sinks]
        await asyncio.gather(*(sink.wrote.wait() for sink in sinks))
        flight.stop()
        flight.stop()
        assert not flight.open
        await asyncio.gather(*tasks)
        assert [(one.body, one.ended) for one in sinks] == [(b"half stopped", "finished")] * 2

    run(main)


def test_the_exchange_waits_for_its_fastest_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AHEAD", 10)

    async def main() -> None:
        exchange, slow = Scripted(*[b"12345"] * 10), Slow()
        flight, _ = aloft(exchange)
        task = asyncio.create_task(fly(flight, flight.board(), slow))
        for _ in range(20):
            await asyncio.sleep(0)
        assert exchange.written == 2
        slow.go.set()
        await task
        assert slow.body == b"12345" * 10

    run(main)


def test_who_is_too_far_behind_is_cut_off_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEHIND", 20)

    async def main() -> None:
        flight, _ = aloft(Scripted(*[b"12345"] * 10))
        fast, slow = Collected(), Slow()
        behind = asyncio.create_task(fly(flight, flight.board(), slow))
        await fly(flight, flight.board(), fast)
        assert (fast.body, fast.ended) == (b"12345" * 10, "finished")
        slow.go.set()
        await behind
        assert slow.ended == "aborted"

    run(main)


def test_a_long_answer_is_closed_to_others_and_not_kept() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        flight, _ = aloft(Scripted(b"12345", b"678", gate=gate), room=6)
        sink = Collected()
        task = asyncio.create_task(fly(flight, flight.board(), sink))
        for _ in range(20):
            await asyncio.sleep(0)
        assert sink.body == b"12345678"
        assert not flight.open
        gate.set()
        await task
        assert (sink.body, flight.kept) == (b"12345678", None)

    run(main)
