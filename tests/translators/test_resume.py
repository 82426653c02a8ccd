"""The seam of two texts, and what an upstream that goes on is asked."""

import json
from typing import Any

import pytest

from tests.servers.answers import Answer, Call, events
from translators import WireRequest, hub
from translators.format import Profile
from translators.resume import ORDER, Resumable, Seam, resumable, together

FORMATS = ("anthropic-messages", "openai-chat", "openai-responses", "gemini")


def joined(told: str, rest: str, *, whole_words: bool = True, piece: int = 1) -> str:
    seam = Seam(told, whole_words=whole_words)
    said = "".join(seam.add(rest[at : at + piece]) for at in range(0, len(rest), piece))
    return told + said + seam.rest()


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize(
    "told, rest, whole",
    [
        ("Hello ", "world", "Hello world"),
        ("Hello", " world", "Hello world"),
        ("Hello ", " world", "Hello world"),
        ("one\n", "\n\ntwo", "one\n\ntwo"),
        ("The quick brown fox", " quick brown fox jumps", "The quick brown fox jumps"),
        ("The quick brown fox ", "The quick brown fox jumps", "The quick brown fox jumps"),
        ("a quick bro", "brown fox", "a quick brown fox"),
        ("very ", "very good", "very very good"),
        ("[0, 0, 0, 0,", " 0, 0, 0, 1]", "[0, 0, 0, 0, 0, 0, 0, 1]"),
        ("    }\n    }\n", "    }\n}", "    }\n    }\n    }\n}"),
        ("the end", "", "the end"),
        ("the end", "   ", "the end   "),
        ("Wörter über ", "über alles", "Wörter über über alles"),
    ],
)
def test_only_a_repetition_that_cannot_be_meant_is_left_out(told: str, rest: str, whole: str, piece: int) -> None:
    assert joined(told, rest, piece=piece) == whole


def test_a_model_that_goes_on_with_its_own_turn_does_not_begin_a_word_anew() -> None:
    assert joined("the ban", "banana", whole_words=False) == "the banbanana"


def test_nothing_waits_longer_than_the_comparison_needs() -> None:
    assert Seam("The quick brown fox", whole_words=True).add(" jumps") == " jumps"


def asked(form: str, **more: Any) -> WireRequest:
    body: dict[str, Any] = {"model": "m", "max_tokens": 100, "stream": True, **more}
    match form:
        case "gemini":
            document = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **more}
            return WireRequest(
                "POST", "/v1beta/models/m:streamGenerateContent", "alt=sse", {}, json.dumps(document).encode()
            )
        case "openai-responses":
            body = {"model": "m", "input": "hi", "stream": True, **more}
            return WireRequest("POST", "/v1/responses", "", {}, json.dumps(body).encode())
        case _:
            body["messages"] = [{"role": "user", "content": "hi"}]
            return WireRequest("POST", "/v1/x", "", {}, json.dumps(body).encode())


def begun(form: str, answer: Answer, until: str, wire: WireRequest | None = None) -> Resumable:
    """A bridge whose upstream has broken off before the event that says ``until``."""
    wire = wire or asked(form)
    bridge = resumable(form, form, profile=Profile(), memory=None, wire=wire)
    assert bridge is not None
    assert bridge.request(wire).body == wire.body
    for event in events(form, answer, "m"):
        if until.encode() in event:
            break
        bridge.feed(event, "text/event-stream")
    bridge.suspend(hub.Failure("cut", "gone"))
    return bridge


TALK = Answer(pieces=("Hello ", "there ", "STOP"))


def continued(past: Resumable, form: str, upstream: str, profile: Profile, *, prefill: bool = True, **more: Any) -> Any:
    bridge = resumable(
        form, upstream, profile=profile, memory=None, wire=asked(form, **more), after=past, prefill=prefill
    )
    assert bridge is not None
    return json.loads(bridge.request(asked(form, **more), "other").body)


def test_an_anthropic_model_goes_on_with_the_last_turn() -> None:
    body = continued(begun("openai-chat", TALK, "STOP"), "openai-chat", "anthropic-messages", Profile())
    assert body["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "Hello there"}]}


def test_a_gemini_model_goes_on_with_the_last_turn() -> None:
    body = continued(begun("openai-chat", TALK, "STOP"), "openai-chat", "gemini", Profile())
    assert body["contents"][-1] == {"role": "model", "parts": [{"text": "Hello there"}]}


@pytest.mark.parametrize("word", ["prefix", "partial"])
def test_a_chat_provider_goes_on_where_its_profile_says_how(word: Any) -> None:
    profile = Profile(prefill=word)
    body = continued(begun("openai-chat", TALK, "STOP"), "openai-chat", "openai-chat", profile)
    assert body["messages"][-1] == {"role": "assistant", "content": "Hello there", word: True}


@pytest.mark.parametrize("form", ["openai-chat", "openai-responses"])
def test_others_are_told_in_a_turn_of_the_user(form: str) -> None:
    body = continued(begun(form, TALK, "STOP"), form, form, Profile())
    assert "Hello there" in json.dumps(body)
    assert ORDER in json.dumps((body.get("messages") or body["input"])[-1])


def test_a_model_that_thinks_or_has_refused_gets_the_order_too() -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 50}}
    for more, prefill, profile in (
        (thinking, True, Profile()),
        ({}, False, Profile()),
        ({}, True, Profile(prefill="none")),
        ({}, True, Profile(thinking_budgets=False)),
    ):
        past = begun("anthropic-messages", TALK, "STOP")
        body = continued(past, "anthropic-messages", "anthropic-messages", profile, prefill=prefill, **more)
        assert [one["role"] for one in body["messages"]] == ["user", "assistant", "user"]


def test_who_goes_on_may_say_what_is_left() -> None:
    past = begun("anthropic-messages", Answer(pieces=("x" * 200, "STOP")), "STOP")
    assert continued(past, "anthropic-messages", "openai-chat", Profile())["max_tokens"] == 50


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_gone_on_with_behind_a_tool_call(form: str) -> None:
    answer = Answer(pieces=("Hello ",), calls=(Call("call_1", "write", '{"first": 11111, "other": 22222}'),))
    end = "finishReason" if form == "gemini" else "22222"
    for until in (end, "nothing"):
        past = begun(form, answer, until)
        assert not past.continuable


def test_nothing_is_gone_on_with_inside_structured_output() -> None:
    wire = asked("openai-chat", response_format={"type": "json_object"})
    assert not begun("openai-chat", TALK, "STOP", wire).continuable
    assert begun("openai-chat", TALK, "Hello", wire).continuable


def test_several_answers_or_a_whole_one_are_left_alone() -> None:
    for wire in (asked("openai-chat", n=2), asked("openai-chat", stream=False), WireRequest(body=b"{")):
        assert resumable("openai-chat", "openai-chat", profile=Profile(), memory=None, wire=wire) is None


@pytest.mark.parametrize("form", ["anthropic-messages", "openai-chat", "openai-responses", "gemini"])
def test_an_answer_that_broke_off_in_its_reasoning_begins_anew_behind_it(form: str) -> None:
    past = begun(form, Answer(pieces=("STOP",), thinking="Let me see"), "STOP")
    assert past.continuable
    bridge = resumable(form, form, profile=Profile(), memory=None, wire=asked(form), after=past)
    assert bridge is not None
    request = bridge.request(asked(form))
    assert ORDER.encode() not in request.body
    said = b"".join(
        bridge.feed(one, "text/event-stream") for one in events(form, Answer(("Yes",), thinking="Again"), "m")
    )
    said += bridge.close()
    assert b"Again" in said
    assert b"Yes" in said
    assert bridge.finished


def test_a_failure_is_told_when_nobody_goes_on() -> None:
    past = begun("anthropic-messages", TALK, "STOP")
    said = past.fail(hub.Failure("cut", "gone"))
    assert said.startswith(b"event: content_block_stop")
    assert b"event: error" in said
    assert past.fail(hub.Failure("cut", "gone")) == b""


def test_usage_is_added_up_and_what_nobody_reported_stays_unknown() -> None:
    one, other = hub.Usage(3, 4, cache_read=1), hub.Usage(10, None, estimated=True)
    assert together(one, other) == hub.Usage(13, 4, cache_read=1, estimated=True)
