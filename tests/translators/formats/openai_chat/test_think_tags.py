"""Reasoning that stands as a tag at the start of the text."""

import pytest

from translators.formats.openai_chat.think_tags import ThinkTags


def _split(*pieces: str) -> tuple[str, str]:
    tags = ThinkTags()
    said = [one for piece in pieces for one in tags.feed(piece)] + tags.close()
    thought = "".join(one.text for one in said if one.thinking)
    return thought, "".join(one.text for one in said if not one.thinking)


WHOLE = "\n<think>\na < b </\nthink> c\n</think>\n\nHi </think> there"


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_the_tags_are_found_across_any_cut(cut: int) -> None:
    assert _split(WHOLE[:cut], WHOLE[cut:]) == ("a < b </\nthink> c", "Hi </think> there")


def test_single_characters_make_no_difference() -> None:
    assert _split(*WHOLE) == _split(WHOLE)


def test_a_tag_that_never_closes_leaves_reasoning() -> None:
    assert _split("<think>a</thi") == ("a</thi", "")


@pytest.mark.parametrize("said", ["Hi <think>a</think>", "<thing>", "<th", "  ", "\n <", ""])
def test_other_text_is_let_through_unchanged(said: str) -> None:
    assert _split(*said) == ("", said)


def test_empty_reasoning_is_none() -> None:
    assert _split("<think>\n\n</think>\n\nHi") == ("", "Hi")
