"""Streams in both framings, in any split, and what Google's own SDK makes of the rendered ones."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.genai import types

from translators import hub
from translators.fold import Fold, unfold
from translators.formats.gemini import Gemini
from translators.formats.gemini.stream import GeminiStreamParser, GeminiStreamRenderer

GOLDEN = Path(__file__).parents[3] / "golden" / "gemini"
STREAM = (GOLDEN / "function-call-stream" / "stream.sse").read_bytes()


def chunk(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **fields}], "responseId": "r"}


def sse(*chunks: Any) -> bytes:
    return b"".join(b"data: " + orjson.dumps(item) + b"\r\n\r\n" for item in chunks)


def parse(data: bytes) -> list[hub.Event]:
    parser = GeminiStreamParser("gemini")
    return parser.feed(data) + parser.close()


def fold(events: Iterable[hub.Event]) -> hub.Response:
    folded = Fold()
    for event in events:
        folded.add(event)
    return folded.response()


def render(events: Iterable[hub.Event], **options: Any) -> bytes:
    renderer = GeminiStreamRenderer("gemini", [], **options)
    return b"".join(renderer.render(event) for event in events) + renderer.close()


def documents(data: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line.removeprefix(b"data: ")) for line in data.split(b"\n\n") if line]


def test_one_byte_at_a_time_gives_the_same_events() -> None:
    parser = GeminiStreamParser("gemini")
    events = [event for position in range(len(STREAM)) for event in parser.feed(STREAM[position : position + 1])]

    assert events + parser.close() == parse(STREAM)


def test_a_recorded_call_is_read_with_its_signature() -> None:
    response = fold(parse(STREAM))

    (call,) = response.parts
    assert isinstance(call, hub.ToolCall)
    assert (call.id, call.name, call.arguments) == ("96c1su3s", "get_user_country", "{}")
    assert call.signature is not None
    assert response.stop == hub.Stop("tool_calls", raw="STOP")


def test_finished_is_the_very_last_event() -> None:
    assert isinstance(parse(STREAM)[-1], hub.Finished)


@pytest.mark.parametrize("cut", range(0, len(STREAM) - 10, 97))
def test_a_cut_stream_fails_and_leaves_no_part_open(cut: int) -> None:
    events = parse(STREAM[:cut])

    started = {event.index for event in events if isinstance(event, hub.PartStarted)}
    ended = {event.index for event in events if isinstance(event, hub.PartEnded)}
    assert started == ended
    assert isinstance(events[-1], hub.Failed | hub.Finished)


def test_an_array_stream_says_the_same_as_sse() -> None:
    chunks = [chunk({"text": "a"}), chunk({"text": "b"}, finishReason="STOP")]

    assert parse(orjson.dumps(chunks, option=orjson.OPT_INDENT_2)) == parse(sse(*chunks))


def test_thoughts_and_text_are_parts_of_their_own() -> None:
    response = fold(
        parse(
            sse(
                chunk({"text": "h", "thought": True}),
                chunk({"text": "m", "thought": True}),
                chunk({"text": "Hel"}),
                chunk({"text": "lo"}),
                chunk({"text": "", "thoughtSignature": "c2ln"}, finishReason="STOP"),
            )
        )
    )

    assert response.parts == (hub.Thinking("hm"), hub.Text("Hello", extra={"gemini": {"thoughtSignature": "c2ln"}}))


def test_parallel_calls_without_ids_get_different_ones() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}

    response = fold(parse(sse(chunk(call, call, finishReason="STOP"))))

    first, second = response.parts
    assert isinstance(first, hub.ToolCall)
    assert isinstance(second, hub.ToolCall)
    assert first.id != second.id


@pytest.mark.parametrize(
    "reason, stop",
    [("STOP", "end"), ("MAX_TOKENS", "max_tokens"), ("SAFETY", "refusal"), ("MALFORMED_FUNCTION_CALL", "other")],
)
def test_finish_reasons_are_read(reason: str, stop: str) -> None:
    assert fold(parse(sse(chunk({"text": "a"}, finishReason=reason)))).stop == hub.Stop(stop, raw=reason)


def test_a_blocked_prompt_is_a_refusal() -> None:
    response = fold(parse(sse({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "no"}})))

    assert response.stop == hub.Stop("refusal", raw="SAFETY")
    assert [part.text for part in response.parts if isinstance(part, hub.Refusal)] == ["no"]


def test_a_chunk_without_candidates_is_no_end() -> None:
    response = fold(parse(sse({"usageMetadata": {"promptTokenCount": 1}}, chunk({"text": "a"}, finishReason="STOP"))))

    assert response.parts == (hub.Text("a"),)


def test_citations_of_text_that_has_ended_are_a_loss() -> None:
    grounding = {"groundingChunks": [{"web": {"uri": "https://x"}}]}
    call = {"functionCall": {"name": "f"}}

    events = parse(sse(chunk({"text": "a"}), chunk(call, finishReason="STOP", groundingMetadata=grounding)))

    assert [event.loss.path for event in events if isinstance(event, hub.Lost)] == ["candidates[0].groundingMetadata"]


def test_usage_counts_tools_as_input_and_thoughts_as_output() -> None:
    usage = {
        "promptTokenCount": 10,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 4,
        "cachedContentTokenCount": 2,
    }

    read = fold(parse(sse({**chunk({"text": "a"}, finishReason="STOP"), "usageMetadata": usage}))).usage

    assert (read.input, read.output, read.cache_read, read.reasoning) == (15, 7, 2, 4)


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_error_in_the_stream_is_a_failure(wrapped: bool) -> None:
    error: Any = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}

    events = parse(sse(chunk({"text": "a"}), [error] if wrapped else error))

    assert [type(event) for event in events[-2:]] == [hub.PartEnded, hub.Failed]
    assert isinstance(last := events[-1], hub.Failed)
    assert (last.failure.kind, last.failure.message) == ("overloaded", "busy")


ANSWER = hub.Response(
    id="r",
    model="m",
    parts=(
        hub.Thinking("hm", hub.Signature("sig", "anthropic-messages")),
        hub.ToolCall("1", "f", '{"a":[1]}'),
        hub.Text("Käse"),
        hub.ToolCall("2", "g", "{}", signature=hub.Signature("c2ln", "gemini")),
        hub.Text("Grüße", citations=(hub.Citation("https://x", "X", "ße", 3, 5),)),
    ),
    stop=hub.Stop("tool_calls"),
    usage=hub.Usage(input=10, output=7, cache_read=2, reasoning=4),
)


@pytest.mark.parametrize("framing", ["sse", "array"])
def test_what_is_rendered_is_read_again(framing: str) -> None:
    response = fold(parse(render(unfold(ANSWER), framing=framing)))

    assert response.parts == ANSWER.parts
    assert response.usage == ANSWER.usage
    assert response.stop.reason == "tool_calls"


def test_googles_sdk_takes_every_chunk() -> None:
    chunks = [types.GenerateContentResponse.model_validate(item) for item in documents(render(unfold(ANSWER)))]

    calls = [call for item in chunks for call in item.function_calls or []]
    assert [(call.id, call.name, call.args) for call in calls] == [("1", "f", {"a": [1]}), ("2", "g", {})]
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].usage_metadata.total_token_count == 17


def test_a_thoughts_signature_is_on_its_last_piece() -> None:
    events = [
        hub.PartStarted(0, hub.Thinking()),
        hub.PartDelta(0, hub.TextDelta("a")),
        hub.PartDelta(0, hub.TextDelta("b")),
        hub.PartDelta(0, hub.SignatureDelta(hub.Signature("c2ln", "gemini"))),
        hub.PartEnded(0),
    ]

    parts = [item["candidates"][0]["content"]["parts"] for item in documents(render(events))[:2]]

    assert parts == [
        [{"text": "a", "thought": True}],
        [{"text": "b", "thought": True, "thoughtSignature": "c2ln"}],
    ]


def test_interleaved_calls_keep_their_arguments() -> None:
    events = [
        hub.PartStarted(0, hub.ToolCall("1", "f")),
        hub.PartStarted(1, hub.ToolCall("2", "g")),
        hub.PartDelta(1, hub.ArgumentsDelta('{"b":')),
        hub.PartDelta(0, hub.ArgumentsDelta('{"a":1}')),
        hub.PartDelta(1, hub.ArgumentsDelta("2}")),
        hub.PartEnded(1),
        hub.PartEnded(0),
        hub.Finished(hub.Stop("tool_calls")),
    ]

    (first, *_) = documents(render(events))

    calls = [part["functionCall"] for part in first["candidates"][0]["content"]["parts"]]
    assert calls == [{"id": "1", "name": "f", "args": {"a": 1}}, {"id": "2", "name": "g", "args": {"b": 2}}]


def test_a_call_with_broken_arguments_is_never_shown() -> None:
    events = [
        hub.PartStarted(0, hub.ToolCall("1", "f")),
        hub.PartDelta(0, hub.ArgumentsDelta('{"a":')),
        hub.PartEnded(0),
        hub.Finished(hub.Stop("tool_calls")),
    ]

    (last,) = documents(render(events))

    assert last["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"


def test_a_failure_shows_the_text_so_far_and_the_error_but_no_half_call() -> None:
    events = [
        hub.PartStarted(0, hub.Text("")),
        hub.PartDelta(0, hub.TextDelta("half")),
        hub.PartStarted(1, hub.ToolCall("1", "f", '{"a')),
        hub.Failed(hub.Failure("overloaded", "busy")),
    ]

    out = render(events)

    assert b"functionCall" not in out
    assert documents(out)[-1] == BUSY


BUSY = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
TEXT = [hub.PartStarted(0, hub.Text("half")), hub.PartEnded(0)]
CALL = [hub.PartStarted(1, hub.ToolCall("1", "f", "{}")), hub.PartEnded(1)]
FAILED = hub.Failed(hub.Failure("overloaded", "busy"))


def test_a_failure_after_text_stands_outside_of_events() -> None:
    """Where Google's JavaScript SDK sees it; of an event it takes the candidates alone."""
    assert render([*TEXT, FAILED]).endswith(b"\n\n" + orjson.dumps(BUSY) + b"\n\n")


def test_a_failure_of_a_wrapped_answer_comes_with_an_end_that_gemini_cli_does_not_take() -> None:
    """With a Google login it reads events alone, and of those no error."""
    *_, end, error = documents(render([*TEXT, FAILED], wrapped=True))
    assert end["response"]["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert error == BUSY


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_failure_after_a_call_lets_gemini_cli_go_on_with_the_call(*, wrapped: bool) -> None:
    """It would run the call again if it had to ask again."""
    *_, call, error = documents(render([*TEXT, *CALL, FAILED], wrapped=wrapped))
    assert b"functionCall" in orjson.dumps(call)
    assert error == BUSY


@pytest.mark.parametrize("framing", ["sse", "array"])
def test_a_renderer_that_is_closed_early_ends_with_an_error(framing: str) -> None:
    out = render([hub.Started("r", "m")], framing=framing)

    assert isinstance(parse(out)[-1], hub.Failed)


def test_a_client_without_alt_sse_gets_an_array() -> None:
    request = hub.Request("m", (), stream=True, extra={"gemini": {"alt": "json"}})
    renderer = Gemini().stream_renderer(request, [])

    out = b"".join(renderer.render(event) for event in unfold(ANSWER)) + renderer.close()

    assert isinstance(orjson.loads(out), list)
