"""New connections one at a time: a burst of them must not hold up the streams that are open.

A connection's first steps (its start, its TLS handshake, its first request) cost milliseconds each; a thousand at once
would be done in one go, for seconds, while no chunk of anybody's answer moves on. Here each such step waits for a turn,
and there is one in every round of the event loop: in between, whatever the open connections have received is passed on.
Where open connections keep the loop busy, rounds are long and one turn in each would shut new ones out: then there are
more, so that new connections get a third of the time. The kinds of steps take turns among themselves, too: what has
begun is not held up by what begins. Without a burst nothing waits: a turn that nobody wants is free.

Only public hooks are used: mitmproxy awaits what they return. ``client_connected`` is none to wait in: what a client
has sent meanwhile is handled before mitmproxy knows the connection, and closing it then fails an assertion there.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable
from itertools import cycle, islice
from typing import Literal

from mitmproxy import connection, http, tls
from mitmproxy.proxy import layer

type Step = Literal["request", "handshake", "start"]
_STEPS: tuple[Step, ...] = ("request", "handshake", "start")
LONG, MOST = 0.008, 16
"""For every so many seconds of processor time that a round takes there is a turn in the next, at most so many."""


class Turnstile:
    name = "omniroute-turnstile"

    def __init__(self) -> None:
        self._waiting: dict[Step, deque[asyncio.Future[None]]] = {step: deque() for step in _STEPS}
        self._going = False
        self._order = cycle(_STEPS)
        self._used = 0.0
        """Processor time of this thread, at the last round."""
        self._connected: set[str] = set()
        """Client connections that are still to start."""
        self._new: set[str] = set()
        """Those without a request so far."""

    # ── hooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def client_connected(self, client: connection.Client) -> None:
        self._connected.add(client.id)
        self._new.add(client.id)

    def next_layer(self, data: layer.NextLayer) -> Awaitable[None] | None:
        if data.context.client.id not in self._connected:
            return None
        self._connected.discard(data.context.client.id)
        return self.turn("start")

    def tls_clienthello(self, data: tls.ClientHelloData) -> Awaitable[None] | None:
        return self.turn("handshake")

    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        if flow.client_conn.id not in self._new:
            return None
        self._new.discard(flow.client_conn.id)
        return self.turn("request")

    def client_disconnected(self, client: connection.Client) -> None:
        self._connected.discard(client.id)
        self._new.discard(client.id)

    # ── turns ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def turn(self, step: Step) -> Awaitable[None] | None:
        """What to wait for until it is this one's turn; None when it is now."""
        loop = asyncio.get_running_loop()
        if not self._going:
            self._going, self._used = True, time.thread_time()
            loop.call_soon(self._next)
            return None
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting[step].append(mine)
        return mine

    def _next(self) -> None:
        """In every round of the loop, as long as somebody waits: whose turn is it?"""
        used = time.thread_time()
        turns = min(max(1, int((used - self._used) / LONG)), MOST)
        self._used = used
        self._going = False
        for _ in range(turns):
            mine = self._first()
            if mine is None:
                break
            mine.set_result(None)
            self._going = True
        if self._going:
            asyncio.get_running_loop().call_soon(self._next)

    def _first(self) -> asyncio.Future[None] | None:
        for step in islice(self._order, len(_STEPS)):
            line = self._waiting[step]
            while line:
                mine = line.popleft()
                if not mine.done():  # its client may have left
                    return mine
        return None
