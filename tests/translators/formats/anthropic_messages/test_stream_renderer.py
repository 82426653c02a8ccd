"""Hub events as a stream that Anthropic clients accept, interleaved parts too."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from anthropic import Anthropic

from tests.translators.formats.anthropic_messages.wire import Wire, user
from translators import hub
from translators.signatures import PREFIX, is_ours

NAME = "anthropic-messages"
DONE = hub.Finished(hub.Stop("end"))


def test_interleaved_calls_go_out_one_after_the_other() -> None:
    documents = Wire().stream(
        hub.Started("1", "m"),
        hub.PartStarted(0, hub.ToolCall("a", "f")),
        hub.PartStarted(1, hub.ToolCall("b", "g")),
        hub.PartDelta(1, hub.ArgumentsDelta('{"y"')),
        hub.PartDelta(0, hub.ArgumentsDelta('{"x":1}')),
        hub.PartDelta(1, hub.ArgumentsDelta(":2}")),
        hub.PartEnded(1),
        hub.PartEnded(0),
        hub.Finished(hub.Stop("tool_calls")),
    )
    assert [(d["type"], d.get("index"), d.get("delta", {}).get("partial_json")) for d in documents[1:-2]] == [
        ("content_block_start", 0, None),
        ("content_block_delta", 0, '{"x":1}'),
        ("content_block_stop", 0, None),
        ("content_block_start", 1, None),
        ("content_block_delta", 1, '{"y"'),
        ("content_block_delta", 1, ":2}"),
        ("content_block_stop", 1, None),
    ]
    assert documents[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}


def test_a_piece_of_the_open_part_goes_out_at_once() -> None:
    renderer = Wire.format.stream_renderer(hub.Request("m", (user("hi"),)), [])
    renderer.render(hub.Started("1", "m"))
    renderer.render(hub.PartStarted(0, hub.Text("")))
    assert b'"hel"' in renderer.render(hub.PartDelta(0, hub.TextDelta("hel")))


def test_the_start_has_an_estimate_and_the_end_the_true_usage() -> None:
    usage = hub.Usage(input=100, output=7, cache_read=60, cache_write=10, reasoning=2)
    documents = Wire().stream(hub.Started("1", "m"), hub.UsageReported(usage), DONE)
    assert documents[0]["message"]["usage"]["input_tokens"] > 0
    assert documents[1]["usage"] == {
        "input_tokens": 30,
        "cache_creation_input_tokens": 10,
        "cache_read_input_tokens": 60,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 2},
    }


def test_parts_without_content_leave_no_block() -> None:
    documents = Wire().stream(
        hub.PartStarted(0, hub.Text("")),
        hub.PartEnded(0),
        hub.PartStarted(1, hub.Thinking()),
        hub.PartEnded(1),
        hub.PartStarted(2, hub.Text("x")),
        hub.PartEnded(2),
        DONE,
    )
    assert [d.get("index") for d in documents if d["type"] == "content_block_start"] == [0]


def test_thinking_of_others_gets_a_signature_that_we_know_again() -> None:
    foreign = hub.Signature("cipher", "gemini")
    documents = Wire().stream(
        hub.PartStarted(0, hub.Thinking("so")),
        hub.PartDelta(0, hub.SignatureDelta(foreign)),
        hub.PartEnded(0),
        hub.PartStarted(1, hub.Thinking("bare")),
        hub.PartEnded(1),
        DONE,
    )
    values = [d["delta"]["signature"] for d in documents if d.get("delta", {}).get("type") == "signature_delta"]
    assert len(values) == 2
    assert all(map(is_ours, values))


def test_redacted_thinking_is_one_block_with_its_data() -> None:
    part = hub.Thinking(signature=hub.Signature("cipher", NAME), redacted=True)
    documents = Wire().stream(hub.PartStarted(0, part), hub.PartEnded(0), DONE)
    assert documents[1]["content_block"] == {"type": "redacted_thinking", "data": "cipher"}


def test_a_server_tool_of_another_provider_is_never_shown_as_a_call() -> None:
    wire = Wire()
    opaque = hub.Opaque("openai-responses", {"type": "web_search_call", "id": "w"})
    documents = wire.stream(hub.Started("1", "m"), hub.PartStarted(0, opaque), hub.PartEnded(0), DONE)
    assert [d["type"] for d in documents] == ["message_start", "message_delta", "message_stop"]
    assert wire.losses


def test_a_failure_ends_the_open_block_and_is_an_error_event() -> None:
    failure = hub.Failure("rate_limit", "busy")
    documents = Wire().stream(hub.PartStarted(0, hub.Text("half")), hub.Failed(failure))
    assert [d["type"] for d in documents[-2:]] == ["content_block_stop", "error"]
    assert documents[-1]["error"] == {"type": "rate_limit_error", "message": "busy"}


def test_a_call_that_a_failure_cuts_off_is_never_closed() -> None:
    """Claude Code runs it at ``content_block_stop``, with what it has of the arguments."""
    call = [hub.PartStarted(0, hub.ToolCall("a", "f")), hub.PartDelta(0, hub.ArgumentsDelta('{"a":'))]
    later = [hub.PartStarted(1, hub.ToolCall("b", "g")), hub.PartStarted(2, hub.Text("behind"))]
    documents = Wire().stream(*call, *later, hub.Failed(hub.Failure("cut", "gone")))
    assert [d["type"] for d in documents[1:]] == ["content_block_start", "content_block_delta", "error"]


CALL = [hub.PartStarted(0, hub.ToolCall("a", "f", "{}")), hub.PartEnded(0)]


def test_the_end_of_a_call_is_held_back_until_something_follows() -> None:
    """A tool that has run the call would run it once more when it asks again."""
    broken = hub.Failed(hub.Failure("cut", "gone"))
    documents = Wire().stream(*CALL, broken)
    assert [d["type"] for d in documents[-2:]] == ["content_block_delta", "error"]
    assert documents[-1]["error"]["type"] == "overloaded_error"
    documents = Wire().stream(*CALL, hub.UsageReported(hub.Usage(input=1)), broken)
    assert [d["type"] for d in documents[-2:]] == ["content_block_stop", "error"]
    assert documents[-1]["error"]["type"] == "api_error"  # after which opencode does not ask again


def test_parts_that_waited_behind_a_call_follow_its_end() -> None:
    text = [hub.PartStarted(1, hub.Text("behind")), hub.PartEnded(1)]
    documents = Wire().stream(CALL[0], *text, CALL[1], hub.Finished(hub.Stop("tool_calls")))
    blocks = [(d["type"], d["index"]) for d in documents if "index" in d]
    assert [kind for kind, _ in blocks if "delta" not in kind] == ["content_block_start", "content_block_stop"] * 2
    assert sorted({index for _, index in blocks}) == [0, 1]


def test_a_call_that_waits_behind_cut_text_is_never_begun() -> None:
    open_text, call = hub.PartStarted(0, hub.Text("half")), hub.PartStarted(1, hub.ToolCall("a", "f", '{"a":'))
    documents = Wire().stream(open_text, call, hub.Failed(hub.Failure("cut", "gone")))
    assert [d["type"] for d in documents[-2:]] == ["content_block_stop", "error"]
    assert [d for d in documents if d.get("content_block", {}).get("type") == "tool_use"] == []


@pytest.mark.parametrize("kind", ["cut", "timeout"])
def test_an_answer_that_broke_is_told_as_an_overload(kind: hub.FailureKind) -> None:
    """Which opencode asks again after, as it does not after ``api_error``."""
    documents = Wire().stream(hub.PartStarted(0, hub.Text("half")), hub.Failed(hub.Failure(kind, "gone")))
    assert documents[-1]["error"] == {"type": "overloaded_error", "message": "gone"}


def test_a_stream_that_just_stops_is_closed_with_an_error() -> None:
    documents = Wire().stream(hub.PartStarted(0, hub.Text("half")))
    assert [d["type"] for d in documents[-2:]] == ["content_block_stop", "error"]


def test_calls_and_stop_reason_agree() -> None:
    with_call = Wire().stream(hub.PartStarted(0, hub.ToolCall("a", "f")), hub.PartEnded(0), DONE)
    assert with_call[-2]["delta"]["stop_reason"] == "tool_use"
    without = Wire().stream(hub.PartStarted(0, hub.Text("x")), hub.Finished(hub.Stop("tool_calls")))
    assert without[-2]["delta"]["stop_reason"] == "end_turn"


@contextmanager
def _server(data: bytes) -> Iterator[str]:
    """A provider on loopback that answers everything with this stream."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_official_sdk_reads_what_we_render() -> None:
    citation = hub.Citation(url="https://x.invalid", title="X", quote="q")
    renderer = Wire.format.stream_renderer(hub.Request("m", (user("hi"),)), [])
    events: list[hub.Event] = [
        hub.Started("chatcmpl-1", "gpt"),
        hub.PartStarted(0, hub.Thinking("hm")),
        hub.PartEnded(0),
        hub.PartStarted(1, hub.Text("see ")),
        hub.PartDelta(1, hub.CitationDelta(citation)),
        hub.PartDelta(1, hub.TextDelta("this")),
        hub.PartEnded(1),
        hub.PartStarted(2, hub.ToolCall("call_1", "f", '{"x":')),
        hub.PartDelta(2, hub.ArgumentsDelta("1}")),
        hub.PartEnded(2),
        hub.UsageReported(hub.Usage(input=11, output=5)),
        hub.Finished(hub.Stop("tool_calls")),
    ]
    data = b"".join(map(renderer.render, events)) + renderer.close()
    with _server(data) as url, Anthropic(api_key="none", base_url=url, max_retries=0) as client:
        asked = client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
        with asked as stream:
            message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[0].to_dict()["signature"].startswith(PREFIX)  # type: ignore[union-attr]
    assert message.content[1].to_dict()["text"] == "see this"
    assert message.content[2].to_dict()["input"] == {"x": 1}
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("tool_use", 11, 5)
