"""How an answer comes is told by its first bytes."""

import pytest

from tests import hub_cases as cases
from translators import FORMATS, hub
from translators.answer import MAX_TOLD, Answer
from translators.fold import unfold

CHAT = FORMATS["openai-chat"]


@pytest.mark.parametrize(
    "first, content_type, kind",
    [
        (b'{"a":', "text/event-stream", "whole"),
        (b"[{", "application/json", "array"),
        (b"data: {", "application/json", "events"),
        (b" \n", "application/json", "unknown"),
        (b"oops", "application/json; charset=utf-8", "whole"),
        (b"<html>", "", "whole"),
    ],
)
def test_the_first_bytes_decide_and_the_content_type_where_they_say_nothing(
    first: bytes, content_type: str, kind: str
) -> None:
    answer = Answer(FORMATS["gemini"])
    answer.feed(first, content_type)
    assert answer.kind == kind


@pytest.mark.parametrize("aside", [False, True])
@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"gemini-cli", "antigravity"}))
def test_what_came_before_a_broken_event_counts_however_the_bytes_are_cut(name: str, aside: bool) -> None:
    renderer = FORMATS[name].stream_renderer(cases.TOOLS, [])
    said = b"".join([renderer.render(event) for event in unfold(cases.TEXT_ANSWER)[:3]])
    data = said + b"data: {\n\n" + said
    at_once, in_bytes = Answer(FORMATS[name], aside=aside), Answer(FORMATS[name], aside=aside)
    events = at_once.feed(data, "text/event-stream")
    assert events
    assert events == [event for byte in data for event in in_bytes.feed(bytes([byte]), "text/event-stream")]
    assert at_once.broken == in_bytes.broken
    assert at_once.broken is not None


def test_what_came_before_a_broken_element_of_an_array_counts() -> None:
    answer = Answer(FORMATS["gemini"])
    chunk = b'{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]}'
    assert answer.feed(b"[" + chunk + b",oops", "application/json")
    assert answer.broken is not None


def test_an_empty_answer_is_cut() -> None:
    (event,) = Answer(CHAT).close()
    assert "empty answer" in str(event)


def _told(chunk: bytes) -> list[str]:
    answer = Answer(CHAT)
    events = [event for piece in chunk.split(b"|") for event in answer.feed(piece, "text/event-stream")]
    deltas = [event.delta for event in events if isinstance(event, hub.PartDelta)]
    return [delta.text for delta in deltas if isinstance(delta, hub.TextDelta)]


def _word(text: str) -> bytes:
    return b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % text.encode()


def test_texts_that_come_together_are_told_together_and_those_that_come_apart_apart() -> None:
    assert _told(b"".join(map(_word, "abcd")) + b"|" + _word("e") + b"|" + _word("f") + _word("g")) == [
        *("a", "b", "cd"),  # the first begins the text, the second is what the others are compared with
        *("e", "fg"),
    ]


def test_what_is_told_together_stays_short_enough_for_clients_that_read_by_lines() -> None:
    told = _told(_word("word " * 200) * 200)
    assert max(map(len, told)) <= MAX_TOLD
    assert "".join(told) == "word " * 40_000
