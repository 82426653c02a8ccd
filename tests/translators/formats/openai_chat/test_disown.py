"""Requests that go on unparsed lose the reasoning that we marked, and nothing else."""

import json

from translators import hub
from translators.format import WireRequest
from translators.formats.openai_chat import OpenAIChat
from translators.signatures import PREFIX, wrap


def _wire(body: bytes) -> WireRequest:
    return WireRequest(path="/v1/chat/completions", body=body)


def test_disown_returns_a_request_without_our_marks_itself() -> None:
    wire = _wire(b'{"messages":[{"role":"assistant","reasoning_content":"x"}]}')
    assert OpenAIChat().disown(wire) is wire


def test_disown_takes_out_the_reasoning_of_another_format() -> None:
    mark = wrap(hub.Signature("sig", "anthropic-messages"), "openai-chat")
    message = {
        "role": "assistant",
        "content": "Hi",
        "reasoning_content": "x",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": mark}],
        "tool_calls": [{"id": "c", "extra_content": {"google": {"thought_signature": mark}}}],
    }
    body = json.loads(OpenAIChat().disown(_wire(json.dumps({"messages": [message]}).encode())).body)
    assert body["messages"] == [{"role": "assistant", "content": "Hi", "tool_calls": [{"id": "c"}]}]


def test_disown_leaves_a_mark_in_plain_text_alone() -> None:
    wire = _wire(json.dumps({"messages": [{"role": "user", "content": PREFIX}]}).encode())
    assert OpenAIChat().disown(wire) is wire


def test_disown_keeps_a_body_that_cannot_be_read() -> None:
    wire = _wire(b"{" + PREFIX.encode())
    assert OpenAIChat().disown(wire) is wire
