"""The captured cases of tests/golden/anthropic-messages."""

import json

from tests.translators.formats.anthropic_messages.wire import GOLDEN, Wire
from translators import hub
from translators.fold import Fold
from translators.format import WireRequest

SERVER_TOOL = (GOLDEN / "server-tool-stream" / "stream.sse").read_bytes()


def _request(case: str) -> hub.Request:
    return Wire.format.parse_request(WireRequest(body=(GOLDEN / case / "request.json").read_bytes()))


def test_a_server_tool_stays_opaque_and_gets_its_whole_input() -> None:
    opaque = [
        event.part.raw
        for event in Wire().events(SERVER_TOOL)
        if isinstance(event, hub.PartStarted) and isinstance(event.part, hub.Opaque)
    ]
    assert [raw["type"] for raw in opaque if isinstance(raw, dict)] == ["server_tool_use", "advisor_tool_result"]


def test_usage_of_a_stream_is_that_of_its_last_report() -> None:
    usage = [event.usage for event in Wire().events(SERVER_TOOL) if isinstance(event, hub.UsageReported)][-1]
    assert (usage.input, usage.output, usage.cache_read) == (2411, 145, 0)


def test_every_cut_ends_all_parts_and_then_fails_as_cut() -> None:
    for length in range(0, len(SERVER_TOOL) - 150, 37):
        parser = Wire.format.stream_parser()
        events = parser.feed(SERVER_TOOL[:length]) + parser.close()
        opened = [event.index for event in events if isinstance(event, hub.PartStarted)]
        ended = [event.index for event in events if isinstance(event, hub.PartEnded)]
        assert opened == ended
        assert isinstance(events[-1], hub.Failed)
        assert events[-1].failure.kind == "cut"


def test_the_rendered_stream_folds_to_the_same_answer() -> None:
    def folded(data: bytes) -> hub.Response:
        fold = Fold()
        for event in Wire().events(data):
            fold.add(event)
        return fold.response()

    renderer = Wire.format.stream_renderer(_request("server-tool-stream"), [])
    rendered = b"".join(map(renderer.render, Wire().events(SERVER_TOOL))) + renderer.close()
    assert folded(rendered) == folded(SERVER_TOOL)


def test_a_strict_tool_and_structured_output_are_read() -> None:
    request = _request("strict-tool")
    [tool] = request.tools
    assert isinstance(tool, hub.Tool)
    assert tool.strict is True
    assert request.output is not None
    assert request.output.schema is not None
    assert request.output.schema["required"] == ["city", "country", "population"]


def test_a_document_inside_a_tool_result_is_media() -> None:
    result = _request("tool-result-document").messages[-1].parts[0]
    assert result == hub.ToolResult(
        "toolu_01FThbNViZrZ6SBDCdM9oS8M", (hub.Media("document", file_id="file_011Ccn6h59825RrtpAAPmrBv"),)
    )


def test_captured_answers_come_back_as_they_were() -> None:
    for case in ("strict-tool", "tool-result-document"):
        body = (GOLDEN / case / "response.json").read_bytes()
        rendered = Wire.format.render_response(Wire.format.parse_response(body), _request(case), [])
        assert json.loads(rendered) == json.loads(body)
