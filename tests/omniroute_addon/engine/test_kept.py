"""Kept answers: age, number, size, and the manner in which they are told."""

from dataclasses import replace

import orjson
import pytest

from omniroute_addon.engine.kept import Answers, Kept, told_again
from tests.servers import answers
from translators import WireRequest

ONE = Kept("a", "whole", "openai-chat", "application/json", b"x" * 488, False, 100.0, "up/m")
"""1,000 bytes."""


def kept(**limits: float) -> Answers:
    found = Answers()
    found.limit(**({"ttl": 10, "max_entries": 3, "max_bytes": 10_000, "now": 100} | limits))  # type: ignore[arg-type]
    return found


def test_an_answer_is_given_until_it_is_old() -> None:
    found = kept()
    assert found.put(ONE, 100)
    assert found.get("a", 109.9) is ONE
    assert found.get("b", 100) is None
    assert found.get("a", 110) is None
    assert (len(found), found.bytes) == (0, 0)


def test_a_clock_that_was_set_back_makes_answers_old() -> None:
    found = kept()
    found.put(ONE, 100)
    assert found.get("a", 50) is None


def test_the_least_recently_used_goes_first_by_number_and_by_size() -> None:
    dropped: list[str] = []
    found = Answers(dropped.append)
    found.limit(10, 2, 10_000, 100)
    for key in "ab":
        found.put(replace(ONE, key=key), 100)
    found.get("a", 100)
    found.put(replace(ONE, key="c"), 100)
    assert [one.key for one in found] == ["a", "c"]
    found.limit(10, 2, 1_500, 100)
    assert ([one.key for one in found], found.bytes, dropped, found.evicted) == (["c"], 1_000, ["b", "a"], 2)


def test_what_is_larger_than_all_room_is_not_kept() -> None:
    found = kept(max_bytes=999)
    assert not found.put(ONE, 100)
    assert len(found) == 0


def test_the_same_key_is_replaced() -> None:
    found = kept()
    found.put(ONE, 100)
    found.put(replace(ONE, body=b""), 101)
    assert (len(found), found.bytes) == (1, 512)


def test_no_time_to_live_forgets_all() -> None:
    found = kept()
    found.put(ONE, 100)
    found.limit(0, 3, 10_000, 100)
    assert len(found) == 0


@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat", "openai-responses"])
def test_an_answer_in_another_manner_says_the_same(form: str) -> None:
    said = answers.Answer(pieces=("Hel", "lo"), calls=(answers.Call("call_1", "now", '{"a":1}'),))
    whole = answers.whole(form, said, "m")
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "input": "Hi"}
    one = replace(ONE, format=form, body=whole)
    stream = told_again(one, WireRequest("POST", "/", "", {}, orjson.dumps(body | {"stream": True})), "stream")
    assert stream is not None
    assert stream[1] == "text/event-stream"
    back = told_again(
        replace(one, body=stream[0], content_type=stream[1], manner="stream"),
        WireRequest("POST", "/", "", {}, orjson.dumps(body)),
        "whole",
    )
    assert back is not None
    again, first = orjson.loads(back[0]), orjson.loads(whole)
    key = {"anthropic-messages": "content", "openai-chat": "choices", "openai-responses": "output"}[form]
    assert len(again[key]) == len(first[key])
    assert b"Hello" in back[0]
    assert b"now" in back[0]


def test_an_answer_that_cannot_be_told_otherwise_is_not_told() -> None:
    wire = WireRequest("POST", "/", "", {}, b'{"model":"m","stream":true,"messages":[]}')
    assert told_again(replace(ONE, body=b"{}"), wire, "stream") is None
    assert told_again(ONE, replace(wire, body=b"5"), "stream") is None
    assert told_again(ONE, wire, "whole") == (ONE.body, ONE.content_type)
