"""Two formats joined; what all pairs have in common is in ``tests/test_formats.py``."""

from dataclasses import replace

import orjson
import pytest

from tests import hub_cases as cases
from translators import FORMATS, BoundedMemory, Passthrough, Profile, Translation, Unsupported, WireRequest, bridge, hub
from translators.fold import unfold

CLAUDE = "anthropic-messages"
CHAT = "openai-chat"
ASKED = FORMATS[CLAUDE].render_request(cases.TOOLS, Profile(), [])
CHAT_ASKED = FORMATS[CHAT].render_request(cases.TOOLS, Profile(), [])
SSE = "text/event-stream"


def stream(name: str, events: list[hub.Event]) -> bytes:
    renderer = FORMATS[name].stream_renderer(cases.TOOLS, [])
    return b"".join(map(renderer.render, events)) + renderer.close()


def test_same_format_is_a_passthrough_unless_the_profile_alters() -> None:
    assert isinstance(bridge(CLAUDE, CLAUDE), Passthrough)
    assert isinstance(bridge(CLAUDE, CLAUDE, profile=Profile(max_output=5)), Passthrough)
    assert isinstance(bridge(CLAUDE, CLAUDE, profile=Profile(stream="always")), Translation)
    assert isinstance(bridge(CLAUDE, CHAT), Translation)


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(Unsupported, match="'telex'"):
        bridge("telex", CHAT)


def test_passthrough_returns_the_very_request() -> None:
    assert bridge(CLAUDE, CLAUDE).request(ASKED) is ASKED


def test_passthrough_returns_the_very_chunk() -> None:
    chunk = b": of whole events\n\n"
    assert bridge(CLAUDE, CLAUDE).feed(chunk, SSE) is chunk


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_passthrough_keeps_half_an_event_until_its_end_has_come(end: str) -> None:
    joined = bridge(CLAUDE, CLAUDE)
    joined.request(ASKED)
    data = stream(CLAUDE, unfold(cases.TEXT_ANSWER)).replace(b"\n", end.encode())
    out = [joined.feed(data[at : at + 1], SSE) for at in range(len(data))]
    blank = 2 * end.encode()
    assert b"".join(out) + joined.close() == data
    assert {piece[-len(blank) :] for piece in out if piece and piece != b"\n"} == {blank}


def test_passthrough_ends_before_an_event_that_is_no_json() -> None:
    joined = bridge(CLAUDE, CLAUDE)
    joined.request(ASKED)
    data = stream(CLAUDE, unfold(cases.TEXT_ANSWER))
    end = data.index(b"event: content_block_stop")
    assert joined.feed(data[:end], SSE) == data[:end]
    assert joined.feed(b": a comment\n\ndata: nonsense\n\n" + data[end:] + b"data: {", SSE) == b": a comment\n\n"
    assert joined.over
    assert joined.feed(data[end:], SSE) == joined.close() == b""
    assert joined.failure is not None
    assert joined.fail(joined.failure).startswith(b"event: error\n")


def test_passthrough_hands_on_what_the_client_may_read_although_we_cannot() -> None:
    joined = bridge(CLAUDE, CLAUDE)
    joined.request(ASKED)
    odd = b"data: [1, 2]\n\n"
    assert joined.feed(odd + odd, SSE) == odd + odd
    assert joined.failure is not None
    assert not joined.over
    assert joined.feed(odd, SSE) == odd


@pytest.mark.parametrize("last", [b"data: [DONE]", b"data: [DONE]\n", b'data: {"choices": []}'])
def test_passthrough_hands_on_a_last_event_without_its_blank_line(last: bytes) -> None:
    joined = bridge(CHAT, CHAT)
    joined.request(CHAT_ASKED)
    assert joined.feed(b": hello\n\n" + last, SSE) + joined.close() == b": hello\n\n" + last


def test_passthrough_of_a_whole_answer_learns_at_its_end() -> None:
    joined = bridge(CHAT, CHAT)
    joined.request(FORMATS[CHAT].render_request(cases.PLAIN, Profile(), []))
    joined.feed(FORMATS[CHAT].render_response(cases.TEXT_ANSWER, cases.PLAIN, []), "application/json")
    joined.close()
    assert (joined.usage.output, joined.finished, joined.meaningful, joined.failure) == (5, True, True, None)
    assert joined.content_type == "application/json"


def test_passthrough_keeps_an_error_answer_with_the_headers_that_clients_read() -> None:
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}, "x": 1}'
    headers = {
        "content-type": "application/json",
        "retry-after": "3",
        "content-length": "9",
        "Content-Encoding": "gzip",
    }
    joined = bridge(CLAUDE, CLAUDE)
    answer = joined.error(429, headers, body)
    assert (answer.status, answer.body) == (429, body)
    assert dict(answer.headers) == {"content-type": "application/json", "retry-after": "3"}
    assert joined.failure is not None
    assert joined.failure.kind == "rate_limit"


def test_passthrough_renders_an_error_that_is_not_of_the_format() -> None:
    answer = bridge(CLAUDE, CLAUDE).error(502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")
    assert orjson.loads(answer.body)["type"] == "error"


def test_passthrough_says_an_error_behind_a_cut_stream_and_only_once() -> None:
    joined = bridge(CLAUDE, CLAUDE)
    joined.request(ASKED)
    data = stream(CLAUDE, unfold(cases.TEXT_ANSWER))
    end = data.index(b"event: content_block_stop")
    assert joined.feed(data[: end + 50], SSE) == data[:end]
    assert joined.close() == b""
    assert joined.failure is not None
    assert joined.failure.kind == "cut"
    said = joined.fail(joined.failure)
    assert said.startswith(b"event: error\n")
    assert joined.fail(joined.failure) == b""


def test_passthrough_does_not_repeat_the_upstream_s_own_error_event() -> None:
    joined = bridge(CLAUDE, CLAUDE)
    joined.request(ASKED)
    joined.feed(stream(CLAUDE, [*unfold(cases.TEXT_ANSWER)[:3], hub.Failed(cases.FAILURES["overloaded"])]), SSE)
    joined.close()
    assert joined.failure is not None
    assert joined.fail(joined.failure) == b""


def test_translation_never_changes_its_input() -> None:
    before = replace(ASKED)
    bridge(CLAUDE, CHAT).request(ASKED, "glm")
    assert before == ASKED


def test_the_model_stays_the_client_s_when_none_is_given() -> None:
    wire = bridge(CLAUDE, CHAT).request(ASKED)
    assert FORMATS[CHAT].model_of(wire) == cases.TOOLS.model


@pytest.mark.parametrize("stream_, asked", [("always", False), ("never", True)])
def test_the_profile_decides_whether_the_upstream_streams(stream_: str, asked: bool) -> None:
    profile = Profile(stream="always" if stream_ == "always" else "never")
    joined = bridge(CHAT, CHAT, profile=profile)
    wire = FORMATS[CHAT].render_request(replace(cases.PLAIN, stream=asked), Profile(), [])
    assert FORMATS[CHAT].asks_stream(joined.request(wire)) is not asked
    assert joined.streaming is asked


def test_a_broken_event_ends_the_stream_with_the_client_s_error() -> None:
    joined = bridge(CLAUDE, CHAT)
    joined.request(ASKED, "glm")
    started = stream(CHAT, unfold(cases.TEXT_ANSWER))
    out = joined.feed(started[: started.index(b"\n\n") + 2], SSE) + joined.feed(b"data: {nonsense\n\n", SSE)
    assert joined.failure is not None
    assert b"event: error" in out
    assert joined.feed(started, SSE) == b""
    assert joined.close() == b""


def test_what_follows_the_end_is_ignored() -> None:
    joined = bridge(CLAUDE, CHAT)
    joined.request(ASKED, "glm")
    data = stream(CHAT, unfold(cases.TEXT_ANSWER))
    out = joined.feed(data, SSE) + joined.feed(data, SSE) + joined.close()
    assert out.count(b"event: message_stop") == 1


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", SSE])
def test_an_answer_is_what_its_first_bytes_say(content_type: str) -> None:
    for data in (
        stream(CHAT, unfold(cases.TEXT_ANSWER)),
        FORMATS[CHAT].render_response(cases.TEXT_ANSWER, cases.PLAIN, []),
    ):
        joined = bridge(CLAUDE, CHAT)
        joined.request(ASKED, "glm")
        out = joined.feed(b"\n", content_type) + joined.feed(data, content_type) + joined.close()
        assert b"event: message_stop" in out
        assert joined.failure is None


def test_an_error_object_with_status_200_is_a_failure() -> None:
    joined = bridge(CLAUDE, CHAT)
    joined.request(ASKED, "glm")
    out = (
        joined.feed(b'{"error":{"message":"no money","code":"insufficient_quota"}}', "application/json")
        + joined.close()
    )
    assert joined.failure is not None
    assert joined.failure.kind in {"quota", "billing"}
    assert b"event: error" in out


def test_our_own_failure_ends_what_has_begun() -> None:
    joined = bridge(CLAUDE, CHAT)
    joined.request(ASKED, "glm")
    data = stream(CHAT, unfold(cases.TEXT_ANSWER))
    joined.feed(data[: len(data) // 2], SSE)
    out = joined.fail(hub.Failure("timeout", "no byte for 60 s", 504))
    assert b"no byte for 60 s" in out
    assert joined.close() == b""


def test_nothing_said_yet_is_not_meaningful() -> None:
    joined = bridge(CLAUDE, CHAT)
    joined.request(ASKED, "glm")
    joined.feed(
        b'data: {"id":"x","model":"glm","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n', SSE
    )
    assert not joined.meaningful
    joined.feed(b'data: {"id":"x","model":"glm","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n', SSE)
    assert joined.meaningful
    assert joined.model == "glm"


def test_reasoning_that_a_chat_client_cannot_carry_comes_back_from_memory() -> None:
    memory = BoundedMemory()
    signature = hub.Signature("c2lnbmVk", CLAUDE)
    answer = replace(cases.THINKING_ANSWER, parts=(hub.Thinking("Hm.", signature), *cases.CALLS_ANSWER.parts))
    first = bridge(CHAT, CLAUDE, memory=memory)
    first.request(CHAT_ASKED, "claude")
    first.feed(stream(CLAUDE, unfold(answer)), SSE)
    first.close()
    calls = [part for part in answer.parts if isinstance(part, hub.ToolCall)]
    results = tuple(hub.ToolResult(call.id, (hub.Text("ok"),)) for call in calls)
    following = replace(
        cases.TOOLS,
        messages=(*cases.PLAIN.messages, hub.Message("assistant", tuple(calls)), hub.Message("user", results)),
    )
    wire = bridge(CHAT, CLAUDE, memory=memory).request(FORMATS[CHAT].render_request(following, Profile(), []), "claude")
    assert b"c2lnbmVk" in wire.body


def test_a_gemini_client_without_sse_gets_a_json_array() -> None:
    wire = FORMATS["gemini"].render_request(cases.TOOLS, Profile(), [])
    for query, content_type in (("", "application/json"), ("alt=sse", SSE)):
        joined = bridge("gemini", CHAT)
        joined.request(replace(wire, query=query), "glm")
        assert joined.content_type == content_type
        out = joined.feed(stream(CHAT, unfold(cases.TEXT_ANSWER)), SSE) + joined.close()
        assert (out[:1] == b"[") is (content_type == "application/json")


def test_a_request_that_is_not_of_the_format_passes_a_passthrough() -> None:
    wire = WireRequest(path="/v1/messages", body=b"not json")
    assert bridge(CLAUDE, CLAUDE).request(wire, "other") == wire


def test_the_client_is_told_the_model_it_asked_for_where_it_must_not_notice_another() -> None:
    joined = bridge(CLAUDE, CHAT)
    joined.echoes_model = True
    joined.request(ASKED, "another-model")
    answer = replace(cases.TEXT_ANSWER, model="another-model-0613")
    told = joined.feed(stream(CHAT, unfold(answer)), SSE)
    assert (joined.model, b"another-model" in told, b'"model":"a-model"' in told) == ("another-model-0613", False, True)
