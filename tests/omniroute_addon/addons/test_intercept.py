"""Which flows are ours, where they go, and what is left of them when they die."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson
import pytest
from mitmproxy import http
from mitmproxy.flow import Error
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.test import tflow
from mitmproxy.tls import ClientHelloData

from omniroute_addon.engine.relay import EXCHANGE_HEADER, SECRET_HEADER
from tests.omniroute_addon import loopback
from tests.omniroute_addon.addons.proxied import CANARY, HELLO, Proxied, flow, gateway, proxied, text
from tests.omniroute_addon.engine.stage import CLAUDE, CLAUDE_WHOLE, WHOLE
from tests.omniroute_addon.loopback import Answer, run, within

GOOD = loopback.stream(*CLAUDE)


def scene(
    main: Callable[[Proxied], Awaitable[None]],
    *answers: Answer,
    targets: str | None = "c/m",
    headless: bool = False,
    more: str = "",
    origin: bool = True,
) -> None:
    async def whole() -> None:
        async with proxied(list(answers), targets, headless=headless, more=more, origin=origin) as on:
            await main(on)

    run(whole)


# ── whose flow ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Hello:
    """What a client says first."""

    def __init__(self, sni: str | None) -> None:
        self.sni = sni


class Unreadable:
    @property
    def sni(self) -> str:
        raise UnicodeDecodeError("ascii", b"\xff", 0, 1, "nonsense")


@pytest.mark.parametrize(
    "hello, ignored",
    [
        (Hello("api.anthropic.com"), False),
        (Hello("API.Anthropic.com"), False),
        (Hello("example.org"), True),
        (Hello(None), True),
        (Unreadable(), True),
    ],
)
def test_only_hosts_of_surfaces_are_decrypted(hello: object, ignored: bool) -> None:
    async def main(on: Proxied) -> None:
        data = ClientHelloData(Context(tflow.tclient_conn(), Options()), hello)
        on.intercept.tls_clienthello(data)
        assert data.ignore_connection is ignored

    scene(main)


def test_a_call_to_an_address_without_a_name_is_known_by_the_address() -> None:
    async def main(on: Proxied) -> None:
        context = Context(tflow.tclient_conn(), Options())
        context.server.address = ("api.anthropic.com", 443)
        data = ClientHelloData(context, Hello(None))
        on.intercept.tls_clienthello(data)
        assert not data.ignore_connection

    scene(main)


@pytest.mark.parametrize("url", ["https://example.org/v1/messages", "https://api.anthropic.com/api/oauth/profile"])
def test_what_is_no_call_is_streamed_through_untouched(url: str) -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow(url, b"x" * 10_000_000))
        assert (asked.request.stream, asked.request.url, asked.response) == (True, url, None)
        assert asked.request.headers["authorization"] == f"Bearer {CANARY}"
        assert not on.leftovers()

    scene(main)


def test_a_call_without_a_rule_goes_where_it_was_going() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        assert (asked.request.host, asked.request.headers["x-api-key"]) == ("api.anthropic.com", f"{CANARY}-key")
        assert not on.leftovers()

    scene(main, targets=None, origin=False)


@pytest.mark.parametrize("dies", [True, False])
def test_a_call_without_a_rule_follows_the_users_address_and_shows_its_own(dies: bool) -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        if dies:
            asked.error = Error("gone")
            on.intercept.error(asked)
            on.inspect.error(asked)
        else:
            assert b"message_stop" in await on.answer(asked)
            assert on.provider.last.body == HELLO
            assert on.provider.last.header("x-api-key") == f"{CANARY}-key"
        asked.live = False
        assert asked.request.url == "https://api.anthropic.com/v1/messages"
        assert CANARY not in text(asked)
        assert not on.leftovers()

    scene(main, GOOD, targets=None)


def test_a_call_without_a_rule_whose_address_is_dead_is_an_error_in_the_clients_format() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        await on.provider.__aexit__(None, None, None)
        body = orjson.loads(await on.answer(asked))
        assert (asked.response.status_code, body["type"]) == (502, "error")

    scene(main, targets=None)


def test_a_websocket_upgrade_is_refused_so_that_the_tool_falls_back_to_post() -> None:
    async def main(on: Proxied) -> None:
        url = "https://chatgpt.com/backend-api/codex/responses"
        asked = on.ask(flow(url, b"", "GET", upgrade="websocket", connection="Upgrade"))
        assert asked.response is not None
        assert asked.response.status_code == 426

    scene(main)


def test_a_flow_from_a_file_is_left_alone() -> None:
    async def main(on: Proxied) -> None:
        loaded = flow()
        loaded.live = False
        on.ask(loaded)
        assert (loaded.request.host, loaded.response) == ("api.anthropic.com", None)
        assert not on.leftovers()

    scene(main)


# ── routed ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("headless", [True, False])
def test_a_routed_call_is_answered_through_the_relay_and_nothing_is_left(headless: bool) -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        assert (asked.request.host, asked.request.port in on.engine.relay.ports) == ("127.0.0.1", True)
        body = await on.answer(asked)
        assert b"message_stop" in body
        assert (asked.request.url, asked.request.raw_content) == ("https://api.anthropic.com/v1/messages", HELLO)
        assert not on.leftovers()

    scene(main, GOOD, headless=headless)


def test_the_way_to_the_relay_carries_no_credential() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow("https://api.anthropic.com/v1/messages?key=client-canary"))
        names = {name.lower() for name in asked.request.headers}
        assert names == {"host", "content-length", SECRET_HEADER, EXCHANGE_HEADER}
        assert CANARY not in f"{asked.request.path} {asked.request.headers}"
        asked.error = Error("gone")
        on.intercept.error(asked)

    scene(main)


def test_a_shown_call_is_the_tools_own_without_its_credentials() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow("https://api.anthropic.com/v1/messages?key=client-canary"))
        await on.answer(asked)
        assert CANARY not in text(asked)
        assert asked.request.headers["x-api-key"] == "[redacted]"
        assert asked.request.headers["anthropic-version"] == "2023-06-01"
        assert asked.request.path == "/v1/messages?key=[redacted]"

    scene(main, GOOD)


@pytest.mark.parametrize("headless", [True, False])
def test_a_call_that_dies_before_the_relay_took_it_leaves_nothing(headless: bool) -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        asked.error = Error("Client disconnected.")
        on.intercept.error(asked)
        on.inspect.error(asked)
        asked.live = False
        assert not on.leftovers()
        assert asked.request.url == "https://api.anthropic.com/v1/messages"
        assert CANARY not in text(asked)

    scene(main, headless=headless)


def test_a_call_that_another_addon_answers_leaves_nothing() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        asked.response = http.Response.make(200, b"mine")
        on.intercept.responseheaders(asked)
        on.inspect.response(asked)
        assert not on.leftovers()
        assert on.engine.relay.running == 0

    scene(main)


def test_a_client_that_leaves_in_a_stream_leaves_nothing() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        sent = asyncio.ensure_future(on.relayed(asked))
        await within(on.provider.asked.wait())
        sent.cancel()
        await asyncio.wait([sent])
        asked.error = Error("Client disconnected.")
        on.intercept.error(asked)
        on.inspect.error(asked)
        await on.engine.relay.stop(0)
        await within(on.provider.gone.wait())
        assert not on.leftovers()

    scene(main, loopback.stream(*CLAUDE[:3], loopback.HOLD))


def test_parallel_streams_of_one_client_are_spread_over_the_ports() -> None:
    async def main(on: Proxied) -> None:
        client = tflow.tclient_conn()
        asked = [on.ask(flow(client=client)) for _ in on.engine.relay.ports]
        assert {one.request.port for one in asked} == set(on.engine.relay.ports)
        for one in asked:
            one.error = Error("gone")
            on.intercept.error(one)
        assert not on.intercept._load

    scene(main)


def test_a_compressed_request_is_read_for_its_rule() -> None:
    async def main(on: Proxied) -> None:
        asked = flow(content_encoding="gzip")
        asked.request.raw_content = gzip.compress(HELLO)
        await on.answer(on.ask(asked))
        assert orjson.loads(on.provider.last.body)["model"] == "m"
        assert on.provider.last.header("content-encoding") is None

    scene(main, GOOD)


# ── answers of our own ──────────────────────────────────────────────────────────────────────────────────────────────


def said(asked: http.HTTPFlow) -> tuple[int, object]:
    assert asked.response is not None
    assert asked.response.raw_content is not None
    return asked.response.status_code, orjson.loads(asked.response.raw_content)


@pytest.mark.parametrize("encoding", ["compress", "gzip"])
def test_a_body_that_cannot_be_decoded_is_a_400(encoding: str) -> None:
    async def main(on: Proxied) -> None:
        asked = flow()
        asked.request.headers["content-encoding"] = encoding
        status, body = said(on.ask(asked))
        assert (status, body["type"]) == (400, "error")

    scene(main)


def test_a_body_that_grows_beyond_the_limit_is_a_413() -> None:
    async def main(on: Proxied) -> None:
        asked = flow(content_encoding="gzip")
        asked.request.raw_content = gzip.compress(b" " * 1_000_000)
        assert said(on.ask(asked))[0] == 413

    scene(main, more="limits: {max_request: 10000}")


def test_a_call_while_we_stop_is_told_to_come_back() -> None:
    async def main(on: Proxied) -> None:
        on.engine.stopping = True
        assert said(on.ask(flow()))[0] in (503, 529)

    scene(main)


@pytest.mark.parametrize(
    "url, kind",
    [
        ("https://api.anthropic.com/v1/messages", "type"),
        ("https://api.openai.com/v1/chat/completions", "error"),
        ("https://api.openai.com/v1/responses", "error"),
        ("https://generativelanguage.googleapis.com/v1beta/models/m:generateContent", "error"),
    ],
)
def test_a_defect_of_ours_is_an_error_in_the_clients_format_and_leaves_nothing(url: str, kind: str) -> None:
    async def main(on: Proxied) -> None:
        on.engine._upstreams, kept = None, on.engine._upstreams
        status, body = said(on.ask(flow(url)))
        on.engine._upstreams = kept
        assert status >= 500
        assert kind in body
        assert not on.leftovers()

    scene(main)


# ── gateway ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_gateway_call_is_routed_by_its_model() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(gateway("/v1/messages", WHOLE.replace(b"claude-opus-4-6", b"c/m")))
        assert await on.answer(asked)
        assert on.provider.last.header("x-api-key") == "key-canary-c-1"

    scene(main, loopback.json(200, CLAUDE_WHOLE))


def test_the_gateway_lists_models_and_names_what_it_serves() -> None:
    async def main(on: Proxied) -> None:
        assert said(on.ask(gateway("/v1/models", b"", "GET")))[0] == 200
        assert said(on.ask(gateway("/v1/embeddings")))[0] == 404

    scene(main)


def test_a_path_may_name_the_gateways_provider() -> None:
    async def main(on: Proxied) -> None:
        asked = gateway("/v1/providers/a/chat/completions", b'{"model":"m","messages":[]}')
        await on.answer(on.ask(asked))
        assert orjson.loads(on.provider.last.body)["model"] == "m"

    async def whole() -> None:
        async with proxied([loopback.json(500, b"{}")], None) as on:
            await main(on)

    run(whole)


# ── replay ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def replayed(shown: http.HTTPFlow) -> http.HTTPFlow:
    """As ``replay.client`` prepares it."""
    shown.is_replay = "request"
    shown.response = shown.error = None
    shown.live = True
    return shown


def test_a_replay_goes_through_the_rules_of_now_with_the_credentials_of_then() -> None:
    async def main(on: Proxied) -> None:
        asked = on.ask(flow())
        await on.answer(asked)
        assert on.provider.last.header("x-api-key") == "key-canary-c-1"
        on.engine.use(replace(on.engine.snapshot, routes=()))
        again = on.ask(replayed(asked))
        await on.answer(again)
        assert on.provider.last.header("x-api-key") == f"{CANARY}-key"
        assert CANARY not in text(again)
        assert not on.leftovers()

    scene(main, GOOD)


def test_a_call_that_is_answered_here_says_so_in_its_comment() -> None:
    probe = b'{"model":"claude-haiku-4-5","max_tokens":1,"messages":[{"role":"user","content":"quota"}]}'

    async def main(on: Proxied) -> None:
        one = on.ask(flow(body=probe))
        assert b'"#"' in await on.answer(one)
        assert one.comment.startswith("bypass.quota_probe · answered here · ")
        assert (one.marked, one.request.host, on.provider.received) == ("", "api.anthropic.com", [])
        assert on.leftovers() == {}

    scene(main, more="bypass: {quota_probe: true}")


@pytest.mark.parametrize(
    "agent, client", [("claude-cli/2.1.329 (external, cli)", "claude-code"), ("curl/8", "gateway")]
)
def test_a_caller_of_the_gateway_is_known_by_its_headers(agent: str, client: str) -> None:
    async def main(on: Proxied) -> None:
        one = gateway("/v1/messages")
        one.request.headers["user-agent"] = agent
        await on.answer(on.ask(one))
        assert one.metadata["omniroute"]["client"] == client

    scene(main, GOOD)
