"""Bodies as turns."""

import orjson
import pytest

from omniroute_addon.web import conversation
from omniroute_addon.web.conversation import Piece, Talk, Turn, of_answer, of_request, plain_text, shortened
from translators import TranslationError

REQUEST = {
    "model": "m",
    "max_tokens": 9,
    "system": "Be brief.",
    "tools": [{"name": "read_file", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "read_file", "input": {"p": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "no", "is_error": True}]},
    ],
}


def test_a_request_is_facts_and_turns() -> None:
    talk = of_request("anthropic-messages", "/v1/messages", orjson.dumps(REQUEST))
    assert talk.facts == {"model": "m", "max_tokens": "9", "tools": "read_file"}
    assert [(turn.role, [(one.kind, one.name) for one in turn.pieces]) for turn in talk.turns] == [
        ("system", [("text", "")]),
        ("user", [("text", "")]),
        ("assistant", [("call", "read_file")]),
        ("user", [("error", "c1")]),
    ]


def test_an_answer_is_one_turn() -> None:
    body = {
        "id": "1",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    talk = of_answer("openai-chat", 200, "application/json", orjson.dumps(body))
    assert (talk.facts["input"], talk.facts["output"], plain_text(talk)) == ("3", "2", "Hello")


def test_an_error_is_a_piece() -> None:
    body = orjson.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})
    talk = of_answer("anthropic-messages", 529, "application/json", body)
    assert [(one.kind, one.text) for one in talk.turns[0].pieces] == [("error", "busy")]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff"])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(TranslationError):
        of_request("openai-chat", "/v1/chat/completions", body)


def talk(*lengths: int) -> Talk:
    """A turn for each piece."""
    turns = (Turn(role="user", pieces=(Piece(kind="text", text="x" * one),)) for one in lengths)
    return Talk(facts={}, turns=tuple(turns))


def test_a_short_conversation_is_shown_whole() -> None:
    assert shortened(talk(5, 7, 0)) == talk(5, 7, 0)
    assert shortened(Talk(facts={}, turns=(Turn(role="user", pieces=()),))).turns == (Turn(role="user", pieces=()),)


def test_of_a_long_conversation_the_end_is_shown() -> None:
    many = shortened(talk(*[1] * (conversation.MOST_PIECES + 3)))
    assert (len(many.turns), many.left_out) == (conversation.MOST_PIECES, 3)
    long = shortened(talk(10, *[conversation.LONGEST_PIECE] * 6, 1))
    assert (len(long.turns), long.left_out) == (6, 2)


def test_a_long_piece_is_cut() -> None:
    found = shortened(talk(conversation.LONGEST_PIECE + 1))
    assert (len(plain_text(found)), plain_text(found)[-1], found.left_out) == (conversation.LONGEST_PIECE + 1, "…", 0)
