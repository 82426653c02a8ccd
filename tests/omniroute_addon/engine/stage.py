"""An exchange on a stage: real rules, real upstream connections, a sink that keeps what it is given."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from omniroute_addon.accounts.health import Health
from omniroute_addon.config import Snapshot, parse
from omniroute_addon.engine.call import Call, Dial
from omniroute_addon.engine.exchange import Exchange
from omniroute_addon.engine.standing import Standing
from omniroute_addon.engine.upstream import Upstreams
from omniroute_addon.ledger import AttemptRecord, ExchangeRecord
from omniroute_addon.routing import Ask, plan
from tests.omniroute_addon import loopback
from tests.omniroute_addon.loopback import Answer, Provider, run
from tests.servers import answers, faults
from translators import FORMATS, BoundedMemory, WireRequest

HELLO = b'{"model":"claude-opus-4-6","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hello"}]}'
WHOLE = HELLO.replace(b'"stream":true,', b"")
CLIENT_HEADERS = (
    ("host", "api.anthropic.com"),
    ("authorization", "Bearer client-canary-authorization"),
    ("x-api-key", "client-canary-x-api-key"),
    ("cookie", "client-canary-cookie"),
    ("anthropic-version", "2023-06-01"),
    ("content-type", "application/json"),
    ("user-agent", "claude-cli/2.0"),
)
SAID = answers.Answer(pieces=("Hel", "lo"))
CHAT = tuple(answers.events("openai-chat", SAID, "m"))
CLAUDE = tuple(answers.events("anthropic-messages", SAID, "m"))
CHAT_WHOLE = answers.whole("openai-chat", SAID, "m")
CLAUDE_WHOLE = answers.whole("anthropic-messages", SAID, "m")


class BrokenError(Exception):
    """What a sink raises when a test wants a defect."""


@dataclass(slots=True)
class Collected:
    """A sink in memory."""

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    ended: str | None = None
    """``finished`` or ``aborted``."""
    starts: int = 0
    wrote: asyncio.Event = field(default_factory=asyncio.Event)
    breaks_with: Exception | None = None
    """Raised by every write."""

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.starts += 1
        self.status, self.headers = status, list(headers)

    async def write(self, chunk: bytes) -> None:
        if self.breaks_with is not None:
            raise self.breaks_with
        self.body += chunk
        self.wrote.set()

    def finish(self) -> None:
        self.ended = "finished"

    def abort(self) -> None:
        self.ended = "aborted"

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(slots=True)
class Watched:
    """An observer that writes down what it is told."""

    told: list[str] = field(default_factory=list)
    dials: list[Dial] = field(default_factory=list)
    attempts: list[AttemptRecord] = field(default_factory=list)

    def attempt_started(self, exchange: ExchangeRecord, attempt: AttemptRecord, dial: Dial) -> None:
        self.told.append(f"started {attempt.target}")
        self.dials.append(dial)
        self.attempts.append(attempt)

    def attempt_ended(self, exchange: ExchangeRecord, attempt: AttemptRecord) -> None:
        self.told.append(f"ended {attempt.target}")

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        self.told.append("exchange ended")


@dataclass(slots=True)
class Stage:
    snapshot: Snapshot
    upstreams: Upstreams
    standing: Standing = field(init=False)
    memory: BoundedMemory = field(default_factory=BoundedMemory)
    observer: Watched = field(default_factory=Watched)
    sink: Collected = field(default_factory=Collected)
    last: Exchange | None = None

    def __post_init__(self) -> None:
        self.standing = Standing(lambda: self.snapshot, time.time)

    @property
    def health(self) -> Health:
        return self.standing.health

    def exchange(self, call: Call) -> Exchange:
        ask = Ask(
            call.client,
            call.format,
            call.model,
            host=call.host,
            path=call.path,
            operation=call.operation,
            provider=call.provider,
            gateway=call.gateway,
        )
        chosen = plan(ask, self.snapshot, self.standing, time.time(), random.Random(1))
        return Exchange(
            call,
            chosen,
            self.snapshot,
            upstreams=self.upstreams,
            standing=self.standing,
            memory=self.memory,
            observer=self.observer,
            again=lambda: plan(ask, self.snapshot, self.standing, time.time(), random.Random(1)),
        )

    async def ask(self, call: Call | None = None) -> Collected:
        """Run one exchange to its end with a fresh sink."""
        self.sink = Collected()
        self.last = self.exchange(call or claude())
        await self.last.run(self.sink)
        return self.sink

    @property
    def record(self) -> ExchangeRecord:
        assert self.last is not None
        return self.last.record

    @property
    def targets(self) -> list[str]:
        return [attempt.target for attempt in self.record.attempts]


def claude(
    body: bytes = HELLO,
    *,
    operation: str = "generate",
    path: str = "/v1/messages",
    headers: tuple[tuple[str, str], ...] = CLIENT_HEADERS,
) -> Call:
    return called("anthropic-messages", path, body, headers, operation=operation)


def called(
    form: str,
    path: str,
    body: bytes,
    headers: tuple[tuple[str, str], ...] = CLIENT_HEADERS,
    operation: str = "generate",
) -> Call:
    bare, _, query = path.partition("?")
    wire = WireRequest("POST", bare, query, dict(headers), body)
    return Call(
        id="exchange-1",
        client="claude-code",
        format=form,
        operation=operation,
        wire=wire,
        headers=headers,
        body=body,
        scheme="https",
        host="api.anthropic.com",
        port=443,
        path=path,
        model=FORMATS[form].model_of(wire),
        streaming=FORMATS[form].asks_stream(wire),
        gateway=False,
        provider="anthropic",
    )


def rules(targets: str, *, more: str = "", **urls: str) -> Snapshot:
    """A combo of ``targets``; ``a`` and ``b`` speak openai-chat, ``c`` anthropic-messages, ``g`` gemini, with one key each.

    ``origin`` is the override of anthropic's address.
    """
    formats = {"a": "openai-chat", "b": "openai-chat", "c": "anthropic-messages", "g": "gemini"}
    endings = {"openai-chat": "/v1/chat/completions", "anthropic-messages": "/v1/messages", "gemini": "/v1beta/models"}
    lines = [
        "version: 1",
        "providers:",
        "  x: {base_url: 'http://127.0.0.1:9/v1/chat/completions', format: openai-chat}",
    ]
    for name, url in urls.items():
        if name == "origin":
            lines.append(f"  anthropic: {{base_url: '{url}/v1/messages'}}")
        else:
            form = formats[name]
            lines.append(f"  {name}: {{base_url: '{url}{endings[form]}', format: {form}}}")
    named = [name for name in urls if name != "origin"]
    lines.append("accounts:" if named else "accounts: []")
    for name in named:
        lines += [
            f"  - {{name: {name}-{n}, provider: {name}, key: key-canary-{name}-{n}, priority: {n}}}" for n in (1, 2)
        ]
    lines += [
        f"combos: {{combo: {{targets: [{targets}]}}}}",
        "routes: [{match: {model: '*'}, to: combo}]",
        more or "timeouts: {connect: 20, first_event: 20, idle: 20, whole: 20}",
    ]
    return parse("\n".join(lines), None, env={})


@asynccontextmanager
async def stage(targets: str, *, more: str = "", **urls: str) -> AsyncIterator[Stage]:
    upstreams = Upstreams()
    try:
        yield Stage(rules(targets, more=more, **urls), upstreams)
    finally:
        await upstreams.aclose()


def failure(whole: faults.Whole) -> Answer:
    return loopback.answer(whole.status, whole.body, *(f"{name}: {value}" for name, value in whole.headers.items()))


def scene(
    main: Callable[[Stage, Provider, Provider], Awaitable[None]],
    first: list[Answer],
    second: list[Answer],
    targets: str = "a/m, b/m",
    more: str = "",
) -> None:
    """Two providers; ``a`` and ``c`` and ``origin`` are the first, ``b`` and ``g`` the second."""

    async def whole() -> None:
        async with Provider(first) as one, Provider(second) as two:
            urls = {"a": one.url, "c": one.url, "b": two.url, "g": two.url}
            if "origin" in targets:
                urls["origin"] = one.url
            async with stage(targets, more=more, **urls) as on:
                await main(on, one, two)

    run(whole)
