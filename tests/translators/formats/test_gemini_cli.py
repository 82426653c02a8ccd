"""Code Assist's envelope around Gemini."""

from typing import Any

import orjson
import pytest

from translators import hub
from translators.errors import FormatError
from translators.fold import Fold, unfold
from translators.format import Profile, WireRequest
from translators.formats.gemini_cli import GeminiCLI

ENVELOPE: dict[str, Any] = {
    "model": "gemini-3-flash",
    "project": "p",
    "user_prompt_id": "u",
    "request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "session_id": "s"},
}


def wire(body: Any = ENVELOPE, operation: str = "streamGenerateContent") -> WireRequest:
    return WireRequest(path=f"/v1internal:{operation}", query="alt=sse", body=orjson.dumps(body))


def test_the_envelope_survives_the_round_trip() -> None:
    rendered = GeminiCLI().render_request(GeminiCLI().parse_request(wire()), Profile(), [])

    assert (rendered.path, rendered.query) == ("/v1internal:streamGenerateContent", "alt=sse")
    assert orjson.loads(rendered.body) == ENVELOPE


def test_a_request_of_another_format_gets_no_invented_project() -> None:
    rendered = GeminiCLI().render_request(hub.Request("m", (hub.Message("user", (hub.Text("hi"),)),)), Profile(), [])

    assert orjson.loads(rendered.body).keys() == {"model", "request"}
    assert rendered.path == "/v1internal:generateContent"


def test_retarget_changes_the_models_bytes_alone() -> None:
    odd = WireRequest(path="/v1internal:generateContent", body=b'{"a" : 1.0e5, "model":"x",\n"request":{"model":"x"}}')

    assert GeminiCLI().retarget(odd, "y").body == b'{"a" : 1.0e5, "model":"y",\n"request":{"model":"x"}}'


def test_model_and_stream_are_found() -> None:
    assert GeminiCLI().model_of(wire()) == "gemini-3-flash"
    assert GeminiCLI().asks_stream(wire())
    assert not GeminiCLI().asks_stream(wire(operation="generateContent"))
    assert GeminiCLI().model_of(WireRequest(body=b"{")) is None


@pytest.mark.parametrize("body", [{}, {"model": "m"}, {"model": 3, "request": {}}, []])
def test_a_body_without_envelope_is_a_format_error(body: Any) -> None:
    with pytest.raises(FormatError):
        GeminiCLI().parse_request(wire(body))


def test_chunks_are_wrapped_and_unwrapped() -> None:
    parts = (hub.Thinking("hm", hub.Signature("c2ln", "gemini-cli")), hub.Text("a"), hub.ToolCall("1", "f", "{}"))
    response = hub.Response("r", "m", parts, hub.Stop("tool_calls", raw="STOP"), hub.Usage(input=1, output=2))
    renderer = GeminiCLI().stream_renderer(hub.Request("m", ()), [])
    out = b"".join(renderer.render(event) for event in unfold(response)) + renderer.close()
    chunks = [orjson.loads(line[6:]) for line in out.split(b"\n\n") if line]
    parser = GeminiCLI().stream_parser()
    fold = Fold()
    for event in [*parser.feed(out), *parser.close()]:
        fold.add(event)

    assert all(chunk.keys() == {"response", "traceId"} for chunk in chunks)
    assert fold.response() == response


def test_an_error_in_the_stream_is_bare() -> None:
    renderer = GeminiCLI().stream_renderer(hub.Request("m", ()), [])

    out = renderer.render(hub.Failed(hub.Failure("server", "oops")))

    assert orjson.loads(out[6:]) == {"error": {"code": 500, "message": "oops", "status": "INTERNAL"}}


def test_a_whole_answer_is_wrapped() -> None:
    response = hub.Response("r", "m", (hub.Text("a"),), hub.Stop("end", raw="STOP"))

    body = GeminiCLI().render_response(response, hub.Request("m", ()), [])

    assert orjson.loads(body).keys() == {"response", "traceId"}
    assert GeminiCLI().parse_response(body) == response
