"""JSON reads that forgive."""

import pytest

from translators.errors import FormatError
from translators.formats.openai_chat.values import arguments_text, dump, integer, invented_id, load_object


def test_half_a_surrogate_pair_goes_there_and_back() -> None:
    body = b'{"a":"\\ud83d"}'
    assert dump(load_object(body, "body")) == body


@pytest.mark.parametrize("body", ["", "{", "[]", "[" * 100_000])
def test_what_is_no_object_is_refused_with_its_place(body: str) -> None:
    with pytest.raises(FormatError, match="body"):
        load_object(body, "body")


@pytest.mark.parametrize("value, expected", [(3, 3), (3.0, 3), (3.5, None), (True, None), ("3", None), (None, None)])
def test_integers(value: float | str | None, expected: int | None) -> None:
    assert integer({"n": value}, "n") == expected


def test_arguments_that_are_an_object_become_json() -> None:
    assert arguments_text({"a": [1]}) == '{"a":[1]}'


def test_invented_ids_depend_on_everything_that_is_known() -> None:
    assert invented_id("a", 0) == invented_id("a", 0) != invented_id("a", 1)
