"""Captured calls under ``tests/golden/openai-chat``; each has a trait that a parser once got wrong."""

from pathlib import Path

from translators import hub
from translators.fold import Fold
from translators.format import Profile, WireRequest
from translators.formats.openai_chat import OpenAIChat

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "openai-chat"
CHAT = OpenAIChat()


def _events(case: str) -> list[hub.Event]:
    parser = CHAT.stream_parser()
    data = (GOLDEN / case / "stream.sse").read_bytes()
    return [event for byte in data for event in parser.feed(bytes([byte]))] + parser.close()


def _fold(case: str) -> hub.Response:
    fold = Fold()
    for event in _events(case):
        fold.add(event)
    return fold.response()


def test_parallel_calls_come_out_whole_with_their_usage() -> None:
    response = _fold("parallel-calls-stream")
    calls = [(part.name, part.arguments) for part in response.parts if isinstance(part, hub.ToolCall)]
    assert calls == [("get_country", "{}"), ("get_product_name", "{}")]
    assert (response.usage.input, response.usage.output) == (364, 40)


def test_an_error_after_the_finish_reason_is_the_end() -> None:
    last = _events("error-after-finish-stream")[-1]
    assert isinstance(last, hub.Failed)
    assert (last.failure.kind, last.failure.message) == ("context_overflow", "Token limit reached")


def test_a_call_without_id_gets_one_and_the_total_tells_the_reasoning() -> None:
    response = CHAT.parse_response((GOLDEN / "call-without-id" / "response.json").read_bytes())
    (call,) = response.parts
    assert isinstance(call, hub.ToolCall)
    assert call.id.startswith("call_")
    assert (response.usage.output, response.usage.reasoning) == (74, 62)


def test_a_stream_without_finish_reason_ends_with_done() -> None:
    response = _fold("no-finish-reason-stream")
    assert [type(part) for part in response.parts] == [hub.Thinking, hub.Text]
    assert response.stop.reason == "end"


def test_the_requests_mean_the_same_after_a_round_trip() -> None:
    for case in sorted(GOLDEN.iterdir()):
        parsed = CHAT.parse_request(WireRequest(body=(case / "request.json").read_bytes()))
        assert CHAT.parse_request(CHAT.render_request(parsed, Profile(), [])) == parsed


def test_a_cut_anywhere_leaves_no_part_open() -> None:
    data = (GOLDEN / "parallel-calls-stream" / "stream.sse").read_bytes()
    for cut in range(0, len(data), 13):
        parser = CHAT.stream_parser()
        events = parser.feed(data[:cut]) + parser.close()
        assert isinstance(events[-1], hub.Finished | hub.Failed)
        assert sum(isinstance(event, hub.PartStarted) for event in events) == sum(
            isinstance(event, hub.PartEnded) for event in events
        )
