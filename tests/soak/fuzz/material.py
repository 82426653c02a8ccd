"""Hostile calls as bytes: what number ``n`` of one worker and seed sends, to which door, and how many answers are due.

Bodies are the damaged calls of ``tests/translators/fuzz`` in every format that the gateway or a host speaks. Heads are
good ones with strange headers, damaged ones, and the shapes in which one request is smuggled inside another.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, Literal

import h2.config
import h2.connection

from tests.translators.fuzz import damage
from tests.translators.fuzz.corpus import seeds

type Door = Literal["gateway", "proxy", "tunnel", "http2"]
FORMATS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini")
HOSTS = {
    "anthropic-messages": "api.anthropic.com",
    "openai-chat": "api.openai.com",
    "openai-responses": "api.openai.com",
    "gemini": "generativelanguage.googleapis.com",
}
REFUSED = 8
PROVIDERS = 6
"""By worker and format: one that has failed rests for a while."""


@dataclass(frozen=True, slots=True)
class Attack:
    kind: str
    door: Door
    host: str
    data: bytes
    answers: int | None
    """How many complete answers are due; None: whatever comes until the other side waits or closes."""
    calls: int = 1
    leaves: bool = False
    """Closes the connection as soon as all is sent."""


def attack(seed: int, worker: int, number: int) -> Attack:
    dice = Random(f"{seed}/{worker}/{number}")
    kind = dice.choices(_NAMES, _WEIGHTS)[0]
    return _KINDS[kind][0](dice, worker, kind)


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _documents(form: str) -> list[dict[str, Any]]:
    found = (json.loads(wire.body) for wire in seeds()[form].requests)
    return [document for document in found if isinstance(document, dict)]


def model(dice: Random, worker: int) -> str:
    """One of the worker's targets: of any format, with or without another to fall back to, by a name of its own."""
    name = f"w{worker}p{dice.randrange(PROVIDERS)}-{dice.choice(FORMATS)}"
    return f"{name}-f{dice.randrange(100)}" if dice.random() < 0.2 else f"{name}/m{dice.randrange(10**6)}"


def call(dice: Random, worker: int, *, harm: float = 0.7) -> tuple[str, str, bytes]:
    """Format, path and body; the body is damaged with a probability of ``harm``."""
    form = dice.choice(FORMATS)
    stream = dice.random() < 0.6
    name = model(dice, worker)
    document = dict(dice.choice(_documents(form)))
    if form == "gemini":
        path = f"/v1beta/models/{name}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"
    else:
        path = {"anthropic-messages": "/v1/messages", "openai-chat": "/v1/chat/completions"}.get(form, "/v1/responses")
        document |= {"model": name, "stream": stream}
    body = json.dumps(document).encode()
    throw = dice.random()
    if throw < harm * 0.9:
        others = [json.dumps(dice.choice(_documents(dice.choice(FORMATS)))).encode()]
        body = damage.tree(dice, body, others)
    elif throw < harm:
        body = damage.raw(dice, body)
    return form, path, body


def request(form: str, path: str, body: bytes, more: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: {HOSTS[form]}\r\ncontent-type: application/json\r\n"
    return head.encode() + more + b"content-length: %d\r\n\r\n" % len(body) + body


def _call(dice: Random, worker: int, kind: str) -> Attack:
    form, path, body = call(dice, worker)
    return Attack(kind, "gateway", HOSTS[form], request(form, path, body), 1)


def _good_call(dice: Random, worker: int, kind: str) -> Attack:
    """Only its upstream is bad."""
    form, path, body = call(dice, worker, harm=0.0)
    return Attack(kind, "gateway", HOSTS[form], request(form, path, body), 1)


def _pipeline(dice: Random, worker: int, kind: str) -> Attack:
    count = dice.randrange(2, 6)
    calls = [call(dice, worker, harm=0.5) for _ in range(count)]
    return Attack(kind, "gateway", HOSTS["gemini"], b"".join(request(*one) for one in calls), count, count)


def _refused(dice: Random, worker: int, kind: str) -> Attack:
    """Calls that are none, well framed, one behind the other: nothing of them goes further than their heads."""
    calls: list[bytes] = []
    for _ in range(REFUSED):
        form, path, body = call(dice, worker, harm=0.0)
        match dice.randrange(4):
            case 0:
                path = dice.choice(
                    ("/", "/v1", "/v1/messages/", "/v1//messages", "//x", "/%2e%2e/v1/messages", "/v1/models/%00")
                )
            case 1:
                body = body[: dice.randrange(30)]
            case 2:
                body = dice.choice(
                    (b"", b"null", b"[]", b"1", b'"model"', b"\xff\xfe", b"{}", b"[" * 3000, b'{"model":{}}')
                )
            case _:
                path = (
                    damage.raw(dice, path.partition("?")[0].encode()).decode("ascii", "replace").replace("\ufffd", "_")
                )
                path = "/" + "".join(char for char in path if char.isprintable() and char not in " #")
        calls.append(request(form, path, body))
    return Attack(kind, "gateway", HOSTS["gemini"], b"".join(calls), REFUSED, REFUSED)


def _strange_headers(dice: Random, worker: int, kind: str) -> Attack:
    form, path, body = call(dice, worker, harm=0.2)
    more = b"".join(dice.choice(HEADERS) for _ in range(dice.choice((1, 1, 2, 5))))
    if b"content-encoding: gzip" in more and dice.random() < 0.5:
        body = gzip.compress(body)
    return Attack(kind, "gateway", HOSTS[form], request(form, path, body, more), None)


def _chunked(dice: Random, worker: int, kind: str) -> Attack:
    form, path, body = call(dice, worker, harm=0.3)
    pieces = damage.pieces(dice, body)[:200]
    rest = body[sum(map(len, pieces)) :]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, rest] if piece) + b"0\r\n\r\n"
    if dice.random() < 0.5:
        chunks = damage.raw(dice, chunks)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return Attack(kind, "gateway", HOSTS[form], head + chunks, None)


# ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

HEADERS = (
    b"content-encoding: gzip\r\n", b"content-encoding: br, gzip\r\n", b"content-encoding: zstd\r\n", b"content-encoding: x\r\n",
    b"content-type: text/plain; charset=utf-16\r\n", b"content-type: \r\n", b"expect: 100-continue\r\n", b"expect: 417\r\n",
    b"x-long: " + b"y" * 70_000 + b"\r\n", b"x-\xff\xfe: \xe9\xff\r\n", b"cookie: " + b"a=b; " * 500 + b"\r\n",
    b"x-omniroute-no-cache: maybe\r\n", b"x-omniroute-progress: 1\r\n", b"x-omniroute-relay: guess\r\n",
    b"x-omniroute-exchange: 1\r\n", b"x-session-id: " + b"s" * 5000 + b"\r\n", b"idempotency-key: same\r\n",
    b"idempotency-key: \xf0\x9f\x92\xa9\r\n", b"authorization: Bearer \r\n", b"x-api-key: \x80\r\n", b"upgrade: websocket\r\n",
    b"connection: upgrade\r\nupgrade: h2c\r\n", b"connection: close\r\n", b"connection: keep-alive, content-length\r\n",
    b"accept-encoding: *;q=0\r\n", b"te: trailers\r\n", b"host: y\r\n", b"transfer-encoding: identity\r\n",
    b"anthropic-beta: " + b"a," * 2000 + b"\r\n", b"user-agent: claude-cli/2.1.329 (external, cli)\r\n", b"range: bytes=0-0\r\n",
)  # fmt: skip
INNER = b"POST /smuggled/v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
_POST = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n"
SHAPES = (
    _POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    _POST + b"content-length: 0\r\ncontent-length: %d\r\n\r\n" % len(INNER) + INNER,
    _POST + b"content-length: 0, %d\r\n\r\n" % len(INNER) + INNER,
    _POST + b"content-length: +2\r\n\r\n{}", _POST + b"content-length: 1_0\r\n\r\n{}", _POST + b"content-length: 0x2\r\n\r\n{}",
    _POST + b"content-length: -1\r\n\r\n{}", _POST + b"content-length: 99999999999999999999\r\n\r\n{}",
    _POST + b"transfer-encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + INNER,
    _POST + b"transfer-encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + INNER,
    _POST + b"transfer-encoding:\x0bchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + INNER,
    _POST + b"x: a\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n",
    _POST + b"transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", _POST + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    _POST.replace(b"\r\n", b"\n") + b"content-length: 2\n\n{}", _POST + b"x: \x00\r\ncontent-length: 2\r\n\r\n{}",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 64, b"GET http://x:1/ HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /v1/messages HTTP/9.9\r\n\r\n", b"POST  /v1/messages  HTTP/1.1\r\n\r\n", b"\r\n\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /v1/messages HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}", b"DELETE /v1/../v1/messages?a=%00 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n" + INNER,
)  # fmt: skip


def _raw(dice: Random, worker: int, kind: str) -> Attack:
    whole = request(*call(dice, worker, harm=0.0))
    head, gap, body = whole.partition(b"\r\n\r\n")
    data = damage.raw(dice, head) + gap + body if dice.random() < 0.7 else damage.raw(dice, whole)
    return Attack(kind, "gateway", HOSTS["gemini"], data, None)


def _shape(dice: Random, _: int, kind: str) -> Attack:
    data = dice.choice(SHAPES)
    if dice.random() < 0.4:
        data = damage.raw(dice, data)
    return Attack(kind, dice.choice(("gateway", "gateway", "proxy")), "x", data, None)


def _cut(dice: Random, worker: int, kind: str) -> Attack:
    whole = request(*call(dice, worker, harm=0.0))
    return Attack(kind, "gateway", "x", whole[: dice.randrange(len(whole))], None, leaves=True)


def _left(dice: Random, worker: int, kind: str) -> Attack:
    """A whole good call whose client leaves at once."""
    form, path, body = call(dice, worker, harm=0.0)
    return Attack(kind, "gateway", "x", request(form, path, body), None, leaves=True)


def _connect(dice: Random, _: int, kind: str) -> Attack:
    host = dice.choice((*HOSTS.values(), "localhost", "127.0.0.1", "[::1]", "x" * 300, "", "\x00"))
    port = dice.choice(("443", "0", "1", "65536", "-1", "x", ""))
    data = f"CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode()
    hello = dice.choice(
        (
            b"",
            b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
            b"\x16\x03\x01\xff\xff" + b"\x01" * 99,
            b"GET / HTTP/1.1\r\n\r\n",
        )
    )
    return Attack(kind, "proxy", "x", damage.raw(dice, data) if dice.random() < 0.5 else data + hello, None)


def _in_tunnel(dice: Random, worker: int, kind: str) -> Attack:
    form, path, body = call(dice, worker, harm=0.5)
    data = request(form, path, body)
    if dice.random() < 0.3:
        return Attack(kind, "tunnel", HOSTS[form], damage.raw(dice, data), None)
    return Attack(kind, "tunnel", HOSTS[form], data, 1)


def _frames(dice: Random, worker: int, kind: str) -> Attack:
    """An HTTP/2 connection with some good calls, its frames damaged."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration())
    connection.initiate_connection()
    frames = [connection.data_to_send()]
    count = dice.randrange(1, 6)
    form = ""
    for _ in range(count):
        form, path, body = call(dice, worker, harm=0.3)
        stream = connection.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", "https"), (":authority", HOSTS[form]), (":path", path)]
        connection.send_headers(stream, [*head, ("content-type", "application/json")])
        frames.append(connection.data_to_send())
        connection.send_data(stream, body[:16_000], end_stream=True)
        frames.append(connection.data_to_send())
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        at = dice.randrange(1, len(frames))
        match dice.randrange(6):
            case 0:
                frames[at] = damage.raw(dice, frames[at])
            case 1:
                del frames[at:]
                break
            case 2:
                frames.insert(at, frames[at])
            case 3:
                frames.insert(at, dice.randbytes(9 + dice.randrange(40)))
            case 4:
                kind_of, flags, number = dice.randrange(11), dice.randrange(256), dice.choice((0, 1, 2, 3, 2**31 - 1))
                payload = dice.randbytes(dice.choice((0, 4, 5, 6, 8, 30)))
                frames.insert(at, len(payload).to_bytes(3) + bytes((kind_of, flags)) + number.to_bytes(4) + payload)
            case _:
                frames.append(b"\x00\x00\x04\x03\x00" + dice.choice((1, 3, 5)).to_bytes(4) + b"\x00\x00\x00\x08")
        if len(frames) < 2:
            break
    return Attack(kind, "http2", HOSTS[form], b"".join(frames), None, count)


_KINDS: dict[str, tuple[Callable[[Random, int, str], Attack], int]] = {
    "call": (_call, 200),
    "good call": (_good_call, 60),
    "pipeline": (_pipeline, 80),
    "refused": (_refused, 60),
    "strange headers": (_strange_headers, 40),
    "chunked": (_chunked, 20),
    "raw": (_raw, 60),
    "shape": (_shape, 60),
    "cut": (_cut, 40),
    "left": (_left, 20),
    "connect": (_connect, 20),
    "in a tunnel": (_in_tunnel, 10),
    "frames": (_frames, 6),
}
"""What may be sent, and how often among the others."""
_NAMES = list(_KINDS)
_WEIGHTS = [weight for _, weight in _KINDS.values()]
