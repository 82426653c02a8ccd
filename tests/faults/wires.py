"""What each fault puts on the wire: one small coroutine per fault, from the request to the end of the connection."""

import asyncio
import zlib
from collections.abc import Callable, Mapping

import brotli
import zstandard

from tests.faults.upstream import PIECES, SECOND, Asked, Wire
from tests.servers import faults
from tests.servers.answers import Answer, events, whole
from tests.servers.steps import Whole

LONG = 20 * 1024 * 1024
"""Bytes of the big event's text."""
PAUSE = 0.05
"""Seconds that part what must not come in one piece."""
THROTTLE, QUOTA = 40, 3600
"""Seconds that the provider names."""
OVERFLOW = {
    "anthropic-messages": "prompt is too long: 250000 tokens > 200000 maximum",
    "openai-chat": "This model's maximum context length is 128000 tokens. However, your messages resulted in 250000 tokens.",
    "openai-responses": "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "gemini": "The input token count (250000) exceeds the maximum number of tokens allowed (200000).",
}
MALFORMED = "messages: at least one message is required"
_WORDS: dict[int, tuple[str, str, str]] = {
    400: ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    401: ("authentication_error", "invalid_api_key", "UNAUTHENTICATED"),
    402: ("billing_error", "insufficient_balance", "FAILED_PRECONDITION"),
    403: ("permission_error", "permission_denied", "PERMISSION_DENIED"),
    404: ("not_found_error", "model_not_found", "NOT_FOUND"),
    408: ("timeout_error", "request_timeout", "DEADLINE_EXCEEDED"),
    413: ("request_too_large", "request_too_large", "INVALID_ARGUMENT"),
    500: ("api_error", "server_error", "INTERNAL"),
    502: ("api_error", "bad_gateway", "UNAVAILABLE"),
    503: ("overloaded_error", "service_unavailable", "UNAVAILABLE"),
    529: ("overloaded_error", "overloaded", "UNAVAILABLE"),
}
"""A status in the word of Anthropic, OpenAI and Google."""
_MESSAGES = {
    401: "The key was refused",
    402: "Your credit balance is too low",
    403: "You may not do this",
    404: "The model m was not found",
    408: "The request took too long",
    413: "The request is larger than we take",
}


def _word(form: str, status: int) -> str:
    anthropic, openai, google = _WORDS[status]
    return {"anthropic-messages": anthropic, "gemini": google, "gemini-cli": google}.get(form, openai)


def _said(form: str, status: int, message: str = "") -> Whole:
    return faults.failure(form, status, _word(form, status), message or _MESSAGES.get(status, "Something broke"))


def _overflow(form: str) -> Whole:
    message = OVERFLOW[form.removesuffix("-cli")]
    if form.startswith("openai"):
        return faults.failure(form, 400, "context_length_exceeded", message)
    return _said(form, 400, message)


def _always(response: Callable[[str], Whole]) -> Wire:
    """The same refusal for every request, by format."""

    async def wire(asked: Asked, _: int) -> None:
        one = response(asked.form)
        await asked.body(one.body, one.status, **{name.replace("-", "_"): value for name, value in one.headers.items()})

    return wire


def _status(status: int) -> Wire:
    return _always(lambda form: _said(form, status))


async def _right(asked: Asked, **headers: str | None) -> None:
    if asked.stream:
        await asked.head(**headers)
        await asked.send(*asked.events)
        await asked.end()
    else:
        await asked.body(asked.whole, **headers)


async def _sound(asked: Asked, _: int) -> None:
    asked.answer = SECOND
    await _right(asked)


# ── before a word was said ──────────────────────────────────────────────────────────────────────────────────────────


async def _reset_waiting(asked: Asked, _: int) -> None:
    asked.reset()


async def _no_http(asked: Asked, _: int) -> None:
    await asked.raw(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")


async def _throttled_once(asked: Asked, number: int) -> None:
    if number == 1:
        await _always(lambda form: faults.throttle(form, 1))(asked, number)
    else:
        await _right(asked)


async def _page_502(asked: Asked, _: int) -> None:
    page = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
    await asked.body(page, 502, content_type="text/html")


async def _html(asked: Asked, _: int) -> None:
    await asked.body(faults.HTML.body, content_type="text/html; charset=utf-8")


async def _empty(asked: Asked, _: int) -> None:
    await asked.body(b"")


async def _empty_chunked(asked: Asked, _: int) -> None:
    await asked.head()
    await asked.end()


async def _error_in_200(asked: Asked, _: int) -> None:
    await asked.body(_said(asked.form, 503).body, content_type="application/json")


async def _silence(asked: Asked, _: int) -> None:
    await asked.left()


async def _headers_then_silence(asked: Asked, _: int) -> None:
    await asked.head()
    await asked.left()


async def _late(asked: Asked, _: int) -> None:
    await asked.head()
    await asked.send(*(asked.opening if asked.stream else [b" "]))
    await asked.left()


async def _error_first(asked: Asked, _: int) -> None:
    await asked.head(content_type="text/event-stream")
    await asked.send(faults.error_event(asked.form))
    await asked.end()


async def _error_after_opening(asked: Asked, _: int) -> None:
    await asked.head(content_type="text/event-stream")
    await asked.send(*asked.opening, faults.error_event(asked.form))
    await asked.end()


async def _no_events(asked: Asked, _: int) -> None:
    """Lines of JSON without ``data:``."""
    lines = [line for event in asked.events for line in event.splitlines(keepends=True) if line.startswith(b"data:")]
    await asked.head(content_type="text/event-stream")
    await asked.send(*(b"garbage " + line.removeprefix(b"data:") for line in lines))
    await asked.end()


async def _bad_json(asked: Asked, _: int) -> None:
    if asked.stream:
        await asked.head()
        await asked.send(b'data: {"type": nonsense\n\n', *asked.events)
        await asked.end()
    else:
        await asked.body(b'{"choices": [nonsense' + asked.whole)


# ── in the middle ───────────────────────────────────────────────────────────────────────────────────────────────────


async def _half(asked: Asked) -> None:
    """The first half: events, or half of a body that has announced its whole length."""
    if asked.stream:
        await asked.head()
        await asked.send(*asked.beginning)
    else:
        body = asked.whole
        await asked.head(200, "length", content_length=str(len(body)))
        await asked.send(body[: len(body) // 2])


async def _error_middle(asked: Asked, _: int) -> None:
    await asked.head(content_type="text/event-stream")
    await asked.send(*asked.beginning, faults.error_event(asked.form))
    await asked.end()


async def _silence_middle(asked: Asked, _: int) -> None:
    await _half(asked)
    await asked.left()


async def _reset_middle(asked: Asked, _: int) -> None:
    await _half(asked)
    asked.reset()


async def _close_middle(asked: Asked, _: int) -> None:
    await _half(asked)


async def _no_finish(asked: Asked, _: int) -> None:
    if asked.stream:
        await _half(asked)
        await asked.end()
    else:
        await asked.body(asked.whole[: len(asked.whole) // 2])


async def _half_a_call(asked: Asked, _: int) -> None:
    """A clean end inside of the tool call."""
    if asked.stream:
        await asked.head()
        await asked.send(*asked.through_half_a_call)
        await asked.end()
    else:
        await asked.body(asked.whole[: asked.whole.index(b"first.txt")])


async def _garbage_middle(asked: Asked, _: int) -> None:
    """Lines that are no field of an event stream; its grammar says to skip them."""
    if not asked.stream:
        await asked.body(b"what is this\n" + asked.whole)
        return
    await asked.head()
    await asked.send(*asked.beginning, b"what is this\n\n", *asked.events[len(asked.beginning) :])
    await asked.end()


async def _bad_json_middle(asked: Asked, _: int, pause: float = 0) -> None:
    if not asked.stream:
        await asked.body(asked.whole.replace(b'"', b"'", 7))
        return
    await asked.head()
    await asked.send(*asked.beginning)
    await asyncio.sleep(pause)
    await asked.send(b'data: {"type": nonsense\n\n', *asked.events[len(asked.beginning) :])
    await asked.end()


async def _bad_json_late(asked: Asked, _: int) -> None:
    """The same when the client most probably has the beginning."""
    await _bad_json_middle(asked, _, PAUSE)


async def _half_an_event(asked: Asked, _: int) -> None:
    """A reset inside of an event, when the client most probably has those before it."""
    await _half(asked)
    await asyncio.sleep(PAUSE)
    event = asked.events[len(asked.beginning)]
    await asked.send(event[: len(event) * 3 // 4] if asked.stream else asked.whole[-1:])
    asked.reset()


# ── right answers in strange ways ───────────────────────────────────────────────────────────────────────────────────


async def _type_plain(asked: Asked, _: int) -> None:
    await _right(asked, content_type="text/plain; charset=utf-8")


async def _type_missing(asked: Asked, _: int) -> None:
    await _right(asked, content_type=None)


async def _type_swapped(asked: Asked, _: int) -> None:
    await _right(asked, content_type="application/json" if asked.stream else "text/event-stream")


async def _manner_swapped(asked: Asked, _: int) -> None:
    """Whole although a stream was asked for, and the other way round."""
    asked.stream = not asked.stream
    await _right(asked)


async def _big(asked: Asked, _: int) -> None:
    """Twenty megabytes in one event."""
    answer = Answer(pieces=(PIECES[0], "x" * LONG))
    if asked.stream:
        await asked.head()
        await asked.send(*events(asked.form, answer, asked.model))
        await asked.end()
    else:
        await asked.body(whole(asked.form, answer, asked.model))


async def _trickle(asked: Asked, _: int) -> None:
    """One byte per pause for a while, in the middle of an event; never silent for as long as the limit."""
    body = b"".join(asked.events) if asked.stream else asked.whole
    start = len(b"".join(asked.beginning)) if asked.stream else len(body) // 2
    await asked.head(200, "length", content_length=str(len(body)))
    await asked.send(body[:start])
    for place in range(start, start + 20):
        await asyncio.sleep(PAUSE)
        await asked.send(body[place : place + 1])
    await asked.send(body[start + 20 :])


async def _http10(asked: Asked, _: int) -> None:
    await asked.head(200, "close")
    await asked.send(*(asked.events if asked.stream else [asked.whole]))


async def _http10_cut(asked: Asked, _: int) -> None:
    await asked.head(200, "close")
    await asked.send(*(asked.beginning if asked.stream else [asked.whole[: len(asked.whole) // 2]]))


# ── content encodings ───────────────────────────────────────────────────────────────────────────────────────────────


def _packed(encoding: str, parts: list[bytes]) -> list[bytes]:
    """Each part packed and flushed, so that it can be read at once, and the end."""
    match encoding:
        case "gzip" | "deflate":
            pack = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
            out = [pack.compress(part) + pack.flush(zlib.Z_SYNC_FLUSH) for part in parts]
            return [*out, pack.flush()]
        case "br":
            brotli_pack = brotli.Compressor()
            out = [brotli_pack.process(part) + brotli_pack.flush() for part in parts]
            return [*out, brotli_pack.finish()]
        case _:
            zstd = zstandard.ZstdCompressor().compressobj()
            out = [zstd.compress(part) + zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for part in parts]
            return [*out, zstd.flush()]


def _encoded(encoding: str) -> Wire:
    async def wire(asked: Asked, _: int) -> None:
        await asked.head(content_encoding=encoding)
        await asked.send(*_packed(encoding, asked.events if asked.stream else [asked.whole]))
        await asked.end()

    return wire


def _not_encoded(encoding: str) -> Wire:
    """Says that it is packed and is not."""

    async def wire(asked: Asked, _: int) -> None:
        await _right(asked, content_encoding=encoding)

    return wire


def _encoding_breaks(encoding: str) -> Wire:
    """Packed to the middle, then bytes that are of no encoding."""

    async def wire(asked: Asked, _: int) -> None:
        await asked.head(content_encoding=encoding)
        parts = asked.beginning if asked.stream else [asked.whole[: len(asked.whole) // 2]]
        await asked.send(*_packed(encoding, parts)[:-1], b"\xff\x00broken\xff" * 50)
        await asked.end()

    return wire


def _encoding_stops(encoding: str) -> Wire:
    """Packed to the middle, then a clean end."""

    async def wire(asked: Asked, _: int) -> None:
        await asked.head(content_encoding=encoding)
        parts = asked.beginning if asked.stream else [asked.whole[: len(asked.whole) // 2]]
        await asked.send(*_packed(encoding, parts)[:-1])
        await asked.end()

    return wire


WIRES: Mapping[str, Wire] = {
    "sound": _sound,
    "reset-waiting": _reset_waiting,
    "no-http": _no_http,
    "silence": _silence,
    "400-overflow": _always(_overflow),
    "400-malformed": _always(lambda form: _said(form, 400, MALFORMED)),
    **{str(status): _status(status) for status in (401, 402, 403, 404, 408, 413, 500, 502, 503, 529)},
    "502-page": _page_502,
    "429-throttle": _always(lambda form: faults.throttle(form, THROTTLE)),
    "429-throttle-once": _throttled_once,
    "429-quota": _always(lambda form: faults.quota(form, QUOTA)),
    "html": _html,
    "empty": _empty,
    "empty-chunked": _empty_chunked,
    "error-in-200": _error_in_200,
    "headers-then-silence": _headers_then_silence,
    "late-first-event": _late,
    "error-event-first": _error_first,
    "error-event-after-opening": _error_after_opening,
    "no-events": _no_events,
    "bad-json-first": _bad_json,
    "error-event-middle": _error_middle,
    "silence-middle": _silence_middle,
    "reset-middle": _reset_middle,
    "close-middle": _close_middle,
    "no-finish": _no_finish,
    "half-a-call": _half_a_call,
    "garbage-middle": _garbage_middle,
    "bad-json-middle": _bad_json_middle,
    "bad-json-late": _bad_json_late,
    "half-an-event": _half_an_event,
    "type-plain": _type_plain,
    "type-missing": _type_missing,
    "type-swapped": _type_swapped,
    "manner-swapped": _manner_swapped,
    "big-event": _big,
    "trickle": _trickle,
    "http10": _http10,
    "http10-cut": _http10_cut,
    **{encoding: _encoded(encoding) for encoding in ("gzip", "br", "deflate", "zstd")},
    **{f"{encoding}-not": _not_encoded(encoding) for encoding in ("gzip", "br", "deflate", "zstd")},
    **{f"{encoding}-breaks": _encoding_breaks(encoding) for encoding in ("gzip", "br", "deflate", "zstd")},
    **{f"{encoding}-stops": _encoding_stops(encoding) for encoding in ("gzip", "br", "deflate", "zstd")},
    "encoding-unknown": _not_encoded("snappy"),
}
