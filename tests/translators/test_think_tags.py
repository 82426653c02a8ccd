"""Reasoning that stands as a tag at the start of the text."""

import json

import pytest

from translators import hub
from translators.bridge import bridge
from translators.fold import Fold, unfold
from translators.format import Profile, WireRequest
from translators.think_tags import TagSplitter, ThinkTags


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


@pytest.mark.parametrize("word", ["thinking", "thought", "antThinking", "internal_thought"])
def test_the_other_words_for_it_are_known(word: str) -> None:
    assert _split(f"<{word}>a</{word}>b") == ("a", "b")


def test_another_tag_does_not_close_it() -> None:
    assert _split("<thinking>a</think>b</thinking>c") == ("a</think>b", "c")


def _parts(*parts: hub.AnswerPart) -> tuple[hub.AnswerPart, ...]:
    fold = Fold()
    for event in TagSplitter().split(unfold(hub.Response("r", "m", parts, hub.Stop("end")))):
        fold.add(event)
    return fold.response().parts


def test_an_answer_gets_a_part_of_reasoning() -> None:
    assert _parts(hub.Text("<think>a</think>b"), hub.ToolCall("c", "f", "{}")) == (
        hub.Thinking("a"),
        hub.Text("b"),
        hub.ToolCall("c", "f", "{}"),
    )


def test_reasoning_alone_leaves_no_empty_text() -> None:
    assert _parts(hub.Text("<think>a</think>")) == (hub.Thinking("a"),)


def test_citations_stay_with_the_text() -> None:
    cited = hub.Text("<think>a</think>b", (hub.Citation("https://example.org"),))
    assert _parts(cited) == (hub.Thinking("a"), hub.Text("b", cited.citations))


@pytest.mark.parametrize(
    "parts",
    [
        (hub.Text("b"),),
        (hub.Text(""),),
        (hub.Thinking("a"), hub.Text("<think>b</think>")),
        (hub.ToolCall("c", "f", "{}"), hub.Text("<think>b</think>")),
        (hub.Text("a"), hub.Text("<think>b</think>")),
        (),
    ],
)
def test_an_answer_without_a_tag_at_its_start_stays(parts: tuple[hub.AnswerPart, ...]) -> None:
    assert _parts(*parts) == parts


def _answer(profile: Profile) -> list[str]:
    joined = bridge("anthropic-messages", "openai-chat", profile=profile)
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    joined.request(WireRequest(body=json.dumps(asked).encode()))
    choice = {"index": 0, "message": {"content": "<think>a</think>b"}, "finish_reason": "stop"}
    said = joined.feed(json.dumps({"id": "r", "model": "m", "choices": [choice]}).encode(), "application/json")
    return [block["type"] for block in json.loads(said + joined.close())["content"]]


def test_tags_are_reasoning_only_where_the_profile_says_so() -> None:
    assert _answer(Profile(think_tags=True)) == ["thinking", "text"]
    assert _answer(Profile()) == ["text"]


def test_white_space_that_never_ends_is_held_until_something_follows() -> None:
    assert _split("<think>", "a", *([" "] * 500), "b</think>", *(["\n"] * 500), "c") == (f"a{' ' * 500}b", "c")
    assert _split(*([" "] * 500)) == ("", " " * 500)
