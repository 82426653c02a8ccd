"""What the fuzz has found, each once, in few bytes."""

from dataclasses import replace

import pytest

from tests import hub_cases as cases
from tests.wires import events_of, stream_of, wire_of
from translators import FORMATS, Profile, WireRequest, bridge, hub
from translators.errors import FormatError
from translators.fold import unfold
from translators.signatures import PREFIX, unwrap

SSE = "text/event-stream"
HALF = "cut \ud83d"
"""What a JavaScript client leaves of an emoji when it cuts a text by length."""

every_format = pytest.mark.parametrize("name", sorted(FORMATS))


@every_format
def test_half_an_emoji_of_an_answer_reaches_every_client(name: str) -> None:
    answer = replace(cases.CALLS_ANSWER, parts=(hub.Thinking(HALF), hub.Text(HALF), *cases.CALLS_ANSWER.parts))
    data = FORMATS["openai-chat"].render_response(answer, cases.PLAIN, [])
    for streams in (True, False):
        joined = bridge(name, "openai-chat", profile=Profile(stream="always" if name == "openai-chat" else "as-asked"))
        joined.request(wire_of(name, replace(cases.TOOLS, stream=streams)), "a-model")
        out = joined.feed(data, "application/json") + joined.close()
        assert joined.failure is None
        assert b"\\ud83d" in out


@every_format
@pytest.mark.parametrize("streams", [True, False])
def test_half_an_emoji_in_a_signature_stays_in_it(name: str, streams: bool) -> None:
    parts = (hub.Thinking("Hm.", hub.Signature(HALF, "anthropic-messages")), *cases.CALLS_ANSWER.parts)
    data = FORMATS["anthropic-messages"].render_response(replace(cases.CALLS_ANSWER, parts=parts), cases.PLAIN, [])
    joined = bridge(name, "anthropic-messages")
    joined.request(wire_of(name, replace(cases.TOOLS, stream=streams)), "a-model")
    joined.feed(data, "application/json")
    joined.close()
    assert joined.failure is None


@every_format
def test_half_an_emoji_of_a_request_reaches_every_upstream(name: str) -> None:
    asked = wire_of("openai-chat", replace(cases.PLAIN, messages=(hub.Message("user", (hub.Text(HALF),)),)))
    assert b"\\ud83d" in bridge("openai-chat", name).request(asked, "a-model").body


@every_format
def test_half_an_emoji_of_an_error_reaches_every_client(name: str) -> None:
    body = b'{"error":{"message":"no \\ud83d","type":"invalid_request_error"}}'
    assert b"\\ud83d" in bridge(name, "openai-chat").error(400, {}, body).body


@every_format
@pytest.mark.parametrize("said", ["nan", "inf", "1e999", "-1e999"])
def test_a_delay_without_end_is_no_delay(name: str, said: str) -> None:
    for header in ("retry-after", "retry-after-ms"):
        failure = FORMATS[name].parse_error(429, {header: said}, b'{"error":{"message":"slow down"}}')
        assert failure is not None
        assert failure.retry_after in {None, 0.0}
        FORMATS[name].render_error(failure)


@every_format
@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"-Infinity"])
def test_what_is_no_number_is_refused(name: str, number: bytes) -> None:
    wire = wire_of(name, replace(cases.PLAIN, temperature=0.25))
    assert b"0.25" in wire.body
    with pytest.raises(FormatError):
        FORMATS[name].parse_request(replace(wire, body=wire.body.replace(b"0.25", number)))


@every_format
@pytest.mark.parametrize("streams", [True, False])
def test_a_call_without_a_name_is_a_broken_answer(name: str, streams: bool) -> None:
    """There is nothing that the client could run; another attempt is better than a call that breaks its history."""
    call = b'{"index":0,"id":"call_1","type":"function","function":{"name":"","arguments":"{}"}}'
    body = b'{"id":"x","model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"tool_calls":[%s]}}]}'
    joined = bridge(name, "openai-chat", profile=Profile(stream="always" if name == "openai-chat" else "as-asked"))
    joined.request(wire_of(name, replace(cases.TOOLS, stream=streams)), "a-model")
    joined.feed(body % call, "application/json")
    joined.close()
    assert joined.failure is not None
    assert not joined.finished


def test_a_gemini_chunk_that_breaks_at_the_close_ends_in_an_error() -> None:
    chunk = b'data: {"candidates":[{"content":{"parts":[{"text":"Paris"}]},"finishReason":"STOP"}],"usageMetadata":%s}'
    joined = bridge("gemini-cli", "gemini")
    joined.request(wire_of("gemini-cli", cases.TOOLS), "a-model")
    out = joined.feed(chunk % b'{"candidatesTokenCount":{"type":null}}', SSE) + joined.close()
    assert joined.failure is not None
    assert b'"error"' in out


def test_a_streamed_block_without_a_type_is_refused_as_in_a_whole_answer() -> None:
    data = stream_of(FORMATS["anthropic-messages"], unfold(cases.TEXT_ANSWER), cases.TOOLS)
    data = data.replace(b'"content_block":{"type":"text"', b'"content_block":{"type":null')
    with pytest.raises(FormatError, match="type"):
        events_of(FORMATS["anthropic-messages"], data)


@every_format
@pytest.mark.parametrize("data", ["é", "#", "\ud83d", "w6"])
def test_a_text_file_that_is_no_base64_is_refused_or_sent_as_it_is(name: str, data: str) -> None:
    media = hub.Media("document", "text/plain", data=data, name="a.txt")
    asked = wire_of("gemini", replace(cases.PLAIN, messages=(hub.Message("user", (hub.Text("Read."), media)),)))
    try:
        assert bridge("gemini", name).request(asked, "a-model").body
    except FormatError:
        return


def test_a_wrapped_signature_that_was_damaged_is_none() -> None:
    assert unwrap(f"{PREFIX}é", "gemini") is None


def test_file_data_without_an_address_is_refused() -> None:
    wire = wire_of("gemini", cases.IMAGE)
    part = b'"fileData":{"mimeType":"image/png"}'
    body = wire.body.replace(b'"inlineData":{"mimeType":"image/png","data":"%s"}' % cases.PNG.encode(), part)
    assert part in body
    with pytest.raises(FormatError, match="fileUri"):
        FORMATS["gemini"].parse_request(replace(wire, body=body))


@every_format
def test_arguments_nested_beyond_sense_do_not_crash(name: str) -> None:
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    call = hub.ToolCall("call_deep_00000001", "get_weather", deep)
    messages = (*cases.PLAIN.messages, hub.Message("assistant", (call,)))
    asked = wire_of("openai-chat", replace(cases.TOOLS, messages=messages))
    try:
        wire: WireRequest | None = bridge("openai-chat", name).request(asked, "a-model")
    except FormatError:
        wire = None
    assert wire is None or wire.body


def test_an_address_that_is_none_is_passed_on() -> None:
    media = hub.Media("image", url="http://[a.png")
    asked = wire_of("openai-chat", replace(cases.PLAIN, messages=(hub.Message("user", (hub.Text("Look."), media)),)))
    assert b"http://[a.png" in bridge("openai-chat", "gemini").request(asked, "a-model").body
