"""Properties of every wire format and of every ordered pair; a new format is tested as soon as it is registered."""

from contextlib import suppress
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import hub_cases as cases
from tests import wires
from tests.wires import events_before_breach, events_of, folded, well_formed, wire_of
from translators import FORMATS, Format, FormatError, Unsupported, WireRequest, bridge, hub
from translators.fold import unfold
from translators.signatures import PREFIX, wrap

NAMES = sorted(FORMATS)
PAIRS = [(client, upstream) for client in NAMES for upstream in NAMES]
ASKED = replace(cases.TOOLS, stream=True)

every_format = pytest.mark.parametrize("name", NAMES)
every_pair = pytest.mark.parametrize("client, upstream", PAIRS)
every_answer = pytest.mark.parametrize("answer", cases.ANSWERS.values(), ids=cases.ANSWERS)
every_request = pytest.mark.parametrize("request_", cases.REQUESTS.values(), ids=cases.REQUESTS)


def stream_of(format_: Format, events: list[hub.Event], asked: hub.Request = ASKED) -> bytes:
    return wires.stream_of(format_, events, asked)


def alike(kind: hub.FailureKind, wanted: hub.FailureKind) -> bool:
    """OpenAI has one word for a broken and for an overloaded server."""
    return kind == wanted or {kind, wanted} == {"server", "overloaded"}


# ── one format ──────────────────────────────────────────────────────────────────────────────────────────────────────


@every_format
def test_name_is_the_key_it_is_registered_under(name: str) -> None:
    assert FORMATS[name].name == name


@every_format
@every_request
def test_request_survives_its_own_format(name: str, request_: hub.Request) -> None:
    back = FORMATS[name].parse_request(wire_of(name, request_))
    assert cases.conversation(back) == cases.conversation(request_)
    assert [tool.name for tool in back.tools if isinstance(tool, hub.Tool)] == [
        tool.name for tool in request_.tools if isinstance(tool, hub.Tool)
    ]
    assert (back.model, back.max_tokens, back.stream) == (request_.model, request_.max_tokens, request_.stream)


@every_format
@every_request
def test_request_rendered_twice_says_the_same(name: str, request_: hub.Request) -> None:
    once = wire_of(name, request_)
    twice = wire_of(name, FORMATS[name].parse_request(once))
    assert orjson.loads(twice.body) == orjson.loads(once.body)
    assert replace(twice, body=b"") == replace(once, body=b"")


@every_format
def test_model_and_stream_are_found_without_parsing(name: str) -> None:
    wire = wire_of(name, ASKED)
    assert FORMATS[name].model_of(wire) == ASKED.model
    assert FORMATS[name].asks_stream(wire) is True
    assert FORMATS[name].asks_stream(wire_of(name, cases.PLAIN)) is False


@every_format
@every_answer
def test_whole_answer_survives_its_own_format(name: str, answer: hub.Response) -> None:
    format_ = FORMATS[name]
    back = format_.parse_response(format_.render_response(answer, cases.PLAIN, []))
    assert cases.said(back.parts) == cases.said(answer.parts)
    assert back.stop.reason == answer.stop.reason
    assert (back.usage.input, back.usage.output) == (answer.usage.input, answer.usage.output)
    assert back.model == answer.model


@every_format
@every_answer
def test_streamed_answer_survives_its_own_format(name: str, answer: hub.Response) -> None:
    events = events_of(FORMATS[name], stream_of(FORMATS[name], unfold(answer)))
    well_formed(events)
    back = folded(events)
    assert cases.said(back.parts) == cases.said(answer.parts)
    assert back.stop.reason == answer.stop.reason
    assert (back.usage.input, back.usage.output) == (answer.usage.input, answer.usage.output)


@every_format
@every_answer
def test_any_split_of_a_stream_gives_the_same_events(name: str, answer: hub.Response) -> None:
    data = stream_of(FORMATS[name], unfold(answer))
    assert events_of(FORMATS[name], data, list(range(1, len(data)))) == events_of(FORMATS[name], data)


@every_format
@pytest.mark.parametrize("breach", [b"data: {\n\n", b"data: \xff\n\n", b"data: [" + b"[" * 5000 + b"\n\n"])
def test_what_came_before_a_breach_comes_out_however_the_bytes_are_cut(name: str, breach: bytes) -> None:
    events = unfold(cases.CALLS_ANSWER)
    renderer = FORMATS[name].stream_renderer(ASKED, [])
    data = b"".join([renderer.render(event) for event in events[:-2]]) + breach + b"data: {}\n\n"
    at_once = events_before_breach(FORMATS[name], data)
    assert at_once
    assert at_once == events_before_breach(FORMATS[name], data, range(1, len(data)))
    assert at_once == events_before_breach(FORMATS[name], data, range(7, len(data), 7))


@every_format
def test_interleaved_calls_are_kept_apart(name: str) -> None:
    events: list[hub.Event] = [
        hub.Started("answer_9", "a-model"),
        hub.PartStarted(0, hub.ToolCall("call_one_00000001", "get_weather")),
        hub.PartStarted(1, hub.ToolCall("call_two_00000002", "get_time")),
        hub.PartDelta(0, hub.ArgumentsDelta('{"city":')),
        hub.PartDelta(1, hub.ArgumentsDelta('{"zone":"U')),
        hub.PartDelta(0, hub.ArgumentsDelta('"Bonn"}')),
        hub.PartDelta(1, hub.ArgumentsDelta('TC"}')),
        hub.PartEnded(1),
        hub.PartEnded(0),
        hub.UsageReported(cases.USAGE),
        hub.Finished(hub.Stop("tool_calls")),
    ]
    back = folded(events_of(FORMATS[name], stream_of(FORMATS[name], events)))
    assert sorted(cases.said(back.parts)) == [
        ("call", "get_time", '{"zone":"UTC"}'),
        ("call", "get_weather", '{"city":"Bonn"}'),
    ]


@every_format
def test_two_calls_have_two_ids(name: str) -> None:
    parts = folded(events_of(FORMATS[name], stream_of(FORMATS[name], unfold(cases.CALLS_ANSWER)))).parts
    ids = [part.id for part in parts if isinstance(part, hub.ToolCall)]
    assert len(set(ids)) == 2
    assert all(ids)


@every_format
@pytest.mark.parametrize("failure", cases.FAILURES.values(), ids=cases.FAILURES)
def test_error_survives_its_own_format(name: str, failure: hub.Failure) -> None:
    answer = FORMATS[name].render_error(failure)
    back = FORMATS[name].parse_error(answer.status, answer.headers, answer.body)
    assert back is not None
    assert alike(back.kind, failure.kind)
    assert failure.message in back.message


@every_format
def test_error_in_a_stream_is_seen(name: str) -> None:
    started = unfold(cases.TEXT_ANSWER)[:3]
    data = stream_of(FORMATS[name], [*started, hub.Failed(hub.Failure("server", "it broke"))])
    last = events_of(FORMATS[name], data)[-1]
    assert isinstance(last, hub.Failed)
    assert "it broke" in last.failure.message


@every_format
@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"upstream error", b"[1", b'"x"', b"null", b"\xff"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502])
def test_any_refusal_is_a_failure(name: str, status: int, body: bytes) -> None:
    failure = FORMATS[name].parse_error(status, {}, body)
    assert failure is not None
    assert failure.status == status


JUNK = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"{}", b"[]", b"null", b"1", b'{"model":1}', b'{"messages":[{}]}', b'{"contents":[[]]}', b'{"input":[1]}']
    ),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "model",
                        "messages",
                        "contents",
                        "parts",
                        "role",
                        "content",
                        "type",
                        "text",
                        "tools",
                        "function",
                        "name",
                        "id",
                        "input",
                        "output",
                        "error",
                        "choices",
                        "delta",
                        "candidates",
                        "response",
                        "usage",
                        "message",
                        "tool_calls",
                        "functionCall",
                        "arguments",
                        "item",
                        "request",
                        "stream",
                        "system",
                        "instructions",
                        "code",
                        "status",
                        "details",
                        "finish_reason",
                        "index",
                        "usageMetadata",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=15,
    ).map(orjson.dumps),
)


@every_format
@given(body=JUNK)
@settings(max_examples=150, deadline=None)
def test_junk_is_refused_as_a_format_error_and_nothing_else(name: str, body: bytes) -> None:
    format_ = FORMATS[name]
    wire = replace(wire_of(name, cases.PLAIN), body=body)
    format_.model_of(wire)
    format_.asks_stream(wire)
    format_.retarget(wire, "other")
    format_.disown(wire)
    format_.parse_error(200, {}, body)
    format_.parse_error(500, {}, body)
    with suppress(FormatError, Unsupported):
        format_.parse_request(wire)
    with suppress(FormatError, Unsupported):
        format_.parse_response(body)


@every_format
@given(body=JUNK)
@settings(max_examples=150, deadline=None)
def test_junk_in_a_stream_is_a_format_error_or_a_well_formed_end(name: str, body: bytes) -> None:
    try:
        events = events_of(FORMATS[name], b"data: " + body + b"\n\n")
    except FormatError:
        return
    well_formed(events)


@every_format
def test_retarget_changes_the_model_and_no_other_byte(name: str) -> None:
    wire = wire_of(name, cases.TOOLS)
    new = FORMATS[name].retarget(wire, "another-model-2")
    assert FORMATS[name].model_of(new) == "another-model-2"
    assert FORMATS[name].retarget(new, cases.TOOLS.model) == wire


@every_format
def test_disown_leaves_foreign_bytes_alone(name: str) -> None:
    wire = wire_of(name, cases.TOOLS)
    assert FORMATS[name].disown(wire) is wire


@every_format
def test_foreign_reasoning_comes_back_with_its_signature_and_is_disowned(name: str) -> None:
    format_ = FORMATS[name]
    signature = hub.Signature("c2lnbmVk", "somewhere-else")
    answer = replace(cases.THINKING_ANSWER, parts=(hub.Thinking("Hm.", signature), *cases.CALLS_ANSWER.parts))
    body = format_.render_response(answer, cases.PLAIN, [])
    if PREFIX.encode() not in body:
        pytest.skip("this format has no opaque field for reasoning")
    said = [part for part in format_.parse_response(body).parts if isinstance(part, hub.Thinking | hub.ToolCall)]
    assert signature in [part.signature for part in said]
    wire = WireRequest(body=orjson.dumps({"model": "m", "messages": [], "x": wrap(signature, name)}))
    format_.disown(wire)


# ── cut ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@every_pair
def test_cut_at_every_byte_ends_with_an_error_or_whole(client: str, upstream: str) -> None:
    data = stream_of(FORMATS[upstream], unfold(cases.THINKING_ANSWER))
    step = max(1, len(data) // 150)
    for length in range(0, len(data) + 1, step):
        joined = bridge(client, upstream)
        joined.request(wire_of(client, ASKED), "a-model")
        out = joined.feed(data[:length], "text/event-stream") + joined.close()
        if joined.failure is not None:
            out += joined.fail(joined.failure)
        assert joined.finished or joined.failure is not None
        events = events_of(FORMATS[client], out)
        assert isinstance(events[-1], hub.Failed if joined.failure else hub.Finished), (length, events[-1])
        if client != upstream:
            well_formed(events)


@every_pair
def test_end_is_said_once(client: str, upstream: str) -> None:
    joined = bridge(client, upstream)
    joined.request(wire_of(client, ASKED), "a-model")
    joined.feed(stream_of(FORMATS[upstream], unfold(cases.TEXT_ANSWER)), "text/event-stream")
    joined.close()
    assert joined.close() == b""
    assert joined.fail(hub.Failure("server", "too late")) == b""


# ── passthrough ─────────────────────────────────────────────────────────────────────────────────────────────────────


@every_format
@given(
    chunks=st.lists(st.one_of(JUNK, st.binary(max_size=30)), max_size=6),
    content_type=st.sampled_from(["", "text/event-stream", "application/json", "text/html"]),
)
@settings(max_examples=100, deadline=None)
def test_passthrough_changes_no_byte_whatever_comes(name: str, chunks: list[bytes], content_type: str) -> None:
    joined = bridge(name, name)
    wire = WireRequest(path="/x", body=b"\x00not json")
    assert joined.request(wire, None) == wire
    out = b"".join([joined.feed(chunk, content_type) for chunk in chunks]) + joined.close()
    assert b"".join(chunks).startswith(out)
    if joined.failure is None or joined.manner != "events":
        assert out == b"".join(chunks)


@every_format
@every_answer
def test_passthrough_learns_usage_and_stop_on_the_side(name: str, answer: hub.Response) -> None:
    data = stream_of(FORMATS[name], unfold(answer))
    joined = bridge(name, name)
    joined.request(wire_of(name, ASKED), None)
    out = b"".join(joined.feed(data[i : i + 7], "text/event-stream") for i in range(0, len(data), 7)) + joined.close()
    assert out == data
    assert joined.stop is not None
    assert joined.stop.reason == answer.stop.reason
    assert (joined.usage.input, joined.usage.output) == (answer.usage.input, answer.usage.output)
    assert joined.finished
    assert joined.meaningful
    assert joined.failure is None


# ── matrix ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@every_pair
@every_request
def test_request_crosses(client: str, upstream: str, request_: hub.Request) -> None:
    wire = bridge(client, upstream).request(wire_of(client, request_), "other-model")
    there = FORMATS[upstream].parse_request(wire)
    assert there.model == "other-model"
    assert cases.conversation(there) == cases.conversation(request_)
    assert [m.role for m in there.messages if m.role in {"system", "developer"}] == [
        m.role for m in request_.messages if m.role == "system"
    ]
    assert [tool.name for tool in there.tools if isinstance(tool, hub.Tool)] == [
        tool.name for tool in request_.tools if isinstance(tool, hub.Tool)
    ]
    calls = [part.id for m in there.messages for part in m.parts if isinstance(part, hub.ToolCall)]
    results = [part.call_id for m in there.messages for part in m.parts if isinstance(part, hub.ToolResult)]
    assert calls == results


@every_pair
@every_answer
@pytest.mark.parametrize("upstream_streams", [True, False], ids=["from stream", "from whole"])
@pytest.mark.parametrize("client_streams", [True, False], ids=["to stream", "to whole"])
def test_answer_crosses(
    client: str, upstream: str, answer: hub.Response, upstream_streams: bool, client_streams: bool
) -> None:
    if client == upstream and upstream_streams != client_streams:
        pytest.skip("a passthrough does not fold")
    joined = bridge(client, upstream)
    joined.request(wire_of(client, replace(cases.TOOLS, stream=client_streams)), "a-model")
    source = FORMATS[upstream]
    if upstream_streams:
        data, kind = stream_of(source, unfold(answer)), "text/event-stream"
    else:
        data, kind = source.render_response(answer, cases.PLAIN, []), "application/json"
    out = b"".join(joined.feed(data[i : i + 50], kind) for i in range(0, len(data), 50)) + joined.close()
    assert joined.failure is None
    assert joined.streaming is client_streams
    target = FORMATS[client]
    back = folded(events_of(target, out)) if client_streams else target.parse_response(out)
    assert cases.said(back.parts) == cases.said(answer.parts)
    assert back.stop.reason == answer.stop.reason
    assert (back.usage.input, back.usage.output) == (answer.usage.input, answer.usage.output)
    assert joined.usage.output == answer.usage.output
    assert joined.meaningful
    assert joined.finished


@every_pair
@pytest.mark.parametrize("failure", cases.FAILURES.values(), ids=cases.FAILURES)
def test_error_crosses(client: str, upstream: str, failure: hub.Failure) -> None:
    sent = FORMATS[upstream].render_error(failure)
    joined = bridge(client, upstream)
    joined.request(wire_of(client, ASKED), "a-model")
    answer = joined.error(sent.status, sent.headers, sent.body)
    back = FORMATS[client].parse_error(answer.status, answer.headers, answer.body)
    assert back is not None
    assert joined.failure is not None
    assert alike(joined.failure.kind, failure.kind)
    assert alike(back.kind, failure.kind)
    assert failure.message in back.message


@every_pair
def test_html_instead_of_an_answer_is_a_failure(client: str, upstream: str) -> None:
    joined = bridge(client, upstream)
    joined.request(wire_of(client, ASKED), "a-model")
    joined.feed(b"<!doctype html><html>Sign in</html>", "text/html")
    joined.close()
    assert joined.failure is not None
    assert not joined.meaningful


@every_pair
def test_empty_answer_is_a_failure(client: str, upstream: str) -> None:
    joined = bridge(client, upstream)
    joined.request(wire_of(client, ASKED), "a-model")
    joined.close()
    assert joined.failure is not None


@every_pair
def test_calls_of_an_answer_pair_with_the_results_of_the_next_request(client: str, upstream: str) -> None:
    """Whatever ids an upstream makes up, the client's next request must pair there."""
    joined = bridge(client, upstream)
    joined.request(wire_of(client, replace(cases.PLAIN, tools=cases.TOOLS.tools, stream=True)), "a-model")
    out = joined.feed(stream_of(FORMATS[upstream], unfold(cases.CALLS_ANSWER)), "text/event-stream") + joined.close()
    answer = folded(events_of(FORMATS[client], out))
    results = [
        hub.ToolResult(part.id, (hub.Text(part.name),), name=part.name)
        for part in answer.parts
        if isinstance(part, hub.ToolCall)
    ]
    following = replace(
        cases.PLAIN,
        tools=cases.TOOLS.tools,
        messages=(
            *cases.PLAIN.messages,
            hub.Message("assistant", answer.parts),
            hub.Message("user", tuple(results)),
        ),
    )
    again = bridge(client, upstream)
    there = FORMATS[upstream].parse_request(again.request(wire_of(client, following), "a-model"))
    calls = [(part.id, part.name) for m in there.messages for part in m.parts if isinstance(part, hub.ToolCall)]
    given_back = [
        (part.call_id, part.parts[0].text)
        for m in there.messages
        for part in m.parts
        if isinstance(part, hub.ToolResult) and isinstance(part.parts[0], hub.Text)
    ]
    assert calls == given_back
