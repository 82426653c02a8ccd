"""One member of a JSON text, every other byte untouched."""

import json
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators import hub
from translators.jsontext import GLANCED, MISSING, Missing, edit_member, glance, member, replace_member, taken

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


# ── edit_member ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body, path, value, wanted",
    [
        (b'{"a": 1, "b": 2}', ("a",), 7, b'{"a": 7, "b": 2}'),
        (b'{"a": 1, "b": 2}', ("a",), MISSING, b'{ "b": 2}'),
        (b'{"a": 1, "b": 2}', ("b",), MISSING, b'{"a": 1}'),
        (b'{ "a": 1 }', ("a",), MISSING, b"{ }"),
        (b'{"a":1,"a":2,"x":0}', ("a",), MISSING, b'{"x":0}'),
        (b'{"a":1,"x":0,"a":2}', ("a",), MISSING, b'{"x":0}'),
        (b'{"a":1,"a":2}', ("a",), 3, b'{"a":3,"a":3}'),
        (b'{"a": 1 }', ("b",), 2, b'{"a": 1,"b":2 }'),
        (b"{}", ("b",), 2, b'{"b":2}'),
        (b'{"a": {"b": 1.0, "c": [1]}}', ("a", "b"), 2, b'{"a": {"b": 2, "c": [1]}}'),
        (b'{"a": {}}', ("a", "b"), 2, b'{"a": {"b":2}}'),
        (b'{"x":0}', ("a", "b"), 2, b'{"x":0,"a":{"b":2}}'),
        (b'{"x":0}', ("a", "b"), MISSING, b'{"x":0}'),
        (b'{"a":"text"}', ("a", "b"), 2, b'{"a":"text"}'),
        (b'{"max\\u005ftokens":1}', ("max_tokens",), 2, b'{"max\\u005ftokens":2}'),
        (b'{"a":"\\ud800"}', ("a",), ["\ud800"], b'{"a":["\\ud800"]}'),
        (b'{"a":', ("a",), 2, b'{"a":'),
        (b'{"a":1} {', ("a",), 1, b'{"a":1} {'),
        (b"[1]", ("a",), 2, b"[1]"),
        (b"\xff", ("a",), 2, b"\xff"),
    ],
)
def test_edits_one_member_and_keeps_every_other_byte(
    body: bytes, path: tuple[str, ...], value: hub.JSON | Missing, wanted: bytes
) -> None:
    assert edit_member(body, path, lambda _: value) == wanted


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), JSON_VALUES), st.sampled_from("abc"), JSON_VALUES | st.just(MISSING))
def test_an_edit_means_what_the_same_edit_of_the_value_means(
    document: dict[str, hub.JSON], name: str, value: hub.JSON | Missing
) -> None:
    edited = json.loads(edit_member(json.dumps(document).encode(), (name,), lambda _: value))
    wanted = {key: old for key, old in document.items() if key != name}
    assert edited == (wanted if value is MISSING else {**wanted, name: value})


def test_half_an_emoji_can_be_put_in() -> None:
    assert replace_member(b'{"model": "a"}', "model", "b\ud83d") == b'{"model": "b\\ud83d"}'


def test_one_body_is_parsed_once_for_all_who_look_at_it() -> None:
    body = b'{"model":"m","stream":true,"messages":[{}]}'
    whole = glance(body)
    assert glance(body) is whole
    assert (member(body, "model"), member(body, "stream"), member(body, "store")) == ("m", True, MISSING)
    assert glance(bytes(bytearray(body))) is not whole


def test_what_is_read_of_a_body_may_be_changed() -> None:
    body = b'{"messages":[{"role":"user"}]}'
    messages = member(body, "messages")
    assert isinstance(messages, list)
    messages.clear()
    assert member(body, "messages") == [{"role": "user"}]


@pytest.mark.parametrize("room", [0, GLANCED])
def test_bodies_of_any_length_are_read_alike(room: int) -> None:
    body = b'{"model":"m","n":1234567890123456789012,"text":"%s","model":"last"}' % (b"x" * room)
    assert (member(body, "model"), member(body, "n")) == ("last", 1234567890123456789012)
    whole = glance(body)
    assert isinstance(whole, dict)
    assert whole["model"] == "last"


def test_what_was_seen_of_a_body_is_taken_once_and_then_nobody_elses() -> None:
    body = b'{"messages":[{"role":"user"}]}'
    assert taken(body) is MISSING
    whole = glance(body)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(taken, body).result() is MISSING
    assert taken(body) is whole
    assert taken(body) is MISSING
    assert glance(body) is not whole
