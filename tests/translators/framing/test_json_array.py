"""A growing JSON array, by bytes."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators import FormatError
from translators.framing.json_array import JSONArrayDecoder

VALUES = st.recursive(
    st.none() | st.integers(-(2**53), 2**53) | st.text('ab"\\[]{},é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('k"\\{', max_size=3), inner, max_size=3),
)
ELEMENTS = st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=4)


def decoded(*chunks: bytes) -> tuple[list[bytes], bool]:
    decoder = JSONArrayDecoder()
    elements = [element for chunk in chunks for element in decoder.feed(chunk)]
    assert decoder.close() == []
    return elements, decoder.complete


@given(ELEMENTS)
def test_elements_come_out_as_they_went_in_however_split(elements: list[dict[str, object]]) -> None:
    data = orjson.dumps(elements, option=orjson.OPT_INDENT_2)
    whole, complete = decoded(data)
    assert complete
    assert [orjson.loads(element) for element in whole] == elements
    assert decoded(*(data[i : i + 1] for i in range(len(data)))) == (whole, complete)


def test_an_element_is_handed_out_when_it_ends() -> None:
    decoder = JSONArrayDecoder()
    assert decoder.feed(b'[{"a":1}') == [b'{"a":1}']
    assert not decoder.complete
    assert decoder.feed(b"\n,\r\n") == []
    assert decoder.feed(b'{"b":"}"}]') == [b'{"b":"}"}']
    assert decoder.complete


def test_a_lone_object_is_an_array_of_it() -> None:
    assert decoded(b' {"error":{}}\n') == ([b'{"error":{}}'], True)


def test_a_cut_element_is_not_handed_out() -> None:
    assert decoded(b'[{"a":1},{"b":') == ([b'{"a":1}'], False)


@pytest.mark.parametrize("data", [b"<html>", b"[1,2]", b'["x"]', b"[{}] {}", b"]", b"{}{}"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="not a JSON array of objects"):
        decoded(data)


def test_elements_before_a_breach_are_handed_out_and_the_next_call_raises() -> None:
    decoder = JSONArrayDecoder()
    assert decoder.feed(b'[{"a":1},oops') == [b'{"a":1}']
    with pytest.raises(FormatError, match="oops"):
        decoder.feed(b"")


def test_an_element_without_end_is_refused() -> None:
    decoder = JSONArrayDecoder(max_element=50)
    with pytest.raises(FormatError, match="larger than 50 bytes"):
        decoder.feed(b'[{"a":"' + b"x" * 60)
