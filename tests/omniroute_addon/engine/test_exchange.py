"""The attempt loop: fallback before the commit, an honest end after it, and nothing of the client for anybody else."""

import asyncio
import gzip
from dataclasses import replace

import orjson
import pytest
import zstandard

from omniroute_addon.engine.call import Call
from tests.omniroute_addon import loopback
from tests.omniroute_addon.engine.stage import (
    CHAT,
    CHAT_WHOLE,
    CLAUDE,
    CLAUDE_WHOLE,
    HELLO,
    WHOLE,
    BrokenError,
    Collected,
    Stage,
    claude,
    failure,
    scene,
)
from tests.omniroute_addon.loopback import HOLD, Answer, Gate, Provider, within
from tests.servers import faults

GOOD = loopback.stream(*CHAT)
CLAUDE_GOOD = loopback.stream(*CLAUDE)
ERROR_HEAD = ("content-type: application/json",)


# ── before the commit ───────────────────────────────────────────────────────────────────────────────────────────────

FAULTS = {
    "reset before a status": Answer((), reset=True),
    "closed before a status": Answer(()),
    "no http": Answer((b"SSH-2.0-OpenSSH\r\n\r\n",)),
    "500": failure(faults.server_error("openai-chat")),
    "quota": failure(faults.quota("openai-chat")),
    "bad key": loopback.json(401, b'{"error":{"message":"bad key","type":"invalid_api_key"}}'),
    "unknown model": loopback.json(404, b'{"error":{"message":"model not found","type":"x","code":"model_not_found"}}'),
    "redirect": loopback.answer(302, b"", "location: /login"),
    "html": failure(faults.HTML),
    "empty": failure(faults.EMPTY),
    "204": Answer((b"HTTP/1.1 204 No Content\r\n\r\n",)),
    "another format": loopback.json(200, b'{"hello":"world"}'),
    "broken json": loopback.json(200, b'{"choices":[{"mess'),
    "error in a 200": loopback.json(200, b'{"error":{"message":"no","code":500}}'),
    "error event": loopback.stream(faults.error_event("openai-chat")),
    "cut before an event": loopback.stream(end=False),
    "cut after a start": loopback.stream(CHAT[0], end=False),
    "clean end without a finish": loopback.stream(CHAT[0]),
    "end without content": loopback.stream(b"data: [DONE]\n\n"),
    "broken event": loopback.stream(b"data: {nonsense\n\n"),
    "unknown encoding": loopback.stream(*CHAT, headers=("content-encoding: compress",)),
    "broken gzip": loopback.stream(b"this is no gzip", headers=("content-encoding: gzip",)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_before_the_commit_is_never_seen_by_the_client(fault: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask()
        assert (got.status, got.starts, got.ended) == (200, 1, "finished")
        assert b"Hel" in got.body
        assert b"message_stop" in got.body
        assert (one.received != [], len(two.received), on.record.outcome) == (True, 1, "done")

    scene(main, [FAULTS[fault]], [GOOD])


@pytest.mark.parametrize("call, said", [(claude(), CLAUDE_WHOLE), (claude(WHOLE), b"".join(CLAUDE))])
def test_a_passthrough_in_the_other_manner_is_no_answer(call: Call, said: bytes) -> None:
    """The client asked for a stream and would get a whole answer, or the other way round: it could not read that."""

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask(call)
        assert (len(one.received), len(two.received), on.record.outcome) == (1, 1, "done")
        assert b"Hel" in got.body

    kind = "application/json" if said is CLAUDE_WHOLE else "text/event-stream"
    scene(main, [loopback.answer(200, said, f"content-type: {kind}")], [GOOD], "c/m, b/m")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_only_target_is_an_error_in_the_clients_format(fault: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask()
        assert got.status is not None
        assert got.status >= 400
        assert (orjson.loads(got.body)["type"], got.ended, got.starts) == ("error", "finished", 1)
        assert on.record.outcome.startswith("failed: ")

    scene(main, [FAULTS[fault]], [], "a/m")


def test_silence_is_a_failure_after_the_time_for_a_first_event() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask()
        assert b"message_stop" in got.body
        await within(one.gone.wait())

    scene(main, [loopback.stream(CHAT[0], HOLD)], [GOOD], more="timeouts: {first_event: 0.1}")


def test_nothing_is_written_before_the_first_meaningful_event() -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        task = asyncio.ensure_future(on.ask())
        await within(one.asked.wait())
        assert (on.sink.starts, on.sink.body) == (0, b"")
        gate.open()
        assert b"Hel" in (await task).body

    scene(main, [loopback.stream(CHAT[0], gate, *CHAT[1:])], [GOOD])


def test_the_first_meaningful_event_is_written_while_the_upstream_still_speaks() -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        task = asyncio.ensure_future(on.ask())
        await asyncio.sleep(0)
        await within(on.sink.wrote.wait())
        assert b"Hel" in on.sink.body
        assert on.sink.ended is None
        gate.open()
        await task

    scene(main, [loopback.stream(*CHAT[:2], gate, *CHAT[2:])], [GOOD])


def test_a_short_throttle_is_waited_out() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        await on.ask()
        assert (on.targets, len(one.received), two.received) == (["a/m", "a/m"], 2, [])

    throttle = loopback.json(429, b'{"error":{"message":"slow down","type":"requests"}}', "retry-after: 0")
    scene(main, [throttle, GOOD], [GOOD])


def test_a_bad_account_is_followed_by_the_next_of_the_same_target() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        await on.ask()
        assert [sent.header("authorization") for sent in one.received] == [
            "Bearer key-canary-a-1",
            "Bearer key-canary-a-2",
        ]
        assert not two.received

    scene(main, [FAULTS["quota"], GOOD], [GOOD])


def test_a_broken_target_is_not_asked_with_another_account() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        await on.ask()
        assert (len(one.received), len(two.received)) == (1, 1)

    scene(main, [FAULTS["500"]], [GOOD])


def test_what_cools_down_is_left_out_of_the_next_plan() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        await on.ask()
        await on.ask()
        assert (len(one.received), len(two.received)) == (1, 2)

    scene(main, [FAULTS["500"]], [GOOD])


def test_a_request_that_cannot_be_read_still_reaches_a_target_that_needs_no_translation() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask(claude(HELLO.replace(b'"user"', b'"nobody"')))
        assert (on.targets, got.body) == (["origin"], b"".join(CLAUDE))
        assert one.last.target == "/v1/messages"

    scene(main, [CLAUDE_GOOD], [], "b/m, origin")


# ── after the commit ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", [Answer((), reset=True), Answer(())], ids=["reset", "closed"])
@pytest.mark.parametrize("target", ["a", "c"], ids=["translated", "passed through"])
def test_a_cut_after_the_commit_is_the_clients_error_event_and_no_fallback(target: str, end: Answer) -> None:
    events = CHAT[:2] if target == "a" else CLAUDE[:3]

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert (got.starts, got.ended, two.received) == (1, "finished", [])
        assert b"Hel" in got.body
        assert got.body.rstrip().rpartition(b"\n\n")[2].startswith(b"event: error")
        assert on.record.outcome.startswith("broken after the first byte")

    broken = loopback.stream(*events, end=False)
    scene(main, [replace(broken, reset=end.reset)], [GOOD], f"{target}/m, b/m")


@pytest.mark.parametrize("target", ["a", "c"], ids=["translated", "passed through"])
def test_silence_after_the_commit_is_the_clients_error_event(target: str) -> None:
    events = CHAT[:2] if target == "a" else CLAUDE[:3]

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask()
        assert b"event: error" in got.body
        assert not two.received
        await within(one.gone.wait())

    scene(main, [loopback.stream(*events, HOLD)], [GOOD], f"{target}/m, b/m", more="timeouts: {idle: 0.1}")


def test_a_compressed_passthrough_that_breaks_ends_with_an_error_event() -> None:
    packed = gzip.compress(b"".join(CLAUDE[:3]))

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert got.body.startswith(b"".join(CLAUDE[:3]))
        assert b"event: error" in got.body
        assert (got.header("content-encoding"), got.ended, two.received) == (None, "finished", [])

    scene(main, [loopback.stream(packed, end=False, headers=("content-encoding: gzip",))], [GOOD], "origin, b/m")


def test_a_defect_of_ours_after_the_commit_breaks_the_connection() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        sink = Collected(breaks_with=BrokenError("defect"))
        exchange = on.exchange(claude())
        with pytest.raises(BrokenError):
            await exchange.run(sink)
        assert (sink.ended, sink.starts, two.received) == ("aborted", 1, [])

    scene(main, [GOOD], [GOOD])


# ── what the client gets ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_passthrough_of_the_clients_own_call_keeps_every_byte_and_header() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask(claude(WHOLE))
        assert (got.body, one.last.body) == (CLAUDE_WHOLE, WHOLE)
        assert [value for name, value in got.headers if name.lower() == "set-cookie"] == ["a=1", "b=2"]

    said = loopback.json(200, CLAUDE_WHOLE, "set-cookie: a=1", "set-cookie: b=2")
    scene(main, [said], [], "origin")


@pytest.mark.parametrize(
    "packed", [gzip.compress(CLAUDE_WHOLE), zstandard.compress(CLAUDE_WHOLE)], ids=["gzip", "zstd"]
)
def test_a_compressed_answer_is_passed_on_unpacked(packed: bytes) -> None:
    """The client need not know the encoding, and an error of ours must be able to follow."""

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask(claude(WHOLE))
        assert (got.body, got.header("content-encoding"), got.ended) == (CLAUDE_WHOLE, None, "finished")
        assert on.record.usage.output == 7

    encoding = "gzip" if packed.startswith(b"\x1f") else "zstd"
    scene(main, [loopback.json(200, packed, f"content-encoding: {encoding}")], [], "origin")


def test_a_compressed_answer_is_read_for_a_translation() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask(claude(WHOLE))
        assert orjson.loads(got.body)["content"][0]["text"] == "Hello"
        assert got.header("content-encoding") is None

    scene(main, [loopback.json(200, gzip.compress(CHAT_WHOLE), "content-encoding: gzip")], [], "a/m")


def test_usage_and_result_are_recorded() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        await on.ask()
        used = on.record.used
        assert used is not None
        assert (used.target, on.record.usage.input, on.record.usage.output) == ("b/m", 11, 7)
        assert on.observer.told == ["started a/m", "ended a/m", "started b/m", "ended b/m", "exchange ended"]

    scene(main, [FAULTS["500"]], [GOOD])


def test_the_clients_own_provider_counts_tokens_itself() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask(claude(WHOLE, operation="count", path="/v1/messages/count_tokens"))
        assert (got.body, got.ended, on.record.outcome) == (b'{"input_tokens":42}', "finished", "done")
        assert one.last.target == "/v1/messages/count_tokens"

    scene(main, [loopback.json(200, b'{"input_tokens":42}')], [], "origin")
