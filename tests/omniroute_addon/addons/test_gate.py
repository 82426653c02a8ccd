"""Who is let in: at the gateway, at the proxy, from here and from elsewhere."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson
import pytest
from mitmproxy import connection, http
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow

from omniroute_addon.addons.gate import GATEWAY_HOST, Gate
from omniroute_addon.config.models import ApiKey
from omniroute_addon.gateway.lockout import TRIES
from tests.e2e.calls import said_error
from tests.omniroute_addon import loopback
from tests.omniroute_addon.addons.proxied import HELLO, Proxied, flow, proxied
from tests.omniroute_addon.engine.stage import CLAUDE
from tests.omniroute_addon.loopback import run

SECRET = "gateway-canary-0123456789"
KEYS = f"keys: [{{name: ci, key: {SECRET}}}]\nlisten: {{proxy_auth: %s}}"
GOOD = loopback.stream(*CLAUDE)


def scene(main: Callable[[Proxied], Awaitable[None]], more: str = KEYS % "false", targets: str = "c/m") -> None:
    async def whole() -> None:
        async with proxied([GOOD], targets, more=more) as on:
            await main(on)

    run(whole)


def call(path: str = "/v1/messages", peer: str = "127.0.0.1", key: str | None = None, **headers: str) -> http.HTTPFlow:
    """A call at the gateway."""
    made = flow(f"http://{GATEWAY_HOST}:1{path}", HELLO)
    for name in ("authorization", "x-api-key"):
        del made.request.headers[name]
    if key is not None:
        made.request.headers["x-api-key"] = key
    for name, value in headers.items():
        made.request.headers[name.replace("_", "-")] = value
    made.client_conn.proxy_mode = ProxyMode.parse(f"reverse:http://{GATEWAY_HOST}:1@0")
    made.client_conn.peername = (peer, 5)
    return made


def connect(peer: str = "127.0.0.1", secret: str | None = None) -> http.HTTPFlow:
    client = tflow.tclient_conn()
    client.proxy_mode = ProxyMode.parse("regular")
    client.peername = (peer, 5)
    made = tflow.tflow(req=http.Request.make("CONNECT", "https://api.anthropic.com:443"), client_conn=client)
    if secret is not None:
        made.request.headers["proxy-authorization"] = f"Basic {base64.b64encode(f'any:{secret}'.encode()).decode()}"
    return made


def inside(tunnel: http.HTTPFlow) -> http.HTTPFlow:
    return flow(client=tunnel.client_conn)


def refused(gate: Gate, one: http.HTTPFlow) -> int | None:
    gate.http_connect(one) if one.request.method == "CONNECT" else gate.requestheaders(one)
    return None if one.response is None else one.response.status_code


# ── gateway ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key, status", [(SECRET, None), ("wrong", 401), (None, 401)])
def test_the_gateway_asks_for_a_key_as_soon_as_there_is_one(key: str | None, status: int | None) -> None:
    async def main(on: Proxied) -> None:
        assert refused(on.gate, call(key=key)) == status

    scene(main)


@pytest.mark.parametrize("peer, status", [("127.0.0.1", None), ("::1", None), ("192.168.0.9", 401)])
def test_without_keys_the_gateway_serves_this_machine(peer: str, status: int | None) -> None:
    async def main(on: Proxied) -> None:
        assert refused(on.gate, call(peer=peer)) == status

    scene(main, more="")


@pytest.mark.parametrize(
    "path, form",
    [
        ("/v1/messages", "anthropic-messages"),
        ("/v1/chat/completions", "openai-chat"),
        ("/v1/responses", "openai-responses"),
        ("/v1beta/models/m:streamGenerateContent?alt=sse", "gemini"),
        ("/v1beta/models", "gemini"),
        ("/v1/models", "openai-chat"),
    ],
)
def test_a_refusal_is_in_the_client_s_format_and_asks_for_no_retry(path: str, form: str) -> None:
    async def main(on: Proxied) -> None:
        one = call(path, key="wrong")
        on.gate.requestheaders(one)
        assert one.response is not None
        assert (one.response.status_code, one.response.headers["x-should-retry"]) == (401, "false")
        assert "under `keys`" in said_error(form, orjson.loads(one.response.content or b""))

    scene(main)


def test_wrong_keys_lock_an_address_out() -> None:
    async def main(on: Proxied) -> None:
        for n in range(TRIES):
            assert refused(on.gate, call(key=f"wrong-{n}")) == 401
        one = call(key=SECRET)
        assert refused(on.gate, one) == 429
        assert one.response is not None
        assert 0 < int(one.response.headers["retry-after"]) <= 900
        assert refused(on.gate, call(key=SECRET, peer="10.0.0.2")) is None

    scene(main)


def test_calls_without_a_key_lock_nobody_out() -> None:
    async def main(on: Proxied) -> None:
        for _ in range(3 * TRIES):
            assert refused(on.gate, call()) == 401
        assert refused(on.gate, call(key=SECRET)) is None

    scene(main)


def test_the_caller_is_known_by_the_name_of_its_key() -> None:
    async def main(on: Proxied) -> None:
        one = on.ask(call(key=SECRET))
        assert on.gate.caller(one, call(key=SECRET).request) == "ci"
        assert on.gate.caller(one, call().request) is None
        [exchange] = on.inspect._exchanges.values()
        assert exchange.record.key == "ci"
        await on.answer(one)

    scene(main)


def test_a_refused_call_goes_nowhere() -> None:
    async def main(on: Proxied) -> None:
        one = on.ask(call(key="wrong"))
        assert one.request.host == GATEWAY_HOST
        assert on.leftovers() == {}

    scene(main)


# ── proxy ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "peer, secret, asks, status",
    [
        ("127.0.0.1", None, "false", None),
        ("127.0.0.1", None, "true", 407),
        ("127.0.0.1", "wrong", "true", 407),
        ("127.0.0.1", "wrong", "false", 407),
        ("127.0.0.1", SECRET, "true", None),
        ("::ffff:127.0.0.1", None, "false", None),
        ("192.168.0.9", None, "false", 407),
        ("192.168.0.9", SECRET, "false", None),
    ],
)
def test_whom_the_proxy_asks(peer: str, secret: str | None, asks: str, status: int | None) -> None:
    async def main(on: Proxied) -> None:
        one = connect(peer, secret)
        assert refused(on.gate, one) == status
        assert "proxy-authorization" not in one.request.headers
        if status is not None:
            assert one.response is not None
            assert one.response.headers["proxy-authenticate"].startswith("Basic ")

    scene(main, more=KEYS % asks)


def test_without_keys_a_proxy_s_credentials_are_not_ours_to_take() -> None:
    async def main(on: Proxied) -> None:
        one = connect(secret="for another proxy")
        assert refused(on.gate, one) is None
        assert "proxy-authorization" in one.request.headers

    scene(main, more="")


def test_a_tunnel_shows_its_key_once() -> None:
    async def main(on: Proxied) -> None:
        tunnel = connect("192.168.0.9", SECRET)
        assert refused(on.gate, tunnel) is None
        one = on.ask(inside(tunnel))
        [exchange] = on.inspect._exchanges.values()
        assert exchange.record.key == "ci"
        await on.answer(one)

    scene(main)


@pytest.mark.parametrize("end", ["key taken out", "client gone"])
def test_a_tunnel_is_good_as_long_as_its_key_and_its_connection(end: str) -> None:
    async def main(on: Proxied) -> None:
        tunnel = connect("192.168.0.9", SECRET)
        assert refused(on.gate, tunnel) is None
        if end == "client gone":
            on.gate.client_disconnected(tunnel.client_conn)
        else:
            on.engine.use(replace(on.engine.snapshot, keys=()))
        assert refused(on.gate, inside(tunnel)) == 407

    scene(main)


def test_a_plain_request_shows_its_key_and_it_goes_no_further() -> None:
    async def main(on: Proxied) -> None:
        one = inside(connect("192.168.0.9"))
        one.request.headers["proxy-authorization"] = f"Bearer {SECRET}"
        assert refused(on.gate, one) is None
        assert "proxy-authorization" not in one.request.headers

    scene(main)


def test_a_locked_out_address_may_not_even_connect() -> None:
    async def main(on: Proxied) -> None:
        for n in range(TRIES):
            assert refused(on.gate, connect("192.168.0.9", f"wrong-{n}")) == 407
        one = connect("192.168.0.9", SECRET)
        assert refused(on.gate, one) == 429
        assert one.response is not None
        assert "retry-after" in one.response.headers

    scene(main)


def test_new_keys_lift_the_lockouts() -> None:
    async def main(on: Proxied) -> None:
        for n in range(TRIES + 1):
            refused(on.gate, connect("192.168.0.9", f"wrong-{n}"))
        on.engine.use(replace(on.engine.snapshot, keys=(*on.engine.snapshot.keys, ApiKey("new"))))
        assert refused(on.gate, connect("192.168.0.9", SECRET)) is None

    scene(main)


def test_as_a_script_other_machines_are_not_our_business() -> None:
    async def main(on: Proxied) -> None:
        gate = Gate(on.engine, strangers=False)
        assert refused(gate, connect("192.168.0.9")) is None
        assert refused(gate, connect("192.168.0.9", "for somebody else")) is None

    scene(main)


def test_other_kinds_of_proxies_are_left_alone() -> None:
    async def main(on: Proxied) -> None:
        one = flow()
        assert isinstance(one.client_conn, connection.Client)
        one.client_conn.proxy_mode = ProxyMode.parse("reverse:https://example.com@0")
        one.client_conn.peername = ("192.168.0.9", 5)
        assert refused(on.gate, one) is None

    scene(main)
