"""Events are handed on whole, without a change and without a delay; what no client can read is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators.framing.whole_events import MAX_HELD, WholeEvents, readable

BLANKS = ("\n\n", "\r\n\r\n", "\r\r", "\n\r\n")


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_an_event_waits_for_its_end_and_not_for_another(blank: str) -> None:
    end = blank.encode()
    events = WholeEvents()
    assert events.feed(b"data: 1" + end + b"da") == b"data: 1" + end
    assert events.feed(b"ta: 2") == b""
    assert events.feed(end) == b"data: 2" + end
    assert events.close() == b""


def test_a_long_event_does_not_wait() -> None:
    events = WholeEvents()
    long = b"data: " + b"x" * MAX_HELD
    assert events.feed(long[:-6]) == b""
    assert events.feed(long[-6:]) == long
    assert events.feed(b"end") == b""
    assert events.feed(b"\n\n") == b"end\n\n"


def test_the_end_of_the_stream_brings_what_it_has_cut_off() -> None:
    events = WholeEvents()
    events.feed(b"data: 1\n\ndata: 2\n")
    assert (events.close(), events.close()) == (b"data: 2\n", b"")


@given(
    pieces=st.lists(st.sampled_from([b"data: 1", b"\n", b"\r", b"\r\n", b"\n\n", b": x", b"\x00\xff"]), max_size=40),
    cuts=st.integers(1, 5),
)
def test_no_byte_is_lost_or_changed_however_the_stream_is_cut(pieces: list[bytes], cuts: int) -> None:
    data, events = b"".join(pieces), WholeEvents()
    out = b"".join(events.feed(data[at : at + cuts]) for at in range(0, len(data), cuts))
    assert out + events.close() == data


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
@pytest.mark.parametrize(
    "good",
    ["data: {}", "data:", "data", ": nothing", "event: ping", "data: [DONE]", "id: 7", 'data: {"a":\ndata: 1}', "what"],
)
def test_the_first_event_that_is_no_json_is_found(good: str, blank: str) -> None:
    line = blank[: len(blank) // 2] if blank != "\n\r\n" else "\n"
    before = (good.replace("\n", line) + blank).encode()
    assert readable(before) == len(before)
    assert readable(before + b"data: {nonsense" + blank.encode() + before) == len(before)


def test_half_an_event_is_no_json() -> None:
    assert readable(b'data: {"a": "b') == 0
    assert readable(b'data: {"a": "b"}') == 16
