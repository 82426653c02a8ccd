"""One member of a JSON text, every other byte untouched."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators.jsontext import MISSING, member, replace_member

ODD = b'\n{ "x" : 1.0e5,\t"s":"model", "t":{"model":"no"} , "model" : "\\u00e9" ,"z":[ ] }  '
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "a", "é"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_only_the_value_changes() -> None:
    assert replace_member(ODD, "model", "gpt-5") == ODD.replace(b'"\\u00e9"', b'"gpt-5"')


def test_value_is_read_from_the_top_level_only() -> None:
    assert member(ODD, "model") == "é"
    assert member(b'{"a":{"model":1}}', "model") is MISSING


def test_null_is_not_missing() -> None:
    assert member(b'{"model":null}', "model") is None


@given(st.dictionaries(st.sampled_from(["model", "stream", "é", "a"]), JSONS))
def test_agrees_with_a_real_parser(document: dict[str, object]) -> None:
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    assert member(body, "model") == document.get("model", MISSING)
    new = replace_member(body, "model", "new")
    if "model" not in document:
        assert new is None
    else:
        assert new is not None
        assert orjson.loads(new) == {**document, "model": "new"}


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_anything_else_is_missing_and_nothing_raises(junk: bytes) -> None:
    for body in (junk, b'{"a":' + junk, b'{"model"' + junk, b'{"model":1,' + junk):
        member(body, "model")
        replace_member(body, "model", "x")


def test_bytes_that_are_not_utf8_stay() -> None:
    body = b'{"a":"\xff\xed\xa0\x80","model":"x","b":"\xfe"}'
    assert replace_member(body, "model", "y") == body.replace(b'"x"', b'"y"')


def test_a_member_that_stands_twice_is_replaced_twice() -> None:
    body = b'{"model":"a","m":[],"model":"b"}'
    assert member(body, "model") == "b"
    assert replace_member(body, "model", "c") == b'{"model":"c","m":[],"model":"c"}'


def test_a_body_that_breaks_off_later_is_read_as_far_as_it_goes() -> None:
    assert member(b'{"model":"a","messages":[{"role":', "model") == "a"


@pytest.mark.parametrize("body", [b"", b"[]", b'"model"', b"{" * 100_000, b'{"model":' + b"[" * 100_000])
def test_bodies_that_are_no_object(body: bytes) -> None:
    assert member(body, "model") is MISSING
    assert replace_member(body, "model", "x") is None
