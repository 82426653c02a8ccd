"""``event: progress`` between the events of a stream, for clients of the gateway that ask for it.

Two things must come together: ``shaping.progress`` in the rules, and ``X-OmniRoute-Progress: true`` on the call. Then,
after the first byte of the answer, there is every two seconds (also while the target is silent)::

    event: progress
    data: {"tokens_generated": 128, "elapsed_ms": 4003, "done": false}

and once more, with ``done`` true, behind the last event. ``tokens_generated`` counts the answer's events, of which most
carry one token. Gemini's clients take no foreign events, so its formats have no progress. Nothing else is ever put into
a stream that its provider would not send: strict clients break on comments and keep-alive lines (OR#10524).
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import orjson

from omniroute_addon.config.governance import Shaping
from omniroute_addon.engine.call import Call
from omniroute_addon.engine.reading import Reading

HEADER = "x-omniroute-progress"
EVERY = 2.0

_FORMATS = ("anthropic-messages", "openai-chat", "openai-responses")
_EVENT = re.compile(rb"^data:", re.MULTILINE)


def rest(reading: Reading, call: Call, rules: Shaping) -> AsyncGenerator[bytes]:
    """What comes after the commit, with the progress where it is wanted."""
    wanted = rules.progress and call.gateway and call.wire.headers.get(HEADER, "").strip().lower() == "true"
    if not wanted or not reading.bridge.streaming or reading.mute or call.format not in _FORMATS:
        return reading.rest()
    return with_progress(reading.rest(), b"".join(reading.held), whole=lambda: reading.bridge.failure is None)


async def with_progress(
    chunks: AsyncGenerator[bytes],
    held: bytes,
    every: float = EVERY,
    now: Callable[[], float] = time.monotonic,
    whole: Callable[[], bool] = lambda: True,
) -> AsyncGenerator[bytes]:
    """``chunks``, with an event every so many seconds, only ever between two events. ``held``: what came before.

    ``whole``: asked at the end, whether it is one; an answer that failed may be gone on with.
    """
    began = now()
    due = began + every
    tokens, end = len(_EVENT.findall(held)), held[-4:]

    def event(*, done: bool) -> bytes:
        elapsed = round((now() - began) * 1000)
        said = {"tokens_generated": tokens, "elapsed_ms": elapsed, "done": done}
        return b"event: progress\ndata: " + orjson.dumps(said) + b"\n\n"

    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
    pump = asyncio.create_task(_pump(chunks, pieces))
    try:
        while True:
            try:
                piece = await asyncio.wait_for(pieces.get(), max(0.0, due - now()))
            except TimeoutError:
                due = now() + every
                if _between(end):
                    yield event(done=False)
                continue
            if piece is None:
                break
            tokens += len(_EVENT.findall(piece))
            end = (end + piece)[-4:]
            yield piece
            if now() >= due and _between(end):
                due = now() + every
                yield event(done=False)
        await pump  # raises what has ended the stream
        if _between(end) and whole():
            yield event(done=True)
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)


async def _pump(chunks: AsyncGenerator[bytes], pieces: asyncio.Queue[bytes | None]) -> None:
    """One task reads the stream, whoever waits for it: its timeouts belong to a task."""
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                if chunk:
                    await pieces.put(chunk)
    except Exception:
        await pieces.put(None)
        raise
    await pieces.put(None)


def _between(end: bytes) -> bool:
    """Whether an event has just ended."""
    return not end or end.endswith((b"\n\n", b"\r\n\r\n"))
