"""The stream that clients get: complete, numbered, and safe for a client that runs tools as they arrive."""

import json

import httpx
import openai
import pytest

from translators import hub
from translators.format import WireRequest
from translators.formats.openai_responses import OpenAIResponses
from translators.hub import JSON

FORMAT = OpenAIResponses()
REQUEST = FORMAT.parse_request(WireRequest(body=b'{"model": "gpt", "input": "hi", "stream": true}'))
STARTED = hub.Started("a1", "glm-4.7", 7)
CALL: list[hub.Event] = [
    hub.PartStarted(0, hub.ToolCall("call_1", "run")),
    hub.PartDelta(0, hub.ArgumentsDelta('{"x":')),
    hub.PartDelta(0, hub.ArgumentsDelta("1}")),
    hub.PartEnded(0),
]
TEXT: list[hub.Event] = [
    hub.PartStarted(0, hub.Text("")),
    hub.PartDelta(0, hub.TextDelta("hel")),
    hub.PartDelta(0, hub.TextDelta("lo")),
    hub.PartEnded(0),
]
END = hub.Finished(hub.Stop("end"))


def render(*events: hub.Event, losses: list[hub.Loss] | None = None) -> bytes:
    renderer = FORMAT.stream_renderer(REQUEST, [] if losses is None else losses)
    return b"".join([renderer.render(event) for event in events]) + renderer.close()


def sent(*events: hub.Event) -> list[dict[str, JSON]]:
    return [json.loads(line[5:]) for line in render(*events).decode().splitlines() if line.startswith("data:")]


def kinds(*events: hub.Event) -> list[JSON]:
    return [event["type"] for event in sent(*events)]


def member(value: JSON, *path: str | int) -> JSON:
    for step in path:
        assert isinstance(value, dict | list)
        value = value[step]  # type: ignore[index, call-overload]  # the test names the path
    return value


def test_text_is_said_by_the_full_sequence_of_events() -> None:
    assert kinds(STARTED, *TEXT, END) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_events_are_numbered_without_a_gap() -> None:
    numbers = [event["sequence_number"] for event in sent(STARTED, *TEXT, END)]
    assert numbers == list(range(len(numbers)))


def test_the_last_event_repeats_every_item() -> None:
    events = sent(STARTED, *CALL, END)
    done = next(event["item"] for event in events if event["type"] == "response.output_item.done")
    assert member(events[-1], "response", "output") == [done]


def test_a_custom_call_has_its_own_events() -> None:
    part = hub.PartStarted(0, hub.ToolCall("call_1", "exec", custom=True, namespace="functions"))
    events = sent(STARTED, part, hub.PartDelta(0, hub.ArgumentsDelta("ls()")), hub.PartEnded(0), END)
    item = member(events[-2], "item")
    assert [event["type"] for event in events[3:5]] == [
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
    ]
    assert isinstance(item, dict)
    assert (item["type"], item["input"], item["namespace"]) == ("custom_tool_call", "ls()", "functions")


def test_reasoning_is_a_summary_with_its_signature_wrapped() -> None:
    events = sent(
        STARTED,
        hub.PartStarted(0, hub.Thinking("")),
        hub.PartDelta(0, hub.TextDelta("hm")),
        hub.PartDelta(0, hub.SignatureDelta(hub.Signature("sig", "anthropic-messages"))),
        hub.PartEnded(0),
        END,
    )
    item = member(events[-1], "response", "output", 0)
    returned = FORMAT.parse_request(WireRequest(body=json.dumps({"model": "m", "input": [item]}).encode()))
    assert returned.messages[0].parts == (hub.Thinking("hm", hub.Signature("sig", "anthropic-messages")),)


def test_a_redacted_thought_is_redacted_when_it_comes_back() -> None:
    thought = hub.Thinking("", hub.Signature("data", "anthropic-messages"), redacted=True)
    events = sent(STARTED, hub.PartStarted(0, thought), hub.PartEnded(0), END)
    body = {"model": "m", "input": member(events[-1], "response", "output")}
    assert FORMAT.parse_request(WireRequest(body=json.dumps(body).encode())).messages[0].parts == (thought,)


@pytest.mark.parametrize("last", [[hub.Failed(hub.Failure("cut", "gone"))], []], ids=["failure", "nothing"])
def test_a_call_that_a_failure_follows_is_never_announced_as_done(last: list[hub.Event]) -> None:
    assert "response.output_item.done" not in kinds(STARTED, *CALL[:2], hub.PartEnded(0), *last)


def test_a_call_is_announced_as_done_once_the_answer_goes_on() -> None:
    told = kinds(STARTED, *CALL, hub.UsageReported(hub.Usage(input=1)), hub.Failed(hub.Failure("cut", "gone")))
    assert told[-2:] == ["response.output_item.done", "response.failed"]


def test_a_cut_after_a_whole_call_is_told_so_that_opencode_does_not_run_it_again() -> None:
    """It asks again after ``server_error``; Codex after any word, and goes on from the call."""
    told = sent(STARTED, *CALL, hub.UsageReported(hub.Usage(input=1)), hub.Failed(hub.Failure("cut", "gone")))
    assert member(told[-1], "response", "error", "code") == "answer_cut"


def test_text_is_closed_before_a_failure_is_told() -> None:
    assert kinds(STARTED, *TEXT[:2])[-2:] == ["response.output_item.done", "response.failed"]


@pytest.mark.parametrize(
    "failure, code",
    [
        (hub.Failure("overloaded", "busy", 529), "server_error"),
        (hub.Failure("context_overflow", "long", 400), "context_length_exceeded"),
        (hub.Failure("quota", "gone", 429), "insufficient_quota"),
        (hub.Failure("invalid_request", "bad", 400), "invalid_prompt"),
    ],
)
def test_a_failure_has_a_code_that_codex_understands(failure: hub.Failure, code: str) -> None:
    assert member(sent(STARTED, hub.Failed(failure))[-1], "response", "error", "code") == code


def test_a_rate_limit_names_its_delay_in_the_words_that_codex_reads() -> None:
    failure = hub.Failure("rate_limit", "Slow down.", 429, retry_after=1.5)
    message = member(sent(STARTED, hub.Failed(failure))[-1], "response", "error", "message")
    assert message == "Slow down. Please try again in 1.5s."


def test_a_full_answer_is_incomplete_and_says_why() -> None:
    last = sent(STARTED, *TEXT, hub.Finished(hub.Stop("max_tokens")))[-1]
    reason = member(last, "response", "incomplete_details", "reason")
    assert (last["type"], reason) == ("response.incomplete", "max_output_tokens")


def test_parts_of_other_formats_are_losses_and_no_items() -> None:
    losses: list[hub.Loss] = []
    part = hub.PartStarted(0, hub.Opaque("gemini", {"executableCode": {}}))
    data = render(STARTED, part, hub.PartEnded(0), END, losses=losses)
    assert (b"output_item" in data, [loss.path for loss in losses]) == (False, ["output[0]"])


def test_interleaved_calls_keep_their_places() -> None:
    events = sent(
        STARTED,
        hub.PartStarted(0, hub.ToolCall("c1", "a")),
        hub.PartStarted(1, hub.ToolCall("c2", "b")),
        hub.PartDelta(1, hub.ArgumentsDelta('{"y":2}')),
        hub.PartDelta(0, hub.ArgumentsDelta('{"x":1}')),
        hub.PartEnded(1),
        hub.PartEnded(0),
        END,
    )
    output = member(events[-1], "response", "output")
    assert isinstance(output, list)
    assert [(member(one, "call_id"), member(one, "arguments")) for one in output] == [
        ("c1", '{"x":1}'),
        ("c2", '{"y":2}'),
    ]


def test_the_official_sdk_follows_the_stream() -> None:
    data = render(
        STARTED,
        hub.PartStarted(0, hub.Thinking("")),
        hub.PartDelta(0, hub.TextDelta("hm")),
        hub.PartEnded(0),
        hub.PartStarted(1, hub.Text("")),
        hub.PartDelta(1, hub.TextDelta("hello")),
        hub.PartDelta(1, hub.CitationDelta(hub.Citation(url="https://a.example"))),
        hub.PartEnded(1),
        hub.PartStarted(2, hub.ToolCall("call_1", "run")),
        hub.PartDelta(2, hub.ArgumentsDelta('{"x":1}')),
        hub.PartEnded(2),
        hub.UsageReported(hub.Usage(input=3, output=2)),
        hub.Finished(hub.Stop("tool_calls")),
    )

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=data)

    transport = httpx.MockTransport(answer)
    with (
        openai.OpenAI(api_key="k", http_client=httpx.Client(transport=transport)) as client,
        client.responses.stream(model="gpt", input="hi") as stream,
    ):
        stream.until_done()
        final = stream.get_final_response()
    assert (final.output_text, final.usage and final.usage.total_tokens) == ("hello", 5)
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]


def test_a_citation_without_a_place_backs_the_whole_text() -> None:
    events = sent(
        STARTED,
        hub.PartStarted(0, hub.Text("")),
        hub.PartDelta(0, hub.CitationDelta(hub.Citation("https://a.example"))),
        hub.PartDelta(0, hub.TextDelta("Four.")),
        hub.PartEnded(0),
        hub.Finished(hub.Stop("end")),
    )
    (added,) = [event for event in events if event["type"] == "response.output_text.annotation.added"]
    assert (member(added, "annotation", "start_index"), member(added, "annotation", "end_index")) == (0, 5)
