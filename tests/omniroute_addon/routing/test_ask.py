"""What is read out of a request's body."""

import orjson
import pytest

from omniroute_addon.routing import BodyFacts
from translators import WireRequest

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
MESSAGES = [{"role": "user", "content": "hello"}]


def facts(body: object, headers: dict[str, str] | None = None, form: str = "anthropic-messages") -> BodyFacts:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return BodyFacts(form, WireRequest("POST", "/v1/messages", "", {}, content), headers or {})


def claude(**more: object) -> dict[str, object]:
    return {"model": "m", "max_tokens": 9, "messages": MESSAGES, **more}


def test_features_are_found_wherever_they_stand() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    found = facts(
        claude(
            messages=[*MESSAGES, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}],
            tools=[{"name": "f", "input_schema": {"type": "object"}}],
            thinking={"type": "enabled", "budget_tokens": 2000},
            stream=True,
        )
    )
    assert found.has == {"images", "tools", "tool-results", "thinking", "stream"}


def test_tokens_and_the_output_bound() -> None:
    found = facts(claude(messages=[{"role": "user", "content": "x" * 4000}]))
    assert 900 < found.tokens < 1200
    assert (found.max_output, found.at_most >= found.tokens) == (9, True)


def test_a_body_that_cannot_be_read_has_no_features() -> None:
    found = facts(b"{")
    assert (found.has, found.session, found.max_output) == (frozenset(), None, None)


@pytest.mark.parametrize(
    "headers, more, session",
    [
        ({"x-claude-code-session-id": "s1"}, {"metadata": {"user_id": "u"}}, "s1"),
        ({}, {"metadata": {"user_id": '{"device_id":"d","session_id":"s2"}'}}, "s2"),
        ({}, {"metadata": {"user_id": "user_1_account_2_session_s3"}}, "s3"),
        ({}, {"metadata": {"sessionId": "s4"}}, "s4"),
        ({}, {"prompt_cache_key": "s5"}, "s5"),
        ({"session-id": "s6"}, {}, "s6"),
        ({}, {"request": {"session_id": "s7"}}, "s7"),
    ],
)
def test_a_session_is_what_the_client_calls_it(headers: dict[str, str], more: dict[str, object], session: str) -> None:
    assert facts(claude(**more), headers).session == session


def test_without_an_id_a_growing_conversation_is_one_session() -> None:
    def system(cch: str) -> list[object]:
        return [{"type": "text", "text": f"x-anthropic-billing-header: cch={cch};"}, {"type": "text", "text": "agent"}]

    longer = [*MESSAGES, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "more"}]
    first, later = facts(claude(system=system("a1b2"))), facts(claude(system=system("c3d4"), messages=longer))
    assert first.session == later.session


def test_another_beginning_is_another_session() -> None:
    assert facts(claude()).session != facts(claude(messages=[{"role": "user", "content": "bye"}])).session
