"""JSON that orjson alone would refuse or change."""

import pytest

from translators import jsonvalue
from translators.errors import FormatError


@pytest.mark.parametrize("text", ['"\\ud83d"', "18446744073709551617", "[" * 254 + "]" * 254, '{"a":[1.5,null,"é"]}'])
def test_what_is_read_is_written_again(text: str) -> None:
    value = jsonvalue.read(text, "x")
    assert jsonvalue.read(jsonvalue.write(value), "x") == value


@pytest.mark.parametrize(
    "text",
    ["NaN", "[Infinity]", "1e999", "-1e999", "", "{", "[" * 255 + "]" * 255, "[" * 5000 + "]" * 5000, "9" * 5000],
)
def test_what_could_not_be_written_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="the body"):
        jsonvalue.read(text.encode(), "the body")


@pytest.mark.parametrize("levels", [255, 900, 100_000])
@pytest.mark.parametrize("leaf", ["", '"]]]]"', '"\\ud83d"'])
def test_what_is_nested_too_deep_is_said_in_words_with_its_place(levels: int, leaf: str) -> None:
    text = '{"tools": "[[[[", "schema": ' + "[" * levels + leaf + "]" * levels + "}"
    with pytest.raises(
        FormatError, match=r"the body is nested more than 254 levels deep at byte 281.* send it as a string"
    ):
        jsonvalue.read(text, "the body")


def test_a_long_integer_keeps_every_digit() -> None:
    assert jsonvalue.read(b"[123456789012345678901]", "x") == [123456789012345678901]


def test_half_an_emoji_in_a_string_value_is_kept() -> None:
    assert jsonvalue.read('"a\\ud83d"', "x") == "a\ud83d"


def test_the_fault_is_whose_the_caller_says() -> None:
    with pytest.raises(FormatError) as caught:
        jsonvalue.read(b"<html>", "the answer", 502)
    assert caught.value.status_hint == 502
