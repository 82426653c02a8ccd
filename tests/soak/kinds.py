"""The kinds of calls of a soak: each makes one call, waits for what comes and says whether it is right (AssertionError).

A kind is a coroutine of :class:`Clients` and a nonce. Weights are shares of a thousand calls.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import httpx

from tests.e2e.calls import Ask, ask, async_client, events, said_error, spoken
from tests.servers.answers import FORMATS
from tests.servers.proxy import Proxy
from tests.soak import upstream
from tests.soak.heard import calls_in

CACHED, SESSIONS = 100, 300
RULES = f"""\
routes:
  - {{match: {{model: "to-openai-chat*"}}, to: up-openai-chat/m}}
  - {{match: {{model: "to-anthropic-messages*"}}, to: up-anthropic-messages/m}}
  - {{match: {{model: "to-openai-responses*"}}, to: up-openai-responses/m}}
  - {{match: {{model: "to-gemini-cli*"}}, to: up-gemini-cli/m}}
  - {{match: {{model: "to-gemini*"}}, to: up-gemini/m}}
  - {{match: {{model: "any-*"}}, to: up-openai-chat/*}}
  - {{match: {{model: "fall-*"}}, to: [bad-openai-chat/first, bad-anthropic-messages/first, up-openai-chat/second]}}
  - {{match: {{model: "none-*"}}, to: [bad-openai-chat/first, bad-gemini/first]}}
  - {{match: {{model: "cut-*"}}, to: bad-openai-chat/cut}}
bypass: {{quota_probe: true}}
cache: {{enabled: true, max_entries: {CACHED}, max_bytes: 1MiB, tools: true}}
sessions: {{ttl: 1h, max: {SESSIONS}}}
resilience: {{enabled: false}}
view: {{max_flows: 300, max_bytes: 32MiB}}
ledger: {{retention: 1d}}
"""
TOOL: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
CLAUDE = {"user-agent": "claude-cli/2.1.329 (external, cli)"}
BIG = 1_500_000


@dataclass(slots=True)
class Clients:
    """The connections of one soak."""

    proxy: Proxy
    http1: httpx.AsyncClient
    http2: httpx.AsyncClient
    gateway: httpx.AsyncClient
    tunnel: int
    """Port of a TLS server that is nobody's provider."""
    dice: Random

    def any(self) -> httpx.AsyncClient:
        return self.dice.choice((self.http1, self.http1, self.http2))


def with_tools(asked: Ask) -> Ask:
    """The same question with a tool that may be called."""
    said = {"name": "read_file", "description": "Reads a file."}
    match asked.format:
        case "anthropic-messages":
            more: dict[str, Any] = {"tools": [{**said, "input_schema": TOOL}]}
        case "openai-chat":
            more = {"tools": [{"type": "function", "function": {**said, "parameters": TOOL}}]}
        case "openai-responses":
            more = {"tools": [{"type": "function", "strict": False, **said, "parameters": TOOL}]}
        case "gemini":
            more = {"tools": [{"functionDeclarations": [{**said, "parametersJsonSchema": TOOL}]}]}
        case _:
            tools = [{"functionDeclarations": [{**said, "parametersJsonSchema": TOOL}]}]
            more = {"request": {**asked.body["request"], "tools": tools}}
    return replace(asked, body=asked.body | more)


def right(form: str, response: httpx.Response, nonce: str, *, tools: bool = True, text: str | None = None) -> None:
    expected = upstream.text(nonce) if text is None else text
    assert spoken(form, response) == expected, response.text[:2000]
    called = [("read_file", upstream.arguments(nonce))] if tools else []
    assert calls_in(form, response) == called, response.text[:2000]


async def _post(client: httpx.AsyncClient, asked: Ask, base: str | None = None, **headers: str) -> httpx.Response:
    url = asked.url if base is None else base + asked.path
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(url, content=asked.content, headers={"content-type": "application/json", **named})


def _some(clients: Clients, do: str, nonce: str, model: str | None = None, *, tools: bool = True) -> Ask:
    """A question of any format in any manner, to a target of any format."""
    dice = clients.dice
    model = f"to-{dice.choice(FORMATS)}" if model is None else model
    asked = ask(dice.choice(FORMATS), model, stream=dice.random() < 0.5, question=upstream.order(do, nonce))
    return with_tools(asked) if tools else asked


# ── the kinds ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def answered(clients: Clients, nonce: str) -> None:
    asked = _some(clients, "answer", nonce)
    right(asked.format, await _post(clients.any(), asked, x_session_id=f"s{clients.dice.randrange(2000)}"), nonce)


async def at_gateway(clients: Clients, nonce: str) -> None:
    asked = _some(clients, "answer", nonce)
    if asked.format == "gemini-cli":
        asked = with_tools(ask("openai-chat", "to-gemini", question=upstream.order("answer", nonce)))
    right(asked.format, await _post(clients.gateway, asked, clients.proxy.gateway), nonce)


async def encoded(clients: Clients, nonce: str) -> None:
    asked = _some(clients, "gzip", nonce)
    right(asked.format, await _post(clients.any(), asked), nonce)


async def of_a_model_of_its_own(clients: Clients, nonce: str) -> None:
    asked = _some(clients, "answer", nonce, f"any-{nonce}")
    right(asked.format, await _post(clients.any(), asked), nonce)


async def untouched(clients: Clients, nonce: str) -> None:
    asked = with_tools(ask("anthropic-messages", "claude", stream=True, question=upstream.order("answer", nonce)))
    right(asked.format, await _post(clients.any(), asked), nonce)


async def fallen_back(clients: Clients, nonce: str) -> None:
    asked = _some(clients, "fall", nonce, "fall-1")
    right(asked.format, await _post(clients.any(), asked), nonce)


async def refused(clients: Clients, nonce: str) -> None:
    asked = _some(clients, "refuse", nonce)
    response = await _post(clients.any(), asked)
    assert response.status_code == 400, response.text
    assert f"refused {nonce}" in said_error(asked.format, response.json())


async def failed(clients: Clients, nonce: str) -> None:
    """No target is left: an error in the client's own format."""
    asked = _some(clients, "fall", nonce, "none-1")
    response = await _post(clients.any(), asked)
    assert response.status_code in (429, 500, 502, 503, 504, 529), response.text
    assert said_error(asked.format, response.json())


async def cut(clients: Clients, nonce: str) -> None:
    """The stream breaks after its first words: those words, then an error; no other answer may be made of it."""
    form = clients.dice.choice(FORMATS)
    asked = ask(form, "cut-1", stream=True, question=upstream.order("cut", nonce))
    try:
        response = await _post(clients.any(), asked)
    except httpx.RemoteProtocolError:
        return  # a format without an error event: the connection ends early
    if response.status_code != 200:
        assert said_error(form, response.json())
        return
    *_, last = events(response.content)
    assert said_error(form, last), response.text


async def malformed(clients: Clients, nonce: str) -> None:
    asked = _some(clients, "answer", nonce)
    client = clients.any()
    response = await client.post(asked.url, content=asked.content[:-9], headers={"content-type": "application/json"})
    assert response.status_code in (400, 404), response.text


async def big(clients: Clients, nonce: str) -> None:
    size = clients.dice.randrange(BIG // 2, BIG)
    dice = clients.dice
    question = f"{upstream.order('count', nonce)} {'x' * size}"
    asked = with_tools(ask(dice.choice(FORMATS), f"to-{dice.choice(FORMATS)}", stream=True, question=question))
    right(asked.format, await _post(clients.any(), asked), nonce, text=f"{size} for {nonce}")


async def long(clients: Clients, nonce: str, pause: float = 0.0) -> None:
    """A long stream, read slowly when there is a ``pause``."""
    form = clients.dice.choice(FORMATS)
    asked = ask(form, f"to-{clients.dice.choice(FORMATS)}", stream=True, question=upstream.order("long", nonce))
    body = b""
    async with clients.any().stream("POST", asked.url, content=asked.content) as response:
        async for chunk in response.aiter_bytes(32768):
            body += chunk
            await asyncio.sleep(pause)
    whole = httpx.Response(response.status_code, headers=response.headers, content=body)
    right(form, whole, nonce, tools=False, text=upstream.LONG_PIECE * upstream.PIECES + nonce)


async def slowly_read(clients: Clients, nonce: str) -> None:
    await long(clients, nonce, 0.02)


async def cached(clients: Clients, _: str) -> None:
    """One of a few hundred questions that are asked again and again."""
    nonce = f"c{clients.dice.randrange(400)}"
    asked = with_tools(ask("openai-chat", "to-gemini", question=upstream.order("answer", nonce)))
    asked = replace(asked, body=asked.body | {"temperature": 0, "stream": clients.dice.random() < 0.5})
    right(asked.format, await _post(clients.any(), asked), nonce)


async def joined(clients: Clients, nonce: str) -> None:
    """The same errand twice at once."""
    asked = with_tools(ask("openai-responses", "to-anthropic-messages", question=upstream.order("answer", nonce)))
    both = [_post(clients.any(), asked, idempotency_key=nonce) for _ in range(2)]
    for response in await asyncio.gather(*both):
        right(asked.format, response, nonce)


async def bypassed(clients: Clients, _: str) -> None:
    body = {"model": "claude-haiku-4-5", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}
    response = await clients.any().post("https://api.anthropic.com/v1/messages", json=body, headers=CLAUDE)
    assert response.json()["stop_reason"] == "max_tokens", response.text


async def unknown_path(clients: Clients, nonce: str) -> None:
    response = await clients.gateway.post(f"{clients.proxy.gateway}/v1/{nonce}", json={})
    assert response.status_code == 404, response.text


async def left_in_the_answer(clients: Clients, _: str) -> None:
    asked = ask(clients.dice.choice(FORMATS), "to-openai-chat", stream=True, question=upstream.order("long", "n"))
    async with _leaver(clients) as client, client.stream("POST", asked.url, content=asked.content) as response:
        async for _ in response.aiter_raw(4096):
            return


async def left_before_the_answer(clients: Clients, nonce: str) -> None:
    asked = _some(clients, "silence", nonce, tools=False)
    async with _leaver(clients) as client:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(clients.dice.random() * 0.3):
                await _post(client, asked)


@contextlib.asynccontextmanager
async def _leaver(clients: Clients) -> AsyncGenerator[httpx.AsyncClient]:
    """A connection of its own for HTTP/2: httpx never gives the window of a stream that it leaves back to the others."""
    if clients.dice.random() < 0.7:
        yield clients.http1
        return
    async with async_client(clients.proxy, http2=True) as own:
        yield own


async def tunnelled(clients: Clients, nonce: str) -> None:
    """TLS to a host that is none of ours: its own certificate, its own words."""
    address = f"localhost:{clients.tunnel}"
    async with _tunnel(clients.proxy, address) as (reader, writer):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await writer.start_tls(context, server_hostname="localhost")
        writer.write(f"{nonce}\n".encode())
        assert await reader.readline() == f"echo {nonce}\n".encode()


@contextlib.asynccontextmanager
async def _tunnel(proxy: Proxy, address: str) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


type Kind = Callable[[Clients, str], Awaitable[None]]
KINDS: Mapping[Kind, int] = {
    answered: 500,
    at_gateway: 80,
    encoded: 30,
    of_a_model_of_its_own: 40,
    untouched: 40,
    fallen_back: 50,
    refused: 40,
    failed: 20,
    cut: 20,
    malformed: 20,
    big: 4,
    long: 10,
    slowly_read: 6,
    cached: 50,
    joined: 20,
    bypassed: 20,
    unknown_path: 10,
    left_in_the_answer: 15,
    left_before_the_answer: 15,
    tunnelled: 10,
}


@contextlib.asynccontextmanager
async def clients(proxy: Proxy, tunnel: int, dice: Random) -> AsyncGenerator[Clients]:
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=40)
    async with (
        async_client(proxy, http2=False, limits=limits) as http1,
        async_client(proxy, http2=True, limits=limits) as http2,
        httpx.AsyncClient(trust_env=False, timeout=30, limits=limits) as gateway,
    ):
        yield Clients(proxy, http1, http2, gateway, tunnel, dice)
