"""Flows as mitmproxy would drive them: its hooks in its order, a real view, a real relay and a real provider behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from mitmproxy import connection, http
from mitmproxy.addons.view import View
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons, tflow

from omniroute_addon.addons.gate import GATEWAY_HOST, Gate
from omniroute_addon.addons.inspect import Inspect
from omniroute_addon.addons.intercept import Intercept
from omniroute_addon.config import Snapshot
from omniroute_addon.engine.engine import Engine
from tests.omniroute_addon.engine.stage import HELLO, rules
from tests.omniroute_addon.loopback import Answer, Provider, closed, within

CANARY = "client-canary"
HEADERS = {
    "Authorization": f"Bearer {CANARY}",
    "x-api-key": f"{CANARY}-key",
    "content-type": "application/json",
    "anthropic-version": "2023-06-01",
    "user-agent": "claude-cli/2.0",
}


@dataclass(slots=True)
class Proxied:
    engine: Engine
    inspect: Inspect
    intercept: Intercept
    provider: Provider
    view: View | None
    gate: Gate

    def ask(self, flow: http.HTTPFlow) -> http.HTTPFlow:
        """The hooks of a request."""
        self.gate.requestheaders(flow)
        self.intercept.requestheaders(flow)
        self.inspect.requestheaders(flow)
        self.intercept.request(flow)
        return flow

    async def answer(self, flow: http.HTTPFlow) -> bytes:
        """What mitmproxy does with a flow that goes to the relay: send it, stream the answer, call the hooks."""
        body = await self.relayed(flow)
        self.inspect.response(flow)
        flow.live = False
        return body

    async def relayed(self, flow: http.HTTPFlow) -> bytes:
        request = flow.request
        reader, writer = await asyncio.open_connection("127.0.0.1", request.port)
        lines = [f"{request.method} {request.path} HTTP/1.1".encode()]
        lines += [name + b": " + value for name, value in request.headers.fields]
        writer.write(b"\r\n".join([*lines, b"connection: close", b"", b""]) + (request.raw_content or b""))
        try:
            head, _, body = (await within(reader.read())).partition(b"\r\n\r\n")
        finally:
            await closed(writer)
        first, *rest = head.decode("latin-1").split("\r\n")
        fields = [(name.encode(), value.strip().encode()) for name, _, value in (line.partition(":") for line in rest)]
        flow.response = http.Response.make(int(first.split(" ")[1]), headers=http.Headers(fields))
        flow.response.data.content = None
        self.intercept.responseheaders(flow)
        return body

    def leftovers(self) -> dict[str, int]:
        """What is still kept for flows; nothing once they have ended."""
        held = {
            "pending": self.intercept._pending,
            "load": self.intercept._load,
            "waiting": self.engine.relay._waiting,
            "routed": self.inspect._routed,
            "attempts": self.inspect._attempts,
            "exchanges": self.inspect._exchanges,
            "tapes": self.inspect._tapes,
        }
        return {name: len(kept) for name, kept in held.items() if kept}


def flow(
    url: str = "https://api.anthropic.com/v1/messages",
    body: bytes = HELLO,
    method: str = "POST",
    client: connection.Client | None = None,
    **headers: str,
) -> http.HTTPFlow:
    request = http.Request.make(method, url, body, HEADERS | {name.replace("_", "-"): v for name, v in headers.items()})
    return tflow.tflow(req=request, client_conn=client)


def gateway(path: str, body: bytes = HELLO, method: str = "POST") -> http.HTTPFlow:
    made = flow(f"http://{GATEWAY_HOST}:1{path}", body, method)
    made.client_conn.proxy_mode = ProxyMode.parse(f"reverse:http://{GATEWAY_HOST}:1@0")
    return made


def text(shown: http.HTTPFlow) -> str:
    """Everything of a flow that a page could show."""
    return repr(shown.get_state())


@asynccontextmanager
async def proxied(
    answers: list[Answer], targets: str | None = "c/m", *, headless: bool = False, more: str = "", origin: bool = True
) -> AsyncIterator[Proxied]:
    """``targets`` None has no routes at all."""
    async with Provider(answers) as provider:
        urls = {"a": provider.url, "c": provider.url} | ({"origin": provider.url} if origin else {})
        snapshot = rules(targets or "origin", more=more, **urls)
        if targets is None:
            snapshot = _without_routes(snapshot)
        engine = Engine(snapshot)
        engine.start()
        inspect = Inspect()
        view = None if headless else View()
        gate = Gate(engine)
        try:
            with taddons.context(*([] if view is None else [view])):
                yield Proxied(engine, inspect, Intercept(engine, inspect, gate), provider, view, gate)
        finally:
            await engine.relay.stop(0)
            await engine.stop()


def _without_routes(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, routes=())
