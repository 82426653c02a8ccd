"""What may be said in other words, and what may not."""

import json
from typing import Any

import pytest

from omniroute_addon.engine.wording import literals, taken_out

USER: dict[str, dict[str, Any]] = {
    "anthropic-messages": {"messages": [{"role": "user", "content": "Hi"}]},
    "openai-chat": {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]},
    "openai-responses": {"input": "Hi"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    "gemini-cli": {"contents": [{"parts": [{"text": "Hi"}]}]},
    "antigravity": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
}
PARTS: dict[str, dict[str, Any]] = {
    "anthropic-messages": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Context"}, {"type": "text", "text": "Hi"}]}]
    },
    "openai-chat": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "u"}}],
            }
        ]
    },
    "openai-responses": {
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]
    },
    "gemini": {"contents": [{"role": "user", "parts": [{"inlineData": {"data": "AA"}}, {"text": "Hi"}]}]},
}
NOBODY: list[tuple[str, Any]] = [
    ("openai-chat", {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "So"}]}),
    ("openai-chat", {"messages": [{"role": "tool", "content": "Hi"}]}),
    ("openai-chat", {"messages": []}),
    ("openai-chat", {"messages": "Hi"}),
    ("openai-chat", {"messages": ["Hi"]}),
    ("openai-chat", {"messages": [{"content": "Hi"}]}),
    ("openai-chat", {"messages": [{"role": "user", "content": [{"type": "image_url"}, "Hi", None]}]}),
    ("openai-responses", {"input": [{"type": "function_call_output", "output": "Hi"}]}),
    ("openai-responses", {}),
    ("gemini", {"contents": [{"role": "model", "parts": [{"text": "Hi"}]}]}),
    ("gemini", {"contents": [{"role": "user", "parts": [{"functionResponse": {}}]}]}),
    ("another", {"messages": [{"role": "user", "content": "Hi"}]}),
]


@pytest.mark.parametrize("form,body", [*USER.items(), *PARTS.items()])
def test_only_the_last_text_of_the_user_is_taken_out(form: str, body: dict[str, Any]) -> None:
    before = json.dumps(body)
    other: dict[str, Any] = json.loads(before.replace('"Hi"', '"Good day"'))
    assert (taken_out(form, body), taken_out(form, other)) == ("Hi", "Good day")
    assert json.dumps(body) == json.dumps(other) == before.replace('"Hi"', '{"omniroute": "the text"}')


@pytest.mark.parametrize("form,body", NOBODY)
def test_where_the_user_says_nothing_last_nothing_is_taken(form: str, body: dict[str, Any]) -> None:
    before = json.dumps(body)
    assert taken_out(form, body) is None
    assert json.dumps(body) == before


@pytest.mark.parametrize(
    "text,expected",
    [
        ("What is the capital of France?", []),
        ("What's twenty-one, 2+3 or (42)?", ["2+3", "42"]),
        ("Read src/main.py, then https://x.org/a?b=1!", ["src/main.py", "https://x.org/a?b=1"]),
        ("call `foo_bar` for ada@example.com", ["`foo_bar`", "ada@example.com"]),
        ("法国的首都是什么，请回答。", []),
        ("भारत की राजधानी क्या है", []),
        ("… - ?", []),
    ],
)
def test_what_is_not_made_of_letters_must_stay(text: str, expected: list[str]) -> None:
    assert [*literals(text)] == expected
