"""Progress comes between events, for those who have asked for it, and costs the stream nothing."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace

import pytest

from omniroute_addon.engine.progress import with_progress
from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import CHAT, CLAUDE, Stage, called, scene
from tests.omniroute_addon.loopback import Provider

ONE, TWO = b'data: {"n":1}\n\n', b'data: {"n":2}\n\n'


class Clock:
    """Stands until the stream moves it on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def pieces(*chunks: bytes, clock: Clock | None = None) -> AsyncGenerator[bytes]:
    """Each chunk a second after the one before."""
    for chunk in chunks:
        if clock is not None:
            clock.now += 1
        yield chunk


async def collect(source: AsyncGenerator[bytes]) -> list[bytes]:
    return [chunk async for chunk in source]


def progress(said: Iterable[bytes]) -> list[dict[str, object]]:
    return [json.loads(one.split(b"data: ")[1]) for one in said if one.startswith(b"event: progress\n")]


def test_without_any_delay_only_the_end_is_told() -> None:
    said = asyncio.run(collect(with_progress(pieces(ONE, TWO), b"", every=60)))
    assert said[:2] == [ONE, TWO]
    [last] = progress(said)
    assert (last["tokens_generated"], last["done"]) == (2, True)


def test_an_answer_that_failed_is_not_done() -> None:
    assert progress(asyncio.run(collect(with_progress(pieces(ONE), b"", every=60, whole=lambda: False)))) == []


def test_what_was_held_counts() -> None:
    [last] = progress(asyncio.run(collect(with_progress(pieces(TWO), ONE * 3, every=60))))
    assert last["tokens_generated"] == 4


def test_progress_is_told_when_it_is_due() -> None:
    clock = Clock()
    said = asyncio.run(collect(with_progress(pieces(ONE, TWO, clock=clock), b"", every=0.5, now=clock)))
    told = progress(said)
    assert [one["done"] for one in told] == [False] * (len(told) - 1) + [True]
    assert len(told) >= 2
    assert b"".join(chunk for chunk in said if not chunk.startswith(b"event: progress")) == ONE + TWO


def test_progress_never_stands_inside_an_event() -> None:
    clock = Clock()
    source = pieces(ONE[:5], ONE[5:12], ONE[12:], clock=clock)
    said = asyncio.run(collect(with_progress(source, b"", every=0.5, now=clock)))
    assert b"".join(said).startswith(ONE + b"event: progress\n")


def test_a_silent_target_still_makes_progress() -> None:
    async def main() -> list[bytes]:
        gate = asyncio.Event()

        async def slow() -> AsyncGenerator[bytes]:
            yield ONE
            await gate.wait()
            yield TWO

        said: list[bytes] = []
        async for chunk in with_progress(slow(), b"", every=0.01):
            said.append(chunk)
            if len(progress(said)) >= 3:
                gate.set()
        return said

    said = asyncio.run(main())
    assert said[0] == ONE
    assert b"".join(chunk for chunk in said if not chunk.startswith(b"event: progress")) == ONE + TWO
    assert progress(said)[-1]["done"] is True


def test_a_failure_comes_through_and_nothing_is_done() -> None:
    async def broken() -> AsyncGenerator[bytes]:
        yield ONE
        raise OSError("cut")

    async def main() -> list[bytes]:
        source = with_progress(broken(), b"", every=60)
        said = [await anext(source)]
        with pytest.raises(OSError, match="cut"):
            await anext(source)
        return said

    assert asyncio.run(main()) == [ONE]


def test_a_client_that_leaves_closes_the_stream() -> None:
    closed: list[bool] = []

    async def endless() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield ONE
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def main() -> None:
        source = with_progress(endless(), b"", every=60)
        assert await anext(source) == ONE
        await source.aclose()

    asyncio.run(main())
    assert closed == [True]


# ── in an exchange ──────────────────────────────────────────────────────────────────────────────────────────────────

RULES = "shaping: {progress: true}"
ASKS = (("x-omniroute-progress", "true"),)
CHAT_CALL = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
CLAUDE_CALL = b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}'


@pytest.mark.parametrize(
    "rules, headers, gateway, form, told",
    [
        (RULES, ASKS, True, "openai-chat", True),
        (RULES, ASKS, True, "anthropic-messages", True),
        ("", ASKS, True, "openai-chat", False),
        (RULES, (), True, "openai-chat", False),
        (RULES, ASKS, False, "openai-chat", False),
        (RULES, ASKS, True, "gemini", False),
    ],
)
def test_only_who_asks_and_may_is_told(
    rules: str, headers: tuple[tuple[str, str], ...], form: str, *, gateway: bool, told: bool
) -> None:
    calls = {
        "openai-chat": called(form, "/v1/chat/completions", CHAT_CALL, headers),
        "anthropic-messages": called(form, "/v1/messages", CLAUDE_CALL, headers),
        "gemini": called(
            form, "/v1beta/models/m:streamGenerateContent?alt=sse", b'{"contents":[{"parts":[{"text":"hi"}]}]}', headers
        ),
    }

    async def main(on: Stage, _one: Provider, _two: Provider) -> None:
        sink = await on.ask(replace(calls[form], gateway=gateway))
        assert sink.status == 200
        assert (b"event: progress\n" in sink.body) is told
        assert sink.ended == "finished"

    scene(
        main,
        [loopback.stream(*(CLAUDE if form == "anthropic-messages" else CHAT))],
        [],
        "c/m" if form == "anthropic-messages" else "a/m",
        more=rules,
    )
