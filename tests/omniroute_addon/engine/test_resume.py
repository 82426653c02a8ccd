"""Exchanges whose stream breaks off behind the first byte, with and without somebody who goes on."""

import asyncio
import json
from dataclasses import replace

import pytest

from omniroute_addon.engine.call import SHUTDOWN
from omniroute_addon.engine.progress import HEADER
from tests.omniroute_addon.engine.stage import CHAT, CLAUDE, CLIENT_HEADERS, HELLO, Stage, claude, failure, scene
from tests.omniroute_addon.loopback import HOLD, Answer, Gate, Provider, stream
from tests.omniroute_addon.loopback import json as whole
from tests.servers import answers, faults
from tests.servers.answers import Call
from translators.resume import ORDER

RESUME = "combo_defaults: {on_midstream_failure: resume}"
REST = stream(
    *answers.events("openai-chat", answers.Answer(pieces=("lo ", "you"), input_tokens=20, output_tokens=5), "m")
)


def begun(target: str) -> Answer:
    """``Hel``, and no more."""
    return stream(*(CHAT[:2] if target == "a" else CLAUDE[:3]), end=False)


def text(body: bytes) -> str:
    lines = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]
    return "".join(one["delta"].get("text", "") for one in lines if one.get("type") == "content_block_delta")


def types(body: bytes) -> list[str]:
    return [line[7:] for line in body.decode().splitlines() if line.startswith("event: ")]


@pytest.mark.parametrize("target", ["a", "c"], ids=["translated", "passed through"])
def test_the_next_target_goes_on_in_the_open_stream(target: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        got = await on.ask()
        assert (got.starts, got.ended, text(got.body)) == (1, "finished", "Hello you")
        assert types(got.body).count("message_start") == types(got.body).count("content_block_start") == 1
        assert types(got.body)[-1] == "message_stop"
        assert json.loads(two.last.body)["messages"][1:] == [
            {"role": "assistant", "content": "Hel"},
            {"role": "user", "content": ORDER},
        ]
        if target == "c":
            assert one.last.body.replace(b'"m"', b'"claude-opus-4-6"') == HELLO

    scene(main, [begun(target)], [REST], f"{target}/m, b/m", RESUME)


def test_both_calls_are_in_the_books_and_the_client_is_told_the_sum() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one, two
        got = await on.ask()
        first, second = on.record.attempts
        assert (first.used, second.used, on.record.outcome) == (True, True, "done")
        assert first.outcome.startswith("used until it broke off: broke off")
        assert (second.outcome, second.usage.input, second.usage.output) == ("resumed", 20, 5)
        assert None not in (first.cost, second.cost)
        assert (first.usage.output, first.usage.estimated) == (1, True)
        assert (on.record.usage.input, on.record.usage.output) == ((first.usage.input or 0) + 20, 1 + 5)
        last = next(json.loads(line[6:]) for line in got.body.decode().splitlines() if '"message_delta"' in line[:40])
        assert last["usage"]["input_tokens"] == on.record.usage.input
        assert last["usage"]["output_tokens"] == on.record.usage.output
        assert "b/m · 2 tries" in on.record.summary()
        assert "resumed" in on.record.summary()

    scene(main, [begun("a")], [REST], "a/m, b/m", RESUME + "\nprices: {'m': {input: 1, output: 2}}")


def test_progress_is_done_once_at_the_end() -> None:
    gate = Gate()

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        call = claude(headers=(*CLIENT_HEADERS, (HEADER, "true")))
        task = asyncio.create_task(on.ask(replace(call, gateway=True)))
        await one.asked.wait()
        await on.sink.wrote.wait()
        gate.open()
        got = await task
        assert text(got.body) == "Hello you"
        assert got.body.count(b'"done":true') == 1
        assert types(got.body)[-2:] == ["message_stop", "progress"]

    broken = stream(*CHAT[:2], gate, faults.error_event("openai-chat"))
    scene(main, [broken], [REST], "a/m, b/m", RESUME + "\nshaping: {progress: true}")


@pytest.mark.parametrize(
    "more",
    ["", "combo_defaults: {on_midstream_failure: error}"],
    ids=["by default", "when the rules say so"],
)
def test_the_client_gets_its_error_event(more: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert (types(got.body)[-1], two.received) == ("error", [])

    scene(main, [begun("a")], [REST], "a/m, b/m", more)


@pytest.mark.parametrize("form", ["a", "c"])
def test_never_inside_a_tool_call(form: str) -> None:
    said = answers.Answer(pieces=("Hel",), calls=(Call("call_1", "write", '{"first": 11111, "other": 22222}'),))
    events = answers.events("openai-chat" if form == "a" else "anthropic-messages", said, "m")
    half = next(number for number, event in enumerate(events) if b"22222" in event)

    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert (types(got.body)[-1], two.received) == ("error", [])
        assert on.record.outcome.startswith("broken after the first byte")

    scene(main, [stream(*events[:half], end=False)], [REST], f"{form}/m, b/m", RESUME)


def test_the_error_comes_when_nobody_can_go_on() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert (got.starts, got.ended, text(got.body), types(got.body)[-1]) == (1, "finished", "Hel", "error")
        assert len(two.received) == 1
        assert on.record.outcome.startswith("broken after the first byte")

    scene(main, [begun("a")], [failure(faults.server_error("openai-chat"))], "a/m, b/m", RESUME)


def test_who_goes_on_may_break_off_too() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert (text(got.body), types(got.body)[-1]) == ("Hello you", "message_stop")
        assert [attempt.outcome.partition(":")[0] for attempt in on.record.attempts] == [
            "used until it broke off",
            "resumed until it broke off",
            "resumed",
        ]
        usage = [attempt.usage.output or 0 for attempt in on.record.attempts]
        assert on.record.usage.output == sum(usage)
        assert json.loads(two.last.body)["messages"][-2] == {"role": "assistant", "content": "Hello"}

    half = stream(*answers.events("openai-chat", answers.Answer(pieces=("lo ", "never")), "m")[:2], end=False)
    last = stream(*answers.events("openai-chat", answers.Answer(pieces=("you",)), "m"))
    scene(main, [begun("a")], [half, last], "a/m, b/m, b/n", RESUME)


def test_a_target_that_refuses_the_last_turn_is_told_in_words() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        got = await on.ask()
        assert text(got.body) == "Hello you"
        first, second = (json.loads(request.body)["contents"] for request in two.received)
        assert [turn["role"] for turn in first] == ["user", "model"]
        assert [turn["role"] for turn in second] == ["user", "model", "user"]

    refusal = failure(faults.failure("gemini", 400, "INVALID_ARGUMENT", "Please end with a user role."))
    rest = stream(*answers.events("gemini", answers.Answer(pieces=("lo ", "you")), "m"))
    scene(main, [begun("a")], [refusal, rest], "a/m, g/m", RESUME)


def test_whole_answers_are_never_gone_on_with() -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del two
        got = await on.ask(claude(HELLO.replace(b'"stream":true,', b"")))
        assert (got.status, len(one.received)) == (200, 1)

    scene(main, [whole(200, answers.whole("openai-chat", answers.Answer(("Hi",)), "m"))], [REST], "a/m, b/m", RESUME)


@pytest.mark.parametrize("reason", [SHUTDOWN, "left"])
def test_when_the_proxy_stops_or_the_client_leaves_while_somebody_is_to_go_on(reason: str) -> None:
    async def main(on: Stage, one: Provider, two: Provider) -> None:
        del one
        task = asyncio.create_task(on.ask())
        await two.asked.wait()
        task.cancel(reason)
        await asyncio.gather(task, return_exceptions=True)
        assert (types(on.sink.body)[-1] == "error") == (reason == SHUTDOWN)
        await two.gone.wait()

    scene(main, [begun("a")], [stream(HOLD)], "a/m, b/m", RESUME)
