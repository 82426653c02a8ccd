"""Whole answers, read from captures and written so that Google's SDK takes them."""

from pathlib import Path

import orjson
import pytest
from google.genai import types

from translators import hub
from translators.errors import FormatError
from translators.formats.gemini import Gemini

GOLDEN = Path(__file__).parents[3] / "golden" / "gemini"
ASKED = hub.Request("m", ())


def test_a_recorded_call_is_read() -> None:
    response = Gemini().parse_response((GOLDEN / "function-response" / "response.json").read_bytes())

    (call,) = response.parts
    assert isinstance(call, hub.ToolCall)
    assert call.name == "final_result"
    assert orjson.loads(call.arguments) == {"city": "London", "date": "2022-01-01", "temperature": "30°C"}
    assert response.stop == hub.Stop("tool_calls", raw="STOP")


def test_recorded_grounding_becomes_citations_of_the_text() -> None:
    response = Gemini().parse_response((GOLDEN / "grounded-search" / "response.json").read_bytes())

    (text,) = response.parts
    assert isinstance(text, hub.Text)
    assert text.citations
    assert all(text.text[c.start : c.end] == c.quote for c in text.citations)


@pytest.mark.parametrize("case", ["function-response", "grounded-search"])
def test_a_recorded_answer_survives_the_round_trip(case: str) -> None:
    raw = (GOLDEN / case / "response.json").read_bytes()
    response = Gemini().parse_response(raw)

    again = Gemini().render_response(response, ASKED, [])

    assert Gemini().parse_response(again) == response


def test_googles_sdk_takes_a_rendered_answer() -> None:
    parts = (hub.Thinking("hm"), hub.Text("a", (hub.Citation("https://x", "X", "a", 0, 1),)), hub.ToolCall("1", "f"))
    response = hub.Response("r", "m", parts, hub.Stop("tool_calls"), hub.Usage(input=1, output=2))

    read = types.GenerateContentResponse.model_validate_json(Gemini().render_response(response, ASKED, []))

    assert read.text == "a"
    assert [call.name for call in read.function_calls or []] == ["f"]


def test_an_error_object_is_no_answer() -> None:
    with pytest.raises(FormatError, match="an error instead of an answer: x"):
        Gemini().parse_response(b'{"error": {"code": 500, "message": "x", "status": "INTERNAL"}}')


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"3", b'{"choices": []}'])
def test_something_else_is_a_format_error(body: bytes) -> None:
    with pytest.raises(FormatError):
        Gemini().parse_response(body)


def test_parts_of_another_format_are_a_loss_and_never_a_call() -> None:
    losses: list[hub.Loss] = []
    opaque = hub.Opaque("anthropic-messages", {"type": "server_tool_use", "name": "web_search"})

    body = Gemini().render_response(hub.Response("r", "m", (opaque, hub.Text("a")), hub.Stop("end")), ASKED, losses)

    assert orjson.loads(body)["candidates"][0]["content"]["parts"] == [{"text": "a"}]
    assert [loss.reason for loss in losses] == ["only anthropic-messages understands this part"]
