"""Server-sent events, by bytes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators import FormatError
from translators.framing.sse import SSEDecoder, SSEEvent, encode

STREAM = b"\xef\xbb\xbf: hello\r\nevent: a\rdata: x\n\ndata: 1\ndata:2\r\n\r\nevent:lonely\n\ndata\n\nid: 7\ndata: last"
EVENTS = [SSEEvent("a", "x"), SSEEvent(None, "1\n2"), SSEEvent(None, ""), SSEEvent(None, "last")]


def decoded(*chunks: bytes) -> list[SSEEvent]:
    decoder = SSEDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.close()


def test_grammar() -> None:
    assert decoded(STREAM) == EVENTS


def test_one_byte_at_a_time() -> None:
    assert decoded(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == EVENTS


@given(st.lists(st.integers(0, len(STREAM))).map(sorted))
def test_any_split(cuts: list[int]) -> None:
    edges = [0, *cuts, len(STREAM)]
    assert decoded(*(STREAM[a:b] for a, b in pairwise(edges))) == EVENTS


def test_an_event_is_handed_out_as_soon_as_its_blank_line_is_there() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: 1\n") == []
    assert decoder.feed(b"\n") == [SSEEvent(None, "1")]
    assert decoder.close() == []


def test_empty_feeds_change_nothing() -> None:
    assert decoded(b"", b"data: 1", b"", b"\n\n", b"") == [SSEEvent(None, "1")]


@given(st.text(), st.none() | st.text("abc_.", min_size=1))
def test_what_is_encoded_is_decoded(data: str, event: str | None) -> None:
    lines = "\n".join(data.encode().decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")).removesuffix("\n")
    assert decoded(encode(data, event)) == [SSEEvent(event, lines)]


def test_an_event_without_end_is_refused() -> None:
    decoder = SSEDecoder(max_event=100)
    decoder.feed(b"data: " + b"x" * 60)
    with pytest.raises(FormatError, match="larger than 100 bytes"):
        decoder.feed(b"x" * 60)


@pytest.mark.parametrize("large", [b"data: " + b"x" * 120, b": " + b"x" * 120, b"data: 0123456789\n" * 7])
def test_an_event_too_large_is_refused_however_it_is_cut(large: bytes) -> None:
    data = b"data: 1\n\n" + large + b"\n\n"
    for size in (1, 50, len(data)):
        decoder = SSEDecoder(max_event=100)
        events: list[SSEEvent] = []
        with pytest.raises(FormatError, match="larger than 100 bytes"):
            events.extend(
                event for at in range(0, len(data) + size, size) for event in decoder.feed(data[at : at + size])
            )
        assert events == [SSEEvent(None, "1")]


def test_events_before_a_breach_are_handed_out_and_the_next_call_raises() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: 1\n\ndata: \xff\n\ndata: 2\n\n") == [SSEEvent(None, "1")]
    with pytest.raises(FormatError, match="UTF-8"):
        decoder.close()


def test_many_lines_of_one_event_count_together() -> None:
    decoder = SSEDecoder(max_event=100)
    for _ in range(6):
        decoder.feed(b"data: 0123456789\n")
    with pytest.raises(FormatError, match="larger"):
        decoder.feed(b"data: 0123456789\n")


def test_a_long_stream_of_small_events_is_no_large_event() -> None:
    decoder = SSEDecoder(max_event=100)
    assert sum(len(decoder.feed(b"data: 0123456789\n\n")) for _ in range(50)) == 50


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(FormatError, match="UTF-8"):
        decoded(b"data: \xff\n\n")


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_a_bare_object_between_events_is_one_where_it_is_wanted(cut: int) -> None:
    stream = b'data: 1\n\n{\n  "error": {}\n}\n\ndata: 2\n\n{"error":1}'
    decoder = SSEDecoder(bare=True)
    events = decoder.feed(stream[:cut]) + decoder.feed(stream[cut:]) + decoder.close()
    assert [event.data for event in events] == ["1", '{\n  "error": {}\n}', "2", '{"error":1}']
    assert [event.data for event in decoded(stream)] == ["1", "2"]
