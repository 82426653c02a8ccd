"""The provider of a fuzz: answers calls of every format, mostly badly. An asyncio protocol, because there are many."""

import asyncio
import json
import re
from collections.abc import Callable
from random import Random

from tests.servers import answers
from tests.translators.fuzz import damage
from tests.translators.fuzz.corpus import seeds

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_ANSWER = answers.Answer(
    pieces=("Some ", "words"), calls=(answers.Call("call_1", "read_file", json.dumps({"path": "a"})),)
)
_TYPES = (
    b"text/event-stream",
    b"application/json",
    b"text/html",
    b"",
    b"application/octet-stream",
    b"text/plain; charset=x",
)


class Hostile(asyncio.Protocol):
    """One connection."""

    def __init__(self, dice: Random, count: "Count") -> None:
        self._dice = dice
        self._count = count
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if len(self._received) < end + 4 + size:
                return
            body = self._received[end + 4 : end + 4 + size]
            self._received = self._received[end + 4 + size :]
            self._count.calls += 1
            self._answer(head.partition(b"\r\n")[0].decode("latin-1"), body)

    def _answer(self, line: str, body: bytes) -> None:
        assert self._transport is not None
        dice = self._dice
        form = _format(line)
        stream = "streamGenerateContent" in line or bool(_STREAM.search(body[:200_000]))
        own, kind = seeds()[form], dice.randrange(20)
        if kind < 6:
            said = b"".join(answers.events(form, _ANSWER, "m")) if stream else answers.whole(form, _ANSWER, "m")
            self._say(said, stream=stream)
        elif kind < 12:
            others = [dice.choice(own.streams), dice.choice(seeds()["openai-chat"].streams)]
            said = (
                damage.stream(dice, dice.choice(own.streams), others)
                if stream
                else damage.tree(dice, dice.choice(own.answers), [dice.choice(own.answers)])
            )
            self._say(said, stream=stream)
        elif kind < 14:
            said = damage.tree(dice, dice.choice(own.answers), [])
            self._say(said, stream=dice.random() < 0.5, content_type=dice.choice(_TYPES))
        elif kind < 16:
            status, said = dice.choice(own.errors)
            self._say(damage.tree(dice, said) if dice.random() < 0.5 else said, stream=False, status=status)
        elif kind == 16:
            headers = dice.choice(damage.HEADERS)
            more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
            self._say(dice.choice(own.errors)[1], stream=False, status=dice.choice(damage.STATUSES), more=more)
        else:
            self._break(form, stream=stream)

    def _say(
        self,
        said: bytes,
        *,
        stream: bool,
        status: int = 200,
        content_type: bytes | None = None,
        more: bytes = b"",
    ) -> None:
        assert self._transport is not None
        kind = content_type if content_type is not None else (b"text/event-stream" if stream else b"application/json")
        head = b"HTTP/1.1 %d Said\r\ncontent-type: %s\r\n%s" % (status, kind, more)
        if status in (204, 304) or not stream:
            body = b"" if status in (204, 304) else said
            self._transport.write(head + b"content-length: %d\r\n\r\n%s" % (len(body), body))
            return
        chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in _pieces(self._dice, said)]
        self._transport.write(head + b"transfer-encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n")

    def _break(self, form: str, *, stream: bool) -> None:
        """Breaks the rules of HTTP."""
        assert self._transport is not None
        dice = self._dice
        said = dice.choice(seeds()[form].streams if stream else seeds()[form].answers)
        data = dice.choice(_BREAKS)(dice, said)
        if data:
            self._transport.write(data)
        if dice.random() < 0.5:
            self._transport.abort()
        else:
            self._transport.close()


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
_CHUNKED = _HEAD + b"transfer-encoding: chunked\r\n\r\n"
_BREAKS: tuple[Callable[[Random, bytes], bytes], ...] = (
    lambda _dice, _said: b"",
    lambda _dice, said: _HEAD + b"content-length: %d\r\n\r\n%s" % (len(said) + 50, said),
    lambda _dice, said: _HEAD + b"content-length: %d\r\n\r\n%s" % (len(said) // 2, said),
    lambda dice, said: _CHUNKED + damage.raw(dice, b"%x\r\n%s\r\n" % (len(said), said)),
    lambda _dice, said: _CHUNKED + b"%x\r\n%s" % (len(said), said[: len(said) // 2]),
    lambda dice, said: damage.raw(dice, _HEAD) + b"content-length: %d\r\n\r\n%s" % (len(said), said),
    lambda dice, said: _HEAD + b"content-encoding: %s\r\n" % dice.choice((b"gzip", b"br", b"zstd", b"x", b"gzip, gzip"))
    + b"content-length: %d\r\n\r\n%s" % (len(said), said),
    lambda dice, _said: _HEAD + b"x: " + b"y" * dice.choice((1000, 70_000)) + b"\r\ncontent-length: 2\r\n\r\n{}",
    lambda dice, _said: dice.randbytes(dice.randrange(1, 200)),
)  # fmt: skip


class Count:
    """Calls that came this far: planned, translated and sent."""

    calls = 0


def _pieces(dice: Random, said: bytes) -> list[bytes]:
    found = damage.pieces(dice, said)
    return [piece for piece in (found if len(found) < 300 else [said]) if piece]


def _format(line: str) -> str:
    if "/messages" in line:
        return "anthropic-messages"
    if "/chat/completions" in line:
        return "openai-chat"
    return "openai-responses" if "/responses" in line else "gemini"


async def serve(seed: int, worker: int, count: Count) -> asyncio.Server:
    """Listening on a free port of 127.0.0.1."""
    dice = Random(f"provider/{seed}/{worker}")
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Hostile(dice, count), "127.0.0.1", 0)
