"""Reasoning details: what proves something becomes a signature and returns unchanged."""

import json

from translators import hub
from translators.formats.openai_chat.reasoning import (
    Details,
    client_details,
    parse_thinking,
    spoken,
    upstream_details,
)

SIGNED: list[dict[str, hub.JSON]] = [{"type": "reasoning.text", "text": "a", "signature": "s", "index": 0}]


def _merged(pieces: list[dict[str, hub.JSON]]) -> list[dict[str, hub.JSON]]:
    details = Details()
    for piece in pieces:
        details.add([piece])
    return details.take()


def test_pieces_of_one_index_are_joined() -> None:
    pieces: list[dict[str, hub.JSON]] = [
        {"type": "reasoning.text", "text": "a", "index": 0},
        {"type": "reasoning.text", "text": "b", "index": 0, "signature": None},
        {"type": "reasoning.text", "signature": "s", "index": 0},
    ]
    assert _merged(pieces) == [{"type": "reasoning.text", "text": "ab", "signature": "s", "index": 0}]


def test_pieces_without_an_index_are_not() -> None:
    pieces: list[dict[str, hub.JSON]] = [{"type": "reasoning.text", "text": "a", "index": None} for _ in range(2)]
    assert _merged(pieces) == pieces


def test_what_was_taken_does_not_come_again() -> None:
    details = Details()
    details.add([{"type": "reasoning.text", "text": "a", "index": 0}])
    details.take()
    assert not details
    details.add([{"type": "reasoning.text", "text": "b", "index": 0}])
    assert details.take() == [{"type": "reasoning.text", "text": "b", "index": 0}]


def test_pieces_of_different_indexes_are_not() -> None:
    pieces: list[dict[str, hub.JSON]] = [{"type": "reasoning.text", "text": "a", "index": index} for index in range(2)]
    assert _merged(pieces) == pieces


def test_summaries_are_readable() -> None:
    assert spoken({"reasoning_details": [{"type": "reasoning.summary", "summary": "a"}]}) == "a"


def test_signed_details_return_to_the_upstream_unchanged() -> None:
    thinking = parse_thinking({"reasoning_details": [*SIGNED]})
    assert thinking is not None
    assert upstream_details([thinking]) == SIGNED


def test_a_foreign_signature_never_reaches_an_upstream() -> None:
    assert upstream_details([hub.Thinking("a", hub.Signature("s", "gemini"))]) == []


def test_a_foreign_signature_comes_back_from_the_client() -> None:
    signature = hub.Signature("s", "gemini")
    details = client_details([hub.Thinking("a", signature)])
    assert parse_thinking({"reasoning_content": "a", "reasoning_details": details}) == hub.Thinking("a", signature)


def test_a_signature_that_is_no_list_is_not_sent() -> None:
    values = ["x", json.dumps({"a": 1})]
    assert [upstream_details([hub.Thinking("", hub.Signature(value, "openai-chat"))]) for value in values] == [[], []]
